/* SPDX-License-Identifier: ISC */
/*
 * coverage_exit - a session ends by _exit(), where gcov would count nothing:
 * linked into PROFILE=coverage by --wrap=_exit, this writes the counts first.
 */
#include <stdlib.h>
#include <unistd.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

void
__wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
