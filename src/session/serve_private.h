/*
 * serve_private - what the sources of session/serve share.
 *
 * serve.c has the loop and the decisions, serve_text.c what the delivery is
 * given of a message, serve_log.c the words of the log.
 */
#ifndef ODMR_SESSION_SERVE_PRIVATE_H
#define ODMR_SESSION_SERVE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "protocol/first_line.h"
#include "protocol/message_id.h"
#include "session/serve.h"

struct delivery;
struct envelope;
struct receiver;
struct status;

struct serve {
	const struct serve_options *options;
	struct serve_result *result;
	struct delivery *delivery;
	struct receiver *receiver;
	bool closed;

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

	/* The wait for the provider. */
	struct deadline deadline;
	uint64_t progress;
	int64_t window; /* end of the minute, clock_ms(); 0: none */
	uint64_t window_begin; /* progress at its beginning */
};

/* The text begins: the delivery gets our Received field. */
void serve_text_begin(struct serve *s);
void serve_text_body(struct serve *s, const char *text, size_t len);
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
