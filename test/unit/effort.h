/* SPDX-License-Identifier: ISC */
/*
 * effort - how much of what can go on for ever is done: simulations, histories
 * and queues by chance. What they find they find by number, most of it early.
 *
 * ODMR_EFFORT: "little" where each instruction costs fifty (test/run, for
 * valgrind, which looks for what chance does not matter for), "full" for `make
 * model`; else what ends within a second.
 */
#ifndef ODMR_TEST_UNIT_EFFORT_H
#define ODMR_TEST_UNIT_EFFORT_H

#include <stdlib.h>
#include <string.h>

enum effort {
	EFFORT_LITTLE,
	EFFORT_USUAL,
	EFFORT_FULL,
};

static inline enum effort
effort(void)
{
	const char *set = getenv("ODMR_EFFORT");

	if (set != NULL && strcmp(set, "little") == 0)
		return EFFORT_LITTLE;
	if (set != NULL && strcmp(set, "full") == 0)
		return EFFORT_FULL;
	return EFFORT_USUAL;
}

/* One of three numbers, by the effort. */
static inline unsigned
effort_of(unsigned little, unsigned usual, unsigned full)
{
	const unsigned numbers[] = {
	    [EFFORT_LITTLE] = little,
	    [EFFORT_USUAL] = usual,
	    [EFFORT_FULL] = full,
	};

	return numbers[effort()];
}

#endif
