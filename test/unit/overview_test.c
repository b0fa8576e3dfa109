/* SPDX-License-Identifier: ISC */
#include "tell/overview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/config.h"
#include "record/history.h"
#include "tell/plot.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const int64_t now = 1795428000000; /* 2026-11-23T10:00:00Z, Monday */
static const struct config_account account = {
    .name = "office", .every = 5 * MINUTE, .enabled = true, .alarm_after = DAY};

static int
set_zone(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	return 0;
}

static struct history
after(enum session_outcome outcome, int64_t at)
{
	struct session_result result = {
	    .outcome = outcome, .started = at, .ended = at};
	struct history history;

	if (outcome == SESSION_MAIL)
		result.messages = 3;
	if (outcome == SESSION_DEFERRED)
		result.deferred = 2;
	if (outcome == SESSION_FAILED)
		error_set(&result.error, ERROR_AUTH, "535 no \x1b[31m");
	history_init(&history);
	history_add(&history, &result);
	history.next = now + 4 * MINUTE;
	return history;
}

static void
assert_table(const struct config_account *one, const struct history *history,
    bool colour, const char *expected)
{
	struct overview overview;
	struct buf out;

	buf_init(&out, 100000);
	overview_begin(&overview, &out, strlen(one->name), colour, 0, now);
	overview_add(&overview, one, history, alarm_of(one, history, now));
	assert_true(buf_append(&out, "", 1));
	assert_string_equal(strchr(buf_data(&out), '\n') + 1, expected);
	buf_clear(&out);
}

static void
an_account_is_one_line(void **state)
{
	struct history none;
	struct history mail = after(SESSION_MAIL, now - 5 * MINUTE);
	struct history quiet = after(SESSION_NO_MAIL, now - 45000);
	struct history deferred = after(SESSION_DEFERRED, now - 3 * HOUR);
	struct config_account disabled = account;

	(void)state;
	history_init(&none);
	disabled.enabled = false;
	assert_table(&account, &mail, false,
	    "office  3 messages, 5 min ago       in 4 min         3       3"
	    "    0\n");
	assert_table(&account, &quiet, false,
	    "office  no mail, 45 s ago           in 4 min         0       0"
	    "    0\n");
	assert_table(&account, &quiet, true,
	    "office  \033[32mno mail, 45 s ago          \033[0m in 4 min     "
	    "    0       0    0\n");
	deferred.next = now - HOUR;
	assert_table(&account, &deferred, false,
	    "office  2 deferred, 3 h ago         overdue          0       0"
	    "    0\n");
	assert_table(&account, &none, false,
	    "office  none yet                    -                0       0"
	    "    0\n");
	assert_table(&disabled, &quiet, false,
	    "office  no mail, 45 s ago           disabled         0       0"
	    "    0\n");
}

static void
what_is_wrong_stands_below(void **state)
{
	struct history held = after(SESSION_FAILED, now - 10 * MINUTE);
	struct history failing = after(SESSION_FAILED, now - 3 * DAY);

	(void)state;
	assert_table(&account, &held, false,
	    "office  failed, 10 min ago          on hold          0       0"
	    "    1\n"
	    "    on hold until 10:50: 535 no ?[31m\n"
	    "    Correct user and password, or ask the provider; then odmr-agent"
	    " fetch office\n"
	    "    tries at once.\n");
	assert_table(&account, &failing, false,
	    "office  failed, 3 d ago             in 4 min         0       0"
	    "    1\n"
	    "    ALARM: no session has succeeded since 2026-11-20 10:00\n"
	    "    535 no ?[31m\n");
	held.hold_until = 0;
	asking_memory_refuse(&held.asking, "a.example.org", now, "450 no");
	held.failures_in_a_row = 0;
	assert_table(&account, &held, false,
	    "office  failed, 10 min ago          in 4 min         0       0"
	    "    0\n"
	    "    a.example.org is refused: 450 no\n");
	history_clear(&held);
	held = after(SESSION_DEFERRED, now - 10 * MINUTE);
	held.ledger_entries = 3;
	held.ledger_due = 1;
	assert_table(&account, &held, false,
	    "office  2 deferred, 10 min ago      in 4 min         0       0"
	    "    0\n"
	    "    1 message to be sent again (odmr-agent ledger)\n");
}

static void
no_line_is_longer_than_the_table(void **state)
{
	struct history history = after(SESSION_MAIL, now - DAY);
	struct config_account long_name = account;
	struct overview overview;
	struct buf out;

	(void)state;
	long_name.name = "an.account.with.a.name.of.thirty.octets";
	history.last.messages = UINT64_MAX;
	history.total.messages = UINT64_MAX;
	history_days_add(
	    &history.days, &(struct history_day){.day = history_days_date(now),
			       .messages = 123456});
	history.failures_in_a_row = 12345;
	memset(history.last_error, 'x', 300);
	memset(history.last_error + 300, ' ', 3);
	snprintf(history.last_error + 303, 200,
	    "these are words that are broken between them, at the end of the "
	    "line, wherever that may be");
	buf_init(&out, 100000);
	overview_begin(&overview, &out, strlen(long_name.name), false, 0, now);
	overview_add(&overview, &long_name, &history, ALARM_NONE);
	assert_true(buf_append(&out, "", 1));
	for (const char *line = buf_data(&out); *line != '\0';) {
		size_t len = strcspn(line, "\n");
		print_message("%.*s\n", (int)len, line);
		assert_in_range(len, 1, OVERVIEW_COLUMNS);
		line += len + 1;
	}
	assert_non_null(strstr(buf_data(&out), " 123k "));
	buf_clear(&out);
}

