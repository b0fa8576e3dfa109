/* SPDX-License-Identifier: ISC */
/* Names and their numbers: each is found, whatever else is in there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/names.h"

enum { MANY = 3000 };

static char texts[MANY][16];

static void
assert_has_below(const struct names *names, size_t count)
{
	size_t number = SIZE_MAX;

	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(
		    names_find(names, texts[i], &number), i < count);
		assert_int_equal(i < count ? number : i, i);
	}
}

static void
test_each_name_has_its_number(void **state)
{
	static const size_t counts[] = {0, 1, 2, 1000, MANY, 3};
	struct names names = {.count = 0};

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		for (size_t k = 0; k < counts[i]; k++)
			names_add(&names, texts[k], k);
		assert_has_below(&names, counts[i]);
		names_reset(&names);
		assert_has_below(&names, 0);
	}
	names_clear(&names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_name_has_its_number),
	};

	for (size_t i = 0; i < MANY; i++)
		snprintf(texts[i], sizeof texts[i], "user%zu", i);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
