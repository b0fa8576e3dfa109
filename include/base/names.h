/*
 * names - from a name to the number that it was given, without looking at all
 * the others.
 *
 * For what one message can name a thousand of: recipients, mailboxes. Chains
 * that are walked hold a few names each; whoever made all of his names fall into
 * one chain would have them compared with each other, which the bound of their
 * number makes bearable. Cannot fail.
 */
#ifndef ODMR_BASE_NAMES_H
#define ODMR_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Small, since it is cleared with each message; four names to a chain
	 * where there are a thousand. */
	NAMES_CHAINS = 256,
};

struct names_item {
	const char *name; /* borrowed */
	size_t number;
	uint32_t next; /* position in items and one; 0: none */
};

/* All zero at first. */
struct names {
	uint32_t chains[NAMES_CHAINS];
	struct names_item *items;
	size_t count;
};

/* The name, which is not in there, stays where it is until it is forgotten. */
void names_add(struct names *names, const char *name, size_t number);
/* false: it is not in there. */
bool names_find(const struct names *names, const char *name, size_t *number);
/* Forgets all, and keeps the room. */
void names_reset(struct names *names);
void names_clear(struct names *names);

#endif