static void
alarms_count_due_time(void **state)
{
	static const struct config_window work[] = {
	    {.days = 62, .hours = {480, 1080}, .every = 5 * MINUTE}};
	struct config_account office = account;
	/* Friday evening, after which nothing was due until Monday 8:00. */
	struct history history =
	    after(SESSION_NO_MAIL, now - 2 * DAY - 17 * HOUR);

	(void)state;
	assert_int_equal(alarm_of(&account, &history, now), ALARM_FAILING);
	office.schedule.windows = work;
	office.schedule.count = 1;
	assert_int_equal(alarm_of(&office, &history, now), ALARM_NONE);
	office.alarm_after = 2 * HOUR;
	assert_int_equal(alarm_of(&office, &history, now), ALARM_FAILING);
	history.last_success = now - MINUTE;
	assert_int_equal(alarm_of(&office, &history, now), ALARM_NONE);
	history_deferrals_told(&history.deferrals, 1, now - 3 * DAY);
	assert_int_equal(alarm_of(&office, &history, now), ALARM_NONE);
	history_deferrals_told(&history.deferrals, 1, now - HOUR);
	assert_int_equal(alarm_of(&office, &history, now), ALARM_DEFERRED);
	history_clear(&history);
	assert_int_equal(alarm_of(&office, &history, now), ALARM_NONE);
}

static void
raise_alarm(struct history *history, enum alarm alarm, int64_t at)
{
	assert_true(alarm_is_due(alarm, &account, history, at));
	history_alarms_note(&history->alarms, alarm_name(alarm), at, false);
	assert_false(alarm_is_due(alarm, &account, history, at + HOUR));
}

/* Who was told of a domain that is refused for weeks knows nothing of another
 * one, nor of a mailbox that is full. */
static void
an_alarm_stands_for_itself_alone(void **state)
{
	struct history history = after(SESSION_NO_MAIL, now - MINUTE);
	struct asking_memory *asking = &history.asking;
	char text[ALARM_TEXT_SIZE];

	(void)state;
	asking_memory_refuse(asking, "old.example", now - 20 * DAY, "450 no");
	asking_memory_refuse(asking, "new.example", now - HOUR, "450 no");
	raise_alarm(&history, ALARM_DOMAIN, now - 2 * HOUR);
	assert_false(alarm_is_due(ALARM_DOMAIN, &account, &history, now));

	history_deferrals_told(&history.deferrals, 1, now - 2 * DAY);
	history_deferrals_told(&history.deferrals, 1, now - MINUTE);
	assert_int_equal(alarm_of(&account, &history, now), ALARM_DOMAIN);
	assert_true(alarm_stands(ALARM_DEFERRED, &account, &history, now));
	raise_alarm(&history, ALARM_DEFERRED, now);

	raise_alarm(&history, ALARM_DOMAIN, now + 22 * HOUR);
	assert_true(
	    alarm_is_due(ALARM_DOMAIN, &account, &history, now + 24 * HOUR));
	alarm_format(text, ALARM_DOMAIN, &account, &history, now + 24 * HOUR);
	assert_non_null(strstr(text, "old.example since "));
	assert_non_null(strstr(text, ", nor new.example since "));
	history_clear(&history);
}

/* As wide as its columns: a bar of UTF-8 is one. */
static void
the_plot_is_shown_where_there_is_room(void **state)
{
	static const char head[] = " 14 DAYS\n";
	static const struct {
		const char *name;
		unsigned columns;
		bool shown;
	} rows[] = {
	    {"office", 0, false},
	    {"office", 81, false},
	    {"office", 82, true},
	    {"office", 200, true},
	    {"a.name.of.more.than.20", 94, false},
	    {"a.name.of.more.than.20", 95, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct overview overview;
		struct buf out;
		buf_init(&out, 1000);
		overview_begin(&overview, &out, strlen(rows[i].name), false,
		    rows[i].columns, now);
		assert_true(buf_append(&out, "", 1));
		assert_int_equal(
		    strstr(buf_data(&out), head) != NULL, rows[i].shown);
		assert_in_range(strlen(buf_data(&out)), 0, 95 - 14 + 8);
		buf_clear(&out);
	}
}

static void
the_plot_has_a_column_for_each_day(void **state)
{
	static const struct {
		int ago;
		uint64_t sessions, failed, messages;
	} counts[] = {{20, 1, 0, 1000}, {13, 9, 0, 1}, {12, 9, 2, 0},
	    {11, 3, 3, 0}, {9, 9, 0, 8}, {8, 9, 0, 7}, {2, 9, 9, 4},
	    {0, 9, 0, 4}};
	int64_t today = history_days_date(now);
	struct history_days days = {.count = 0};
	char plot[PLOT_SIZE];

	(void)state;
	assert_string_equal(plot_days(plot, &days, today), "              ");
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		history_days_add(
		    &days, &(struct history_day){.day = today - counts[i].ago,
			       .sessions = counts[i].sessions,
			       .failed = counts[i].failed,
			       .messages = counts[i].messages});
	assert_string_equal(plot_days(plot, &days, today),
	    "\u2581.x \u2588\u2587     \u2584 \u2584");
	days.list[days.count - 1].messages = UINT64_MAX;
	assert_string_equal(plot_days(plot, &days, today),
	    "\u2581.x \u2581\u2581     \u2581 \u2588");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_account_is_one_line),
	    cmocka_unit_test(what_is_wrong_stands_below),
	    cmocka_unit_test(no_line_is_longer_than_the_table),
	    cmocka_unit_test(alarms_count_due_time),
	    cmocka_unit_test(an_alarm_stands_for_itself_alone),
	    cmocka_unit_test(the_plot_is_shown_where_there_is_room),
	    cmocka_unit_test(the_plot_has_a_column_for_each_day),
	};

	return cmocka_run_group_tests(tests, set_zone, NULL);
}
