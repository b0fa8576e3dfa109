/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/first_line.h"

#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16

static const struct {
	const char *text;
	enum first_line_kind kind;
} cases[] = {
    {"Subject: x\r\n", FIRST_LINE_HEADER},
    {"Subject:\r\n", FIRST_LINE_HEADER},
    {"X-odd_name/1 \t : x\r\n", FIRST_LINE_HEADER},
    {"a:", FIRST_LINE_HEADER},
    {"\r\nbody\r\n", FIRST_LINE_HEADER},
    {"From a@b.example Mon\r\n", FIRST_LINE_HEADER},
    {">From a@b.example Mon\r\n", FIRST_LINE_HEADER},
    {" Subject: x\r\n", FIRST_LINE_OTHER},
    {"\tSubject: x\r\n", FIRST_LINE_OTHER},
    {": x\r\n", FIRST_LINE_OTHER},
    {"hello\r\n", FIRST_LINE_OTHER},
    {"hello world: x\r\n", FIRST_LINE_OTHER},
    {"From\r\n", FIRST_LINE_OTHER},
    {"Fromage est\r\n", FIRST_LINE_OTHER},
    {"From \r\n", FIRST_LINE_HEADER},
    {"Gr\xc3\xbc\xc3\x9f: x\r\n", FIRST_LINE_OTHER},
    {"\xef\xbb\xbfSubject: x\r\n", FIRST_LINE_OTHER},
    {"<html>\r\n", FIRST_LINE_OTHER},
    {X64 X64 X64 "\r\n", FIRST_LINE_OTHER},
    {X64 ":\r\n", FIRST_LINE_HEADER},
    {"", FIRST_LINE_OPEN},
    {"Subj", FIRST_LINE_OPEN},
};

static void
test_first_lines_at_every_chunk_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i].text);
		for (size_t step = 1; step <= len + 1; step++) {
			struct first_line line = {.len = 0};
			size_t at = 0;

			while (at < len && line.kind == FIRST_LINE_OPEN) {
				size_t left = len - at;
				size_t part = left < step ? left : step;
				char *exact = malloc(part);
				memcpy(exact, cases[i].text + at, part);
				at += first_line_text(&line, exact, part);
				free(exact);
			}
			if (line.kind != cases[i].kind)
				fail_msg("%s: %d", cases[i].text, line.kind);
			/* Nothing is lost of what was taken. */
			assert_int_equal(line.len, at);
			assert_memory_equal(line.held, cases[i].text, at);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_lines_at_every_chunk_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
