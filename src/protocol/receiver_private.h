/*
 * receiver_private - what the sources of protocol/receiver share.
 *
 * receiver.c has the interface and the input, receiver_commands.c what each
 * command does, receiver_transaction.c the transaction: recipients and their
 * answers, the text, and what is said of it.
 */
#ifndef ODMR_PROTOCOL_RECEIVER_PRIVATE_H
#define ODMR_PROTOCOL_RECEIVER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "protocol/command.h"
#include "protocol/content.h"
#include "protocol/dsn.h"
#include "protocol/limits.h"
#include "protocol/receiver.h"
#include "protocol/trace.h"

enum state {
	STATE_COMMAND, /* the next octets are a command line */
	STATE_TEXT, /* the text of DATA */
	STATE_CHUNK, /* octets of a BDAT */
	STATE_ANSWERS, /* the text is whole, and its answers are awaited */
	STATE_CLOSED,
};

enum {
	/* Recipients, and lines too long for a command among them. */
	SLOTS_MAX = LIMIT_RCPTS + LIMIT_ERRORS,
	OUTPUT_MAX = LIMIT_OUTPUT + (SLOTS_MAX + 2) * (STATUS_LINE_MAX + 2),
};

/* A reply that may have to wait for those before it. */
struct slot {
	char *line; /* NULL: not answered yet */
	size_t rcpt;
};

/* One mail transaction (RFC 5321 3.3); reset by one assignment. */
struct transaction {
	bool open;
	struct path sender;
	char ret[sizeof "FULL"];
	char envid[DSN_ENVID_MAX + 1];
	struct envelope envelope;
	struct recipient **rcpts; /* envelope.rcpts of them, owned */
	bool *accepted; /* one for each */
	size_t accepted_count;
	struct status *outcomes; /* of the accepted, once the text is whole */
	size_t outcomes_due;
	bool content_begun;
	uint64_t octets; /* of the text so far */
	struct status refusal; /* by the engine itself; code 0: none */
	struct content content;
	struct trace_count trace;
};

struct receiver {
	struct receiver_options options;
	enum state state;
	enum receiver_end end;
	bool closed_told;
	bool eof;
	bool skipping; /* the rest of a line that is too long */
	bool line_over; /* nothing comes behind the lone LF of this one */
	bool esmtp;
	char peer_name[LIMIT_PEER_NAME + 1];
	unsigned errors; /* in a row */
	unsigned excused; /* refusals in a row that are no sign of nonsense */
	/* The last MAIL was refused, and nothing but its group came since. */
	bool mail_refused;
	uint64_t progress;
	struct status stop; /* code 0: go on */
	bool soft_size; /* what is too large is deferred */

	struct transaction transaction;
	struct slot slots[SLOTS_MAX]; /* in their order */
	size_t slot_count, slots_due;
	size_t slots_begun; /* those before it have their line */

	uint64_t chunk_left; /* octets of this BDAT */
	uint64_t chunk_size;
	bool chunk_last;
	struct status chunk_fault; /* its octets are swallowed, then this */

	/* Events that one step brings, given out one at a time. */
	struct receiver_event events[3];
	size_t event_count, event_next;

	/* The command under way, and the reply where it is refused here. As a
	 * variable of each step the compiler would clear it once more. */
	struct command command;
	const char *line;
	size_t line_len;
	struct status refused;

	bool awaits_proof;
	struct buf output;
	size_t in_start, in_end;
	char in[LIMIT_INPUT];
};

void receiver_emit(struct receiver *r, enum receiver_event_type type);
/* The event that was emitted last, to be filled in. */
struct receiver_event *receiver_emitted(struct receiver *r);
void receiver_say_line(struct receiver *r, const char *line);
void receiver_say(struct receiver *r, const struct status *status);
void receiver_reply(
    struct receiver *r, int code, const char *enhanced, const char *text);
void receiver_close_down(struct receiver *r, enum receiver_end end);
/* Recipients that get no further than this engine are worth a word. */
void receiver_tell_refusal(struct receiver *r, const struct status *status);
void receiver_transaction_clear(struct transaction *t);
/* It ends without a message; whoever saw it begin is told. */
void receiver_transaction_abort(struct receiver *r);
/*
 * Whatever MAIL is answered, it clears what is open (RFC 5321 4.1.1.2), and is
 * refused until it begins a transaction. The RCPTs pipelined behind it are not
 * those of the transaction before: 503 to it would have them join that one, and
 * the next text would go to the wrong people; 503 to them as well would bounce
 * mail for a RSET that is missing.
 */
void receiver_mail_comes(struct receiver *r);
void receiver_transaction_begin(
    struct receiver *r, const struct command *command);
void receiver_transaction_add(
    struct transaction *t, const struct command *command);
void receiver_slot_add(
    struct receiver *r, const struct status *status, size_t rcpt);
void receiver_answer_rcpt(
    struct receiver *r, size_t rcpt, const struct status *status);
/* A reply to nonsense; too many of them end the session. */
void receiver_complain(struct receiver *r, const struct status *status);
void receiver_complain_order(struct receiver *r, const char *text);
/* A reply to what makes sense, and is refused all the same. */
void receiver_excuse(struct receiver *r, const struct status *status);
/* 503 to a command outside a transaction; in the group of a MAIL that was
 * refused it is no nonsense (RFC 2920 3.1). */
void receiver_miss_mail(struct receiver *r);
void receiver_text_begin(struct receiver *r, bool dots);
void receiver_content_take(
    struct receiver *r, const struct content_piece *piece);
void receiver_text_done(struct receiver *r);
void receiver_answer_text(
    struct receiver *r, size_t rcpt, const struct status *status);
void receiver_run_command(struct receiver *r, const char *line, size_t len);

/* The reply to a message that is larger than size_max. */
void receiver_size_status(const struct receiver *r, struct status *status);

#endif
