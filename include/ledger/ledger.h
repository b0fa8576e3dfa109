/*
 * ledger - who was given what, so that nothing is delivered twice.
 *
 * SMTP has one gap: the line may break between the local "taken" and the
 * provider's receipt of our 250, and then the message comes again (RFC 1047).
 * And LMTP answers each recipient where SMTP has one answer for all. The
 * ledger closes both: it keeps the outcome of each recipient of a text, by the
 * text's digest, in a file of the account, until the provider has proven that
 * it knows. Nothing of a message is kept, nothing is held back.
 *
 * This is the deciding part: it knows neither file nor clock nor delivery. The
 * order of calls is that of delivery_ops, for each message
 *
 *	mail (rcpt rcpt_answer)+ text* (judge outcome* reply* | abort | defer)
 *
 * and the session has the ledger to itself (the account's lock).
 */
#ifndef ODMR_LEDGER_LEDGER_H
#define ODMR_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "protocol/address.h"
#include "protocol/status.h"

struct ledger;
struct ledger_book;
struct ledger_store;

enum {
	LEDGER_ENTRIES_MAX = 10000, /* the oldest that are not due go first */
	/* Recipients of all entries: so that texts with a thousand each do not
	 * add up; the same go first. */
	LEDGER_OUTCOMES_MAX = 50000,
	/* Of their lines in the file, about: it is read at every poll, and lies
	 * on the flash of a router. A usual book of 10,000 entries has 3 MB;
	 * a provider with the longest names and replies would fill 150. */
	LEDGER_OCTETS_MAX = 16 * 1024 * 1024,
	/* Of the entries: each recipient is compared with each that is due. The
	 * one that was due longest is then no more; where it comes, it is
	 * again. */
	LEDGER_DUE_MAX = 1000,
};

struct ledger_options {
	int64_t keep; /* seconds after which an entry expires (ledger_keep) */
	bool sync; /* fdatasync before a reply (ledger_sync) */
	bool forget_times; /* the user named the account: nobody is put off at
			      RCPT for a deferral of an earlier session */
	/* The three below are for tests; NULL means the system's own. */
	int64_t (*now)(void *context); /* Unix time in seconds */
	void (*random)(void *context, void *out, size_t len);
	void *context;
	const char *boot_id;
};

/*
 * Opens, or begins, STATE_DIR/ledger/ACCOUNT, leaves out what expired and
 * compacts the file where that is worth it. NULL where it cannot be read or
 * written: 75, before ATRN. What was dropped of a damaged file, and a file of
 * an unknown version that was kept aside, is told by ledger_note(). Errors:
 * ERROR_LOCAL.
 */
struct ledger *ledger_open(const char *state_dir, const char *account,
    const struct ledger_options *options, struct error *err)
    __attribute__((warn_unused_result));
/* The same over a book that is read already and any store; takes both. */
struct ledger *ledger_new(struct ledger_book *book, struct ledger_store *store,
    const struct ledger_options *options);
/* Writes what could wait, and frees. */
void ledger_close(struct ledger *ledger);

/*
 * What the log should say, one sentence a call (peers' text escaped), until
 * NULL; it lives until the next call. *error: at level error, else warning. To
 * be asked after ledger_open() and after each message.
 */
const char *ledger_note(struct ledger *ledger, bool *error);

/* A call was turned: what was told on an earlier connection is now only told,
 * no longer "on this connection". */
void ledger_connection_begin(struct ledger *ledger);

/*
 * A transaction. size is that of MAIL's SIZE=, 0 where it had none. The path is
 * copied.
 */
void ledger_mail(
    struct ledger *ledger, const struct path *sender, uint64_t size, bool prdr);

/* What the delivery of a recipient does with it. */
struct ledger_target {
	/* A maildir with sync: no, so that what was taken before a reboot does
	 * not count. */
	bool unsynced;
	/* It has one mailbox for a local part in any case (a maildir). */
	bool caseless;
};

