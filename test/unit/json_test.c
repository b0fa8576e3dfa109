/* SPDX-License-Identifier: ISC */
#include "base/json_read.h"
#include "base/json_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void
assert_written(const struct buf *buf, const char *expected)
{
	assert_int_equal(buf_len(buf), strlen(expected));
	assert_memory_equal(buf_data(buf), expected, strlen(expected));
}

static void
texts_are_escaped(void **state)
{
	static const struct {
		const char *name, *in, *expected;
	} rows[] = {
	    {"plain", "abc", "\"abc\""},
	    {"empty", "", "\"\""},
	    {"null", NULL, "null"},
	    {"quotes", "a\"b\\c/", "\"a\\\"b\\\\c/\""},
	    {"control", "\x1b[2J\r\n\x7f",
		"\"\\u001b[2J\\u000d\\u000a\\u007f\""},
	    {"umlaut", "\xc3\xa4", "\"\\u00e4\""},
	    {"euro", "\xe2\x82\xac", "\"\\u20ac\""},
	    {"beyond the BMP", "\xf0\x9f\x93\xa8", "\"\\ud83d\\udce8\""},
	    {"lone octet", "a\x80z", "\"a\\ufffdz\""},
	    {"cut sequence", "\xe2\x82", "\"\\ufffd\\ufffd\""},
	    {"overlong", "\xc0\xaf", "\"\\ufffd\\ufffd\""},
	    {"surrogate", "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
	    {"too high", "\xf4\x90\x80\x80",
		"\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf buf;
		struct json_writer json;
		buf_init(&buf, 1000);
		json_begin(&json, &buf);
		json_text(&json, NULL, rows[i].in);
		print_message("%s\n", rows[i].name);
		assert_written(&buf, rows[i].expected);
		buf_clear(&buf);
	}
}

static void
write_one(struct json_writer *json, struct buf *buf)
{
	json_begin(json, buf);
	json_open(json, NULL, '{');
	json_text(json, "a", "x");
	json_open(json, "list", '[');
	json_number(json, NULL, -5);
	json_bool(json, NULL, true);
	json_open(json, NULL, '{');
	json_close(json, '}');
	json_close(json, ']');
	json_seconds(json, "s", 61004);
	json_time(json, "t", 1795428000000);
	json_time(json, "never", 0);
	json_close(json, '}');
}

static void
values_are_nested(void **state)
{
	struct buf buf;
	struct json_writer json;

	(void)state;
	buf_init(&buf, 1000);
	write_one(&json, &buf);
	assert_false(json.cut);
	assert_written(&buf, "{\"a\":\"x\",\"list\":[-5,true,{}],\"s\":61.004,"
			     "\"t\":\"2026-11-23T10:00:00Z\",\"never\":null}");
	buf_clear(&buf);
}

static void
a_full_buffer_is_told(void **state)
{
	(void)state;
	for (size_t max = 1; max < 80; max++) {
		struct buf buf;
		struct json_writer json;
		buf_init(&buf, max);
		write_one(&json, &buf);
		assert_true(json.cut);
		assert_true(buf_len(&buf) <= max);
		buf_clear(&buf);
	}
}

static void
what_was_written_is_read(void **state)
{
	struct buf buf;
	struct json_writer json;

	(void)state;
	buf_init(&buf, 1000);
	write_one(&json, &buf);
	struct json *read = json_parse(buf_data(&buf), buf_len(&buf));
	assert_non_null(read);
	const struct json_value *root = json_root(read);
	assert_string_equal(json_get_text(root, "a", ""), "x");
	assert_int_equal(json_get_seconds(root, "s", -1), 61004);
	assert_int_equal(json_get_time(root, "t"), 1795428000000);
	assert_int_equal(json_get_time(root, "never"), 0);
	assert_int_equal(json_get_number(root, "missing", 7), 7);
	assert_int_equal(json_get_number(root, "a", 7), 7);
	assert_int_equal(
	    json_member(root, "list")->child->next->type, JSON_TRUE);
	json_free(read);

	/* A file that was cut anywhere is no file. */
	for (size_t len = 0; len < buf_len(&buf); len++)
		assert_null(json_parse(buf_data(&buf), len));
	buf_clear(&buf);
}

static void
only_json_is_read(void **state)
{
	static const struct {
		const char *in;
		bool taken;
	} rows[] = {
	    {"{}", true},
	    {" { \"a\" : [ ] }\n", true},
	    {"[1, -0, 10, 1.5, 1e3, 1E-3]", true},
	    {"\"\\u00e4\\ud83d\\udce8\\n\"", true},
	    {"[[[[[[[[]]]]]]]]", true},
	    {"", false},
	    {"{} {}", false},
	    {"{}x", false},
	    {"{\"a\":1,\"a\":2}", false},
	    {"{\"a\":1,}", false},
	    {"[1,]", false},
	    {"[,1]", false},
	    {"{a:1}", false},
	    {"{\"a\" 1}", false},
	    {"[01]", false},
	    {"[1.]", false},
	    {"[.5]", false},
	    {"[+1]", false},
	    {"[1e]", false},
	    {"[nan]", false},
	    {"[tru]", false},
	    {"'a'", false},
	    {"\"\\x41\"", false},
	    {"\"\\u0000\"", false},
	    {"\"\\ud83d\"", false},
	    {"\"\\ud83dx\"", false},
	    {"\"\\udce8\"", false},
	    {"\"a\nb\"", false},
	    {"\"\xc3\xa4\"", false},
	    {"[[[[[[[[[]]]]]]]]]", false},
	    {"// no\n{}", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json *json = json_parse(rows[i].in, strlen(rows[i].in));
		print_message("%s\n", rows[i].in);
		assert_int_equal(json != NULL, rows[i].taken);
		json_free(json);
	}
	assert_null(json_parse("{}\0", 3));
	assert_null(json_parse("\"\\\0\"", 4));
}

static void
escapes_are_undone(void **state)
{
	static const char in[] = "\"\\u00e4\\u20AC\\ud83d\\udce8\\n\\\\\\/\"";
	struct json *json = json_parse(in, sizeof in - 1);

	(void)state;
	assert_non_null(json);
	assert_string_equal(
	    json_root(json)->text, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xa8\n\\/");
	json_free(json);
}

static void
too_many_values_are_refused(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100000);
	assert_true(buf_append(&buf, "[1", 2));
	for (int i = 0; i < JSON_VALUES_MAX; i++)
		assert_true(buf_append(&buf, ",1", 2));
	assert_true(buf_append(&buf, "]", 1));
	assert_null(json_parse(buf_data(&buf), buf_len(&buf)));
	buf_clear(&buf);
}

static void
numbers_have_bounds(void **state)
{
	static const char in[] =
	    "{\"a\":9223372036854775807,\"b\":9223372036854775808,"
	    "\"c\":1.5,\"d\":1e3,\"e\":99999999999999999999999999,"
	    "\"f\":9223372036854775,\"g\":-1,\"h\":12}";
	struct json *json = json_parse(in, sizeof in - 1);

	(void)state;
	assert_non_null(json);
	const struct json_value *root = json_root(json);
	assert_int_equal(json_get_number(root, "a", 0), INT64_MAX);
	assert_int_equal(json_get_number(root, "b", 3), 3);
	assert_int_equal(json_get_number(root, "c", 3), 3);
	assert_int_equal(json_get_number(root, "d", 3), 3);
	assert_int_equal(json_get_number(root, "e", 3), 3);
	assert_int_equal(json_get_seconds(root, "c", 3), 1500);
	assert_int_equal(json_get_seconds(root, "f", 3), 3);
	assert_int_equal(json_get_seconds(root, "g", 3), 3);
	assert_int_equal(json_get_seconds(root, "h", 3), 12000);
	json_free(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_escaped),
	    cmocka_unit_test(values_are_nested),
	    cmocka_unit_test(a_full_buffer_is_told),
	    cmocka_unit_test(what_was_written_is_read),
	    cmocka_unit_test(only_json_is_read),
	    cmocka_unit_test(escapes_are_undone),
	    cmocka_unit_test(too_many_values_are_refused),
	    cmocka_unit_test(numbers_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
