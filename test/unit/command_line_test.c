/* SPDX-License-Identifier: ISC */
/* Options of the program among the words of a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/command_line.h"

enum { WORDS_MAX = 8 };

static const struct {
	const char *argv[WORDS_MAX];
	const char *bad; /* NULL: it is read */
	const char *config;
	bool quiet;
	const char *words[WORDS_MAX];
} cases[] = {
    {{NULL}, NULL, NULL, false, {NULL}},
    {{"-c", "f", "fetch", "a"}, NULL, "f", false, {"fetch", "a"}},
    {{"fetch", "-cf", "a", "-q"}, NULL, "f", true, {"fetch", "a"}},
    {{"fetch", "--config=f"}, NULL, "f", false, {"fetch"}},
    {{"-vqc", "f", "run"}, NULL, "f", true, {"run"}},
    /* The command's own. */
    {{"check", "--connect", "-q"}, NULL, NULL, true, {"check", "--connect"}},
    {{"status", "--json", "-"}, NULL, NULL, false, {"status", "--json", "-"}},
    {{"fetch", "--", "-q"}, NULL, NULL, false, {"fetch", "-q"}},
    {{"fetch", "--", "--", "-q"}, NULL, NULL, false, {"fetch", "--", "-q"}},
    /* Nobody's. */
    {{"--json", "status"}, "--json"},
    {{"fetch", "-x"}, "-x"},
    {{"fetch", "-qx"}, "-qx"},
    {{"fetch", "-c"}, "-c"},
    {{"fetch", "--config"}, "--config"},
    {{"fetch", "--quiet=1"}, "--quiet=1"},
};

static void
check_line(const struct command_line *line, size_t number)
{
	int count = 0;

	for (; cases[number].words[count] != NULL; count++)
		assert_string_equal(
		    line->words[count], cases[number].words[count]);
	assert_int_equal(line->count, count);
	assert_null(line->words[count]);
	assert_int_equal(line->quiet, cases[number].quiet);
	if (cases[number].config == NULL)
		assert_null(line->config);
	else
		assert_string_equal(line->config, cases[number].config);
}

static void
test_each_word_is_an_option_or_the_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char copies[WORDS_MAX + 1][16] = {"program"};
		char *argv[WORDS_MAX + 1] = {copies[0]};
		struct command_line line;
		const char *bad = NULL;
		int argc = 1;

		for (; cases[i].argv[argc - 1] != NULL; argc++) {
			argv[argc] = copies[argc];
			snprintf(copies[argc], sizeof copies[argc], "%s",
			    cases[i].argv[argc - 1]);
		}
		assert_int_equal(command_line_read(&line, argc, argv, &bad),
		    cases[i].bad == NULL);
		if (cases[i].bad != NULL)
			assert_string_equal(bad, cases[i].bad);
		else
			check_line(&line, i);
		command_line_clear(&line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_word_is_an_option_or_the_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
