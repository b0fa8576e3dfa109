/* SPDX-License-Identifier: ISC */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(text) (text), sizeof(text) - 1

static void
base64_both_ways(void **state)
{
	/* RFC 4648 10, and the last two digits */
	static const struct {
		const char *data;
		size_t len;
		const char *text;
	} cases[] = {
	    {TEXT(""), ""},
	    {TEXT("f"), "Zg=="},
	    {TEXT("fo"), "Zm8="},
	    {TEXT("foo"), "Zm9v"},
	    {TEXT("foob"), "Zm9vYg=="},
	    {TEXT("fooba"), "Zm9vYmE="},
	    {TEXT("foobar"), "Zm9vYmFy"},
	    {TEXT("\xff\xef\xbe\0"), "/+++AA=="},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[BASE64_SIZE(6)], data[6];
		size_t len = strlen(cases[i].text);
		assert_int_equal(
		    base64_encode(text, cases[i].data, cases[i].len), len);
		assert_string_equal(text, cases[i].text);
		assert_true(BASE64_SIZE(cases[i].len) == len + 1);
		assert_int_equal(base64_decode(data, text, len), cases[i].len);
		assert_memory_equal(data, cases[i].data, cases[i].len);
	}
}

static void
base64_refuses(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
	    {TEXT("=")},
	    {TEXT("A")},
	    {TEXT("AA")},
	    {TEXT("AAA")},
	    {TEXT("A===")},
	    {TEXT("====")},
	    {TEXT("AA=A")},
	    {TEXT("=AAA")},
	    {TEXT("AA==AAAA")},
	    {TEXT("AAA=AAAA")},
	    {TEXT("AB==")}, /* left-over bits */
	    {TEXT("AAB=")},
	    {TEXT("AA A")},
	    {TEXT("AAA\n")},
	    {TEXT("AAA\0")},
	    {TEXT("AA-_")}, /* RFC 4648 5 is another alphabet */
	    {TEXT("AAA\xc3")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char data[6];
		assert_int_equal(
		    base64_decode(data, cases[i].text, cases[i].len), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base64_both_ways),
	    cmocka_unit_test(base64_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
