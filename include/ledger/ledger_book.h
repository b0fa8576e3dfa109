/*
 * ledger_book - the entries of a ledger in memory, as its records make them.
 *
 * Whatever changes the book is a record, whether it was just made or is read
 * back from the file, so that both ways lead to the same book. Bounded: the
 * oldest entries that are not due go first, then the oldest.
 */
#ifndef ODMR_LEDGER_LEDGER_BOOK_H
#define ODMR_LEDGER_LEDGER_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/ledger_deferrals.h"
#include "ledger/ledger_record.h"

enum {
	/* For LEDGER_OUTCOMES_MAX: a few in each. */
	LEDGER_BUCKET_BITS = 13,
	LEDGER_BUCKETS = 1 << LEDGER_BUCKET_BITS,
	/* A due entry that did not come for so many seconds holds nobody up any
	 * more. Providers wait some hours between two tries, a day at most. */
	LEDGER_DUE_KEEP = 2 * 86400,
};

struct ledger_entry;

/* What became of one recipient of a text; a text that came twice has two. */
struct ledger_outcome {
	/* Of the entry, in the order they came. */
	struct ledger_outcome *next, *before;
	struct ledger_outcome *by_id; /* next of the bucket */
	/* Next of the bucket, or of those that were told on this connection. */
	struct ledger_outcome *by_rcpt, **by_rcpt_at;
	struct ledger_entry *entry;
	uint64_t id, boot;
	struct status *refusal; /* NULL: taken */
	bool told; /* with 2xx or 5xx, and no 451 since */
	/* Of the running program alone: the place among the answers of this
	 * connection where it was told with 2xx or 5xx; 0: on none. */
	uint64_t told_at;
	char rcpt[];
};

/* One text of one sender; it has at least one outcome. */
struct ledger_entry {
	struct ledger_entry *older, *newer; /* by the last change */
	struct ledger_entry *older_due, *newer_due; /* where it is due */
	struct ledger_entry *chain; /* of the bucket */
	unsigned char digest[LEDGER_DIGEST];
	int64_t time; /* of the last outcome or 451, Unix seconds */
	bool due; /* some recipient was told 451 and comes back */
	struct ledger_outcome *outcomes, *last;
	size_t untold; /* of the outcomes */
	char sender[];
};

struct ledger_book {
	struct ledger_entry *oldest, *newest;
	struct ledger_entry *oldest_due, *newest_due;
	struct ledger_entry *by_digest[LEDGER_BUCKETS];
	struct ledger_outcome *by_id[LEDGER_BUCKETS];
	/* Entry and recipient; but not what was told on this connection. */
	struct ledger_outcome *by_rcpt[LEDGER_BUCKETS];
	/* That, in the order of the answers. */
	struct ledger_outcome *told, **told_end;
	struct ledger_deferrals deferrals;
	size_t entries, outcomes, due;
	size_t octets; /* of the outcomes' lines in a file, about */
	uint64_t last_id; /* that any record named */
	uint64_t connection; /* counted by ledger_book_connect() */
	uint64_t salt; /* of the buckets */
};

struct ledger_book *ledger_book_new(void);
void ledger_book_free(struct ledger_book *book);

/* Does what the record says; what it says of an unknown id is nothing. */
void ledger_book_apply(
    struct ledger_book *book, const struct ledger_record *record);
/* A connection begins: what was told on the one before can be found again. */
void ledger_book_connect(struct ledger_book *book);
/* The outcome was told with 2xx or 5xx on this connection, as number told_at of
 * the answers; its LEDGER_TOLD is the caller's. */
void ledger_book_tell(
    struct ledger_book *book, struct ledger_outcome *outcome, uint64_t told_at);

/* These two give NULL where there is none. */
struct ledger_entry *ledger_book_entry(const struct ledger_book *book,
    const unsigned char digest[LEDGER_DIGEST], const char *sender);
/* One of this recipient that was not told on this connection: what was, is of
 * an earlier message, and the same text again is a new one. */
struct ledger_outcome *ledger_book_outcome(const struct ledger_book *book,
    const struct ledger_entry *entry, const char *rcpt);

/*
 * Forgets entries and deferrals that are older than keep seconds, and that an
 * entry older than LEDGER_DUE_KEEP is due. A time that cannot be, in the future
 * or from a clock that was not set yet, begins anew with now; returns whether
 * there was one.
 */
bool ledger_book_expire(struct ledger_book *book, int64_t now, int64_t keep);
/* The records that make this book; each is passed to write, until it fails. */
bool ledger_book_records(const struct ledger_book *book,
    bool (*write)(void *context, const struct ledger_record *record),
    void *context);

#endif
