/* SPDX-License-Identifier: ISC */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
error_sentences(void **state)
{
	struct error err;
	char many[2 * ERROR_TEXT_MAX];

	(void)state;
	error_set(&err, ERROR_AGAIN, "%s %d", "line", 1);
	assert_string_equal(err.text, "line 1");
	error_prefix(&err, "to %s", "x");
	assert_string_equal(err.text, "to x: line 1");
	assert_int_equal(err.class, ERROR_AGAIN);
	error_set(&err, ERROR_LOCAL, "<%s>", err.text);
	assert_string_equal(err.text, "<to x: line 1>");
	assert_int_equal(err.class, ERROR_LOCAL);
	error_set_errno(&err, ERROR_SYSTEM, ENOENT, "open %s", "f");
	assert_string_equal(err.text, "open f: No such file or directory");
	error_set_errno(&err, ERROR_SYSTEM, ENOSPC, "write %s", "f");
	assert_string_equal(err.text,
	    "write f: No space left on device; free space on that disk, or"
	    " raise the quota");
	memset(many, 'x', sizeof many);
	many[sizeof many - 1] = '\0';
	error_set(&err, ERROR_AGAIN, "%s", many);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	error_prefix(&err, "%s", many);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
}

static void
error_statuses(void **state)
{
	static const struct {
		enum error_class class;
		int status;
	} cases[] = {
	    {ERROR_NONE, 0},
	    {ERROR_USAGE, 64},
	    {ERROR_UNABLE, 69},
	    {ERROR_INTERNAL, 70},
	    {ERROR_SYSTEM, 71},
	    {ERROR_AGAIN, 75},
	    {ERROR_LOCAL, 75},
	    {ERROR_BUSY, 75},
	    {ERROR_STOPPED, 75},
	    {ERROR_PROTOCOL, 76},
	    {ERROR_CERTIFICATE, 77},
	    {ERROR_REFUSED, 77},
	    {ERROR_AUTH, 77},
	    {ERROR_SECRET, 77},
	    {ERROR_CONFIG, 78},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(
		    error_exit_status(cases[i].class), cases[i].status);
}

static void
the_worst_status_counts(void **state)
{
	static const int order[] = {64, 70, 71, 78, 77, 76, 69, 67, 75, 0};

	(void)state;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		for (size_t k = 0; k < sizeof order / sizeof *order; k++)
			assert_int_equal(error_worse_status(order[i], order[k]),
			    order[i < k ? i : k]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(error_sentences),
	    cmocka_unit_test(error_statuses),
	    cmocka_unit_test(the_worst_status_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
