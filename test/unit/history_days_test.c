/* SPDX-License-Identifier: ISC */
/*
 * Counts of days survive whatever the clock does: none is lost, none is
 * counted twice, and the list stays in order.
 */
#include "record/history_days.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "record/history.h"

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

static const int64_t noon = 1795435200000; /* 2026-11-23T12:00:00Z */
enum { TODAY = 20780 };

static void
zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static int
set_utc(void **state)
{
	(void)state;
	zone("UTC0");
	return 0;
}

static void
add_on(struct history_days *days, int64_t day, uint64_t messages)
{
	struct history_day counts = {
	    .day = day, .sessions = 1, .messages = messages};

	history_days_add(days, &counts);
}

static uint64_t
sum_of(const struct history_days *days)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < days->count; i++)
		sum += days->list[i].messages;
	return sum;
}

static void
a_day_is_that_of_the_wall(void **state)
{
	static const struct {
		const char *zone, *date;
		int64_t ms;
	} rows[] = {
	    {"UTC0", "2026-11-23", 1795435200000},
	    {"UTC0", "2026-11-23", 1795391999999 + 1},
	    {"UTC0", "2026-11-22", 1795391999999},
	    {"XXX-13", "2026-11-24", 1795435200000},
	    {"XXX+12:30", "2026-11-22", 1795435200000},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-26", 1792969200000},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25", 1792969199999},
	    {"UTC0", "1969-12-31", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char date[HISTORY_DATE_SIZE];
		zone(rows[i].zone);
		assert_string_equal(
		    history_days_format(date, history_days_date(rows[i].ms)),
		    rows[i].date);
	}
	zone("UTC0");
}

static void
sessions_of_a_day_add_up(void **state)
{
	struct session_result result = {.outcome = SESSION_DEFERRED,
	    .started = noon,
	    .ended = noon,
	    .messages = 2,
	    .recipients = 3,
	    .bytes = 1000,
	    .deferred = 4,
	    .refused = 5};
	struct history history;

	(void)state;
	history_init(&history);
	history_add(&history, &result);
	history_add(&history, &result);
	result = (struct session_result){.outcome = SESSION_FAILED,
	    .started = noon + DAY,
	    .ended = noon + DAY,
	    .error.class = ERROR_AGAIN};
	history_add(&history, &result);
	result.error.class = ERROR_STOPPED;
	history_add(&history, &result);
	assert_int_equal(history.days.count, 2);
	const struct history_day *day = history_days_find(&history.days, TODAY);
	assert_non_null(day);
	assert_int_equal(day->sessions, 2);
	assert_int_equal(day->failed, 0);
	assert_int_equal(day->messages, 4);
	assert_int_equal(day->recipients, 6);
	assert_int_equal(day->bytes, 2000);
	assert_int_equal(day->deferred, 8);
	assert_int_equal(day->refused, 10);
	day = history_days_find(&history.days, TODAY + 1);
	assert_non_null(day);
	assert_int_equal(day->sessions, 2);
	assert_int_equal(day->failed, 1);
	assert_null(history_days_find(&history.days, TODAY + 2));
	history_clear(&history);
}

static void
the_newest_days_are_kept(void **state)
{
	struct history_days days = {.count = 0};

	(void)state;
	for (int i = 0; i < 3 * HISTORY_DAYS_MAX; i++)
		add_on(&days, TODAY + i, (uint64_t)i);
	assert_int_equal(days.count, HISTORY_DAYS_MAX);
	assert_int_equal(days.list[0].day, TODAY + 2 * HISTORY_DAYS_MAX);
	assert_int_equal(
	    days.list[HISTORY_DAYS_MAX - 1].messages, 3 * HISTORY_DAYS_MAX - 1);
}

