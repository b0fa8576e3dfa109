/* SPDX-License-Identifier: ISC */
#include "ledger/ledger_links.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Of a line besides names and reply: checksum, words, numbers, digest. */
enum { LINE_REST = 140 };

/* Multiply-shift: whoever makes texts and names cannot aim at one bucket. */
static size_t
bucket_of(const struct ledger_book *book, uint64_t hash)
{
	return (size_t)((hash * book->salt) >> (64 - LEDGER_BUCKET_BITS));
}

static uint64_t
digest_start(const unsigned char *digest)
{
	uint64_t start;

	memcpy(&start, digest, sizeof start);
	return start;
}

static struct ledger_entry **
digest_bucket(struct ledger_book *book, const unsigned char *digest)
{
	return &book->by_digest[bucket_of(book, digest_start(digest))];
}

static size_t
rcpt_bucket(const struct ledger_book *book, const struct ledger_entry *entry,
    const char *rcpt)
{
	/* FNV-1a (draft-eastlake-fnv) */
	uint64_t hash = digest_start(entry->digest);

	for (; *rcpt != '\0'; rcpt++)
		hash = (hash ^ (unsigned char)*rcpt) * UINT64_C(1099511628211);
	return bucket_of(book, hash);
}

static struct ledger_outcome **
id_bucket(struct ledger_book *book, uint64_t id)
{
	return &book->by_id[id % LEDGER_BUCKETS];
}

/*
 * Entries
 */

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
}

void
ledger_links_touch(struct ledger_book *book, struct ledger_entry *entry)
{
	unlink_age(book, entry);
	link_newest(book, entry);
}

static void
unlink_due(struct ledger_book *book, struct ledger_entry *entry)
{
	if (entry->older_due != NULL)
		entry->older_due->newer_due = entry->newer_due;
	else
		book->oldest_due = entry->newer_due;
	if (entry->newer_due != NULL)
		entry->newer_due->older_due = entry->older_due;
	else
		book->newest_due = entry->older_due;
}

static void
link_due(struct ledger_book *book, struct ledger_entry *entry)
{
	entry->older_due = book->newest_due;
	entry->newer_due = NULL;
	if (book->newest_due != NULL)
		book->newest_due->newer_due = entry;
	else
		book->oldest_due = entry;
	book->newest_due = entry;
}

void
ledger_links_set_due(
    struct ledger_book *book, struct ledger_entry *entry, bool due)
{
	if (entry->due)
		unlink_due(book, entry);
	if (due)
		link_due(book, entry);
	book->due += (size_t)due - (size_t)entry->due;
	entry->due = due;
}

struct ledger_entry *
ledger_links_add_entry(
    struct ledger_book *book, const unsigned char *digest, const char *sender)
{
	size_t len = strlen(sender);
	struct ledger_entry *entry = xcalloc(1, sizeof *entry + len + 1);
	struct ledger_entry **bucket = digest_bucket(book, digest);

	memcpy(entry->sender, sender, len);
	memcpy(entry->digest, digest, LEDGER_DIGEST);
	entry->chain = *bucket;
	*bucket = entry;
	link_newest(book, entry);
	book->entries++;
	return entry;
}

static void
free_entry(struct ledger_book *book, struct ledger_entry *entry)
{
	struct ledger_entry **at = digest_bucket(book, entry->digest);

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
	unlink_age(book, entry);
	ledger_links_set_due(book, entry, false);
	free(entry);
	book->entries--;
}

/*
 * Outcomes
 */

/* Into a bucket by recipient, or the list of those that were told. */
static void
link_rcpt(struct ledger_outcome *outcome, struct ledger_outcome **at)
{
	outcome->by_rcpt = *at;
	outcome->by_rcpt_at = at;
	if (*at != NULL)
		(*at)->by_rcpt_at = &outcome->by_rcpt;
	*at = outcome;
}

static void
unlink_rcpt(struct ledger_book *book, struct ledger_outcome *outcome)
{
	*outcome->by_rcpt_at = outcome->by_rcpt;
	if (outcome->by_rcpt != NULL)
		outcome->by_rcpt->by_rcpt_at = outcome->by_rcpt_at;
	else if (book->told_end == &outcome->by_rcpt)
		book->told_end = outcome->by_rcpt_at;
}

static void
index_rcpt(struct ledger_book *book, struct ledger_outcome *outcome)
{
	size_t bucket = rcpt_bucket(book, outcome->entry, outcome->rcpt);

	link_rcpt(outcome, &book->by_rcpt[bucket]);
}

void
ledger_links_tell(
    struct ledger_book *book, struct ledger_outcome *outcome, uint64_t told_at)
{
	unlink_rcpt(book, outcome);
	outcome->told_at = told_at;
	link_rcpt(outcome, book->told_end);
	book->told_end = &outcome->by_rcpt;
}

