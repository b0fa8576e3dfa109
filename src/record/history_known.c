/* SPDX-License-Identifier: ISC */
#include "record/history_known.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/mem.h"
#include "record/history_deferrals.h"

#define HOUR (INT64_C(3600) * 1000)
#define DAY  (24 * HOUR)

/* A mailbox that was removed: its senders learn of it after a night. */
#define DOUBT_ONE DAY
/*
 * Where everybody is refused: that is a weekend with a holiday, and still before
 * providers give up (RFC 5321 4.5.4.1: four to five days), so that in the end the
 * sender reads the true reply.
 */
#define DOUBT_ALL (4 * DAY)

void
history_known_clear(struct history_known *known)
{
	free(known->list);
	*known = (struct history_known){.count = 0};
}

uint64_t
history_known_id(const char *mailbox)
{
	char *name = xstrdup(mailbox), *to = name;
	bool tag = false;

	for (const char *c = mailbox; *c != '\0'; c++) {
		tag = tag && *c != '@';
		if (!tag)
			*to++ = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a'
							      : *c);
		tag |= *c == '+' && c > mailbox;
	}
	uint64_t id = digest_number(name, (size_t)(to - name));
	free(name);
	return id;
}

/* Where it is, or would be: the list is in the order of ids. One message may have a
 * thousand recipients, and none of them is compared with all. */
static size_t
position_of_id(const struct history_known *known, uint64_t id)
{
	size_t low = 0, high = known->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (known->list[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct history_rcpt *
find_rcpt(const struct history_known *known, uint64_t id)
{
	size_t at = position_of_id(known, id);

	return at < known->count && known->list[at].id == id ? &known->list[at]
							     : NULL;
}

static void
forget_rcpt(struct history_known *known, struct history_rcpt *rcpt)
{
	known->count--;
	size_t after = known->count - (size_t)(rcpt - known->list);
	memmove(rcpt, rcpt + 1, after * sizeof *rcpt);
}

static struct history_rcpt *
longest_without_mail(const struct history_known *known)
{
	struct history_rcpt *longest = &known->list[0];

	for (size_t i = 1; i < known->count; i++)
		if (known->list[i].delivered < longest->delivered)
			longest = &known->list[i];
	return longest;
}

void
history_known_restore(
    struct history_known *known, const struct history_rcpt *rcpt)
{
	if (find_rcpt(known, rcpt->id) != NULL)
		return;
	if (known->count == HISTORY_KNOWN_MAX)
		forget_rcpt(known, longest_without_mail(known));
	known->list =
	    array_more(known->list, known->count, sizeof *known->list);
	struct history_rcpt *at = &known->list[position_of_id(known, rcpt->id)];
	size_t after = known->count - (size_t)(at - known->list);
	memmove(at + 1, at, after * sizeof *at);
	*at = *rcpt;
	known->count++;
}

void
history_known_delivered(struct history_known *known, uint64_t id, int64_t now)
{
	struct history_rcpt made = {.id = id, .delivered = now};
	struct history_rcpt *rcpt = find_rcpt(known, id);

	if (rcpt != NULL)
		*rcpt = made;
	else
		history_known_restore(known, &made);
}

/* What was not offered again for longer than any provider waits was mended, or
 * given up. */
static bool
is_unknown_now(const struct history_rcpt *rcpt, int64_t now)
{
	return rcpt->refused != 0 && now >= rcpt->refused &&
	       now - rcpt->refused_last <= HISTORY_LONGEST_WAIT;
}

void
history_known_count(const struct history_known *known, int64_t now,
    struct history_unknown *unknown)
{
	*unknown = (struct history_unknown){.refused = 0};
	for (size_t i = 0; i < known->count; i++) {
		const struct history_rcpt *each = &known->list[i];
		if (!is_unknown_now(each, now))
			continue;
		unknown->refused++;
		if (unknown->since == 0 || each->refused < unknown->since)
			unknown->since = each->refused;
		if (each->refused_last > unknown->last)
			unknown->last = each->refused_last;
	}
	for (size_t i = 0; unknown->refused > 0 && i < known->count; i++)
		unknown->delivered +=
		    known->list[i].refused == 0 &&
		    known->list[i].delivered >= unknown->since;
}

bool
history_unknown_is_loss(const struct history_unknown *unknown)
{
	return unknown->refused > unknown->delivered;
}

bool
history_known_refused(
    struct history_known *known, uint64_t id, int64_t now, int64_t *until)
{
	struct history_rcpt *rcpt = find_rcpt(known, id);
	struct history_unknown unknown;

	if (rcpt == NULL)
		return false;
	if (!is_unknown_now(rcpt, now))
		rcpt->refused = now;
	rcpt->refused_last = now;
	history_known_count(known, now, &unknown);
	*until = rcpt->refused +
		 (history_unknown_is_loss(&unknown) ? DOUBT_ALL : DOUBT_ONE);
	if (now < *until)
		return true;
	forget_rcpt(known, rcpt);
	return false;
}
