/*
 * tally - what became of the recipients of a session.
 *
 * A recipient that is deferred in one call and taken in the next is not
 * deferred any more: what a session reports is where things stand at its end.
 */
#ifndef ODMR_SESSION_TALLY_H
#define ODMR_SESSION_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct envelope;
struct history_deferrals;
struct status;

enum {
	/* Deferrals that are told apart, in 400 kB; beyond, each only counts, as
	 * a flood of them is all that can be said then. */
	TALLY_DEFERRED_MAX = 10000,
	/* Final answers that are known again in the same session. One that
	 * had to make room for another counts as news: that costs a call. */
	TALLY_SEEN_MAX = 1024,
	/* A message that is accepted out of the ledger on so many connections,
	 * and comes again, keeps others from coming. */
	TALLY_STUCK = 2,
	/* Once may be the message: one at which a filter hangs is due in each
	 * session where these are hours apart, and would keep from its mailbox
	 * whatever comes behind it. */
	TALLY_UNANSWERED = 2,
	/* Messages for mailboxes that are not asked again in the session then.
	 * One that is left out costs time, no mail. */
	TALLY_UNANSWERED_MAX = 200,
};

/* Digest of a recipient that had a final answer; 0: none. */
struct tally_seen {
	uint64_t hash;
	unsigned again; /* connections on which the ledger knew it */
	unsigned connection; /* the last on which it was answered */
};

/* Messages to one recipient that RCPT cannot tell apart. */
struct tally_deferred {
	uint64_t hash;
	uint64_t messages; /* that are deferred */
	uint64_t offered; /* and were so in this connection */
};

enum tally_line { TALLY_LINE_DEFERRED, TALLY_LINE_REFUSED, TALLY_LINES };

struct tally_lines {
	uint64_t logged, left_out;
};

struct tally {
	unsigned transactions; /* MAIL commands, so that each has a number */
	uint64_t messages; /* with a recipient that was taken */
	uint64_t recipients; /* told 2xx at the end of a text */
	uint64_t bytes; /* of the texts of those messages */
	uint64_t refused; /* told 5xx */
	uint64_t finals; /* told 2xx or 5xx */
	uint64_t news; /* outcomes and deferrals of what had none before */
	uint64_t deferrals; /* told 4xx, each time */
	/* Of the account, which outlive the session; NULL: not kept. */
	struct history_deferrals *kept;
	/* Deferrals and refusals that have a line of the log, and those that
	 * are only counted (serve_log). */
	struct tally_lines lines[TALLY_LINES];
	/* The rest is internal. */
	struct tally_deferred *deferred;
	size_t deferred_len;
	uint64_t deferred_now;
	unsigned connections; /* that have begun */
	struct tally_seen seen[TALLY_SEEN_MAX]; /* by the hash */
	uint64_t unanswered[TALLY_UNANSWERED_MAX];
	size_t unanswered_count;
};

/* Begins zeroed. */
void tally_clear(struct tally *tally);
/* Before the first of a connection: what is deferred in it may be what was
 * deferred in the one before. Two of one connection are two messages. */
void tally_connection_begin(struct tally *tally);
/* Recipient rcpt was told status, at RCPT or at the end of the text. A 2xx
 * to RCPT is no outcome and is not told here. */
void tally_told(struct tally *tally, const struct envelope *envelope,
    size_t rcpt, const struct status *status);
/* As tally_told(), of a command line that got no further than the receiver;
 * envelope is NULL outside a transaction. */
void tally_refusal(struct tally *tally, const struct envelope *envelope,
    const char *line, size_t len, const struct status *status);
/* The answer to recipient rcpt came out of the ledger, once more. */
void tally_told_again(
    struct tally *tally, const struct envelope *envelope, size_t rcpt);
/*
 * What looks like this message was accepted out of the ledger again and again
 * in this session: the provider does not hear it, and sends nothing else.
 */
bool tally_is_stuck(
    const struct tally *tally, const struct envelope *envelope, size_t rcpt);
/* The delivery had the whole message for recipient rcpt, and did not answer. */
void tally_note_unanswered(
    struct tally *tally, const struct envelope *envelope, size_t rcpt);
/*
 * It was so with TALLY_UNANSWERED messages for this mailbox in this session: each
 * of them would take all the time that an answer may take, and then the session
 * has none for others.
 */
bool tally_is_unanswered(
    const struct tally *tally, const struct envelope *envelope, size_t rcpt);
/* Recipients that were deferred and have had no final answer since. */
uint64_t tally_deferred(const struct tally *tally);

#endif
