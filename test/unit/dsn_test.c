/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/dsn.h"

#define X10  "xxxxxxxxxx"
#define X50  X10 X10 X10 X10 X10
#define X100 X50 X50
#define X490 X100 X100 X100 X100 X50 X10 X10 X10 X10

struct value {
	const char *text;
	bool good;
};

static const struct value rets[] = {
    {"FULL", true},
    {"hdrs", true},
    {"", false},
    {"HDR", false},
    {"FULLY", false},
    {"FULL,HDRS", false},
};

static const struct value envids[] = {
    {"QQ314159", true},
    {"a+2Bb+3Dc", true},
    {"a+20b", true},
    {X100, true},
    {X100 "x", false},
    {"", false},
    {"a=b", false},
    {"a b", false},
    {"a+", false},
    {"a+2", false},
    {"a+2b", false}, /* capitals alone */
    {"a+0D+0A", false}, /* would end a line of the report */
    {"a+00", false},
    {"a+7F", false},
    {"a+C3+A9", false},
    {"\xc3\xa9", false},
    {"\x7f", false},
};

static const struct value notifies[] = {
    {"NEVER", true},
    {"never", true},
    {"SUCCESS", true},
    {"FAILURE,DELAY", true},
    {"Delay,Success,Failure", true},
    {"", false},
    {"NEVER,SUCCESS", false},
    {"SUCCESS,NEVER", false},
    {"NEVER,NEVER", false},
    {"SUCCESS,SUCCESS", false},
    {"SUCCESS,", false},
    {",SUCCESS", false},
    {"SUCCESS,,DELAY", false},
    {"SUCCESS;DELAY", false},
    {"ALWAYS", false},
};

static const struct value orcpts[] = {
    {"rfc822;a@x.example", true},
    {"RFC822;a+2Bb@x.example", true},
    {"x400;/C=DE", false},
    {"x400;/C+3DDE", true},
    {"utf-8;gr\\x{FC}n@x.example", true},
    {"rfc822;" X490 "xxx", true},
    {"rfc822;" X490 "xxxx", false},
    {"rfc822;a;b", true},
    {"", false},
    {";", false},
    {"rfc822", false},
    {"rfc822;", false},
    {";a@x.example", false},
    {"rfc 822;a@x", false},
    {"rfc.822;a@x", false},
    {"rfc822;a@x+0D+0ABcc", false},
    {"utf-8;gr\xc3\xbcn@x.example", false},
    {"rfc822;gr\xc3\xbcn@x.example", false},
};

static const struct value international_orcpts[] = {
    {"utf-8;gr\xc3\xbcn@x.example", true},
    {"UTF-8;gr\xc3\xbcn@x.example", true},
    {"utf-8;a@x.example", true},
    {"rfc822;a@x.example", true},
    {"rfc822;gr\xc3\xbcn@x.example", false},
    {"utf-8;gr\xc3", false},
    {"utf-8;a\xe2\x80\xae", false}, /* turns what follows around */
    {"gr\xc3\xbcn;a@x.example", false},
};

static bool
is_orcpt(const char *text, size_t len)
{
	return dsn_is_orcpt(text, len, false);
}

static bool
is_international_orcpt(const char *text, size_t len)
{
	return dsn_is_orcpt(text, len, true);
}

/* In a room of exactly its size, so that a read behind it is seen. */
static void
check_values(const struct value *values, size_t count,
    bool (*judge)(const char *text, size_t len))
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(values[i].text);
		char *exact = malloc(len + (len == 0));

		assert_non_null(exact);
		memcpy(exact, values[i].text, len);
		if (judge(exact, len) != values[i].good)
			fail_msg("\"%s\" is %s", values[i].text,
			    values[i].good ? "refused" : "accepted");
		free(exact);
	}
}

#define CHECK(values, judge)                                                   \
	check_values(values, sizeof(values) / sizeof *(values), judge)

static void
test_values_of_mail(void **state)
{
	(void)state;
	CHECK(rets, dsn_is_ret);
	CHECK(envids, dsn_is_envid);
}

static void
test_values_of_rcpt(void **state)
{
	(void)state;
	CHECK(notifies, dsn_is_notify);
	CHECK(orcpts, is_orcpt);
	CHECK(international_orcpts, is_international_orcpt);
}

static void
test_who_wants_a_report_of_success(void **state)
{
	(void)state;
	assert_true(dsn_wants_success("SUCCESS"));
	assert_true(dsn_wants_success("Delay,success"));
	assert_true(dsn_wants_success("SUCCESS,FAILURE"));
	assert_false(dsn_wants_success("NEVER"));
	assert_false(dsn_wants_success("FAILURE,DELAY"));
}

static void
test_two_for_one_mailbox(void **state)
{
	static const struct {
		const char *one, *other, *both;
	} cases[] = {
	    {NULL, NULL, NULL},
	    {"NEVER", "NEVER", "NEVER"},
	    {"NEVER", "FAILURE", "FAILURE"},
	    {"never", "success", "success"},
	    {"delay,SUCCESS", "delay,SUCCESS", "delay,SUCCESS"},
	    {"Success,Failure", "failure", "Success,Failure"},
	    {"FAILURE,DELAY", NULL, "FAILURE,DELAY"},
	    {"NEVER", NULL, NULL},
	    {"DELAY", NULL, NULL},
	    {"SUCCESS", NULL, "SUCCESS,FAILURE,DELAY"},
	    {"SUCCESS", "DELAY", "SUCCESS,DELAY"},
	    {"Delay,Success", "failure", "SUCCESS,FAILURE,DELAY"},
	    {"FAILURE,DELAY", "FAILURE", "FAILURE,DELAY"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (int turned = 0; turned < 2; turned++) {
			const char *one = cases[i].one, *other = cases[i].other;
			const char *both = dsn_notify_both(
			    turned ? other : one, turned ? one : other);
			if (cases[i].both == NULL)
				assert_null(both);
			else
				assert_string_equal(both, cases[i].both);
		}
}

static void
test_nul_is_never_part_of_a_value(void **state)
{
	(void)state;
	assert_false(dsn_is_envid("a\0b", 3));
	assert_false(dsn_is_envid("a+2\0", 4));
	assert_false(dsn_is_orcpt("rfc\0;a", 6, true));
	assert_false(dsn_is_orcpt("rfc822;a\0", 9, true));
	assert_false(dsn_is_notify("DELAY\0", 6));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values_of_mail),
	    cmocka_unit_test(test_values_of_rcpt),
	    cmocka_unit_test(test_who_wants_a_report_of_success),
	    cmocka_unit_test(test_two_for_one_mailbox),
	    cmocka_unit_test(test_nul_is_never_part_of_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
