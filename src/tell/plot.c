/* SPDX-License-Identifier: ISC */
#include "tell/plot.h"

#include <stdio.h>
#include <string.h>

#include "record/history_days.h"

/* One to eight eighths of a block, U+2581 to U+2588. */
static const char *const bars[] = {"\xe2\x96\x81", "\xe2\x96\x82",
    "\xe2\x96\x83", "\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86",
    "\xe2\x96\x87", "\xe2\x96\x88"};
enum { BARS = sizeof bars / sizeof *bars };

static uint64_t
most_messages(const struct history_days *days, int64_t first, int64_t last)
{
	uint64_t most = 0;

	for (size_t i = 0; i < days->count; i++) {
		const struct history_day *day = &days->list[i];
		if (day->day >= first && day->day <= last &&
		    day->messages > most)
			most = day->messages;
	}
	return most;
}

static const char *
sign_of(const struct history_day *day, uint64_t most)
{
	if (day == NULL)
		return " ";
	if (day->messages > 0)
		return bars[(
		    size_t)((double)day->messages / (double)most * (BARS - 1))];
	return day->failed > 0 && day->failed == day->sessions ? "x" : ".";
}

char *
plot_days(
    char out[static PLOT_SIZE], const struct history_days *days, int64_t today)
{
	int64_t first = today - (PLOT_DAYS - 1);
	uint64_t most = most_messages(days, first, today);
	size_t used = 0;

	out[0] = '\0';
	for (int64_t day = first; day <= today; day++)
		used += (size_t)snprintf(out + used, PLOT_SIZE - used, "%s",
		    sign_of(history_days_find(days, day), most));
	return out;
}
