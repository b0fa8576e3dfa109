/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "protocol/content.h"

struct content_case {
	const char *name, *in, *out, *rest;
	bool bare;
};

/* DATA: in, up to and behind the end; out, and what is left behind the end. */
static const struct content_case data_cases[] = {
    {"empty", ".\r\n", "", "", false},
    {"one line", "a\r\n.\r\nQUIT", "a\r\n", "QUIT", false},
    {"stuffed dot", "..\r\n.\r\n", ".\r\n", "", false},
    {"stuffed word", "..a\r\n.b\r\n.\r\n", ".a\r\nb\r\n", "", false},
    {"dot inside", "a.\r\n.\r\n", "a.\r\n", "", false},
    {"empty lines", "\r\n\r\n.\r\n", "\r\n\r\n", "", false},
    {"LF.LF", "a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", "", true},
    {"LF.CRLF", "a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", "", true},
    {"CRLF.LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n", "", true},
    {"CR.CR", "a\r.\rb\r\n.\r\n", "a . b\r\n", "", true},
    {"CR.CRLF", "a\r.\r\nb\r\n.\r\n", "a .\r\nb\r\n", "", true},
    {"CRLF.CR", "a\r\n.\rb\r\n.\r\n", "a\r\n b\r\n", "", true},
    {"CRLF NUL.CRLF", "a\r\n\1.\r\n.\r\n", "a\r\n .\r\n", "", true},
    {"CRLF.NUL CRLF", "a\r\n.\1\r\n.\r\n", "a\r\n \r\n", "", true},
    {"CRLF.CRCRLF", "a\r\n.\r\r\n.\r\n", "a\r\n \r\n", "", true},
    {"CRCRLF.CRLF", "a\r\r\n.\r\nx", "a \r\n", "x", true},
    {"CRCRLF.CR LF", "a\r\r\n.\r\r\n.\r\n", "a \r\n \r\n", "", true},
    {"LF..CRLF", "a\n..\r\n.\r\n", "a\r\n..\r\n", "", true},
    {"only NUL", "\1\r\n.\r\n", " \r\n", "", true},
    {"eight bit", "\xc3\xa4\r\n.\r\n", "\xc3\xa4\r\n", "", false},
};

/* BDAT: nothing ends it but its count, and a missing line end is added. */
static const struct content_case bdat_cases[] = {
    {"empty", "", "", "", false},
    {"dots are text", ".\r\n..\r\n.a", ".\r\n..\r\n.a\r\n", "", false},
    {"complete line", "a\r\n", "a\r\n", "", false},
    {"no line end", "a", "a\r\n", "", false},
    {"ends with CR", "a\r", "a \r\n", "", true},
    {"ends with LF", "a\n", "a\r\n", "", true},
    {"an empty line ends with LF", "a\r\n\n", "a\r\n\r\n", "", true},
    {"LF at the end of all", "\n", "\r\n", "", true},
    {"more behind LF", "a\nb", "a\r\nb\r\n", "", true},
    {"LF behind a CR that is lone", "a\r\r\n", "a \r\n", "", true},
    {"CRLF.CRLF", "a\r\n.\r\nb\r\n", "a\r\n.\r\nb\r\n", "", false},
    {"LF.LF", "a\n.\nb\r\n", "a\r\n.\r\nb\r\n", "", true},
};

static void
take(struct buf *out, const struct content_piece *piece)
{
	assert_true(buf_append(out, piece->data, piece->len));
}

/* Feeds in, in chunks of at most step octets; returns octets used. */
static size_t
feed(struct content *text, struct buf *out, const char *in, size_t len,
    size_t step)
{
	size_t used = 0;

	while (used < len && text->state != CONTENT_ENDED) {
		size_t chunk = len - used < step ? len - used : step;
		char *exact = malloc(chunk);
		size_t at = 0, took;
		struct content_piece piece;

		memcpy(exact, in + used, chunk);
		do {
			took =
			    content_next(text, exact + at, chunk - at, &piece);
			take(out, &piece);
			at += took;
		} while (took > 0 || piece.len > 0);
		free(exact);
		used += at;
	}
	return used;
}

static void
run_case(const struct content_case *c, bool dots, size_t step)
{
	struct content text;
	struct buf out;
	char in[100];
	size_t len = strlen(c->in);

	memcpy(in, c->in, len);
	for (size_t i = 0; i < len; i++)
		if (in[i] == '\1')
			in[i] = '\0';
	buf_init(&out, 1000);
	content_init(&text, dots);
	size_t used = feed(&text, &out, in, len, step);
	if (!dots) {
		struct content_piece piece;
		content_end(&text, &piece);
		take(&out, &piece);
	}
	assert_int_equal(text.state, CONTENT_ENDED);
	assert_int_equal(len - used, strlen(c->rest));
	assert_int_equal(buf_len(&out), strlen(c->out));
	assert_memory_equal(buf_data(&out), c->out, buf_len(&out));
	assert_int_equal(text.bare, c->bare);
	buf_clear(&out);
}

static void
test_data_at_every_chunk_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof data_cases / sizeof *data_cases; i++)
		for (size_t step = 1; step <= strlen(data_cases[i].in); step++)
			run_case(&data_cases[i], true, step);
}

static void
test_bdat_at_every_chunk_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bdat_cases / sizeof *bdat_cases; i++)
		for (size_t step = 1; step <= strlen(bdat_cases[i].in) + 1;
		     step++)
			run_case(&bdat_cases[i], false, step);
}

