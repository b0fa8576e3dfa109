/* SPDX-License-Identifier: ISC */
#include "protocol/text.h"

#include <string.h>

/* How far one search looks: a text of nothing but lone CRs must not cost a
 * search through the whole input for each of them. */
enum { LOOK_AHEAD = 1024 };

static const struct text_piece nothing = {"", 0};
static const struct text_piece space = {" ", 1};
static const struct text_piece line_end = {"\r\n", 2};
static const struct text_piece space_line_end = {" \r\n", 3};

void
text_init(struct text *text, bool dots)
{
	*text = (struct text){.state = TEXT_LINE, .dots = dots};
}

/*
 * One octet in a state that waits for a particular one. Returns whether the
 * octet was used up.
 */
static bool
held(struct text *text, char c, struct text_piece *piece)
{
	if (text->state == TEXT_DOT) {
		/* The dot itself is gone, whatever follows. */
		text->state = c == '\r' ? TEXT_DOT_CR : TEXT_MIDDLE;
		return c == '\r';
	}
	if (c == '\n') {
		if (text->state == TEXT_CR)
			*piece = line_end;
		text->state = text->state == TEXT_CR ? TEXT_LINE : TEXT_ENDED;
		return true;
	}
	text->bare = true;
	text->state = TEXT_MIDDLE;
	*piece = space;
	return false;
}

/*
 * The octets up to the next one that must be changed or looked at, over as
 * many whole lines as there are. text->state is where the last of them leaves
 * it.
 */
static size_t
unchanged(struct text *text, const char *in, size_t len)
{
	const char *at = in, *end = in + len;

	while (at < end) {
		if (text->dots && text->state == TEXT_LINE && *at == '.')
			break;
		size_t span = (size_t)(end - at) < LOOK_AHEAD
				  ? (size_t)(end - at)
				  : LOOK_AHEAD;
		const char *lf = memchr(at, '\n', span);
		const char *stop = lf != NULL ? lf : at + span;
		const char *nul = memchr(at, '\0', (size_t)(stop - at));
		stop = nul != NULL ? nul : stop;
		const char *cr = memchr(at, '\r', (size_t)(stop - at));
		stop = cr != NULL ? cr : stop;
		if (stop > at)
			text->state = TEXT_MIDDLE;
		at = stop;
		if (cr != NULL && cr + 1 == lf) {
			text->state = TEXT_LINE;
			at = lf + 1;
		} else if (cr != NULL || nul != NULL || lf != NULL) {
			break;
		}
	}
	return (size_t)(at - in);
}

/* The octet at which unchanged() stopped: CR, LF, NUL or a dot. */
static void
special(struct text *text, char c, struct text_piece *piece)
{
	if (c == '.') {
		text->state = TEXT_DOT;
	} else if (c == '\r') {
		text->state = TEXT_CR;
	} else {
		/* No dot behind a lone LF is a stuffed one. */
		text->bare = true;
		text->state = TEXT_MIDDLE;
		*piece = c == '\n' ? line_end : space;
	}
}

size_t
text_next(
    struct text *text, const char *in, size_t len, struct text_piece *piece)
{
	*piece = nothing;
	if (len == 0 || text->state == TEXT_ENDED)
		return 0;
	if (text->state != TEXT_LINE && text->state != TEXT_MIDDLE) {
		if (held(text, *in, piece))
			return 1;
		if (piece->len > 0)
			return 0; /* a space first, then this octet again */
	}
	size_t used = unchanged(text, in, len);
	if (used > 0) {
		*piece = (struct text_piece){in, used};
		return used;
	}
	special(text, *in, piece);
	return 1;
}

void
text_end(struct text *text, struct text_piece *piece)
{
	*piece = nothing;
	if (text->state == TEXT_CR) {
		text->bare = true;
		*piece = space_line_end;
	} else if (text->state == TEXT_MIDDLE) {
		*piece = line_end;
	}
	text->state = TEXT_ENDED;
}
