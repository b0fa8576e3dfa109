/* SPDX-License-Identifier: ISC */
#include "protocol/text.h"

#include <string.h>

enum {
	/* How far one search looks: a text of nothing but lone CRs must not
	 * cost a search through the whole input for each piece. */
	LOOK_AHEAD = 1024,
	/* Less than this is copied with what follows it. */
	SLICE_MIN = 64,
	/* What one octet gives at most: the space that stands for the octet
	 * held back before it, and a line end. */
	OCTET_GIVES = 3,
};

void
text_init(struct text *text, bool dots)
{
	*text = (struct text){.state = TEXT_LINE, .dots = dots};
}

static void
put(struct text *text, char c)
{
	text->changed[text->changed_len++] = c;
}

static void
put_line_end(struct text *text)
{
	put(text, '\r');
	put(text, '\n');
}

static bool
holds_back(const struct text *text)
{
	return text->state == TEXT_CR || text->state == TEXT_DOT ||
	       text->state == TEXT_DOT_CR;
}

/* What becomes of octets that were held back, now that c follows. Returns
 * whether c was used up. */
static bool
let_go(struct text *text, char c)
{
	if (text->state == TEXT_DOT) {
		/* The dot itself is gone, whatever follows. */
		text->state = c == '\r' ? TEXT_DOT_CR : TEXT_MIDDLE;
		return c == '\r';
	}
	if (c == '\n') {
		if (text->state == TEXT_CR)
			put_line_end(text);
		text->state = text->state == TEXT_CR ? TEXT_LINE : TEXT_ENDED;
		return true;
	}
	text->bare = true;
	text->state = TEXT_MIDDLE;
	put(text, ' ');
	return false;
}

static void
change_octet(struct text *text, char c)
{
	if (holds_back(text) && let_go(text, c))
		return;
	if (c == '\r') {
		text->state = TEXT_CR;
	} else if (c == '\n') {
		/* No dot behind a lone LF is a stuffed one. */
		text->bare = true;
		text->state = TEXT_LONE_LF;
		put_line_end(text);
	} else if (c == '.' && text->dots && text->state == TEXT_LINE) {
		text->state = TEXT_DOT;
	} else {
		text->bare |= c == '\0';
		text->state = TEXT_MIDDLE;
		put(text, c == '\0' ? ' ' : c);
	}
}

/* Octet by octet, until the input or the room is used up. */
static size_t
change(struct text *text, const char *in, size_t len)
{
	size_t used = 0;

	while (used < len && text->state != TEXT_ENDED &&
	       text->changed_len <= TEXT_CHANGED_MAX - OCTET_GIVES)
		change_octet(text, in[used++]);
	return used;
}

static bool
is_line_end(const char *at, const char *end)
{
	return end - at >= 2 && at[0] == '\r' && at[1] == '\n';
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
		if (is_line_end(at, end)) {
			text->state = TEXT_LINE;
			at += 2;
			continue;
		}
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
		if ((cr != NULL && cr + 1 != lf) || nul != NULL || at == lf)
			break;
	}
	return (size_t)(at - in);
}

size_t
text_next(
    struct text *text, const char *in, size_t len, struct text_piece *piece)
{
	*piece = (struct text_piece){"", 0};
	if (len == 0 || text->state == TEXT_ENDED)
		return 0;
	size_t used = holds_back(text) ? 0 : unchanged(text, in, len);
	if (used == len || used >= SLICE_MIN) {
		*piece = (struct text_piece){in, used};
		return used;
	}
	memcpy(text->changed, in, used);
	text->changed_len = used;
	used += change(text, in + used, len - used);
	*piece = (struct text_piece){text->changed, text->changed_len};
	return used;
}

void
text_end(struct text *text, struct text_piece *piece)
{
	text->changed_len = 0;
	if (text->state == TEXT_CR) {
		text->bare = true;
		put(text, ' ');
	}
	if (text->state == TEXT_CR || text->state == TEXT_MIDDLE)
		put_line_end(text);
	*piece = (struct text_piece){text->changed, text->changed_len};
	text->state = TEXT_ENDED;
}
