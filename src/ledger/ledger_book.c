/* SPDX-License-Identifier: ISC */
#include "ledger/ledger_book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ledger/ledger.h"
#include "ledger/ledger_links.h"

enum { TIME_PLAUSIBLE = CLOCK_PLAUSIBLE / 1000 };

struct ledger_book *
ledger_book_new(void)
{
	struct ledger_book *book = xcalloc(1, sizeof *book);

	if (getentropy(&book->salt, sizeof book->salt) != 0)
		book->salt = 0; /* it only spreads */
	book->salt |= 1;
	book->told_end = &book->told;
	return book;
}

struct ledger_entry *
ledger_book_entry(const struct ledger_book *book,
    const unsigned char digest[LEDGER_DIGEST], const char *sender)
{
	return ledger_links_by_digest(book, digest, sender);
}

struct ledger_outcome *
ledger_book_outcome(const struct ledger_book *book,
    const struct ledger_entry *entry, const char *rcpt)
{
	return ledger_links_by_rcpt(book, entry, rcpt);
}

void
ledger_book_connect(struct ledger_book *book)
{
	book->connection++;
	while (book->told != NULL)
		ledger_links_untell(book, book->told);
}

void
ledger_book_tell(
    struct ledger_book *book, struct ledger_outcome *outcome, uint64_t told_at)
{
	ledger_links_tell(book, outcome, told_at);
	ledger_links_touch(book, outcome->entry);
}

static bool
is_over_bounds(const struct ledger_book *book)
{
	return book->entries > LEDGER_ENTRIES_MAX ||
	       book->outcomes > LEDGER_OUTCOMES_MAX ||
	       book->octets > LEDGER_OCTETS_MAX;
}

static void
keep_bounds(struct ledger_book *book)
{
	while (is_over_bounds(book)) {
		struct ledger_entry *entry = book->oldest;
		while (entry != NULL && entry->due)
			entry = entry->newer;
		if (entry == NULL)
			entry = book->oldest;
		assert(entry != NULL); /* an empty book is within bounds */
		/* The newest is in use: it gives its first outcome only. */
		if (entry == book->newest)
			ledger_links_remove_outcome(book, entry->outcomes);
		else
			ledger_links_remove_entry(book, entry);
	}
}

static void
apply_outcome(struct ledger_book *book, const struct ledger_record *record)
{
	/* No file of ours has one id twice. */
	if (ledger_links_by_id(book, record->id) != NULL)
		return;
	struct ledger_entry *entry =
	    ledger_book_entry(book, record->digest, record->sender);
	if (entry == NULL)
		entry = ledger_links_add_entry(
		    book, record->digest, record->sender);
	else
		ledger_links_touch(book, entry);
	struct ledger_outcome *outcome =
	    ledger_links_add_outcome(book, entry, record->rcpt, record->id,
		record->type == LEDGER_REFUSED ? &record->reply : NULL);
	outcome->boot = record->boot;
	entry->time = record->time;
	ledger_deferrals_remove(
	    &book->deferrals, record->sender, record->size, record->rcpt);
	keep_bounds(book);
}

static void
apply_due(struct ledger_book *book, const struct ledger_record *record)
{
	for (size_t i = 0; i < record->ids_len; i++) {
		struct ledger_outcome *outcome =
		    ledger_links_by_id(book, record->ids[i]);
		if (outcome == NULL)
			continue;
		struct ledger_entry *entry = outcome->entry;
		ledger_links_set_told(book, outcome, false);
		entry->time = record->time;
		ledger_links_set_due(book, entry, true);
		ledger_links_touch(book, entry);
	}
	while (book->due > LEDGER_DUE_MAX)
		ledger_links_set_due(book, book->oldest_due, false);
}

static void
apply_told(struct ledger_book *book, const struct ledger_record *record)
{
	for (size_t i = 0; i < record->ids_len; i++) {
		struct ledger_outcome *outcome =
		    ledger_links_by_id(book, record->ids[i]);
		if (outcome == NULL)
			continue;
		ledger_links_set_told(book, outcome, true);
	}
}

static void
apply_struck(struct ledger_book *book, const struct ledger_record *record)
{
	for (size_t i = 0; i < record->ids_len; i++) {
		struct ledger_outcome *outcome =
		    ledger_links_by_id(book, record->ids[i]);
		if (outcome != NULL)
			ledger_links_remove_outcome(book, outcome);
	}
}

static void
note_id(struct ledger_book *book, uint64_t id)
{
	if (id > book->last_id)
		book->last_id = id;
}

void
ledger_book_apply(struct ledger_book *book, const struct ledger_record *record)
{
	note_id(book, record->id);
	for (size_t i = 0; i < record->ids_len; i++)
		note_id(book, record->ids[i]);
	switch (record->type) {
	case LEDGER_BEGIN:
		return;
	case LEDGER_TAKEN:
	case LEDGER_REFUSED:
		apply_outcome(book, record);
		return;
	case LEDGER_DUE:
		apply_due(book, record);
		return;
	case LEDGER_TOLD:
		apply_told(book, record);
		return;
	case LEDGER_STRUCK:
		apply_struck(book, record);
		return;
	case LEDGER_DEFERRED:
		ledger_deferrals_put(&book->deferrals, record);
		return;
	}
}

static bool
expire_entries(struct ledger_book *book, int64_t now, int64_t keep)
{
	bool renewed = false;

	for (struct ledger_entry *each = book->oldest; each != NULL;) {
		struct ledger_entry *newer = each->newer;
		if (each->time > now || each->time < TIME_PLAUSIBLE) {
			renewed |= each->time != now;
			each->time = now;
		} else if (now - each->time > keep) {
			ledger_links_remove_entry(book, each);
		} else if (now - each->time > LEDGER_DUE_KEEP) {
			ledger_links_set_due(book, each, false);
		}
		each = newer;
	}
	return renewed;
}

bool
ledger_book_expire(struct ledger_book *book, int64_t now, int64_t keep)
{
	ledger_deferrals_expire(&book->deferrals, now - keep);
	return expire_entries(book, now, keep);
}

void
ledger_book_free(struct ledger_book *book)
{
	if (book == NULL)
		return;
	while (book->oldest != NULL) {
		assert(book->oldest->older == NULL);
		ledger_links_remove_entry(book, book->oldest);
	}
	ledger_deferrals_clear(&book->deferrals);
	free(book);
}
