/* SPDX-License-Identifier: ISC */
#include "protocol/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/transcript.h"

struct parse_case {
	const char *name;
	const char *in; /* one reply, and what may follow it */
	size_t rest; /* octets that follow */
	enum reply_result result;
	int code;
	const char *enhanced;
	const char *text;
	size_t lines;
	const char *last; /* raw text of the last line */
	const char *why; /* the begin of it */
};

static const struct parse_case cases[] = {
    {"one line", "250 ok\r\n", 0, REPLY_DONE, 250, "", "ok", 1, "ok", ""},
    {"no text", "250 \r\n", 0, REPLY_DONE, 250, "", "", 1, "", ""},
    {"no blank", "334\r\n", 0, REPLY_DONE, 334, "", "", 1, "", ""},
    {"enhanced", "550 5.1.1 no such user\r\n", 0, REPLY_DONE, 550, "5.1.1",
	"no such user", 1, "5.1.1 no such user", ""},
    {"enhanced alone", "250 2.0.0\r\n", 0, REPLY_DONE, 250, "2.0.0", "", 1,
	"2.0.0", ""},
    {"enhanced of three digits", "451 4.123.123 x\r\n", 0, REPLY_DONE, 451,
	"4.123.123", "x", 1, "4.123.123 x", ""},
    {"enhanced of four digits", "451 4.1234.1 x\r\n", 0, REPLY_DONE, 451, "",
	"4.1234.1 x", 1, "4.1234.1 x", ""},
    {"enhanced of another class", "550 4.1.1 x\r\n", 0, REPLY_DONE, 550, "",
	"4.1.1 x", 1, "4.1.1 x", ""},
    {"a version is none", "220 2.0.0beta\r\n", 0, REPLY_DONE, 220, "",
	"2.0.0beta", 1, "2.0.0beta", ""},
    {"a challenge has none", "334 3.0.0 x\r\n", 0, REPLY_DONE, 334, "3.0.0",
	"x", 1, "3.0.0 x", ""},
    {"lines", "250-a.example\r\n250-SIZE 5\r\n250 ATRN\r\n", 0, REPLY_DONE, 250,
	"", "a.example SIZE 5 ATRN", 3, "ATRN", ""},
    {"enhanced on each line", "550-5.7.1 one\r\n550-\r\n550 5.7.1 two\r\n", 0,
	REPLY_DONE, 550, "5.7.1", "one two", 3, "5.7.1 two", ""},
    {"enhanced on the last line", "450-one\r\n450 4.7.1 two\r\n", 0, REPLY_DONE,
	450, "4.7.1", "one two", 2, "4.7.1 two", ""},
    {"the next is left", "250 ok\r\nQUIT\r\n", 6, REPLY_DONE, 250, "", "ok", 1,
	"ok", ""},
    {"odd octets", "250 a\rb\tc\x1b[0m\r\n", 0, REPLY_DONE, 250, "",
	"a?b c?[0m", 1, "a?b c?[0m", ""},
    {"no end yet", "250-ok\r\n250", 0, REPLY_MORE, 0, "", "", 0, "", ""},
    {"nothing", "", 0, REPLY_MORE, 0, "", "", 0, "", ""},
    {"LF alone", "250 ok\n", 0, REPLY_DONE, 250, "", "ok", 1, "ok", ""},
    {"LF alone, no text", "334\n", 0, REPLY_DONE, 334, "", "", 1, "", ""},
    {"LF alone on each line", "250-a.example\n250 ATRN\n", 0, REPLY_DONE, 250,
	"", "a.example ATRN", 2, "ATRN", ""},
    {"either end", "250-a\r\n250-b\n250 c\r\n", 0, REPLY_DONE, 250, "", "a b c",
	3, "c", ""},
    {"LF alone, and the next is left", "250 ok\nQUIT\r\n", 6, REPLY_DONE, 250,
	"", "ok", 1, "ok", ""},
    {"CR alone ends nothing", "250 a\r250 b", 0, REPLY_MORE, 0, "", "", 0, "",
	""},
    {"CR CR LF", "250 a\r\r\n", 0, REPLY_DONE, 250, "", "a?", 1, "a?", ""},
    {"an empty line of LF alone", "\n", 0, REPLY_BROKEN, 0, "", "", 0, "",
	"a line without a reply code"},
    {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", 0, REPLY_BROKEN, 0, "", "",
	0, "", "a line without a reply code: SSH-2.0-OpenSSH_9.2"},
    {"an empty line", "\r\n", 0, REPLY_BROKEN, 0, "", "", 0, "",
	"a line without a reply code"},
    {"two digits", "25 ok\r\n", 0, REPLY_BROKEN, 0, "", "", 0, "",
	"a line without a reply code"},
    {"four digits", "2500 ok\r\n", 0, REPLY_BROKEN, 0, "", "", 0, "",
	"a line without a reply code"},
    {"1yz", "150 ok\r\n", 0, REPLY_BROKEN, 0, "", "", 0, "",
	"a line without a reply code"},
    {"6yz", "650 ok\r\n", 0, REPLY_BROKEN, 0, "", "", 0, "",
	"a line without a reply code"},
    {"codes differ", "250-a\r\n550 b\r\n", 0, REPLY_BROKEN, 0, "", "", 0, "",
	"two codes in one reply"},
};

