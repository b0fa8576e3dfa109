/* SPDX-License-Identifier: ISC */
/* What could have been named, as one phrase, however many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/choices.h"

static void
test_none_is_no_phrase(void **state)
{
	struct choices choices = {.used = 0};

	(void)state;
	assert_string_equal(choices_phrase(&choices), "");
}

static void
test_all_are_named(void **state)
{
	struct choices choices = {.used = 0};

	(void)state;
	choices_add(&choices, "home");
	assert_string_equal(choices_phrase(&choices), "; choose from: home");
	choices_add(&choices, "office");
	assert_string_equal(
	    choices_phrase(&choices), "; choose from: home, office");
}

/* For names of each length: the phrase ends in dots, and within its room. */
static void
test_more_than_fit(void **state)
{
	static const char end[] = ", ...";

	(void)state;
	for (size_t len = 1; len < CHOICES_SIZE; len++) {
		struct choices choices = {.used = 0};
		char name[CHOICES_SIZE] = "";
		memset(name, 'n', len);
		for (int i = 0; i < CHOICES_SIZE; i++)
			choices_add(&choices, name);
		size_t used = strlen(choices_phrase(&choices));
		assert_true(used < CHOICES_SIZE);
		if (used == 0) {
			assert_true(len > CHOICES_SIZE / 2);
			continue;
		}
		assert_string_equal(
		    choices_phrase(&choices) + used - strlen(end), end);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_none_is_no_phrase),
	    cmocka_unit_test(test_all_are_named),
	    cmocka_unit_test(test_more_than_fit)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
