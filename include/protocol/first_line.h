/*
 * first_line - whether the content of a message begins with a header.
 *
 * Behind our Received field a line that begins with a blank would be read as
 * its continuation, and any other that is no header field as part of the
 * header, so that readers hide it. Content without a header therefore gets an
 * empty line first, as MTAs give it. "From " lines of mailbox files are left
 * where they are: a true header follows them.
 */
#ifndef ODMR_PROTOCOL_FIRST_LINE_H
#define ODMR_PROTOCOL_FIRST_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* Octets that are held back at most: no name of a field is longer. */
enum { FIRST_LINE_MAX = 128 };

enum first_line_kind {
	FIRST_LINE_OPEN, /* not known yet */
	FIRST_LINE_HEADER, /* a field, a "From " line, or the empty line */
	FIRST_LINE_OTHER,
};

struct first_line {
	enum first_line_kind kind;
	char held[FIRST_LINE_MAX]; /* the octets taken so far */
	size_t len;
	/* the rest is internal */
	bool named; /* a blank came behind the name */
};

/* Takes octets until the kind is known; returns how many it took. text has CRLF
 * line ends and may be cut anywhere; begin with a zeroed one. */
size_t first_line_text(struct first_line *line, const char *text, size_t len);

#endif
