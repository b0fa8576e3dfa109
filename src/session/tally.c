/* SPDX-License-Identifier: ISC */
#include "session/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/status.h"
#include "record/history_deferrals.h"

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
tally_text(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * FNV_PRIME;
	return (hash ^ 0xff) * FNV_PRIME;
}

/* Sender, recipient and size: the same message, as far as RCPT can tell. */
static uint64_t
digest_message(const struct envelope *envelope, const char *rcpt, size_t len)
{
	uint64_t hash = FNV_OFFSET;

	if (envelope != NULL) {
		const char *sender = envelope->sender->mailbox;
		hash =
		    tally_text(hash, sender, strlen(sender)) ^ envelope->size;
	}
	return tally_text(hash, rcpt, len);
}

static struct tally_deferred *
find_deferred(const struct tally *tally, uint64_t hash)
{
	for (size_t i = 0; i < tally->deferred_len; i++)
		if (tally->deferred[i].hash == hash)
			return &tally->deferred[i];
	return NULL;
}

/* NULL: there are too many. */
static struct tally_deferred *
new_deferred(struct tally *tally, uint64_t hash)
{
	if (tally->deferred_len == TALLY_DEFERRED_MAX)
		return NULL;
	tally->deferred = array_more(
	    tally->deferred, tally->deferred_len, sizeof *tally->deferred);
	struct tally_deferred *made = &tally->deferred[tally->deferred_len++];
	*made = (struct tally_deferred){.hash = hash};
	return made;
}

/* Within a connection each is a message of its own; over connections the first
 * are those that were deferred before. */
static void
add_deferred(struct tally *tally, uint64_t hash)
{
	struct tally_deferred *deferred = find_deferred(tally, hash);

	if (deferred == NULL) {
		deferred = new_deferred(tally, hash);
		/* Other mail may be behind it, one message a call. */
		tally->news += deferred != NULL;
	}
	if (deferred == NULL || deferred->offered++ >= deferred->messages) {
		tally->deferred_now++;
		if (deferred != NULL)
			deferred->messages++;
	}
}

static void
remove_deferred(struct tally *tally, uint64_t hash)
{
	struct tally_deferred *deferred = find_deferred(tally, hash);

	if (deferred == NULL)
		return;
	tally->deferred_now--;
	if (--deferred->messages == 0)
		*deferred = tally->deferred[--tally->deferred_len];
}

void
tally_connection_begin(struct tally *tally)
{
	tally->connections++;
	for (size_t i = 0; i < tally->deferred_len; i++)
		tally->deferred[i].offered = 0;
}

static size_t
place_of(uint64_t hash)
{
	return (size_t)(hash % TALLY_SEEN_MAX);
}

static void
note_final(struct tally *tally, uint64_t hash)
{
	struct tally_seen *seen = &tally->seen[place_of(hash)];

	tally->finals++;
	if (seen->hash == hash)
		return;
	*seen =
	    (struct tally_seen){.hash = hash, .connection = tally->connections};
	tally->news++;
}

static void
tell_tally(struct tally *tally, uint64_t hash, const struct status *status)
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
	note_final(tally, hash);
	tally->recipients += status_class(status) == 2;
	tally->refused += status_class(status) == 5;
}

static uint64_t
digest_rcpt(const struct envelope *envelope, size_t rcpt)
{
	const char *mailbox = envelope->rcpt[rcpt]->path.mailbox;

	return digest_message(envelope, mailbox, strlen(mailbox));
}

void
tally_told(struct tally *tally, const struct envelope *envelope, size_t rcpt,
    const struct status *status)
{
	tell_tally(tally, digest_rcpt(envelope, rcpt), status);
}

void
tally_told_again(
    struct tally *tally, const struct envelope *envelope, size_t rcpt)
{
	uint64_t hash = digest_rcpt(envelope, rcpt);
	struct tally_seen *seen = &tally->seen[place_of(hash)];

	/* Several on one connection are messages that look alike to RCPT. */
	if (seen->hash != hash || seen->connection == tally->connections)
		return;
	seen->connection = tally->connections;
	seen->again++;
}

bool
tally_is_stuck(
    const struct tally *tally, const struct envelope *envelope, size_t rcpt)
{
	uint64_t hash = digest_rcpt(envelope, rcpt);
	const struct tally_seen *seen = &tally->seen[place_of(hash)];

	return seen->hash == hash && seen->again >= TALLY_STUCK;
}

/* Whatever the message. */
static uint64_t
digest_mailbox(const struct envelope *envelope, size_t rcpt)
{
	const char *mailbox = envelope->rcpt[rcpt]->path.mailbox;

	return digest_message(NULL, mailbox, strlen(mailbox));
}

bool
tally_is_unanswered(
    const struct tally *tally, const struct envelope *envelope, size_t rcpt)
{
	uint64_t hash = digest_mailbox(envelope, rcpt);
	unsigned messages = 0;

	for (size_t i = 0; i < tally->unanswered_count; i++)
		messages += tally->unanswered[i] == hash;
	return messages >= TALLY_UNANSWERED;
}

void
tally_note_unanswered(
    struct tally *tally, const struct envelope *envelope, size_t rcpt)
{
	if (tally->unanswered_count < TALLY_UNANSWERED_MAX)
		tally->unanswered[tally->unanswered_count++] =
		    digest_mailbox(envelope, rcpt);
}

void
tally_refusal(struct tally *tally, const struct envelope *envelope,
    const char *line, size_t len, const struct status *status)
{
	tell_tally(tally, digest_message(envelope, line, len), status);
}

uint64_t
tally_deferred(const struct tally *tally)
{
	return tally->deferred_now;
}
