/* SPDX-License-Identifier: ISC */
#include "base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* Reads the digits that stand where form has a digit of `which`. */
static int
field(const char *text, const char *form, char which)
{
	int value = 0;

	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == which)
			value = value * 10 + (text[i] - '0');
	return value;
}

bool
timestamp_parse_utc(const char *text, int64_t *ms)
{
	static const char form[] = "yyyy-mm-ddThh:MM:ssZ";
	char again[TIMESTAMP_UTC_SIZE];

	if (strlen(text) != sizeof form - 1)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		bool fixed = strchr("-T:Z", form[i]) != NULL;
		if (fixed ? text[i] != form[i] : text[i] < '0' || text[i] > '9')
			return false;
	}
	struct tm tm = {
	    .tm_year = field(text, form, 'y') - 1900,
	    .tm_mon = field(text, form, 'm') - 1,
	    .tm_mday = field(text, form, 'd'),
	    .tm_hour = field(text, form, 'h'),
	    .tm_min = field(text, form, 'M'),
	    .tm_sec = field(text, form, 's'),
	};
	*ms = (int64_t)timegm(&tm) * 1000;
	/* timegm() takes a 31st of April for a 1st of May. */
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
