/* SPDX-License-Identifier: ISC */
/*
 * failed_start - whether posix_spawn() can tell why it did not start a program.
 * An emulator (valgrind, qemu) never lets a child share its parent's memory; there
 * it ends with 127 instead, as POSIX allows.
 */
#ifndef ODMR_TEST_UNIT_FAILED_START_H
#define ODMR_TEST_UNIT_FAILED_START_H

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>

static inline bool
failed_start_is_told(void)
{
	char program[] = "/nonexistent/program";
	char *words[] = {program, NULL};
	pid_t pid;

	if (posix_spawn(&pid, program, NULL, NULL, words, words + 1) != 0)
		return true;
	waitpid(pid, NULL, 0);
	return false;
}

#endif
