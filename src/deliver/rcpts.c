/* SPDX-License-Identifier: ISC */
#include "deliver/rcpts.h"

#include <stdlib.h>

#include "base/mem.h"

void
rcpts_clear(struct rcpts *rcpts)
{
	free(rcpts->items);
	*rcpts = (struct rcpts){.items = NULL};
}

void
rcpts_reset(struct rcpts *rcpts)
{
	rcpts->count = rcpts->next = 0;
}

void
rcpts_add(struct rcpts *rcpts, size_t rcpt)
{
	if (rcpts->count == rcpts->size) {
		rcpts->size += rcpts->size / 2 + 16;
		rcpts->items =
		    xreallocarray(rcpts->items, rcpts->size, sizeof rcpt);
	}
	rcpts->items[rcpts->count++] = rcpt;
}

bool
rcpts_next(struct rcpts *rcpts, size_t *rcpt)
{
	if (!rcpts_left(rcpts))
		return false;
	*rcpt = rcpts->items[rcpts->next++];
	return true;
}

bool
rcpts_left(const struct rcpts *rcpts)
{
	return rcpts->next < rcpts->count;
}
