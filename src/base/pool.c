/* SPDX-License-Identifier: ISC */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A page with the allocator's own header; a larger object gets its own. */
enum { POOL_CHUNK = 4096 - 16 };

struct pool_chunk {
	struct pool_chunk *older;
	size_t used, size; /* of data */
	_Alignas(max_align_t) char data[];
};

static char *
pool_take(struct pool *pool, size_t size, size_t align)
{
	struct pool_chunk *chunk = pool->chunk;

	if (chunk != NULL) {
		size_t start = (chunk->used + align - 1) & ~(align - 1);
		if (start <= chunk->size && size <= chunk->size - start) {
			chunk->used = start + size;
			return chunk->data + start;
		}
	}
	size_t room = POOL_CHUNK - sizeof *chunk;
	if (size > room)
		room = size;
	chunk = xmalloc(sizeof *chunk + room);
	chunk->older = pool->chunk;
	chunk->size = room;
	chunk->used = size;
	pool->chunk = chunk;
	return chunk->data;
}

void *
pool_zeroed(struct pool *pool, size_t size)
{
	void *room = pool_take(pool, size, _Alignof(max_align_t));

	memset(room, 0, size);
	return room;
}

void *
pool_copy(struct pool *pool, const void *data, size_t size)
{
	void *copy = pool_take(pool, size, _Alignof(max_align_t));

	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

char *
pool_text(struct pool *pool, const char *text, size_t len)
{
	char *copy = pool_take(pool, len + 1, 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void
pool_clear(struct pool *pool)
{
	while (pool->chunk != NULL) {
		struct pool_chunk *chunk = pool->chunk;
		pool->chunk = chunk->older;
		free(chunk);
	}
}
