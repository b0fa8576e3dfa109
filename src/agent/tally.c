/* SPDX-License-Identifier: ISC */
#include "agent/tally.h"

#include <stdlib.h>
#include <string.h>

#include "agent/history_deferrals.h"
#include "base/clock.h"
#include "base/mem.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/status.h"

enum { TALLY_FIRST = 64 };

/* draft-eastlake-fnv */
#define FNV_PRIME  UINT64_C(1099511628211)
#define FNV_OFFSET UINT64_C(14695981039346656037)

void
tally_clear(struct tally *tally)
{
	free(tally->deferred);
	*tally = (struct tally){.messages = 0};
}

/* FNV-1a: a collision costs a count in a log line, nothing else. */
static uint64_t
add_text(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * FNV_PRIME;
	return (hash ^ 0xff) * FNV_PRIME;
}

/* Sender, recipient and size: the same message, as far as RCPT can tell. */
static uint64_t
digest(const struct envelope *envelope, const char *rcpt, size_t len)
{
	uint64_t hash = FNV_OFFSET;

	if (envelope != NULL) {
		const char *sender = envelope->sender->mailbox;
		hash = add_text(hash, sender, strlen(sender)) ^ envelope->size;
	}
	return add_text(hash, rcpt, len);
}

static size_t
find(const struct tally *tally, uint64_t hash)
{
	size_t at = 0;

	while (at < tally->deferred_count && tally->deferred[at] != hash)
		at++;
	return at;
}

static void
add_deferred(struct tally *tally, uint64_t hash)
{
	if (find(tally, hash) < tally->deferred_count)
		return;
	if (tally->deferred_count == TALLY_DEFERRED_MAX) {
		tally->uncounted++;
		return;
	}
	if (tally->deferred_count == tally->deferred_size) {
		tally->deferred_size = tally->deferred_size > 0
					   ? tally->deferred_size * 2
					   : TALLY_FIRST;
		tally->deferred = xreallocarray(tally->deferred,
		    tally->deferred_size, sizeof *tally->deferred);
	}
	tally->deferred[tally->deferred_count++] = hash;
}

static void
remove_deferred(struct tally *tally, uint64_t hash)
{
	size_t at = find(tally, hash);

	if (at < tally->deferred_count)
		tally->deferred[at] = tally->deferred[--tally->deferred_count];
}

static void
tell(struct tally *tally, uint64_t hash, const struct status *status)
{
	if (status_class(status) == 4) {
		tally->deferrals++;
		add_deferred(tally, hash);
		if (tally->kept != NULL)
			history_deferrals_told(
			    tally->kept, hash, clock_unix_ms());
		return;
	}
	remove_deferred(tally, hash);
	if (tally->kept != NULL)
		history_deferrals_end(tally->kept, hash);
	tally->finals++;
	tally->recipients += status_class(status) == 2;
	tally->refused += status_class(status) == 5;
}

void
tally_told(struct tally *tally, const struct envelope *envelope, size_t rcpt,
    const struct status *status)
{
	const char *mailbox = envelope->rcpt[rcpt]->mailbox;

	tell(tally, digest(envelope, mailbox, strlen(mailbox)), status);
}

void
tally_refusal(struct tally *tally, const struct envelope *envelope,
    const char *line, size_t len, const struct status *status)
{
	tell(tally, digest(envelope, line, len), status);
}

uint64_t
tally_deferred(const struct tally *tally)
{
	return tally->deferred_count + tally->uncounted;
}
