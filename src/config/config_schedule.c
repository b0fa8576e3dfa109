/* SPDX-License-Identifier: ISC */
#include "config/config_rows.h"

#include <stdlib.h>
#include <strings.h>

#include "base/decimal.h"

enum { DAYS = 7, EVERY_DAY = 0x7f, DAY_MINUTES = 24 * 60 };

/* As tm_wday; -1: none. */
static int
parse_day(const char *text)
{
	static const char names[DAYS][4] = {
	    "sun", "mon", "tue", "wed", "thu", "fri", "sat"};

	for (int i = 0; i < DAYS; i++)
		if (strncasecmp(text, names[i], 3) == 0)
			return i;
	return -1;
}

/* "sat", or "mon-fri", which may wrap over the end of the week. */
static bool
add_days(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *context)
{
	char shown[CONFIG_EXCERPT_SIZE];
	uint8_t *days = context;
	int first = parse_day(scalar->text), last = first;

	if (scalar->len == 7 && scalar->text[3] == '-')
		last = parse_day(scalar->text + 4);
	else if (scalar->len != 3)
		last = -1;
	if (first < 0 || last < 0) {
		config_fault(loader, scalar->mark,
		    "%s: \"%s\" is neither a day (mon, tue, wed, thu, fri,"
		    " sat, sun) nor a span of days like mon-fri",
		    key->name,
		    config_excerpt(shown, scalar->text, scalar->len));
		return false;
	}
	for (int day = first;; day = (day + 1) % DAYS) {
		*days = (uint8_t)(*days | 1U << day);
		if (day == last)
			return true;
	}
}

void
config_read_days(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	config_each_scalar(loader, key, add_days, field);
}

/* "HH:MM" at text, 24:00 included, in minutes; -1: no time. */
static int
parse_schedule_time(const char *text)
{
	uint64_t hours, minutes;

	if (decimal_digits(text, 2, &hours) < 2 || text[2] != ':' ||
	    decimal_digits(text + 3, 2, &minutes) < 2 || minutes > 59 ||
	    hours * 60 + minutes > DAY_MINUTES)
		return -1;
	return (int)(hours * 60 + minutes);
}

/* The two times of "08:00-18:00", kept in from and to of a window. */
bool
config_to_hours(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	char shown[CONFIG_EXCERPT_SIZE];
	struct config_hours *hours = field;
	int from = -1, to = -1;

	if (scalar->len == 11 && scalar->text[5] == '-') {
		from = parse_schedule_time(scalar->text);
		to = parse_schedule_time(scalar->text + 6);
	}
	if (to == 0)
		to = DAY_MINUTES;
	if (from < 0 || from == DAY_MINUTES || to < 0 || from == to) {
		config_fault(loader, scalar->mark,
		    "%s: \"%s\" is not two different times like 08:00-18:00 or"
		    " 22:00-06:00",
		    key->name,
		    config_excerpt(shown, scalar->text, scalar->len));
		return false;
	}
	*hours = (struct config_hours){(uint16_t)from, (uint16_t)to};
	return true;
}

static bool
add_time(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *context)
{
	char shown[CONFIG_EXCERPT_SIZE];
	int minutes = scalar->len == 5 ? parse_schedule_time(scalar->text) : -1;

	if (minutes < 0 || minutes == DAY_MINUTES) {
		config_fault(loader, scalar->mark,
		    "%s: \"%s\" is not a time from 00:00 to 23:59", key->name,
		    config_excerpt(shown, scalar->text, scalar->len));
		return false;
	}
	*(uint16_t *)array_add(context) = (uint16_t)minutes;
	return true;
}

static int
compare_times(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

void
config_read_times(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct array array = {.each = sizeof(uint16_t)};
	struct config_times *times = field;

	config_each_scalar(loader, key, add_time, &array);
	if (array.count > 0)
		qsort(array.items, array.count, array.each, compare_times);
	times->minutes =
	    pool_copy(loader->pool, array.items, array.count * array.each);
	times->count = array.count;
	free(array.items);
}

/* A time that the hours of its own window exclude never comes. */
static void
check_times(struct config_loader *loader, const struct config_window *window,
    struct config_mark mark)
{
	if (window->hours.to == 0) /* a fault was told */
		return;
	for (size_t i = 0; i < window->at.count; i++) {
		unsigned at = window->at.minutes[i];
		bool after = at >= window->hours.from;
		bool before = at < window->hours.to;
		bool wraps = window->hours.from > window->hours.to;
		if (wraps ? !after && !before : !after || !before)
			config_fault(loader, mark,
			    "at: %02u:%02u is outside the window's hours",
			    at / 60, at % 60);
	}
}

#define WINDOW(member) MEMBER(#member, struct config_window, member)

static const struct config_key window_keys[] = {
    {WINDOW(days), .read = config_read_days},
    {WINDOW(hours), PLAIN(config_to_hours)},
    {WINDOW(every), DURATION(SECOND, 7 * DAY)},
    {WINDOW(at), .read = config_read_times},
};

const struct config_table config_window_table =
    TABLE("a window of the schedule", window_keys);

static void
read_window(
    struct config_loader *loader, const struct config_key *key, void *context)
{
	struct config_window *window = array_add(context);
	struct config_mark here = config_here(loader);
	struct config_marks marks = {0};
	const struct config_mark *of = marks.of;

	config_read_mapping(loader, &config_window_table, window, &marks);
	if (of[config_key_index(&config_window_table, "days")].line == 0)
		window->days = EVERY_DAY;
	if (of[config_key_index(&config_window_table, "hours")].line == 0)
		window->hours = (struct config_hours){0, DAY_MINUTES};
	size_t at = config_key_index(&config_window_table, "at");
	size_t every = config_key_index(&config_window_table, "every");
	if (marks.here.line != 0 && of[at].line == 0 && of[every].line == 0)
		config_fault(loader, here,
		    "%s: a window needs \"every\" or \"at\"", key->name);
	check_times(loader, window, of[at]);
}

void
config_read_schedule(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct array array = {.each = sizeof(struct config_window)};
	struct config_schedule *schedule = field;

	config_each_mapping(loader, key, read_window, &array);
	schedule->windows =
	    pool_copy(loader->pool, array.items, array.count * array.each);
	schedule->count = array.count;
	free(array.items);
}
