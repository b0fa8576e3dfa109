/* SPDX-License-Identifier: ISC */
#include "schedule/civil.h"

#include <time.h>

/* Rounds down, before 1970 as well. */
static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0 ? 1 : 0);
}

/* ms that civil time is ahead of UTC then. */
static int64_t
offset_at(int64_t unix_ms)
{
	time_t seconds = (time_t)floor_div(unix_ms, 1000);
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL)
		return 0;
	return (int64_t)tm.tm_gmtoff * 1000;
}

int64_t
civil_of(int64_t unix_ms)
{
	return unix_ms + offset_at(unix_ms);
}

int
civil_weekday(int64_t civil)
{
	/* 1970-01-01 was a Thursday. */
	int64_t day = (floor_div(civil, CIVIL_DAY) + 4) % 7;

	return (int)(day < 0 ? day + 7 : day);
}

int64_t
civil_midnight(int64_t civil)
{
	return floor_div(civil, CIVIL_DAY) * CIVIL_DAY;
}

int64_t
civil_change(int64_t after, int64_t until)
{
	int64_t offset = offset_at(after);

	if (offset_at(until) == offset)
		return until;
	/* after has the old offset and until the new one, to the second. */
	while (until - after > 1) {
		int64_t middle = after + (until - after) / 2;
		if (offset_at(middle) == offset)
			after = middle;
		else
			until = middle;
	}
	return until;
}

int64_t
civil_to_unix(int64_t civil)
{
	/* Offsets are less than a day, and change less than once in two. */
	int64_t before = offset_at(civil - CIVIL_DAY);
	int64_t behind = offset_at(civil + CIVIL_DAY);
	int64_t first = civil - before, second = civil - behind;

	if (before == behind || civil_of(first) == civil)
		return first;
	if (civil_of(second) == civil)
		return second;
	return civil_change(second, first);
}
