/* SPDX-License-Identifier: ISC */
#include "deliver/rcpts.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

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
	rcpts->items = array_more(rcpts->items, rcpts->count, sizeof rcpt);
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

void
rcpts_drop(struct rcpts *rcpts)
{
	size_t *behind = rcpts->items + rcpts->next;

	memmove(
	    behind - 1, behind, (rcpts->count - rcpts->next) * sizeof *behind);
	rcpts->next--;
	rcpts->count--;
}

bool
rcpts_left(const struct rcpts *rcpts)
{
	return rcpts->next < rcpts->count;
}
