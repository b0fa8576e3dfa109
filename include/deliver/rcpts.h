/*
 * rcpts - a list of recipients of one message, by their index in its envelope.
 */
#ifndef ODMR_DELIVER_RCPTS_H
#define ODMR_DELIVER_RCPTS_H

#include <stdbool.h>
#include <stddef.h>

/* Embedded; all zero is empty, rcpts_clear() frees. */
struct rcpts {
	size_t *items;
	size_t count;
	size_t next; /* what rcpts_next() gives next */
};

void rcpts_clear(struct rcpts *rcpts);
/* Empties it and keeps the allocation. */
void rcpts_reset(struct rcpts *rcpts);
void rcpts_add(struct rcpts *rcpts, size_t rcpt);
/* The next in the order of adding, each once; false: all were given. */
bool rcpts_next(struct rcpts *rcpts, size_t *rcpt);
/* Takes out what rcpts_next() gave last. */
void rcpts_drop(struct rcpts *rcpts);
bool rcpts_left(const struct rcpts *rcpts);

#endif
