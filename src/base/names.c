/* SPDX-License-Identifier: ISC */
#include "base/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* FNV-1a, of 32 bits. */
static size_t
chain_of(const char *name)
{
	uint32_t hash = UINT32_C(2166136261);

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * UINT32_C(16777619);
	return (hash ^ hash >> 16) % NAMES_CHAINS;
}

void
names_add(struct names *names, const char *name, size_t number)
{
	uint32_t *chain = &names->chains[chain_of(name)];

	names->items =
	    array_more(names->items, names->count, sizeof *names->items);
	names->items[names->count++] =
	    (struct names_item){.name = name, .number = number, .next = *chain};
	*chain = (uint32_t)names->count;
}

bool
names_find(const struct names *names, const char *name, size_t *number)
{
	uint32_t at = names->count > 0 ? names->chains[chain_of(name)] : 0;

	while (at > 0) {
		const struct names_item *item = &names->items[at - 1];
		if (strcmp(item->name, name) == 0) {
			*number = item->number;
			return true;
		}
		at = item->next;
	}
	return false;
}

void
names_reset(struct names *names)
{
	if (names->count > 0)
		memset(names->chains, 0, sizeof names->chains);
	names->count = 0;
}

void
names_clear(struct names *names)
{
	free(names->items);
	*names = (struct names){.count = 0};
}
