/*
 * receiver - the SMTP server of the reversed connection, as a pure machine.
 *
 * Bytes in, bytes and events out: no descriptor, no clock, no log. Nothing is
 * called back; the driver (session/serve) pulls. EOF is input as well: inside a
 * message it is RECEIVER_ABORT, always. RFC 5321, 1870, 2034, 2920, 3030, 6152,
 * 6531, 3461, and PRDR (draft-hall-prdr).
 */
#ifndef ODMR_PROTOCOL_RECEIVER_H
#define ODMR_PROTOCOL_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/envelope.h"
#include "protocol/status.h"

struct receiver;
struct transcript;

enum receiver_newline { RECEIVER_NORMALIZE, RECEIVER_REJECT };

/* Borrowed for the life of the receiver. */
struct receiver_options {
	const char *hostname; /* our name in greeting and EHLO */
	uint64_t size_max; /* octets; 0: no limit (RFC 1870) */
	bool dsn; /* offered (RFC 3461) */
	enum receiver_newline newline; /* lone CR, LF, NUL in a message */
	const char *postmaster_domain; /* for RCPT TO:<postmaster> */
	struct transcript *transcript;
};

enum receiver_event_type {
	RECEIVER_MAIL, /* a transaction began; the envelope has its sender */
	RECEIVER_RCPT, /* a recipient, to be answered */
	RECEIVER_TEXT, /* the text begins (DATA, or the first BDAT) */
	RECEIVER_BODY, /* a piece of it */
	RECEIVER_DONE, /* its end; each accepted recipient wants an answer */
	/* A MAIL or RCPT that the engine refused itself; for the log. */
	RECEIVER_REFUSAL,
	/* The transaction ended and must leave no trace. Where the next MAIL
	 * did that, receiver_envelope() is of the next already. */
	RECEIVER_ABORT,
	RECEIVER_CLOSE, /* write the output, then close */
};

/* Why a connection ends. */
enum receiver_end {
	RECEIVER_OPEN,
	RECEIVER_QUIT, /* the provider said so */
	RECEIVER_EOF, /* the line ended without QUIT */
	RECEIVER_STOPPED, /* receiver_stop() */
	RECEIVER_BROKEN, /* too many errors, or out of step: exit 76 */
};

struct receiver_event {
	enum receiver_event_type type;
	size_t rcpt; /* RCPT: its index in the envelope */
	/* BODY: a piece of the text; REFUSAL: the command line. Lives until
	 * the next call on the engine, as refusal does. */
	const char *text;
	size_t len;
	/* REFUSAL: the reply. ABORT of a text that the engine itself refused:
	 * the reply that its end will get; NULL where the provider gave it
	 * up. */
	const struct status *refusal;
	enum receiver_end end; /* CLOSE */
};

struct receiver *receiver_new(const struct receiver_options *options);
void receiver_free(struct receiver *receiver);

/* Input: read straight into the room, then say how much came. There is room
 * whenever receiver_next() returned false and wants no answers. */
char *receiver_room(struct receiver *receiver, size_t *room);
void receiver_filled(struct receiver *receiver, size_t len);
/* The line has ended, whatever is in the input: RECEIVER_ABORT for what is
 * open, then RECEIVER_CLOSE. Not while answers are wanted. */
void receiver_eof(struct receiver *receiver);

/*
 * The input ends in a lone LF inside a command: only CRLF ends one, so that no
 * address can hold a second command, but a provider that ends them so waits for
 * a reply. The driver, who has a clock, says when nothing comes behind it: the
 * line gets 500.
 */
bool receiver_line_hangs(const struct receiver *receiver);
void receiver_line_over(struct receiver *receiver);

/* The next event; false: it wants answers, its output written, or input. */
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
/* Recipient rcpt is the mailbox of first over again, and the delivery is asked
 * for first alone: whatever reports one of both names asks for are asked for it.
 * Before the delivery sends it. */
void receiver_same_mailbox(
    struct receiver *receiver, size_t first, size_t rcpt);
/* recipient rcpt has a 2xx and takes part in the message */
bool receiver_accepted(const struct receiver *receiver, size_t rcpt);
/*
 * From now on a message that is too large is deferred, or no more. While it is,
 * EHLO tells no limit: a provider that knows one refuses on its own what is
 * larger (RFC 1870 5).
 */
void receiver_soften_size(struct receiver *receiver, bool soft);
/* status, a 421, is the reply to the next command that is not the rest of a
 * text; then RECEIVER_CLOSE. */
void receiver_stop(struct receiver *receiver, const struct status *status);
/* Says the 421 of receiver_stop() without waiting for a command. */
void receiver_hang_up(struct receiver *receiver);

/* Output: what is to be written, then say how much was. */
const char *receiver_output(struct receiver *receiver, size_t *len);
void receiver_written(struct receiver *receiver, size_t len);

/* The transaction that is open, NULL between two. */
const struct envelope *receiver_envelope(const struct receiver *receiver);
/* Inside the text of a message, or between two of its BDATs. */
bool receiver_in_text(const struct receiver *receiver);
/* The rest of a BDAT, which comes whatever is answered, is no more than one read
 * may bring. */
bool receiver_ends_chunk(const struct receiver *receiver);
/* Grows with each command that is complete and each octet of text, so that a
 * time limit can be per command and not per read. */
uint64_t receiver_progress(const struct receiver *receiver);
/* The name of EHLO or HELO, as it came; "" before. */
const char *receiver_peer_name(const struct receiver *receiver);
/* The provider said EHLO, not HELO. */
bool receiver_is_esmtp(const struct receiver *receiver);
/*
 * The last reply is a 354 or one to EHLO and no input waits behind it: octets
 * that come now prove that all replies before it were read (the ledger).
 */
bool receiver_awaits_proof(const struct receiver *receiver);

#endif
