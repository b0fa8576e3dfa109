/* SPDX-License-Identifier: ISC */
#include "agent/ledger_book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ledger.h"
#include "base/clock.h"
#include "base/mem.h"

enum { TIME_PLAUSIBLE = CLOCK_PLAUSIBLE / 1000 };

static size_t
digest_bucket(const unsigned char *digest)
{
	return (size_t)(digest[0] << 8 | digest[1]) % LEDGER_BUCKETS;
}

struct ledger_book *
ledger_book_new(void)
{
	return xcalloc(1, sizeof(struct ledger_book));
}

struct ledger_entry *
ledger_book_entry(const struct ledger_book *book,
    const unsigned char digest[LEDGER_DIGEST], const char *sender)
{
	struct ledger_entry *entry = book->by_digest[digest_bucket(digest)];

	while (entry != NULL &&
	       (memcmp(entry->digest, digest, LEDGER_DIGEST) != 0 ||
		   strcmp(entry->sender, sender) != 0))
		entry = entry->chain;
	return entry;
}

struct ledger_outcome *
ledger_book_outcome(const struct ledger_book *book,
    const struct ledger_entry *entry, const char *rcpt)
{
	struct ledger_outcome *outcome = entry->outcomes;

	while (outcome != NULL && (outcome->told_on == book->connection ||
				      strcmp(outcome->rcpt, rcpt) != 0))
		outcome = outcome->next;
	return outcome;
}

static struct ledger_outcome *
outcome_by_id(const struct ledger_book *book, uint64_t id)
{
	struct ledger_outcome *outcome = book->by_id[id % LEDGER_BUCKETS];

	while (outcome != NULL && outcome->id != id)
		outcome = outcome->chain;
	return outcome;
}

static void
unlink_id(struct ledger_book *book, struct ledger_outcome *outcome)
{
	struct ledger_outcome **at = &book->by_id[outcome->id % LEDGER_BUCKETS];

	while (*at != outcome)
		at = &(*at)->chain;
	*at = outcome->chain;
}

static void
link_id(struct ledger_book *book, struct ledger_outcome *outcome, uint64_t id)
{
	struct ledger_outcome **bucket = &book->by_id[id % LEDGER_BUCKETS];

	outcome->id = id;
	outcome->chain = *bucket;
	*bucket = outcome;
}

static void
unlink_age(struct ledger_book *book, struct ledger_entry *entry)
{
	if (entry->older != NULL)
		entry->older->newer = entry->newer;
	else
		book->oldest = entry->newer;
	if (entry->newer != NULL)
		entry->newer->older = entry->older;
	else
		book->newest = entry->older;
}

static void
link_newest(struct ledger_book *book, struct ledger_entry *entry)
{
	entry->older = book->newest;
	entry->newer = NULL;
	if (book->newest != NULL)
		book->newest->newer = entry;
	else
		book->oldest = entry;
	book->newest = entry;
	entry->changed_on = book->connection;
}

void
ledger_book_touch(struct ledger_book *book, struct ledger_entry *entry)
{
	unlink_age(book, entry);
	link_newest(book, entry);
}

static struct ledger_entry *
add_entry(
    struct ledger_book *book, const unsigned char *digest, const char *sender)
{
	size_t len = strlen(sender);
	struct ledger_entry *entry = xcalloc(1, sizeof *entry + len + 1);
	struct ledger_entry **bucket = &book->by_digest[digest_bucket(digest)];

	memcpy(entry->sender, sender, len);
	memcpy(entry->digest, digest, LEDGER_DIGEST);
	entry->chain = *bucket;
	*bucket = entry;
	link_newest(book, entry);
	book->entries++;
	return entry;
}

static void
set_due(struct ledger_book *book, struct ledger_entry *entry, bool due)
{
	book->due += (size_t)due - (size_t)entry->due;
	entry->due = due;
}

static void
free_outcome(struct ledger_book *book, struct ledger_outcome *outcome)
{
	unlink_id(book, outcome);
	free(outcome->refusal);
	free(outcome);
	book->outcomes--;
}

static void
remove_entry(struct ledger_book *book, struct ledger_entry *entry)
{
	struct ledger_entry **at =
	    &book->by_digest[digest_bucket(entry->digest)];

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
	unlink_age(book, entry);
	set_due(book, entry, false);
	for (struct ledger_outcome *each = entry->outcomes; each != NULL;) {
		struct ledger_outcome *next = each->next;
		free_outcome(book, each);
		each = next;
	}
	free(entry);
	book->entries--;
}

/* An entry is due no longer once all its outcomes were told. */
static void
settle_due(struct ledger_book *book, struct ledger_entry *entry)
{
	const struct ledger_outcome *each = entry->outcomes;

	while (each != NULL && each->told)
		each = each->next;
	if (each == NULL)
		set_due(book, entry, false);
}

/* An entry that is left empty goes too. */
static void
remove_outcome(struct ledger_book *book, struct ledger_outcome *outcome)
{
	struct ledger_entry *entry = outcome->entry;
	struct ledger_outcome **at = &entry->outcomes;

	while (*at != outcome)
		at = &(*at)->next;
	*at = outcome->next;
	free_outcome(book, outcome);
	if (entry->outcomes == NULL)
		remove_entry(book, entry);
	else
		settle_due(book, entry);
}

