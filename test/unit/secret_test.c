/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct hide_case {
	const char *secret, *text, *shown;
};

static const struct hide_case hide_cases[] = {
    {"password", "Not password!", "Not ********!"},
    {"password", "passwordpassword", "****************"},
    {"password", "passwor passwo passw", "******* ****** passw"},
    {"ab", "abc ab a", "**c ** a"},
    {"", "anything", "anything"},
    {"password", "", ""},
};

static void
secret_is_hidden(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hide_cases / sizeof *hide_cases; i++) {
		const struct hide_case *c = &hide_cases[i];
		struct secret secret = {.text = NULL};
		char text[32];

		secret_hide(&secret, text, 0);
		secret_set(&secret, c->secret, strlen(c->secret));
		snprintf(text, sizeof text, "%s", c->text);
		secret_hide(&secret, text, strlen(text));
		assert_string_equal(text, c->shown);
		secret_clear(&secret);
	}
}

static void
secret_is_replaced(void **state)
{
	struct secret secret = {.text = NULL};

	(void)state;
	secret_clear(&secret);
	secret_set(&secret, "first", 5);
	secret_set(&secret, "two\0x", 5);
	assert_int_equal(secret.len, 5);
	assert_memory_equal(secret.text, "two\0x", 6);
	secret_clear(&secret);
	assert_null(secret.text);
	assert_int_equal(secret.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(secret_is_hidden),
	    cmocka_unit_test(secret_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
