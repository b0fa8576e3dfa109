/* SPDX-License-Identifier: ISC */
#include "ledger/ledger_deferrals.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct ledger_deferral *
ledger_deferrals_find(const struct ledger_deferrals *deferrals,
    const char *sender, uint64_t size, const char *rcpt)
{
	struct ledger_deferral *each = deferrals->oldest;

	while (each != NULL &&
	       (each->size != size || strcmp(each->rcpt, rcpt) != 0 ||
		   strcmp(each->sender, sender) != 0))
		each = each->next;
	return each;
}

static void
remove_one(struct ledger_deferrals *deferrals, struct ledger_deferral *deferral)
{
	struct ledger_deferral **at = &deferrals->oldest;

	while (*at != deferral)
		at = &(*at)->next;
	*at = deferral->next;
	free(deferral->sender);
	free(deferral->rcpt);
	free(deferral);
	deferrals->count--;
}

void
ledger_deferrals_remove(struct ledger_deferrals *deferrals, const char *sender,
    uint64_t size, const char *rcpt)
{
	struct ledger_deferral *found =
	    ledger_deferrals_find(deferrals, sender, size, rcpt);

	if (found != NULL)
		remove_one(deferrals, found);
}

void
ledger_deferrals_put(
    struct ledger_deferrals *deferrals, const struct ledger_record *record)
{
	struct ledger_deferral *made = xcalloc(1, sizeof *made);
	struct ledger_deferral **at = &deferrals->oldest;

	ledger_deferrals_remove(
	    deferrals, record->sender, record->size, record->rcpt);
	made->size = record->size;
	made->times = record->times;
	made->until = record->time;
	made->reply = record->reply;
	made->sender = xstrdup(record->sender);
	made->rcpt = xstrdup(record->rcpt);
	while (*at != NULL)
		at = &(*at)->next;
	*at = made;
	if (++deferrals->count > LEDGER_DEFERRALS_MAX)
		remove_one(deferrals, deferrals->oldest);
}

void
ledger_deferrals_expire(struct ledger_deferrals *deferrals, int64_t time)
{
	for (struct ledger_deferral *each = deferrals->oldest; each != NULL;) {
		struct ledger_deferral *next = each->next;
		if (each->until < time)
			remove_one(deferrals, each);
		each = next;
	}
}

void
ledger_deferrals_clear(struct ledger_deferrals *deferrals)
{
	while (deferrals->oldest != NULL)
		remove_one(deferrals, deferrals->oldest);
}

struct ledger_record
ledger_deferral_record(const struct ledger_deferral *deferral)
{
	struct ledger_record record = {.type = LEDGER_DEFERRED,
	    .time = deferral->until,
	    .times = deferral->times,
	    .size = deferral->size,
	    .reply = deferral->reply};

	memcpy(record.sender, deferral->sender, strlen(deferral->sender));
	memcpy(record.rcpt, deferral->rcpt, strlen(deferral->rcpt));
	return record;
}
