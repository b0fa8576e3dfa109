/* SPDX-License-Identifier: ISC */
/* Numbers in decimal and hexadecimal digits, as a peer or a file has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/decimal.h"
#include "base/digest.h"

static void
test_a_whole_text_is_a_number_or_none(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool read;
		uint64_t number;
	} cases[] = {
	    {"0", 0, true, 0},
	    {"007", 7, true, 7},
	    {"8", 7, false},
	    {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX - 1, false},
	    {"99999999999999999999999999", UINT64_MAX - 1, false},
	    {"", UINT64_MAX, false},
	    {" 1", UINT64_MAX, false},
	    {"+1", UINT64_MAX, false},
	    {"-1", UINT64_MAX, false},
	    {"1 ", UINT64_MAX, false},
	    {"1x", UINT64_MAX, false},
	    {"0x10", UINT64_MAX, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t number;
		assert_int_equal(
		    decimal_read(cases[i].text, cases[i].max, &number),
		    cases[i].read);
		if (cases[i].read)
			assert_int_equal(number, cases[i].number);
	}
}

static void
test_digits_end_where_the_caller_says(void **state)
{
	uint64_t number;

	(void)state;
	assert_int_equal(decimal_digits("12345", 3, &number), 3);
	assert_int_equal(number, 123);
	assert_int_equal(decimal_digits("12h", SIZE_MAX, &number), 2);
	assert_int_equal(number, 12);
	assert_int_equal(decimal_digits("12", 0, &number), 0);
	assert_int_equal(number, 0);
	/* Too much stays too much, however many digits follow. */
	const char *far = "184467440737095516159999";
	assert_int_equal(decimal_digits(far, SIZE_MAX, &number), strlen(far));
	assert_int_equal(number, UINT64_MAX);
}

static void
test_a_number_is_written_as_it_is_read(void **state)
{
	static const struct {
		uint64_t number;
		const char *decimal, *hex;
	} cases[] = {
	    {0, "0", "0000000000000000"},
	    {9, "9", "0000000000000009"},
	    {10, "10", "000000000000000a"},
	    {1234567890, "1234567890", "00000000499602d2"},
	    {UINT64_MAX, "18446744073709551615", "ffffffffffffffff"},
	};
	char decimal[DECIMAL_SIZE], hex[17];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t number = cases[i].number;
		assert_string_equal(
		    decimal_write(decimal, number), cases[i].decimal);
		assert_string_equal(
		    digest_number_hex(hex, number, 16), cases[i].hex);
	}
	assert_string_equal(digest_number_hex(hex, 0x1234abcd, 4), "abcd");
}

static void
test_hexadecimal_is_whole_or_none(void **state)
{
	uint64_t number;

	(void)state;
	assert_true(digest_hex_number("fFeeDdCc00112233", 16, &number));
	assert_int_equal(number, 0xffeeddcc00112233);
	assert_true(digest_hex_number("0aZ", 2, &number));
	assert_int_equal(number, 10);
	assert_false(digest_hex_number("0", 2, &number));
	assert_false(digest_hex_number("0x", 2, &number));
	assert_false(digest_hex_number("-1", 2, &number));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_whole_text_is_a_number_or_none),
	    cmocka_unit_test(test_digits_end_where_the_caller_says),
	    cmocka_unit_test(test_a_number_is_written_as_it_is_read),
	    cmocka_unit_test(test_hexadecimal_is_whole_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
