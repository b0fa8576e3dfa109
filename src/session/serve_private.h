/*
 * serve_private - what the sources of session/serve share.
 *
 * serve.c has the loop and its waits, serve_rcpt.c what a recipient is answered,
 * serve_known.c which refusals do not reach the provider,
 * serve_text.c what the delivery is given of a message, serve_outcome.c what
 * became of it, serve_log.c the words of the log.
 *
 * What is known of a recipient stands in four arrays, by its number in the
 * envelope:
 *
 * serve.replies   what the delivery said of it, as it said it: at RCPT, then
 *                 after the content; for the log. Code 0: it was not asked.
 * ledger          what counts, softened where soft_bounce is on, with what
 *                 earlier connections have left: ledger_rcpt_answer() at RCPT,
 *                 ledger_outcome() after the content.
 * told            what the provider is answered after the content, given by
 *                 ledger_reply(); lives in serve_outcome_answer(). Code 0: it
 *                 had its last word at RCPT.
 * receiver        what the provider was answered: receiver_answer(), once at
 *                 RCPT, and after the content once for each accepted one.
 */
#ifndef ODMR_SESSION_SERVE_PRIVATE_H
#define ODMR_SESSION_SERVE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/timestamp.h"
#include "protocol/first_line.h"
#include "protocol/message_id.h"
#include "session/serve.h"

struct config_delivery;
struct delivery;
struct envelope;
struct receiver;
struct status;

enum {
	/* A message under way is finished within this after a SIGTERM, and
	 * what is to be told then is written within it. */
	SERVE_GRACE_TEXT = 10 * 1000,
	/* An answer that the delivery owes is waited for so long after it. */
	SERVE_GRACE_ANSWER = 60 * 1000,
	/* Deliveries have time limits of their own, all of them below: a
	 * `timeout` of a day gives three days to the end of a text. */
	SERVE_DELIVERY_MAX = 7 * 24 * 3600 * 1000,
	SERVE_ID_SIZE = 80,
};

struct serve {
	const struct serve_options *options;
	struct serve_result *result;
	struct delivery *delivery;
	struct receiver *receiver;
	bool closed;
	/* Why the last call failed. Here once: as a variable of each step the
	 * compiler would clear a kilobyte each time. */
	struct error err;

	/* The transaction under way. */
	bool begun; /* the delivery knows of it */
	size_t asked; /* answers that the delivery owes */
	size_t taken; /* recipients that the delivery took at RCPT */
	struct status *replies; /* the delivery's own words, per recipient */
	size_t replies_size;
	bool done; /* the text is whole */
	uint64_t octets;
	int64_t since; /* clock_ms() of MAIL */
	struct message_id message_id;
	struct first_line first_line;
	char date[TIMESTAMP_MAIL_SIZE]; /* of date_second, Unix time; or "" */
	int64_t date_second;

	/* The wait for the provider. */
	struct deadline deadline;
	uint64_t progress;
	int64_t window; /* end of the minute, clock_ms(); 0: none */
	uint64_t window_begin; /* progress at its beginning */
};

/* Where a recipient goes; NULL: nowhere. */
const struct config_delivery *serve_delivery_of(
    const struct serve *s, size_t rcpt);
/* soft_bounce: the provider keeps the mail. delivery NULL: of no delivery. */
void serve_soften(const struct serve *s, const struct config_delivery *delivery,
    struct status *status);
/* A recipient is refused as one that does not exist, and had mail before: that is
 * not believed at once (record/history_known); 451, and until when. */
void serve_doubt(const struct serve *s, size_t rcpt, struct status *status);
/* Both, of a delivery's reply. */
void serve_soften_reply(
    const struct serve *s, size_t rcpt, struct status *status);
/* The delivery has accepted a message for this recipient. */
void serve_delivered(const struct serve *s, size_t rcpt);
/* The limit of size is that of all deliveries together. */
void serve_soften_size(const struct serve *s);
/* A recipient that the receiver let through: it is answered here, or by
 * serve_rcpt_answers(), which takes the delivery's answers to a group. */
void serve_rcpt(struct serve *s, size_t rcpt);
void serve_rcpt_answers(struct serve *s);
/* The message came to nothing; refusal NULL: the provider gave it up. */
void serve_outcome_abort(struct serve *s, const struct status *refusal);
/* The content is whole: delivery, ledger, and each recipient's answer. */
void serve_outcome_answer(struct serve *s);
void serve_tell_progress(const struct serve *s);
/* The text begins: the delivery gets our Received field. */
void serve_text_begin(struct serve *s);
void serve_text_body(struct serve *s, const char *text, size_t len);
/* What the transaction is called in our Received field and in the log; out has
 * SERVE_ID_SIZE octets; returns out. */
const char *serve_id(const struct serve *s, char *out);
/* One recipient that was not given the message, and why. As all lines of
 * refusals, it is only counted once there are many in the session. */
void serve_log_refusal(const struct serve *s, const struct envelope *envelope,
    size_t rcpt, const struct status *told);
/* A MAIL or RCPT that the receiver itself refused. */
void serve_log_command(const struct serve *s, const char *text, size_t len,
    const struct status *told);
void serve_log_loop(const struct serve *s);
/*
 * Recipients that got it, from first on, with one reply of the delivery and as
 * many as a line takes. Returns the next that was not looked at.
 */
size_t serve_log_message(const struct serve *s, const struct envelope *envelope,
    const struct status *told, size_t first);
void serve_log_ledger_notes(const struct serve *s);

#endif
