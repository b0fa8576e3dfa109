/* SPDX-License-Identifier: ISC */
#include "base/array.h"

#include <string.h>

#include "base/mem.h"

enum { ARRAY_FIRST = 8 };

void *
array_room(void *items, size_t *room, size_t count, size_t each)
{
	if (count <= *room)
		return items;
	if (*room == 0)
		*room = ARRAY_FIRST;
	while (*room < count)
		*room *= 2;
	return xreallocarray(items, *room, each);
}

void *
array_more(void *items, size_t count, size_t each)
{
	if (count == 0)
		return xreallocarray(items, ARRAY_FIRST, each);
	if (count < ARRAY_FIRST || (count & (count - 1)) != 0)
		return items;
	return xreallocarray(items, 2 * count, each);
}

void *
array_add(struct array *array)
{
	array->items = array_more(array->items, array->count, array->each);
	void *item = (char *)array->items + array->count++ * array->each;
	memset(item, 0, array->each);
	return item;
}