/* A battery is empty: the clock says 2061 once, and then is right again. */
static void
a_clock_that_ran_ahead_costs_one_day_at_most(void **state)
{
	struct history_days days = {.count = 0};

	(void)state;
	for (int i = HISTORY_DAYS_MAX - 1; i >= 0; i--)
		add_on(&days, TODAY - i, 1);
	add_on(&days, TODAY + 35 * 365, 10);
	assert_int_equal(days.count, HISTORY_DAYS_MAX);
	history_days_settle(&days, noon);
	assert_int_equal(days.count, HISTORY_DAYS_MAX - 1);
	assert_int_equal(days.list[days.count - 1].day, TODAY);
	assert_int_equal(days.list[days.count - 1].messages, 11);
	assert_int_equal(sum_of(&days), HISTORY_DAYS_MAX - 1 + 10);
}

/* A router boots in 1970, fetches, and learns the time later. */
static void
a_clock_that_was_not_set_loses_nothing(void **state)
{
	struct history_days days = {.count = 0};

	(void)state;
	add_on(&days, 0, 3);
	add_on(&days, 1, 4);
	history_days_settle(&days, noon);
	assert_int_equal(days.count, 1);
	assert_int_equal(days.list[0].day, TODAY);
	assert_int_equal(days.list[0].messages, 7);
	add_on(&days, 0, 5);
	assert_int_equal(days.count, 1);
	assert_int_equal(days.list[0].messages, 12);
}

/* It may be yesterday again, by NTP or by a flight to the west. */
static void
a_clock_that_is_set_back_moves_counts_to_today(void **state)
{
	struct history_days days = {.count = 0};

	(void)state;
	add_on(&days, TODAY, 1);
	add_on(&days, TODAY + 1, 2);
	add_on(&days, TODAY + 2, 4);
	add_on(&days, TODAY, 8);
	history_days_settle(&days, noon + DAY);
	assert_int_equal(days.count, 2);
	assert_int_equal(days.list[1].day, TODAY + 1);
	assert_int_equal(days.list[1].messages, 14);
	history_days_settle(&days, noon - 10 * DAY);
	assert_int_equal(days.count, 1);
	assert_int_equal(days.list[0].day, TODAY - 10);
	assert_int_equal(days.list[0].messages, 15);
}

/* Any clock: the list is in order, and full days go only for newer ones. */
static void
the_list_is_in_order_whatever_the_clock_says(void **state)
{
	struct history_days days = {.count = 0};
	unsigned chance = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		chance = chance * 1103515245 + 12345;
		int64_t now = (int64_t)(chance >> 8) * 250000 - DAY;
		if (now >= 1704067200000)
			history_days_settle(&days, now);
		add_on(&days, history_days_date(now), 1);
		assert_in_range(days.count, 1, HISTORY_DAYS_MAX);
		for (size_t d = 1; d < days.count; d++)
			assert_true(days.list[d].day > days.list[d - 1].day);
	}
	assert_in_range(sum_of(&days), 1, 20000);
}

static void
dates_are_read_strictly(void **state)
{
	static const char *const wrong[] = {"", "2026", "2026-02-29",
	    "2026-11-23T00:00:00Z", "26-11-23", "2026-11-23 ", "2026/11/23"};
	int64_t day = 0;

	(void)state;
	assert_true(history_days_parse("2026-11-23", &day));
	assert_int_equal(day, TODAY);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(history_days_parse(wrong[i], &day));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_day_is_that_of_the_wall),
	    cmocka_unit_test(sessions_of_a_day_add_up),
	    cmocka_unit_test(the_newest_days_are_kept),
	    cmocka_unit_test(a_clock_that_ran_ahead_costs_one_day_at_most),
	    cmocka_unit_test(a_clock_that_was_not_set_loses_nothing),
	    cmocka_unit_test(a_clock_that_is_set_back_moves_counts_to_today),
	    cmocka_unit_test(the_list_is_in_order_whatever_the_clock_says),
	    cmocka_unit_test(dates_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, set_utc, NULL);
}
