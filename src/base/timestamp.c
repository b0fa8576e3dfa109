/* SPDX-License-Identifier: ISC */
#include "base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

_Static_assert(sizeof(time_t) == 8, "a time after 2038 has to fit");
_Static_assert(sizeof(off_t) == 8, "a file over 2 GiB has to fit");

static time_t
whole_seconds(int64_t ms)
{
	return (time_t)(ms / 1000 - (ms % 1000 < 0 ? 1 : 0));
}

char *
timestamp_format_utc(char *out, int64_t ms)
{
	time_t seconds = whole_seconds(ms);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, TIMESTAMP_UTC_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, TIMESTAMP_UTC_SIZE, "1970-01-01T00:00:00Z");
	return out;
}

bool
timestamp_parse_utc(const char *text, int64_t *ms)
{
	char again[TIMESTAMP_UTC_SIZE];
	struct tm tm = {.tm_isdst = 0};

	if (strlen(text) != strlen("yyyy-mm-ddThh:MM:ssZ") ||
	    strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL)
		return false;
	*ms = (int64_t)timegm(&tm) * 1000;
	/* It is lenient, and timegm() takes a 31st of April for a 1st of May. */
	return strcmp(timestamp_format_utc(again, *ms), text) == 0;
}

char *
timestamp_format_clock(char *out, int64_t ms, int64_t now)
{
	time_t seconds = whole_seconds(ms), today = whole_seconds(now);
	struct tm tm, tm_now;

	out[0] = '\0';
	if (localtime_r(&seconds, &tm) == NULL ||
	    localtime_r(&today, &tm_now) == NULL)
		return out;
	bool same_day =
	    tm.tm_year == tm_now.tm_year && tm.tm_yday == tm_now.tm_yday;
	if (strftime(out, TIMESTAMP_WORDS_SIZE,
		same_day ? "%H:%M" : "%Y-%m-%d %H:%M", &tm) == 0)
		out[0] = '\0';
	return out;
}

char *
timestamp_format_mail(char *out, int64_t ms)
{
	time_t seconds = whole_seconds(ms);
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL ||
	    strftime(
		out, TIMESTAMP_MAIL_SIZE, "%a, %d %b %Y %H:%M:%S %z", &tm) == 0)
		out[0] = '\0';
	return out;
}

char *
timestamp_format_span(char *out, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}};

	/* 90 minutes say more than 1 hour: a unit counts from its second. */
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (ms >= 2 * units[i].ms) {
			snprintf(out, TIMESTAMP_WORDS_SIZE, "%" PRId64 " %s",
			    ms / units[i].ms, units[i].name);
			return out;
		}
	}
	snprintf(
	    out, TIMESTAMP_WORDS_SIZE, "%" PRId64 " s", ms < 0 ? 0 : ms / 1000);
	return out;
}
