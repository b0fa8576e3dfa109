/*
 * content - the content of a message as it comes over the wire.
 *
 * Takes dots off (RFC 5321 4.5.2), finds the one true end CRLF.CRLF, and
 * applies the policy for lone CR, lone LF and NUL: a lone LF becomes a line
 * end, the others a space, so that no octets of a message can be read as its
 * end further on. What needs no change comes out as a slice of the input.
 */
#ifndef ODMR_PROTOCOL_CONTENT_H
#define ODMR_PROTOCOL_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

enum content_state {
	CONTENT_LINE, /* behind a CRLF, or at the very start */
	CONTENT_MIDDLE, /* inside a line */
	CONTENT_LONE_LF, /* behind a lone LF: a line's end, and not CRLF */
	CONTENT_CR, /* behind a CR that was not given out yet */
	CONTENT_DOT, /* behind a dot at the start of a line */
	CONTENT_DOT_CR, /* behind such a dot and a CR */
	CONTENT_ENDED,
};

enum {
	/* Octets that must be changed come out in pieces of this size, so that
	 * a text of nothing else costs no step of its own for each of them. */
	CONTENT_CHANGED_MAX = 1024,
	/* How far one search looks: a text of nothing but lone CRs must not
	 * cost a search through the whole input for each piece. */
	CONTENT_SEARCH = 8192,
};

struct content {
	enum content_state state;
	bool dots; /* DATA; false for BDAT (RFC 3030), which has none */
	bool bare; /* a lone CR, a lone LF or a NUL was seen */
	/* The rest is internal. */
	char changed[CONTENT_CHANGED_MAX];
	size_t changed_len;
};

struct content_piece {
	const char
	    *data; /* until the next call, and while the input is there */
	size_t len;
};

void content_init(struct content *content, bool dots);
/*
 * Takes octets from in and gives the next piece, which may be empty. Returns
 * how many octets it took; 0: the input is used up or the text has ended.
 */
size_t content_next(struct content *content, const char *in, size_t len,
    struct content_piece *piece);
/* The end of the last BDAT: gives the line end that is missing, if any. A lone
 * LF is one. */
void content_end(struct content *content, struct content_piece *piece);

#endif
