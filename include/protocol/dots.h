/*
 * dots - a second dot in front of each line that begins with one (RFC 5321
 * 4.5.2), for text that streams through.
 */
#ifndef ODMR_PROTOCOL_DOTS_H
#define ODMR_PROTOCOL_DOTS_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Embedded; {.line_start = true} before the first octet. */
struct dots {
	bool line_start; /* the next octet begins a line */
};

/*
 * Adds text, cut anywhere, to out as far as out's maximum allows, and returns
 * how many octets of it were taken.
 */
size_t dots_stuff(
    struct dots *dots, struct buf *out, const char *text, size_t len);

#endif
