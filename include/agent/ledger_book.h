/*
 * ledger_book - the entries of a ledger in memory, as its records make them.
 *
 * Whatever changes the book is a record, whether it was just made or is read
 * back from the file, so that both ways lead to the same book. Bounded: the
 * oldest entries that are not due go first, then the oldest.
 */
#ifndef ODMR_AGENT_LEDGER_BOOK_H
#define ODMR_AGENT_LEDGER_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ledger_deferrals.h"
#include "agent/ledger_record.h"

enum {
	LEDGER_BUCKETS = 1024,
	/* A due entry that did not come for so many seconds holds nobody up any
	 * more. Providers wait some hours between two tries, a day at most. */
	LEDGER_DUE_KEEP = 2 * 86400,
};

struct ledger_entry;

/* What became of one recipient of a text; a text that came twice has two. */
struct ledger_outcome {
	struct ledger_outcome *next; /* of the entry, in the order they came */
	struct ledger_outcome *chain; /* of the bucket */
	struct ledger_entry *entry;
	uint64_t id, boot;
	struct status *refusal; /* NULL: taken */
	bool told; /* with 2xx or 5xx, and no 451 since */
	/* Of the running program alone, 0 before: the connection and the place
	 * in it where this was told with 2xx or 5xx. */
	uint64_t told_on, told_at;
	char rcpt[];
};

/* One text of one sender; it has at least one outcome. */
struct ledger_entry {
	struct ledger_entry *older, *newer; /* by the last change */
	struct ledger_entry *chain; /* of the bucket */
	unsigned char digest[LEDGER_DIGEST];
	int64_t time; /* of the last outcome or 451, Unix seconds */
	bool due; /* some recipient was told 451 and comes back */
	uint64_t changed_on; /* the connection of the last change */
	struct ledger_outcome *outcomes;
	char sender[];
};

struct ledger_book {
	struct ledger_entry *oldest, *newest;
	struct ledger_entry *by_digest[LEDGER_BUCKETS];
	struct ledger_outcome *by_id[LEDGER_BUCKETS];
	struct ledger_deferrals deferrals;
	size_t entries, outcomes, due;
	uint64_t last_id; /* that any record named */
	uint64_t connection; /* set by the owner, see changed_on */
};

struct ledger_book *ledger_book_new(void);
void ledger_book_free(struct ledger_book *book);

/* Does what the record says; what it says of an unknown id is nothing. */
void ledger_book_apply(
    struct ledger_book *book, const struct ledger_record *record);
/* Moves an entry to the newest place and notes the connection. */
void ledger_book_touch(struct ledger_book *book, struct ledger_entry *entry);

/* These two give NULL where there is none. */
struct ledger_entry *ledger_book_entry(const struct ledger_book *book,
    const unsigned char digest[LEDGER_DIGEST], const char *sender);
/* The first of this recipient that was not told on this connection: what was,
 * is of an earlier message, and the same text again is a new one. */
struct ledger_outcome *ledger_book_outcome(const struct ledger_book *book,
    const struct ledger_entry *entry, const char *rcpt);

/*
 * Forgets entries and deferrals that are older than keep seconds, and that an
 * entry older than LEDGER_DUE_KEEP is due. A time that cannot be, in the future or from a clock that was not set yet, begins anew
 * with now; returns whether there was one.
 */
bool ledger_book_expire(struct ledger_book *book, int64_t now, int64_t keep);
/* The records that make this book; each is passed to write, until it fails. */
bool ledger_book_records(const struct ledger_book *book,
    bool (*write)(void *context, const struct ledger_record *record),
    void *context);

#endif
