/* SPDX-License-Identifier: ISC */
#include "base/buf.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
buf_stops_at_its_maximum(void **state)
{
	struct buf buf;
	size_t room;

	(void)state;
	buf_init(&buf, 10);
	assert_int_equal(buf_len(&buf), 0);
	assert_non_null(buf_data(&buf));
	assert_true(buf_append(&buf, "", 0));
	assert_true(buf_append(&buf, "abcdef", 6));
	assert_false(buf_append(&buf, "ghijk", 5));
	assert_false(buf_printf(&buf, "%s", "ghijk"));
	assert_int_equal(buf_len(&buf), 6);
	assert_true(buf_printf(&buf, "%d", 1234));
	assert_memory_equal(buf_data(&buf), "abcdef1234", 10);
	assert_null(buf_room(&buf, 1, &room));
	assert_int_equal(room, 0);
	assert_false(buf_append(&buf, "x", 1));
	buf_consume(&buf, 4);
	assert_non_null(buf_room(&buf, 100, &room));
	assert_int_equal(room, 4);
	assert_memory_equal(buf_data(&buf), "ef1234", 6);
	buf_clear(&buf);
	assert_true(buf_append(&buf, "0123456789", 10));
	buf_clear(&buf);
}

/* Whatever its length, and where an argument is what the buffer holds. */
static void
buf_takes_a_formatted_text_whole(void **state)
{
	enum { MAX = 4000 };
	char word[MAX + 1];
	struct buf buf;

	(void)state;
	buf_init(&buf, MAX);
	for (int len = 0; len <= MAX; len += len < 250 || len >= 260 ? 10 : 1) {
		memset(word, 'a' + len % 26, sizeof word);
		buf_reset(&buf);
		assert_true(buf_printf(&buf, "%.*s", len, word));
		assert_int_equal(buf_len(&buf), len);
		assert_memory_equal(buf_data(&buf), word, (size_t)len);
	}
	assert_false(buf_printf(&buf, "%s", "x"));
	buf_reset(&buf);
	assert_true(buf_append(&buf, "abc", sizeof "abc"));
	for (int i = 0; i < 6; i++)
		assert_true(buf_printf(&buf, "%s", buf_data(&buf)));
	assert_memory_equal(buf_data(&buf), "abc\0abcabc", 10);
	buf_clear(&buf);
}

/* What was taken off the front as well; and one that never held anything. */
static void
buf_that_is_wiped_has_no_secret(void **state)
{
	static const char nothing[10];
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	buf_wipe(&buf);
	assert_true(buf_append(&buf, "0123456789", 10));
	buf_consume(&buf, 4);
	buf_wipe(&buf);
	assert_int_equal(buf_len(&buf), 0);
	assert_memory_equal(buf.data, nothing, sizeof nothing);
	assert_true(buf_append(&buf, "abc", 3));
	assert_memory_equal(buf_data(&buf), "abc", 3);
	buf_clear(&buf);
}

static void
buf_takes_all_texts_or_none(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	assert_true(buf_join(&buf, TEXTS("abc", "", "def")));
	assert_false(buf_join(&buf, TEXTS("gh", "ijk")));
	assert_int_equal(buf_len(&buf), 6);
	assert_true(buf_join(&buf, TEXTS("ghij")));
	assert_memory_equal(buf_data(&buf), "abcdefghij", 10);
	assert_false(buf_join(&buf, TEXTS("", "k")));
	buf_clear(&buf);
}

static void
joined_texts_are_cut_where_the_room_ends(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(
	    text_join(out, sizeof out, TEXTS("abc", "", "def")), 6);
	assert_string_equal(out, "abcdef");
	assert_int_equal(
	    text_join(out, sizeof out, TEXTS("abc", "defgh", "ij")), 7);
	assert_string_equal(out, "abcdefg");
	assert_int_equal(text_join(out, 1, TEXTS("abc")), 0);
	assert_string_equal(out, "");
}

/* Against a plain copy: whatever goes in comes out, in order. */
static void
buf_is_a_queue(void **state)
{
	enum { MAX = 3000, ROUNDS = 20000 };
	struct buf buf;
	unsigned long in = 0, out = 0;
	unsigned seed = 1;

	(void)state;
	buf_init(&buf, MAX);
	for (int i = 0; i < ROUNDS; i++) {
		size_t room, want;
		seed = seed * 1103515245 + 12345;
		want = seed >> 16 & 511;
		char *to = buf_room(&buf, want, &room);
		assert_true(room <= want && (to == NULL) == (room == 0));
		for (size_t k = 0; k < room; k++)
			to[k] = (char)in++;
		buf_filled(&buf, room);
		assert_int_equal(buf_len(&buf), in - out);
		seed = seed * 1103515245 + 12345;
		want = seed >> 16 & 511;
		if (want > buf_len(&buf))
			want = buf_len(&buf);
		for (size_t k = 0; k < want; k++)
			if (buf_data(&buf)[k] != (char)(out + k))
				fail();
		out += want;
		buf_consume(&buf, want);
	}
	buf_clear(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buf_stops_at_its_maximum),
	    cmocka_unit_test(buf_takes_a_formatted_text_whole),
	    cmocka_unit_test(buf_takes_all_texts_or_none),
	    cmocka_unit_test(joined_texts_are_cut_where_the_room_ends),
	    cmocka_unit_test(buf_that_is_wiped_has_no_secret),
	    cmocka_unit_test(buf_is_a_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