static void
test_long_text_comes_out_as_one_slice(void **state)
{
	enum { LEN = 60000 };
	char *in = malloc(LEN);
	struct content text;
	struct content_piece piece;

	(void)state;
	for (size_t i = 0; i < LEN; i++)
		in[i] = "0123456789\r\n"[i % 12];
	content_init(&text, true);
	assert_int_equal(content_next(&text, in, LEN, &piece), LEN);
	assert_ptr_equal(piece.data, in);
	assert_int_equal(piece.len, LEN);
	free(in);
}

/* What each piece costs (digest, delivery, events) must not fall due for each
 * octet of a text that is nothing but octets to be changed. */
static void
test_octets_to_be_changed_come_in_few_pieces(void **state)
{
	static const struct {
		const char *unit;
		size_t len;
	} soups[] = {{"\r", 1}, {"\n", 1}, {"\0", 1}, {"\r\0\n", 3}, {"a\n", 2},
	    {"..\r\n", 4}, {"\n.", 2}, {"\r\r\n", 3}, {"\r\n", 2}};
	enum { LEN = 60000 };
	char *in = malloc(LEN);

	(void)state;
	for (size_t i = 0; i < sizeof soups / sizeof *soups; i++) {
		struct content text;
		struct content_piece piece;
		size_t at = 0, used, pieces = 0;

		for (size_t k = 0; k < LEN; k++)
			in[k] = soups[i].unit[k % soups[i].len];
		content_init(&text, true);
		while ((used = content_next(&text, in + at, LEN - at, &piece)) >
		       0) {
			at += used;
			pieces++;
		}
		assert_int_equal(at, LEN);
		if (pieces > 2 * LEN / (CONTENT_CHANGED_MAX - 4) + 2)
			fail_msg("soup %zu: %zu pieces", i, pieces);
	}
	free(in);
}

/* A search goes over so many octets at once: what stands around its end is found
 * as what stands anywhere else. */
static void
test_what_must_be_changed_is_found_wherever_a_search_ends(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
	} odd[] = {{"\0", 1}, {"\r", 1}, {"\n", 1}, {"\r\n", 2}, {"\r\n.", 3},
	    {"\r\0", 2}, {"\r\n.\r\n", 5}};
	enum { NEAR = 8, LEN = 2 * CONTENT_SEARCH + 2 * NEAR };
	char in[LEN];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof odd / sizeof *odd * 2 * NEAR; i++) {
		size_t kind = i / (4 * NEAR), near = i % (4 * NEAR);
		size_t at = CONTENT_SEARCH * (1 + near / (2 * NEAR)) - NEAR +
			    near % (2 * NEAR);
		struct content once, slowly;
		struct buf all, each;

		for (size_t k = 0; k < LEN; k++)
			in[k] = "0123456789"[k % 10];
		memcpy(in + at, odd[kind].octets, odd[kind].len);
		buf_init(&all, 2 * LEN);
		buf_init(&each, 2 * LEN);
		content_init(&once, true);
		content_init(&slowly, true);
		assert_int_equal(feed(&once, &all, in, LEN, LEN),
		    feed(&slowly, &each, in, LEN, 1));
		assert_int_equal(once.state, slowly.state);
		assert_int_equal(once.bare, slowly.bare);
		assert_int_equal(buf_len(&all), buf_len(&each));
		assert_memory_equal(
		    buf_data(&all), buf_data(&each), buf_len(&all));
		buf_clear(&all);
		buf_clear(&each);
	}
}

static void
test_no_octet_soup_ends_a_message_but_the_true_end(void **state)
{
	static const char alphabet[] = {'\r', '\n', '.', '\0', 'a'};
	enum { LEN = 7, KINDS = 5 };
	size_t all = 1;

	(void)state;
	for (int i = 0; i < LEN; i++)
		all *= KINDS;
	for (size_t n = 0; n < all; n++) {
		char in[LEN + 2] = "\r\n"; /* as if behind the DATA line */
		size_t left = n, end = 0;
		struct content text;
		struct buf out;

		for (int i = 0; i < LEN; i++, left /= KINDS)
			in[2 + i] = alphabet[left % KINDS];
		for (size_t i = 5; i <= LEN + 2 && end == 0; i++)
			if (memcmp(in + i - 5, "\r\n.\r\n", 5) == 0)
				end = i - 2;
		buf_init(&out, 1000);
		content_init(&text, true);
		size_t used = feed(&text, &out, in + 2, LEN, LEN);
		assert_int_equal(text.state == CONTENT_ENDED, end != 0);
		if (end != 0)
			assert_int_equal(used, end);
		/* What comes out has no lone CR, LF or NUL. */
		const char *data = buf_data(&out);
		for (size_t i = 0; i < buf_len(&out); i++) {
			assert_int_not_equal(data[i], '\0');
			if (data[i] == '\r')
				assert_true(i + 1 < buf_len(&out) &&
					    data[i + 1] == '\n');
			if (data[i] == '\n')
				assert_true(i > 0 && data[i - 1] == '\r');
		}
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_data_at_every_chunk_size),
	    cmocka_unit_test(test_bdat_at_every_chunk_size),
	    cmocka_unit_test(test_long_text_comes_out_as_one_slice),
	    cmocka_unit_test(test_octets_to_be_changed_come_in_few_pieces),
	    cmocka_unit_test(
		test_what_must_be_changed_is_found_wherever_a_search_ends),
	    cmocka_unit_test(
		test_no_octet_soup_ends_a_message_but_the_true_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
