/* SPDX-License-Identifier: ISC */
#include "record/history_days.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "schedule/civil.h"

int64_t
history_days_date(int64_t ms)
{
	return civil_midnight(civil_of(ms)) / CIVIL_DAY;
}

static void
add_counts(struct history_day *day, const struct history_day *counts)
{
	day->sessions += counts->sessions;
	day->failed += counts->failed;
	day->messages += counts->messages;
	day->recipients += counts->recipients;
	day->bytes += counts->bytes;
	day->deferred += counts->deferred;
	day->refused += counts->refused;
}

static void
drop_oldest(struct history_days *days)
{
	days->count--;
	memmove(
	    &days->list[0], &days->list[1], days->count * sizeof days->list[0]);
}

void
history_days_add(struct history_days *days, const struct history_day *counts)
{
	if (days->count > 0 && counts->day <= days->list[days->count - 1].day) {
		add_counts(&days->list[days->count - 1], counts);
		return;
	}
	if (days->count == HISTORY_DAYS_MAX)
		drop_oldest(days);
	days->list[days->count++] = *counts;
}

void
history_days_settle(struct history_days *days, int64_t now)
{
	int64_t first = CLOCK_PLAUSIBLE / CIVIL_DAY;
	struct history_day moved = {.day = history_days_date(now)};

	while (days->count > 0 && days->list[days->count - 1].day > moved.day)
		add_counts(&moved, &days->list[--days->count]);
	/* The first day may have begun before midnight in UTC. */
	while (days->count > 0 && days->list[0].day < first - 1) {
		add_counts(&moved, &days->list[0]);
		drop_oldest(days);
	}
	if (moved.sessions > 0)
		history_days_add(days, &moved);
}

const struct history_day *
history_days_find(const struct history_days *days, int64_t day)
{
	for (size_t i = 0; i < days->count; i++)
		if (days->list[i].day == day)
			return &days->list[i];
	return NULL;
}

char *
history_days_format(char out[static HISTORY_DATE_SIZE], int64_t day)
{
	char text[TIMESTAMP_UTC_SIZE];

	timestamp_format_utc(text, day * CIVIL_DAY);
	snprintf(out, HISTORY_DATE_SIZE, "%.*s", (int)strcspn(text, "T"), text);
	return out;
}

bool
history_days_parse(const char *text, int64_t *day)
{
	char moment[TIMESTAMP_UTC_SIZE];
	int64_t ms = 0;

	snprintf(moment, sizeof moment, "%sT00:00:00Z", text);
	if (!timestamp_parse_utc(moment, &ms))
		return false;
	*day = ms / CIVIL_DAY;
	return true;
}
