/*
 * array - items of one size, one after the other, that grow in number.
 *
 * The one rule by which arrays of the program grow: eight at first, then twice
 * as many. Items move when one is added. The bound is the caller's, who knows
 * what the items are.
 */
#ifndef ODMR_BASE_ARRAY_H
#define ODMR_BASE_ARRAY_H

#include <stddef.h>

/* All zero but each, the octets of an item. The owner frees items. */
struct array {
	void *items;
	size_t count, room, each;
};

/* A new item of zeros. */
void *array_add(struct array *array);
/*
 * For a typed array of its owner: items, moved where needed, with room for at
 * least count of them, each of so many octets. What is new is not set to zero.
 */
void *array_room(void *items, size_t *room, size_t count, size_t each)
    __attribute__((warn_unused_result));

#endif