/* Feeds in pieces of chunk octets; returns how many were taken. */
static size_t
feed(struct reply *reply, const char *in, size_t len, size_t chunk,
    enum reply_result *result)
{
	size_t at = 0;

	*result = REPLY_MORE;
	while (at < len && *result == REPLY_MORE) {
		size_t piece = len - at < chunk ? len - at : chunk;
		size_t used;

		*result = reply_parse(reply, in + at, piece, &used);
		at += used;
	}
	return at;
}

static void
check_case(const struct parse_case *c, size_t chunk)
{
	struct reply reply;
	enum reply_result result;
	size_t len = strlen(c->in);

	reply_init(&reply);
	size_t used = feed(&reply, c->in, len, chunk, &result);
	assert_int_equal(result, c->result);
	assert_memory_equal(reply.why, c->why, strlen(c->why));
	if (result == REPLY_DONE) {
		assert_int_equal(len - used, c->rest);
		assert_int_equal(reply.status.code, c->code);
		assert_string_equal(reply.status.enhanced, c->enhanced);
		assert_string_equal(reply.status.text, c->text);
		assert_int_equal(reply.lines, c->lines);
		assert_string_equal(reply_line(&reply, c->lines - 1), c->last);
	}
	reply_clear(&reply);
}

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t chunk = 1; chunk <= strlen(cases[i].in) + 1;
		     chunk++)
			check_case(&cases[i], chunk);
}

static void
test_one_after_another(void **state)
{
	static const char in[] = "220 a\r\n250-b\r\n250 c\r\n421 d\r\n";
	static const int codes[] = {220, 250, 421};
	struct reply reply;
	size_t at = 0, used;

	(void)state;
	reply_init(&reply);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
		    reply_parse(&reply, in + at, sizeof in - 1 - at, &used),
		    REPLY_DONE);
		assert_int_equal(reply.status.code, codes[i]);
		at += used;
	}
	assert_int_equal(at, sizeof in - 1);
	assert_int_equal(reply_parse(&reply, "", 0, &used), REPLY_MORE);
	assert_int_equal(reply.status.code, 421);
	reply_clear(&reply);
}

/* A line of len octets, its CRLF included. */
static enum reply_result
parse_line_of(size_t len, size_t line_max, size_t chunk)
{
	struct reply reply;
	enum reply_result result;
	char *line = xmalloc(len);

	memset(line, 'x', len);
	memcpy(line, "334 ", 4);
	memcpy(line + len - 2, "\r\n", 2);
	reply_init(&reply);
	reply.line_max = line_max;
	feed(&reply, line, len, chunk, &result);
	if (result == REPLY_DONE)
		assert_int_equal(strlen(reply_line(&reply, 0)), len - 6);
	else
		assert_memory_equal(
		    reply.why, "a line that is too long: 334 xxx", 32);
	reply_clear(&reply);
	free(line);
	return result;
}

