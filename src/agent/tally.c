/* SPDX-License-Identifier: ISC */
#include "agent/tally.h"

#include <stdlib.h>

#include "base/mem.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/status.h"

enum { TALLY_FIRST = 64 };

void
tally_clear(struct tally *tally)
{
	free(tally->deferred);
	*tally = (struct tally){.messages = 0};
}

/* FNV-1a: a collision costs a count in a log line, nothing else. */
static uint64_t
add_text(uint64_t hash, const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
	return (hash ^ 0xff) * UINT64_C(1099511628211);
}

/* Sender, recipient and size: the same message, as far as RCPT can tell. */
static uint64_t
digest(const struct envelope *envelope, size_t rcpt)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	hash = add_text(hash, envelope->sender->mailbox);
	hash = add_text(hash, envelope->rcpt[rcpt]->mailbox);
	return hash ^ envelope->size;
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

void
tally_told(struct tally *tally, const struct envelope *envelope, size_t rcpt,
    const struct status *status)
{
	uint64_t hash = digest(envelope, rcpt);

	if (status_class(status) == 4) {
		tally->deferrals++;
		add_deferred(tally, hash);
		return;
	}
	remove_deferred(tally, hash);
	tally->finals++;
	tally->recipients += status_class(status) == 2;
	tally->refused += status_class(status) == 5;
}

uint64_t
tally_deferred(const struct tally *tally)
{
	return tally->deferred_count + tally->uncounted;
}
