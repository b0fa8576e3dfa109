/*
 * meaning - of whom a reply of a local service speaks.
 *
 * A 5xx that speaks of a recipient, a sender or a message is passed on, and the
 * provider bounces the message. A 5xx that speaks of us, or of how the service
 * is set up, must bounce nothing: it holds for all mail, and somebody can mend
 * it. The code alone does not tell them apart, so this is the one place where
 * code, enhanced code, text and step are weighed. Pure.
 */
#ifndef ODMR_PROTOCOL_MEANING_H
#define ODMR_PROTOCOL_MEANING_H

#include <stdbool.h>

struct status;

/* Every reply that is awaited, or will be once its command went out. */
enum step_kind {
	STEP_GREETING,
	STEP_HELLO,
	STEP_HELO,
	STEP_RSET,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_DOT, /* the end of data; for LMTP each reply to it */
	STEP_QUIT,
};

enum meaning {
	MEANING_NONE, /* no such reply exists at this step */
	MEANING_POSITIVE, /* 2xx; 354 to DATA */
	MEANING_DEFERRED, /* 4xx, or a 5xx that should have been one */
	MEANING_REFUSED, /* the recipient, the sender or the message */
	/* The service is not set up for this recipient or sender; others may
	 * well be accepted. */
	MEANING_UNPREPARED,
	/* The service does not accept us, or does not understand us. */
	MEANING_ESTRANGED,
	MEANING_PARTING, /* 421, at any step (RFC 5321 3.8) */
};

enum meaning meaning_of(const struct status *reply, enum step_kind step);
/* Whether a 5xx says that the recipient does not exist, as far as it can be told
 * from what else a recipient may be refused for. */
bool meaning_is_unknown(const struct status *reply);
/* What somebody can do about a reply that is UNPREPARED or ESTRANGED: a clause
 * for the log. */
const char *meaning_advice(const struct status *reply, enum meaning meaning);

#endif