static bool
is_over_bounds(const struct ledger_book *book)
{
	return book->entries > LEDGER_ENTRIES_MAX ||
	       book->outcomes > LEDGER_OUTCOMES_MAX;
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
			remove_outcome(book, entry->outcomes);
		else
			remove_entry(book, entry);
	}
}

static struct ledger_outcome *
add_outcome(
    struct ledger_book *book, struct ledger_entry *entry, const char *rcpt)
{
	size_t len = strlen(rcpt);
	struct ledger_outcome *outcome = xcalloc(1, sizeof *outcome + len + 1);
	struct ledger_outcome **at = &entry->outcomes;

	memcpy(outcome->rcpt, rcpt, len);
	outcome->entry = entry;
	while (*at != NULL)
		at = &(*at)->next;
	*at = outcome;
	book->outcomes++;
	return outcome;
}

static void
apply_outcome(struct ledger_book *book, const struct ledger_record *record)
{
	/* No file of ours has one id twice. */
	if (outcome_by_id(book, record->id) != NULL)
		return;
	struct ledger_entry *entry =
	    ledger_book_entry(book, record->digest, record->sender);
	if (entry == NULL)
		entry = add_entry(book, record->digest, record->sender);
	else
		ledger_book_touch(book, entry);
	struct ledger_outcome *outcome = add_outcome(book, entry, record->rcpt);
	link_id(book, outcome, record->id);
	outcome->boot = record->boot;
	if (record->type == LEDGER_REFUSED) {
		outcome->refusal = xmalloc(sizeof *outcome->refusal);
		*outcome->refusal = record->reply;
	}
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
		    outcome_by_id(book, record->ids[i]);
		if (outcome == NULL)
			continue;
		outcome->told = false;
		outcome->entry->time = record->time;
		set_due(book, outcome->entry, true);
		ledger_book_touch(book, outcome->entry);
	}
}

static void
apply_told(struct ledger_book *book, const struct ledger_record *record)
{
	for (size_t i = 0; i < record->ids_len; i++) {
		struct ledger_outcome *outcome =
		    outcome_by_id(book, record->ids[i]);
		if (outcome == NULL)
			continue;
		outcome->told = true;
		settle_due(book, outcome->entry);
	}
}

static void
apply_struck(struct ledger_book *book, const struct ledger_record *record)
{
	for (size_t i = 0; i < record->ids_len; i++) {
		struct ledger_outcome *outcome =
		    outcome_by_id(book, record->ids[i]);
		if (outcome != NULL)
			remove_outcome(book, outcome);
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
			remove_entry(book, each);
		} else if (now - each->time > LEDGER_DUE_KEEP) {
			set_due(book, each, false);
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

/* Collects ids and writes them as they fill a record. */
struct id_list {
	struct ledger_record record;
	bool (*write)(void *context, const struct ledger_record *record);
	void *context;
};

static bool
flush_ids(struct id_list *list)
{
	bool ok = list->record.ids_len == 0 ||
		  list->write(list->context, &list->record);

	list->record.ids_len = 0;
	return ok;
}

static bool
add_id(struct id_list *list, uint64_t id)
{
	list->record.ids[list->record.ids_len++] = id;
	return list->record.ids_len < LEDGER_IDS_MAX || flush_ids(list);
}

static bool
write_flags(const struct ledger_entry *entry, struct id_list *list, bool told)
{
	list->record = (struct ledger_record){
	    .type = told ? LEDGER_TOLD : LEDGER_DUE, .time = entry->time};
	for (const struct ledger_outcome *each = entry->outcomes; each != NULL;
	     each = each->next)
		if (each->told == told && !add_id(list, each->id))
			return false;
	return flush_ids(list);
}

static bool
write_outcomes(const struct ledger_entry *entry, struct id_list *list)
{
	for (const struct ledger_outcome *each = entry->outcomes; each != NULL;
	     each = each->next) {
		struct ledger_record record = {.type = LEDGER_TAKEN,
		    .id = each->id,
		    .time = entry->time,
		    .boot = each->boot};
		memcpy(record.digest, entry->digest, LEDGER_DIGEST);
		memcpy(record.sender, entry->sender, strlen(entry->sender));
		memcpy(record.rcpt, each->rcpt, strlen(each->rcpt));
		if (each->refusal != NULL) {
			record.type = LEDGER_REFUSED;
			record.reply = *each->refusal;
		}
		if (!list->write(list->context, &record))
			return false;
	}
	return true;
}

bool
ledger_book_records(const struct ledger_book *book,
    bool (*write)(void *context, const struct ledger_record *record),
    void *context)
{
	struct id_list list = {.write = write, .context = context};

	for (const struct ledger_entry *each = book->oldest; each != NULL;
	     each = each->newer) {
		if (!write_outcomes(each, &list) ||
		    (each->due && !write_flags(each, &list, false)) ||
		    !write_flags(each, &list, true))
			return false;
	}
	for (const struct ledger_deferral *each = book->deferrals.oldest;
	     each != NULL; each = each->next) {
		struct ledger_record record = ledger_deferral_record(each);
		if (!write(context, &record))
			return false;
	}
	return true;
}

void
ledger_book_free(struct ledger_book *book)
{
	if (book == NULL)
		return;
	while (book->oldest != NULL) {
		assert(book->oldest->older == NULL);
		remove_entry(book, book->oldest);
	}
	ledger_deferrals_clear(&book->deferrals);
	free(book);
}
