/* SPDX-License-Identifier: ISC */
#include "base/transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"

#define TEXT(text) (text), sizeof(text) - 1

static void
transcript_lines(void **state)
{
	struct transcript transcript;
	char out[256];
	int fds[2], saved = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	transcript_init(&transcript, "provider", false);
	transcript_line(&transcript, '<', TEXT("220 hi"));
	assert_int_equal(buf_len(&transcript.lines), 0);
	transcript_clear(&transcript);

	transcript_init(&transcript, "provider", true);
	transcript_line(&transcript, '<', TEXT("220 \x1b hi"));
	transcript_line(&transcript, '>', TEXT("AUTH PLAIN ***"));
	transcript_octets(&transcript, '<', 12345678901ull);
	dup2(fds[1], STDERR_FILENO);
	transcript_flush(&transcript);
	transcript_flush(&transcript);
	dup2(saved, STDERR_FILENO);
	ssize_t n = read(fds[0], out, sizeof out - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_string_equal(out, "provider < 220 \\x1b hi\n"
				 "provider > AUTH PLAIN ***\n"
				 "provider < [12345678901 octets]\n");
	transcript_clear(&transcript);
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

static void
transcript_bears_a_flood(void **state)
{
	struct transcript transcript;

	(void)state;
	transcript_init(&transcript, "p", true);
	for (int i = 0; i < 1000000; i++)
		transcript_line(&transcript, '<', TEXT("x"));
	assert_true(buf_len(&transcript.lines) <= 1 << 20);
	transcript_clear(&transcript);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(transcript_lines),
	    cmocka_unit_test(transcript_bears_a_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
