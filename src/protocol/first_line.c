/* SPDX-License-Identifier: ISC */
#include "protocol/first_line.h"

#include <string.h>

/* ftext of RFC 5322 3.6.8 */
static bool
is_name_octet(char c)
{
	return c > ' ' && c <= '~' && c != ':';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What mail programs put, and put by mistake, before each message of a file. */
static bool
is_mailbox_line(const struct first_line *line)
{
	return (line->len > 5 && memcmp(line->held, "From ", 5) == 0) ||
	       (line->len > 6 && memcmp(line->held, ">From ", 6) == 0);
}

static enum first_line_kind
judge_first_line(struct first_line *line, char c)
{
	bool begins = line->len == 1;

	if (begins && c == '\r')
		return FIRST_LINE_HEADER; /* an empty one */
	if (c == ':' && !begins)
		return FIRST_LINE_HEADER;
	if (is_blank(c) && !begins)
		line->named = true; /* RFC 5322 4.5 allows it before ':' */
	else if (!is_name_octet(c) || line->named)
		return is_mailbox_line(line) ? FIRST_LINE_HEADER
					     : FIRST_LINE_OTHER;
	return line->len < FIRST_LINE_MAX ? FIRST_LINE_OPEN : FIRST_LINE_OTHER;
}

size_t
first_line_text(struct first_line *line, const char *text, size_t len)
{
	size_t used = 0;

	while (used < len && line->kind == FIRST_LINE_OPEN) {
		line->held[line->len++] = text[used];
		line->kind = judge_first_line(line, text[used++]);
	}
	return used;
}
