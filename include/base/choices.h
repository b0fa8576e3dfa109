/*
 * choices - what could have been named instead of what is not there.
 *
 * One phrase for the end of a message: "; choose from: home, office". Who has
 * mistyped a name sees there what it should have been. Cannot fail.
 */
#ifndef ODMR_BASE_CHOICES_H
#define ODMR_BASE_CHOICES_H

#include <stdbool.h>
#include <stddef.h>

enum {
	/* Some twenty names: of more the screen is full, and a file of a
	 * thousand accounts is better looked at. */
	CHOICES_SIZE = 256,
};

/* All zero at first. */
struct choices {
	char text[CHOICES_SIZE];
	size_t used;
	bool full; /* it ends in "..." */
};

/* The names are those of the configuration or of the program: printable. */
void choices_add(struct choices *choices, const char *name);
/* The phrase; "" where nothing was added, or the first name has no room. */
const char *choices_phrase(const struct choices *choices);

#endif
