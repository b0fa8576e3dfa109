/* SPDX-License-Identifier: ISC */
/*
 * Whatever a peer says is text in a page: no markup, no control, no octet that
 * is no UTF-8, nothing that turns the direction of writing.
 */
#include "base/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"

#define BAD "\xef\xbf\xbd"

static void
text_is_made_safe(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"", ""},
	    {"450 4.7.1 later", "450 4.7.1 later"},
	    {"<script>alert('x')</script>",
		"&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"},
	    {"\" onload=\"x", "&quot; onload=&quot;x"},
	    {"&lt;", "&amp;lt;"},
	    {"a\tb\r\nc\x1b[31m\x7f", "a" BAD "b" BAD BAD "c" BAD "[31m" BAD},
	    {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
	    {"\xe2\x82\xac \xf0\x9f\x93\xa8", "\xe2\x82\xac \xf0\x9f\x93\xa8"},
	    {"\xfc", BAD},
	    {"\xc3", BAD},
	    {"\xc3<b>", BAD "&lt;b&gt;"},
	    {"\xe2\x82<", BAD BAD "&lt;"},
	    {"\xc0\xbc", BAD BAD}, /* '<', not in its shortest form */
	    {"\xed\xa0\x80", BAD BAD BAD}, /* a surrogate */
	    {"\xf4\x90\x80\x80", BAD BAD BAD BAD},
	    {"\xc2\x9b[31m", BAD "[31m"}, /* CSI of C1 */
	    {"\xe2\x80\xae txt", BAD " txt"}, /* right to left */
	    {"\xe2\x81\xa6\xe2\x80\x8b\xef\xbb\xbf", BAD BAD BAD},
	    {"\xef\xbf\xbf\xf0\x9f\xbf\xbe", BAD BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out;
		buf_init(&out, 1000);
		assert_true(html_text(&out, rows[i].in));
		assert_true(buf_append(&out, "", 1));
		assert_string_equal(buf_data(&out), rows[i].out);
		buf_clear(&out);
	}
}

static void
what_does_not_fit_is_said(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 10);
	assert_false(html_text(&out, "<<<<"));
	assert_in_range(buf_len(&out), 0, 10);
	buf_clear(&out);
}

/* Octets by chance, with many of those that matter. */
static void
any_octets_become_text(void **state)
{
	static const char likely[] = "<>&\"'/\xc3\xa4\xe2\x80\xae\xf0\x01\x7f";
	unsigned chance = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char in[24] = "";
		struct buf out;
		for (size_t at = 0; at + 1 < sizeof in; at++) {
			chance = chance * 1103515245 + 12345;
			unsigned pick = chance >> 12;
			in[at] = pick % 3 == 0
				     ? (char)(pick >> 4)
				     : likely[(pick >> 4) % sizeof likely];
		}
		buf_init(&out, 1000);
		assert_true(html_text(&out, in));
		const unsigned char *text =
		    (const unsigned char *)buf_data(&out);
		for (size_t at = 0, used = 0; at < buf_len(&out); at += used) {
			uint32_t point = 0;
			used =
			    utf8_decode(text + at, buf_len(&out) - at, &point);
			assert_int_not_equal(used, 0);
			assert_true(point >= 0x20 && point != 0x7f);
			assert_false(point == '<' || point == '>' ||
				     point == '"' || point == '\'');
			if (point == '&')
				assert_non_null(
				    memchr(text + at, ';', buf_len(&out) - at));
		}
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_is_made_safe),
	    cmocka_unit_test(what_does_not_fit_is_said),
	    cmocka_unit_test(any_octets_become_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
