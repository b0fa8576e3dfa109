/*
 * history_days - what an account fetched on each of the last days.
 *
 * Days are those of the local calendar, as people count them: a day begins at
 * midnight on the wall, and one with a change of the clock has 23 or 25 hours.
 * A day without a session is not in the list. Plain data, no clock.
 */
#ifndef ODMR_RECORD_HISTORY_DAYS_H
#define ODMR_RECORD_HISTORY_DAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Five weeks, so that the same weekday a month ago can be seen. */
	HISTORY_DAYS_MAX = 35,
	HISTORY_DATE_SIZE = 16, /* "2026-11-23" and a NUL, with room */
};

struct history_day {
	int64_t day; /* days from 1970-01-01 */
	uint64_t sessions, failed;
	uint64_t messages, recipients, bytes; /* delivered */
	uint64_t deferred, refused; /* recipients */
};

/* The oldest first, no day twice. */
struct history_days {
	struct history_day list[HISTORY_DAYS_MAX];
	size_t count;
};

/* The day of this moment, ms of Unix time, in the zone of tzset(3). */
int64_t history_days_date(int64_t ms);
/*
 * Adds what one session came to. It counts for the newest day where its own is
 * before that: a clock that is not set yet, or was set back a moment ago. Of
 * more than HISTORY_DAYS_MAX days with sessions the oldest is left out, however
 * far apart they are, so that a clock that ran ahead once costs one day.
 */
void history_days_add(
    struct history_days *days, const struct history_day *counts);
/* What is in the future, or of a clock that was not set, counts for today;
 * now is plausible, ms of Unix time. */
void history_days_settle(struct history_days *days, int64_t now);
/* NULL: there was no session on that day. */
const struct history_day *history_days_find(
    const struct history_days *days, int64_t day);

/* "2026-11-23"; returns out. */
char *history_days_format(char out[static HISTORY_DATE_SIZE], int64_t day);
/* false: not of that form, or no such day. */
bool history_days_parse(const char *text, int64_t *day)
    __attribute__((warn_unused_result));

#endif
