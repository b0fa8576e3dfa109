/* SPDX-License-Identifier: ISC */
#include "tell/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "record/history.h"

static void
sizes_are_short(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *expected;
	} rows[] = {{0, "0 B"}, {999, "999 B"}, {1000, "1.0 kB"},
	    {12449, "12.4 kB"}, {999949, "999.9 kB"}, {999950, "1.0 MB"},
	    {3100000, "3.1 MB"}, {UINT64_MAX, "18.4 EB"}};
	char out[SUMMARY_BYTES_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(
		    summary_bytes(out, rows[i].bytes), rows[i].expected);
}

static void
a_session_is_one_line(void **state)
{
	static const struct {
		struct session_result result;
		const char *expected;
	} rows[] = {
	    {{.outcome = SESSION_NO_MAIL, .elapsed = 800}, "no mail"},
	    {{.outcome = SESSION_MAIL,
		 .messages = 3,
		 .bytes = 12400,
		 .elapsed = 800},
		"3 messages, 12.4 kB, 0.8 s"},
	    {{.outcome = SESSION_MAIL,
		 .messages = 1,
		 .bytes = 5,
		 .elapsed = 12999,
		 .more = true},
		"1 message, 5 B, 13.0 s, more to come"},
	    {{.outcome = SESSION_MAIL,
		 .messages = 1,
		 .bytes = 5,
		 .elapsed = 70},
		"1 message, 5 B, 0.1 s"},
	    {{.outcome = SESSION_DEFERRED,
		 .messages = 2,
		 .deferred = 1,
		 .refused = 1,
		 .bytes = 12400,
		 .elapsed = 1000},
		"2 messages, 1 deferred, 1 refused, 12.4 kB, 1.0 s"},
	    {{.outcome = SESSION_FAILED,
		 .error = {ERROR_AUTH, "it said \x1b]0;x\x07 \xc2\x9b"}},
		"failed: it said ?]0;x? ??"},
	};
	char out[SUMMARY_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(
		    summary_result(out, &rows[i].result), rows[i].expected);
}

static void
progress_has_a_rate(void **state)
{
	struct session_result so_far = {.messages = 3, .bytes = 12000};
	char out[SUMMARY_SIZE];

	(void)state;
	assert_string_equal(summary_progress(out, &so_far, 500),
	    "3 messages, 12.0 kB, 24.0 kB/s");
	assert_string_equal(
	    summary_progress(out, &so_far, 0), "3 messages, 12.0 kB");
}

static void
a_hold_names_its_end(void **state)
{
	struct history history = {.hold_until = 1795442400000};
	char out[SUMMARY_SIZE];

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	snprintf(history.hold_reason, sizeof history.hold_reason, "535 no");
	assert_string_equal(
	    summary_hold(out, &history, history.hold_until - 3600000),
	    "on hold until 14:00: 535 no");
	assert_string_equal(
	    summary_hold(out, &history, history.hold_until - 24 * 3600000),
	    "on hold until 2026-11-23 14:00: 535 no");
}

/* Whatever led to it; and what the hold cannot see is not waited for. */
static void
a_hold_says_what_ends_it(void **state)
{
	struct config_account account = {.name = "office"};
	struct history history = {.hold_class = ERROR_REFUSED};
	char out[SUMMARY_SIZE];

	(void)state;
	assert_string_equal(summary_hold_advice(out, &account, &history),
	    "Correct what the error says, or ask the provider; then"
	    " odmr-agent fetch office tries at once.");
	history.hold_class = ERROR_AUTH;
	assert_string_equal(summary_hold_advice(out, &account, &history),
	    "Correct user and password, or ask the provider; then odmr-agent"
	    " fetch office tries at once.");
	account.password_command = "pass show odmr";
	assert_string_equal(summary_hold_advice(out, &account, &history),
	    "Correct user and password, or ask the provider; then odmr-agent"
	    " fetch office tries at once. This is needed where"
	    " password_command prints something new: the hold does not see"
	    " that.");
	account.token_command = "oama access o";
	assert_non_null(strstr(summary_hold_advice(out, &account, &history),
	    "where password_command or token_command prints"));
	account.password_command = NULL;
	assert_non_null(strstr(summary_hold_advice(out, &account, &history),
	    "where token_command prints"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_are_short),
	    cmocka_unit_test(a_session_is_one_line),
	    cmocka_unit_test(progress_has_a_rate),
	    cmocka_unit_test(a_hold_names_its_end),
	    cmocka_unit_test(a_hold_says_what_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
