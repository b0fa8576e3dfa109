/* SPDX-License-Identifier: ISC */
#include "base/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(text) (text), sizeof(text) - 1

static void
escape_texts(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
	    {TEXT(""), ""},
	    {TEXT("250 ok"), "250 ok"},
	    {TEXT("a\\b"), "a\\\\b"},
	    {TEXT("\r\n"), "\\x0d\\x0a"},
	    {TEXT("a\0b"), "a\\x00b"},
	    {TEXT("\x1b[2J"), "\\x1b[2J"},
	    {TEXT("\x7f\xc3\xa4"), "\\x7f\\xc3\\xa4"},
	    {TEXT("fifteen octets!"), "fifteen octets!"}, /* just fits */
	    {TEXT("sixteen octets!!"), "sixteen octe..."},
	    {TEXT("twelve octet\n"), "twelve octet..."},
	    {TEXT("elevn octet\n"), "elevn octet\\x0a"},
	    {TEXT("elevn octet\n?"), "elevn octet..."},
	    {TEXT("\n\n\n\n"), "\\x0a\\x0a\\x0a..."},
	    {TEXT("fourteen octet\\"), "fourteen oct..."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[16];
		assert_ptr_equal(
		    escape_text(out, sizeof out, cases[i].in, cases[i].len),
		    out);
		assert_string_equal(out, cases[i].out);
	}
}

/* Whatever was escaped stays as it is, and it stays safe. */
static void
an_escaped_text_is_not_escaped_again(void **state)
{
	char once[64], twice[64];
	static const char raw[] = "a\\b\n\x1b[2J\xc3\xa4";

	(void)state;
	escape_text(once, sizeof once, raw, sizeof raw - 1);
	escape_sentence(twice, sizeof twice, once);
	assert_string_equal(once, "a\\\\b\\x0a\\x1b[2J\\xc3\\xa4");
	assert_string_equal(twice, once);
	escape_sentence(twice, sizeof twice, "\x1b[2J\n");
	assert_string_equal(twice, "\\x1b[2J\\x0a");
	char small[16];
	escape_sentence(small, sizeof small, "seventeen octets.");
	assert_string_equal(small, "seventeen oc...");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(escape_texts),
	    cmocka_unit_test(an_escaped_text_is_not_escaped_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
