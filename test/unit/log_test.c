/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "tell/log.h"

#define RAW "550 a\\b \"c\"\n\x1b[2J"

/* What write() puts between, as a line; returns its end behind the level. */
static const char *
logged(char line[4096], enum config_log_format format,
    void (*write_it)(struct log_line *))
{
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	struct log_line entry;

	assert_non_null(file);
	unsetenv("JOURNAL_STREAM");
	log_open(CONFIG_LOG_STDERR, format, CONFIG_LOG_INFO);
	dup2(fileno(file), STDERR_FILENO);
	log_begin(&entry, CONFIG_LOG_WARNING, "office", "event");
	write_it(&entry);
	log_end(&entry);
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(file);
	line[fread(line, 1, 4095, file)] = '\0';
	fclose(file);
	const char *at = strstr(line, "event");
	assert_non_null(at);
	return at;
}

/* As errors are made: the peer's words are escaped where they come in. */
static void
write_sentence(struct log_line *line)
{
	char shown[100];

	escape_text(shown, sizeof shown, RAW, sizeof RAW - 1);
	log_sentence(line, "the provider said: %s", shown);
}

static void
write_fields(struct log_line *line)
{
	char shown[100];

	log_text(line, "raw", RAW);
	escape_text(shown, sizeof shown, RAW, sizeof RAW - 1);
	log_escaped(line, "escaped", shown);
	log_text(line, "empty", "");
}

static void
test_what_a_peer_said_is_escaped_once(void **state)
{
	char line[4096];

	(void)state;
	assert_string_equal(logged(line, CONFIG_LOG_TEXT, write_sentence),
	    "event: the provider said: 550 a\\\\b \"c\"\\x0a\\x1b[2J\n");
	assert_string_equal(logged(line, CONFIG_LOG_TEXT, write_fields),
	    "event raw=\"550 a\\\\b \\\"c\\\"\\x0a\\x1b[2J\""
	    " escaped=\"550 a\\\\b \\\"c\\\"\\x0a\\x1b[2J\"\n");
}

static void
test_json_says_the_same(void **state)
{
	char line[4096];

	(void)state;
	assert_non_null(strstr(logged(line, CONFIG_LOG_JSON, write_sentence),
	    "\"text\":\"the provider said: 550 a\\\\\\\\b \\\"c\\\""
	    "\\\\x0a\\\\x1b[2J\""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_a_peer_said_is_escaped_once),
	    cmocka_unit_test(test_json_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
