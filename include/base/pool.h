/*
 * pool - memory for many small objects that all live equally long.
 *
 * Nothing is freed singly: pool_clear() frees everything at once. Not for
 * secrets, which are not wiped. Allocation never fails (base/mem).
 */
#ifndef ODMR_BASE_POOL_H
#define ODMR_BASE_POOL_H

#include <stddef.h>

struct pool_chunk;

struct pool {
	struct pool_chunk *chunk; /* the newest; NULL: empty, as at the start */
};

/* size octets, all 0, aligned for any object. */
void *pool_zeroed(struct pool *pool, size_t size);
/* A copy of size octets, likewise aligned. */
void *pool_copy(struct pool *pool, const void *data, size_t size);
/* len octets of text with a NUL behind them, packed without alignment. */
char *pool_text(struct pool *pool, const char *text, size_t len);
void pool_clear(struct pool *pool);

#endif
