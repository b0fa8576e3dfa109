/* SPDX-License-Identifier: ISC */
#include "record/expected.h"

#include "config/config.h"
#include "record/history.h"
#include "schedule/schedule.h"

int64_t
expected_next(const struct config_account *account,
    const struct history *history, int64_t now)
{
	struct schedule_input input = {
	    .begun = history->last.started,
	    .ended = history->last.ended,
	    .failures_in_a_row = history->failures_in_a_row,
	    .not_before = now + asking_memory_wait(&history->asking, now),
	    .hold_until = now + history_hold_left(history, now),
	    .more = history->last.more,
	    .listens = history->holds,
	    .pauses = history_asks_for_pause(&history->last),
	    .random = UINT32_MAX / 2, /* half of each delay */
	};

	if (!account->enabled || !history->any || history->next == 0)
		return 0;
	if (history->last.outcome == SESSION_FAILED)
		input.failed = history->last.error.class;
	int64_t next = schedule_next(account, &input, now);
	return next == SCHEDULE_NEVER ? 0 : next;
}
