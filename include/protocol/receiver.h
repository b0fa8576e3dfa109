/*
 * receiver - the SMTP server of the reversed connection, as a pure machine.
 *
 * Bytes in, bytes and events out: no descriptor, no clock, no log. Nothing is
 * called back; the driver (agent/serve) pulls. EOF is input as well: inside a
 * message it is RECEIVER_ABORT, always. RFC 5321, 1870, 2034, 2920, 3030, 6152,
 * and PRDR as in protocol.md 2.17.
 */
#ifndef ODMR_PROTOCOL_RECEIVER_H
#define ODMR_PROTOCOL_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"
#include "protocol/status.h"

struct receiver;
struct transcript;

enum receiver_newline { RECEIVER_NORMALIZE, RECEIVER_REJECT };

/* Borrowed for the life of the receiver. */
struct receiver_options {
	const char *hostname; /* our name in greeting and EHLO */
	uint64_t size_max; /* octets; 0: no limit (RFC 1870) */
	enum receiver_newline newline; /* lone CR, LF, NUL in a message */
	const char *postmaster_domain; /* for RCPT TO:<postmaster> */
	struct transcript *transcript;
};

enum receiver_event_type {
	RECEIVER_MAIL, /* a transaction began; sender is in the envelope */
	RECEIVER_RCPT, /* a recipient, to be answered */
	RECEIVER_TEXT, /* the text begins (DATA answered, or first BDAT) */
	RECEIVER_BODY, /* a piece of it: text, len */
	RECEIVER_DONE, /* its end; each accepted recipient wants an answer */
	RECEIVER_ABORT, /* RSET, EHLO, QUIT, EOF or a fault ended it */
	RECEIVER_CLOSE, /* write the output, then close */
};

struct receiver_event {
	enum receiver_event_type type;
	size_t rcpt; /* RCPT: its index in the envelope */
	const char *text; /* BODY: lives until the next call on the engine */
	size_t len;
};

struct receiver *receiver_new(const struct receiver_options *options);
void receiver_free(struct receiver *receiver);

/* Input: read straight into the room, then say how much came. */
char *receiver_room(struct receiver *receiver, size_t *room);
void receiver_filled(struct receiver *receiver, size_t len);
void receiver_eof(struct receiver *receiver);

/* The next event; false: it wants answers, or input. */
bool receiver_next(struct receiver *receiver, struct receiver_event *event);
bool receiver_wants_answers(const struct receiver *receiver);
/* The text of this transaction is already in the input: DATA or BDAT is next,
 * so that a delivery may send its own DATA with the recipients. */
bool receiver_text_waits(const struct receiver *receiver);
/*
 * The answer to recipient rcpt: to RECEIVER_RCPT, or after RECEIVER_DONE, of
 * each accepted recipient. The engine orders answers and reduces or, under
 * PRDR, lists them.
 */
void receiver_answer(
    struct receiver *receiver, size_t rcpt, const struct status *status);
/* status, a 421, is the reply to the next command; then RECEIVER_CLOSE. */
void receiver_stop(struct receiver *receiver, const struct status *status);

/* Output: what is to be written, then say how much was. */
const char *receiver_output(struct receiver *receiver, size_t *len);
void receiver_written(struct receiver *receiver, size_t len);

#endif