static void
test_line_length(void **state)
{
	static const size_t chunks[] = {1, 2, 1000, 4095, 4096, 4097, 20000};

	(void)state;
	for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
		assert_int_equal(
		    parse_line_of(4096, REPLY_LINE_MAX, chunks[i]), REPLY_DONE);
		assert_int_equal(parse_line_of(4097, REPLY_LINE_MAX, chunks[i]),
		    REPLY_BROKEN);
		assert_int_equal(
		    parse_line_of(12288, REPLY_AUTH_LINE_MAX, chunks[i]),
		    REPLY_DONE);
		assert_int_equal(
		    parse_line_of(12289, REPLY_AUTH_LINE_MAX, chunks[i]),
		    REPLY_BROKEN);
	}
}

/* count lines with text octets of text each, the last one ending the reply. */
static enum reply_result
parse_lines(size_t count, size_t text)
{
	struct reply reply;
	enum reply_result result = REPLY_MORE;
	char line[REPLY_LINE_MAX];
	size_t used;

	reply_init(&reply);
	memset(line, 'x', sizeof line);
	memcpy(line + 4 + text, "\r\n", 2);
	for (size_t i = 1; i <= count && result == REPLY_MORE; i++) {
		memcpy(line, i == count ? "250 " : "250-", 4);
		result = reply_parse(&reply, line, text + 6, &used);
	}
	if (result == REPLY_BROKEN)
		assert_memory_equal(reply.why, "a reply that does not end", 25);
	reply_clear(&reply);
	return result;
}

static void
test_bounds(void **state)
{
	(void)state;
	assert_int_equal(parse_lines(256, 10), REPLY_DONE);
	assert_int_equal(parse_lines(257, 10), REPLY_BROKEN);
	assert_int_equal(parse_lines(256, 506), REPLY_DONE);
	assert_int_equal(parse_lines(256, 4000), REPLY_BROKEN);
}

static void
test_long_text_is_cut(void **state)
{
	struct reply reply;
	char line[2000];
	size_t used;

	(void)state;
	reply_init(&reply);
	memset(line, 'x', sizeof line);
	memcpy(line, "550-", 4);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	assert_int_equal(
	    reply_parse(&reply, line, sizeof line, &used), REPLY_MORE);
	line[3] = ' ';
	assert_int_equal(
	    reply_parse(&reply, line, sizeof line, &used), REPLY_DONE);
	assert_int_equal(strlen(reply.status.text), STATUS_TEXT_MAX);
	assert_int_equal(strlen(reply_line(&reply, 1)), sizeof line - 6);
	reply_clear(&reply);
}

static void
test_broken_stays(void **state)
{
	struct reply reply;
	size_t used;

	(void)state;
	reply_init(&reply);
	assert_int_equal(
	    reply_parse(&reply, "HTTP/1.1 200\r\n", 14, &used), REPLY_BROKEN);
	assert_int_equal(
	    reply_parse(&reply, "250 ok\r\n", 8, &used), REPLY_BROKEN);
	assert_int_equal(used, 0);
	reply_clear(&reply);
}

static void
test_nul_is_shown(void **state)
{
	struct reply reply;
	size_t used;

	(void)state;
	reply_init(&reply);
	assert_int_equal(
	    reply_parse(&reply, "250 a\0b\r\n", 9, &used), REPLY_DONE);
	assert_string_equal(reply_line(&reply, 0), "a?b");
	reply_clear(&reply);
}

static void
test_trace(void **state)
{
	struct transcript transcript;
	struct reply reply;
	size_t used;

	(void)state;
	transcript_init(&transcript, "p", true);
	reply_init(&reply);
	assert_int_equal(
	    reply_parse(&reply, "250-a\r\n250 \xff\r\n", 14, &used),
	    REPLY_DONE);
	reply_trace(&reply, &transcript);
	assert_int_equal(
	    reply_parse(&reply, "334 cj1ub25jZQ==\r\n", 18, &used), REPLY_DONE);
	reply_trace(&reply, &transcript);
	static const char expected[] =
	    "p < 250-a\np < 250 \\xff\np < 334 ***\n";
	assert_int_equal(buf_len(&transcript.lines), sizeof expected - 1);
	assert_memory_equal(
	    buf_data(&transcript.lines), expected, sizeof expected - 1);
	reply_clear(&reply);
	transcript_clear(&transcript);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_one_after_another),
	    cmocka_unit_test(test_line_length),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_long_text_is_cut),
	    cmocka_unit_test(test_broken_stays),
	    cmocka_unit_test(test_nul_is_shown),
	    cmocka_unit_test(test_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
