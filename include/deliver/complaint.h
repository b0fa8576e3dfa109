/*
 * complaint - what a local server has against us, and what somebody should mend.
 *
 * A mailer has one for a session. It hears each reply, and decides whether the
 * server does not accept us at all. Cannot fail.
 */
#ifndef ODMR_DELIVER_COMPLAINT_H
#define ODMR_DELIVER_COMPLAINT_H

#include <stdbool.h>

#include "base/error.h"

struct sender;

/* All zero at first. */
struct complaint {
	int estranged; /* code of the reply that does not accept us; or 0 */
	bool welcome; /* it has accepted a recipient in this session */
	bool made; /* in this session */
	struct error error; /* class NONE: none, or told */
};

/* After each answer or result of the sender. */
void complaint_hear(struct complaint *complaint, struct sender *sender);
/* A connection could not be opened, or class NONE: it was. */
void complaint_lost(struct complaint *complaint, const struct error *why);
/* The server does not accept us, so that the session should end. */
bool complaint_is_estranged(const struct complaint *complaint);
/* What is to be told, each once; false: nothing. Errors: ERROR_LOCAL. */
bool complaint_take(struct complaint *complaint, struct error *out)
    __attribute__((warn_unused_result));

#endif
