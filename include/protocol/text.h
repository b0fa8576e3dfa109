/*
 * text - the content of a message as it comes over the wire.
 *
 * Takes dots off (RFC 5321 4.5.2), finds the one true end CRLF.CRLF, and
 * applies the policy for lone CR, lone LF and NUL: a lone LF becomes a line
 * end, the others a space, so that no octets of a message can be read as its
 * end further on. What needs no change comes out as a slice of the input.
 */
#ifndef ODMR_PROTOCOL_TEXT_H
#define ODMR_PROTOCOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum text_state {
	TEXT_LINE, /* behind a CRLF, or at the very start */
	TEXT_MIDDLE, /* inside a line */
	TEXT_LONE_LF, /* behind a lone LF: a line's end, and not CRLF */
	TEXT_CR, /* behind a CR that was not given out yet */
	TEXT_DOT, /* behind a dot at the start of a line */
	TEXT_DOT_CR, /* behind such a dot and a CR */
	TEXT_ENDED,
};

enum {
	/* Octets that must be changed come out in pieces of this size, so that
	 * a text of nothing else costs no step of its own for each of them. */
	TEXT_CHANGED_MAX = 1024,
};

struct text {
	enum text_state state;
	bool dots; /* DATA; false for BDAT (RFC 3030), which has none */
	bool bare; /* a lone CR, a lone LF or a NUL was seen */
	/* The rest is internal. */
	char changed[TEXT_CHANGED_MAX];
	size_t changed_len;
};

struct text_piece {
	const char
	    *data; /* until the next call, and while the input is there */
	size_t len;
};

void text_init(struct text *text, bool dots);
/*
 * Takes octets from in and gives the next piece, which may be empty. Returns
 * how many octets it took; 0: the input is used up or the text has ended.
 */
size_t text_next(
    struct text *text, const char *in, size_t len, struct text_piece *piece);
/* The end of the last BDAT: gives the line end that is missing, if any. A lone
 * LF is one. */
void text_end(struct text *text, struct text_piece *piece);

#endif
