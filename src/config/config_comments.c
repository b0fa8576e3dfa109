/* SPDX-License-Identifier: ISC */
/*
 * Where comments begin, which the parser of YAML does not tell.
 */
#include "config/config_loader.h"

void
config_note_comments(
    struct config_comments *at, const unsigned char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = text[i];
		/* A comment on a line of its own ends no value. */
		if (c == '#' && at->blanks > 1)
			*(struct config_mark *)array_add(&at->places) =
			    (struct config_mark){
				.line = at->line, .column = at->blanks};
		if (c != ' ' && c != '\t')
			at->blanks = 0;
		else if (at->blanks == 0)
			at->blanks = at->column;
		if (c == '\n') {
			at->line++;
			at->column = 1;
		} else if ((c & 0xc0) != 0x80) {
			at->column++;
		}
	}
}

bool
config_is_cut(const struct config_loader *loader)
{
	const struct config_mark *places = loader->comments.places.items;
	const yaml_mark_t *end = &loader->event.end_mark;
	size_t from = 0, to = loader->comments.places.count;

	if (loader->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (places[middle].line < end->line + 1)
			from = middle + 1;
		else
			to = middle;
	}
	for (; from < loader->comments.places.count &&
	       places[from].line == end->line + 1;
	     from++)
		if (places[from].column == end->column + 1)
			return true;
	return false;
}
