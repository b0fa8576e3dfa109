/* SPDX-License-Identifier: ISC */
#include "base/choices.h"

#include <stdio.h>
#include <string.h>

static const char beginning[] = "; choose from: ", separator[] = ", ",
		  more[] = ", ...";

void
choices_add(struct choices *choices, const char *name)
{
	const char *before = choices->used == 0 ? beginning : separator;
	size_t room = sizeof choices->text - choices->used;

	if (choices->full)
		return;
	/* There is always room left for what says that there are more. */
	choices->full = strlen(before) + strlen(name) + sizeof more > room;
	if (!choices->full)
		choices->used += (size_t)snprintf(
		    choices->text + choices->used, room, "%s%s", before, name);
	else if (choices->used > 0)
		memcpy(choices->text + choices->used, more, sizeof more);
}

const char *
choices_phrase(const struct choices *choices)
{
	return choices->text;
}
