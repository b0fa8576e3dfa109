/* SPDX-License-Identifier: ISC */
#include "record/history_deferrals.h"

#include <stdlib.h>

#include "base/array.h"
#include "schedule/schedule.h"

static struct history_deferral *
find_deferral(const struct history_deferrals *deferrals, uint64_t id)
{
	for (size_t i = 0; i < deferrals->count; i++)
		if (deferrals->list[i].id == id)
			return &deferrals->list[i];
	return NULL;
}

void
history_deferrals_clear(struct history_deferrals *deferrals)
{
	free(deferrals->list);
	*deferrals = (struct history_deferrals){.count = 0};
}

void
history_deferrals_restore(struct history_deferrals *deferrals,
    const struct history_deferral *deferral)
{
	if (find_deferral(deferrals, deferral->id) != NULL ||
	    deferrals->count == HISTORY_DEFERRALS_MAX)
		return;
	deferrals->list = array_more(
	    deferrals->list, deferrals->count, sizeof *deferrals->list);
	deferrals->list[deferrals->count++] = *deferral;
}

void
history_deferrals_told(
    struct history_deferrals *deferrals, uint64_t id, int64_t now)
{
	struct history_deferral made = {.id = id, .since = now, .last = now};
	struct history_deferral *known = find_deferral(deferrals, id);

	if (known != NULL)
		known->last = now;
	else
		history_deferrals_restore(deferrals, &made);
}

void
history_deferrals_end(struct history_deferrals *deferrals, uint64_t id)
{
	struct history_deferral *known = find_deferral(deferrals, id);

	if (known != NULL)
		*known = deferrals->list[--deferrals->count];
}

void
history_deferrals_forget(struct history_deferrals *deferrals,
    const struct config_account *account, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < deferrals->count; i++) {
		struct history_deferral each = deferrals->list[i];
		/* Only time in which we call counts. */
		if (schedule_due_time(account, each.last, now,
			HISTORY_LONGEST_WAIT) < HISTORY_LONGEST_WAIT)
			deferrals->list[kept++] = each;
	}
	deferrals->count = kept;
}

const struct history_deferral *
history_deferrals_longest(const struct history_deferrals *deferrals)
{
	const struct history_deferral *longest = NULL;

	for (size_t i = 0; i < deferrals->count; i++) {
		const struct history_deferral *each = &deferrals->list[i];
		if (longest == NULL ||
		    each->last - each->since > longest->last - longest->since)
			longest = each;
	}
	return longest;
}
