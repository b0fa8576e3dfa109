/* SPDX-License-Identifier: ISC */
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

/* Under AddressSanitizer too much memory is to be NULL, as malloc(3) says. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void
mem_allocates_nothing(void **state)
{
	(void)state;
	char *text = xstrndup("abcdef", 3);
	assert_string_equal(text, "abc");
	text = xreallocarray(text, 2, 8);
	assert_string_equal(text, "abc");
	free(text);
	text = xasprintf("%d-%s", 7, "x");
	assert_string_equal(text, "7-x");
	free(text);
	free(xmalloc(0));
	free(xcalloc(0, 0));
	free(xreallocarray(NULL, 0, 4));
}

static void
mem_dies_of_too_much(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		close(STDERR_FILENO);
		free(xreallocarray(NULL, SIZE_MAX / 2, 4));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_OSERR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mem_allocates_nothing),
	    cmocka_unit_test(mem_dies_of_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
