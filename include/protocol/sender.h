/*
 * sender - the SMTP or LMTP client towards a local service, as a pure machine.
 *
 * Bytes in, bytes and answers out: no descriptor, no clock. Commands may be
 * given at any time; they go out in groups where PIPELINING is listed (RFC
 * 2920), else one by one. Each recipient gets exactly one answer, and each
 * accepted one exactly one result, whatever happens: after EOF, a time-out, a
 * 421 or a reply that makes no sense the machine is over, and what is still
 * owed is told as 451. A reply that came before the final dot was written is
 * no answer to the message, whatever it says. RFC 5321, 1870, 2033, 2920, 3461,
 * 6152, 6531, 9422.
 *
 * Text for a service that does not list 8BITMIME is sent as it is: every
 * service in use is clean to eight bits, and a rewritten message would break
 * signatures.
 */
#ifndef ODMR_PROTOCOL_SENDER_H
#define ODMR_PROTOCOL_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"
#include "protocol/meaning.h"
#include "protocol/status.h"

struct envelope;
struct recipient;
struct sender;
struct transcript;

/*
 * A reply that speaks of us or of how the service is set up (meaning); what is
 * owed for it is told as 451.
 */
struct sender_complaint {
	enum meaning meaning; /* UNPREPARED or ESTRANGED */
	const char *step; /* "RCPT"; static */
	struct status reply;
};

/* Borrowed for the life of the sender. */
struct sender_options {
	bool lmtp; /* LHLO, and one reply per recipient behind the final dot */
	const char *hostname; /* our name in LHLO and EHLO */
	struct transcript *transcript;
};

struct sender *sender_new(const struct sender_options *options);
void sender_free(struct sender *sender);

/*
 * Input: read straight into the room, then say how much came. There may be
 * none as long as answers or results wait to be taken.
 */
char *sender_room(struct sender *sender, size_t *room);
void sender_filled(struct sender *sender, size_t len);
void sender_eof(struct sender *sender);
/*
 * The driver gives the connection up (time-out, I/O error): the sender is over.
 * The first failure counts, and its 451 has this enhanced code and reason.
 */
void sender_fail(
    struct sender *sender, const char *enhanced, const char *reason);

/*
 * Output: what is to be written, then say how much was. What was read before
 * is to be told before, by sender_filled(), or a reply to nothing could pass
 * for one to the final dot.
 */
const char *sender_output(const struct sender *sender, size_t *len);
void sender_written(struct sender *sender, size_t len);

/*
 * One transaction: mail rcpt+ [data] text* dot, or abort before the dot. Sender
 * and recipients are borrowed up to their answer, or abort. Of the envelope MAIL
 * goes out, its recipients are the caller's. All have the parameters that the
 * service lists.
 */
void sender_mail(struct sender *sender, const struct envelope *envelope);
void sender_rcpt(
    struct sender *sender, const struct recipient *to, size_t rcpt);
/* Asks to give the text, behind the recipients, or later; once is enough. */
void sender_data(struct sender *sender);
/*
 * Text in CRLF lines without lone CR or LF, dots not stuffed, cut anywhere,
 * once sender_takes_text(). Returns how much was taken; less than len means
 * that output must be written first.
 */
size_t sender_text(struct sender *sender, const char *text, size_t len);
void sender_dot(struct sender *sender);
/*
 * Nothing of the transaction arrives anywhere, and nothing is owed any more.
 * Where text was asked for, only the end of the connection says so: the sender
 * is over. Else RSET goes out before the next MAIL.
 */
void sender_abort(struct sender *sender);
/* QUIT, where it can be said now. */
void sender_quit(struct sender *sender);

/*
 * The next answer to a recipient, as it was given to sender_rcpt(). The
 * refusal of MAIL is the answer to each. false: input is wanted, or none is
 * owed.
 */
bool sender_answer(struct sender *sender, size_t *rcpt, struct status *status);
/*
 * The result of the next accepted recipient, after the dot, or where the
 * sender does not take text. false: input is wanted, or none is owed.
 */
bool sender_result(struct sender *sender, size_t *rcpt, struct status *status);
/* The next result is that of the same reply as the last one (SMTP). */
bool sender_result_joined(const struct sender *sender);

/* Greeted, and EHLO answered. */
bool sender_is_open(const struct sender *sender);
/* Nothing more can be said on this connection: close it. */
bool sender_is_over(const struct sender *sender);
/* Why it is over; code 0 while it is not. */
const struct status *sender_failure(const struct sender *sender);
/* The last such reply, once: true, and what it was. */
bool sender_complains(
    struct sender *sender, struct sender_complaint *complaint);
/* Since sender_mail() the service answered anything. */
bool sender_was_answered(const struct sender *sender);
bool sender_owes_answers(const struct sender *sender);
bool sender_owes_results(const struct sender *sender);
/* 354 came, and the dot did not go out. */
bool sender_takes_text(const struct sender *sender);
/* The answer to DATA is awaited. */
bool sender_awaits_go(const struct sender *sender);
/* SMTPUTF8 is listed (RFC 6531): a path beyond ASCII may be given. */
bool sender_takes_smtputf8(const struct sender *sender);
/* DSN is listed (RFC 3461). */
bool sender_takes_dsn(const struct sender *sender);
/* What LIMITS leaves (RFC 9422): another recipient in this transaction, another
 * transaction on this connection. Nothing is kept from being given. */
bool sender_takes_rcpt(const struct sender *sender);
bool sender_takes_mail(const struct sender *sender);
/* The limit of SIZE, 0 where none is known (RFC 1870 4). */
uint64_t sender_size_max(const struct sender *sender);

#endif
