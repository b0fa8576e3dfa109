/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "protocol/status.h"

static void
test_text_is_cleaned_and_cut(void **state)
{
	struct status status;
	char long_text[2000], line[600];

	(void)state;
	status_set(&status, 550, "5.1.1", "a\033[31mb\tc\r\n\xc3\xa4%s", "%n");
	assert_string_equal(status_format(&status, line, sizeof line),
	    "550 5.1.1 a?[31mb c????%n");
	memset(long_text, 'x', sizeof long_text);
	long_text[sizeof long_text - 1] = '\0';
	status_set(&status, 250, "", "%s", long_text);
	assert_int_equal(strlen(status.text), STATUS_TEXT_MAX);
	/* The line with its CRLF stays within RFC 5321 4.5.3.1.5. */
	assert_true(
	    strlen(status_format(&status, line, sizeof line)) + 2 <= 512);
}

static void
test_a_status_can_be_made_of_itself(void **state)
{
	struct status status;

	(void)state;
	status_set(&status, 550, "5.7.1", "no");
	status_set(&status, 450, "4.7.1", "softened: %s", status.text);
	assert_string_equal(status.text, "softened: no");
	assert_string_equal(status.enhanced, "4.7.1");
}

static void
test_text_that_is_no_format_is_cleaned_and_cut_too(void **state)
{
	char long_text[2 * STATUS_TEXT_MAX];
	struct status status;

	(void)state;
	status_set(&status, 450, "4.2.2", "%s", "full");
	status.cause = CAUSE_DELIVERY;
	status.until = 7;
	status_set_text(&status, 550, "5.1.1", "100%s\tsure\x1b");
	assert_int_equal(status.code, 550);
	assert_string_equal(status.enhanced, "5.1.1");
	assert_string_equal(status.text, "100%s sure?");
	assert_int_equal(status.cause, CAUSE_NONE);
	assert_int_equal(status.until, 0);
	status_add_text(&status, " and\r");
	assert_string_equal(status.text, "100%s sure? and?");
	/* Of itself. */
	status_set_text(&status, 450, status.enhanced, status.text);
	assert_string_equal(status.enhanced, "5.1.1");
	assert_string_equal(status.text, "100%s sure? and?");
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	status_set_text(&status, 250, long_text, long_text);
	assert_int_equal(strlen(status.enhanced), STATUS_ENHANCED_MAX - 1);
	assert_int_equal(strlen(status.text), STATUS_TEXT_MAX);
	status_add_text(&status, "more");
	assert_int_equal(strlen(status.text), STATUS_TEXT_MAX);
}

static void
test_only_a_refusal_is_softened(void **state)
{
	static const struct {
		int code;
		const char *enhanced, *soft;
	} cases[] = {
	    {250, "2.0.0", "250 2.0.0 x"},
	    {452, "4.2.2", "452 4.2.2 x"},
	    {550, "5.1.1", "450 4.1.1 (soft bounce of 550) x"},
	    {552, "5.3.4", "450 4.3.4 (soft bounce of 552) x"},
	    {554, "", "450 (soft bounce of 554) x"},
	};
	char line[STATUS_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct status status;
		status_set(&status, cases[i].code, cases[i].enhanced, "x");
		status_soften(&status);
		assert_string_equal(
		    status_format(&status, line, sizeof line), cases[i].soft);
	}
}

static void
test_many_outcomes_become_one(void **state)
{
	static const struct {
		int each[3], reduced, overall;
	} cases[] = {
	    {{250, 250, 250}, 250, 250},
	    {{250, 550, 450}, 450, 250},
	    {{250, 550, 250}, 550, 250},
	    {{550, 450, 550}, 450, 450},
	    {{550, 551, 552}, 550, 550},
	    {{451, 452, 250}, 451, 250},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct status each[3];
		for (int k = 0; k < 3; k++)
			status_set(&each[k], cases[i].each[k], "", "x");
		assert_int_equal(
		    status_reduce(each, 3)->code, cases[i].reduced);
		assert_int_equal(
		    status_overall(each, 3)->code, cases[i].overall);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_is_cleaned_and_cut),
	    cmocka_unit_test(test_a_status_can_be_made_of_itself),
	    cmocka_unit_test(
		test_text_that_is_no_format_is_cleaned_and_cut_too),
	    cmocka_unit_test(test_only_a_refusal_is_softened),
	    cmocka_unit_test(test_many_outcomes_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
