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

enum {
	/* Messages in a row that are refused for the host they come from, until
	 * it is believed that none would be accepted. What waits for one mailbox
	 * that is for the house alone is hardly as much; a hundred refusals at
	 * MAIL or RCPT cost little. */
	COMPLAINT_MESSAGES_MAX = 100,
};

enum complaint_weight {
	COMPLAINT_NONE,
	COMPLAINT_SET_UP, /* of a domain, a sender, what mail is judged by */
	COMPLAINT_HOST, /* of us, or of one mailbox that is not for us */
	COMPLAINT_ALL, /* of us: no mail is accepted */
};

/* All zero at first. */
struct complaint {
	enum complaint_weight weight; /* the heaviest of this session */
	unsigned messages; /* that were refused with COMPLAINT_HOST */
	bool counted; /* this message is one of them */
	bool welcome; /* it has accepted a recipient in this session */
	struct error error; /* class NONE: none, or told */
};

/* A message begins. */
void complaint_begin(struct complaint *complaint);
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