enum ledger_admission {
	LEDGER_ASK, /* the delivery; then ledger_rcpt_answer() */
	LEDGER_SAID, /* answer has what the provider is told */
	LEDGER_SAME, /* see ledger_rcpt_same() */
};

/* Recipient number rcpt (of RECEIVER_RCPT), whose domain is accepted. */
enum ledger_admission ledger_rcpt(struct ledger *ledger, size_t rcpt,
    const struct path *path, const struct ledger_target *target,
    struct status *answer) __attribute__((warn_unused_result));
/*
 * The delivery's answer to it, after LEDGER_ASK; what is then in answer is told
 * to the provider, and to each of ledger_rcpt_same(). It is never 452. The
 * refusal of somebody who may have this very message already (it filled the
 * mailbox, say) becomes 250 here, and is told at the end of the text where that
 * is another message: or the provider would bounce what was delivered. The
 * delivery hears nothing of this; where it accepted nobody, it need not be given
 * the text, and ledger_judge() will say LEDGER_ABORT.
 */
void ledger_rcpt_answer(
    struct ledger *ledger, size_t rcpt, struct status *answer);

/*
 * The next recipient that names the mailbox of rcpt once more; false: no more.
 * A mailbox is given a message once, and what it says counts for all its names.
 * To be asked after ledger_rcpt_answer().
 */
bool ledger_rcpt_same(struct ledger *ledger, size_t rcpt, size_t *same);
/* The number that the delivery knows the recipient by: its own, or that of the
 * first name of its mailbox. */
size_t ledger_asked_as(const struct ledger *ledger, size_t rcpt);

/* The text as RECEIVER_BODY gives it, without our trace field. */
void ledger_text(struct ledger *ledger, const char *text, size_t len);

enum ledger_verdict {
	LEDGER_FINISH, /* the last step; then outcome for each, then reply */
	LEDGER_ABORT, /* delivery abort, then reply */
};

/* At RECEIVER_DONE, after delivery ready gave true (if it gave false: the same,
 * and the results go to outcome). */
enum ledger_verdict ledger_judge(struct ledger *ledger);
/*
 * The outcome of a recipient, softened already where refusals are softened. It
 * is on record when this returns (but see ledger_failed()); to be called as
 * each result comes, before the next is waited for. joined: the next one comes
 * at once, and both go on record together (delivery_result_joined()).
 */
void ledger_outcome(struct ledger *ledger, size_t rcpt,
    const struct status *outcome, bool joined);
/*
 * What to tell each recipient that was answered 2xx at RCPT, in the order of
 * their numbers; false when there is none left. With ledger_sync it is on disk
 * by then. Counts as told: it must be written to the provider, or the
 * connection be given up.
 */
bool ledger_reply(struct ledger *ledger, size_t *rcpt, struct status *answer);
/* The transaction ended otherwise: RECEIVER_ABORT. */
void ledger_abort(struct ledger *ledger);
/* The same, by a 4xx of our own to the text that it would get each time. */
void ledger_defer(struct ledger *ledger, const struct status *reply);

/*
 * The proof that the provider has read our answers: it writes on after a 354
 * or an EHLO reply, which it had to wait for (RFC 2920 3.1). _synchronised():
 * all output was written, it ended with such a reply, and the input was empty
 * before the write (in the engine, in TLS, in the socket). _arrived(): at least
 * one octet was read; to be called after each read, before the octets are acted
 * on.
 */
void ledger_synchronised(struct ledger *ledger);
void ledger_arrived(struct ledger *ledger);

/* true once the file could not be written: answer what is under way, then 421,
 * and the session ends with 75. Errors: ERROR_LOCAL. */
bool ledger_failed(const struct ledger *ledger, struct error *err);

/* Outcomes that were recorded, and those of which the provider has shown since
 * that it knows them: what was new in this session. */
uint64_t ledger_progress(const struct ledger *ledger);

/* Entries, and those of them that are due: told 451, so they come back. */
size_t ledger_entries(const struct ledger *ledger);
size_t ledger_due(const struct ledger *ledger);

#endif