void
ledger_links_untell(struct ledger_book *book, struct ledger_outcome *outcome)
{
	unlink_rcpt(book, outcome);
	outcome->told_at = 0;
	index_rcpt(book, outcome);
}

struct ledger_entry *
ledger_links_by_digest(const struct ledger_book *book,
    const unsigned char *digest, const char *sender)
{
	struct ledger_entry *entry =
	    book->by_digest[bucket_of(book, digest_start(digest))];

	while (entry != NULL &&
	       (memcmp(entry->digest, digest, LEDGER_DIGEST) != 0 ||
		   strcmp(entry->sender, sender) != 0))
		entry = entry->chain;
	return entry;
}

struct ledger_outcome *
ledger_links_by_rcpt(const struct ledger_book *book,
    const struct ledger_entry *entry, const char *rcpt)
{
	struct ledger_outcome *outcome =
	    book->by_rcpt[rcpt_bucket(book, entry, rcpt)];

	while (outcome != NULL &&
	       (outcome->entry != entry || strcmp(outcome->rcpt, rcpt) != 0))
		outcome = outcome->by_rcpt;
	return outcome;
}

struct ledger_outcome *
ledger_links_by_id(const struct ledger_book *book, uint64_t id)
{
	struct ledger_outcome *outcome = book->by_id[id % LEDGER_BUCKETS];

	while (outcome != NULL && outcome->id != id)
		outcome = outcome->by_id;
	return outcome;
}

static size_t
line_octets(const struct ledger_outcome *outcome)
{
	size_t refusal =
	    outcome->refusal != NULL ? strlen(outcome->refusal->text) : 0;

	return LINE_REST + strlen(outcome->entry->sender) +
	       strlen(outcome->rcpt) + refusal;
}

static void
link_entry(struct ledger_entry *entry, struct ledger_outcome *outcome)
{
	outcome->entry = entry;
	outcome->before = entry->last;
	if (entry->last != NULL)
		entry->last->next = outcome;
	else
		entry->outcomes = outcome;
	entry->last = outcome;
	entry->untold++;
}

static void
unlink_entry(struct ledger_outcome *outcome)
{
	struct ledger_entry *entry = outcome->entry;

	if (outcome->before != NULL)
		outcome->before->next = outcome->next;
	else
		entry->outcomes = outcome->next;
	if (outcome->next != NULL)
		outcome->next->before = outcome->before;
	else
		entry->last = outcome->before;
	entry->untold -= !outcome->told;
}

struct ledger_outcome *
ledger_links_add_outcome(struct ledger_book *book, struct ledger_entry *entry,
    const char *rcpt, uint64_t id, const struct status *refusal)
{
	size_t len = strlen(rcpt);
	struct ledger_outcome *outcome = xcalloc(1, sizeof *outcome + len + 1);
	struct ledger_outcome **bucket = id_bucket(book, id);

	memcpy(outcome->rcpt, rcpt, len);
	outcome->id = id;
	outcome->by_id = *bucket;
	*bucket = outcome;
	if (refusal != NULL) {
		outcome->refusal = xmalloc(sizeof *outcome->refusal);
		*outcome->refusal = *refusal;
	}
	link_entry(entry, outcome);
	index_rcpt(book, outcome);
	book->outcomes++;
	book->octets += line_octets(outcome);
	return outcome;
}

static void
free_outcome(struct ledger_book *book, struct ledger_outcome *outcome)
{
	struct ledger_outcome **at = id_bucket(book, outcome->id);

	while (*at != outcome)
		at = &(*at)->by_id;
	*at = outcome->by_id;
	book->octets -= line_octets(outcome);
	unlink_rcpt(book, outcome);
	unlink_entry(outcome);
	free(outcome->refusal);
	free(outcome);
	book->outcomes--;
}

static void
settle_due(struct ledger_book *book, struct ledger_entry *entry)
{
	if (entry->untold == 0)
		ledger_links_set_due(book, entry, false);
}

void
ledger_links_set_told(
    struct ledger_book *book, struct ledger_outcome *outcome, bool told)
{
	struct ledger_entry *entry = outcome->entry;

	entry->untold += (size_t)outcome->told - (size_t)told;
	outcome->told = told;
	settle_due(book, entry);
}

void
ledger_links_remove_outcome(
    struct ledger_book *book, struct ledger_outcome *outcome)
{
	struct ledger_entry *entry = outcome->entry;

	free_outcome(book, outcome);
	if (entry->outcomes == NULL)
		free_entry(book, entry);
	else
		settle_due(book, entry);
}

void
ledger_links_remove_entry(struct ledger_book *book, struct ledger_entry *entry)
{
	for (struct ledger_outcome *each = entry->outcomes; each != NULL;) {
		struct ledger_outcome *next = each->next;
		free_outcome(book, each);
		each = next;
	}
	free_entry(book, entry);
}
