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
	size_t count, each;
};

/* A new item of zeros. */
void *array_add(struct array *array);
/*
 * For a typed array of its owner: items, moved where needed, with room for one
 * more behind count of them, each of so many octets. What is new is not set to
 * zero. How much room there is follows from count alone, so that nobody keeps
 * it: items are added by this function only, one at a time, and may be taken
 * off the end.
 */
void *array_more(void *items, size_t count, size_t each)
    __attribute__((warn_unused_result));
/*
 * For one that is filled by index: room for at least count items. *room is the
 * owner's, 0 at first.
 */
void *array_room(void *items, size_t *room, size_t count, size_t each)
    __attribute__((warn_unused_result));

#endif
