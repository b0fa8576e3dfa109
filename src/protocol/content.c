/* SPDX-License-Identifier: ISC */
#include "protocol/content.h"

#include <string.h>

enum {
	/* Less than this is copied with what follows it. */
	SLICE_MIN = 64,
	/* What one octet gives at most: the space that stands for the octet
	 * held back before it, and a line end. */
	OCTET_GIVES = 3,
};

void
content_init(struct content *content, bool dots)
{
	*content = (struct content){.state = CONTENT_LINE, .dots = dots};
}

static void
put_octet(struct content *content, char c)
{
	content->changed[content->changed_len++] = c;
}

static void
put_line_end(struct content *content)
{
	put_octet(content, '\r');
	put_octet(content, '\n');
}

static bool
holds_back(const struct content *content)
{
	return content->state == CONTENT_CR || content->state == CONTENT_DOT ||
	       content->state == CONTENT_DOT_CR;
}

/* What becomes of octets that were held back, now that c follows. Returns
 * whether c was used up. */
static bool
let_octet_go(struct content *content, char c)
{
	if (content->state == CONTENT_DOT) {
		/* The dot itself is gone, whatever follows. */
		content->state = c == '\r' ? CONTENT_DOT_CR : CONTENT_MIDDLE;
		return c == '\r';
	}
	if (c == '\n') {
		if (content->state == CONTENT_CR)
			put_line_end(content);
		content->state =
		    content->state == CONTENT_CR ? CONTENT_LINE : CONTENT_ENDED;
		return true;
	}
	content->bare = true;
	content->state = CONTENT_MIDDLE;
	put_octet(content, ' ');
	return false;
}

/* One that is not text: a stuffed one, or that of the end. */
static bool
is_dot_of_line(const struct content *content, char c)
{
	return c == '.' && content->dots && content->state == CONTENT_LINE;
}

static void
change_octet(struct content *content, char c)
{
	if (holds_back(content) && let_octet_go(content, c))
		return;
	if (c == '\r') {
		content->state = CONTENT_CR;
	} else if (c == '\n') {
		/* No dot behind a lone LF is a stuffed one. */
		content->bare = true;
		content->state = CONTENT_LONE_LF;
		put_line_end(content);
	} else if (is_dot_of_line(content, c)) {
		content->state = CONTENT_DOT;
	} else {
		content->bare |= c == '\0';
		content->state = CONTENT_MIDDLE;
		put_octet(content, c == '\0' ? ' ' : c);
	}
}

/* Octet by octet, until the input or the room is used up. */
static size_t
change_octets(struct content *content, const char *in, size_t len)
{
	size_t used = 0;

	while (used < len && content->state != CONTENT_ENDED &&
	       content->changed_len <= CONTENT_CHANGED_MAX - OCTET_GIVES)
		change_octet(content, in[used++]);
	return used;
}

/*
 * Over whole lines up to a lone CR, a lone LF, or a dot behind a line. The LF
 * is looked for first: while a processor is busy with the CRs of one line, it
 * already looks for the end of the next.
 */
static const char *
pass_lines(const char *at, const char *end, bool dots)
{
	do {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *stop = lf != NULL ? lf : end;
		const char *cr = memchr(at, '\r', (size_t)(stop - at));
		if (cr == NULL || cr + 1 != lf)
			return cr != NULL ? cr : stop;
		at = lf + 1;
	} while (at < end && !(dots && *at == '.'));
	return at;
}

/*
 * The octets up to the next one that must be changed or looked at.
 * content->state is where the last of them leaves it.
 */
static size_t
unchanged(struct content *content, const char *in, size_t len)
{
	const char *at = in, *end = in + len;

	while (at < end && !is_dot_of_line(content, *at)) {
		size_t span = (size_t)(end - at) < CONTENT_SEARCH
				  ? (size_t)(end - at)
				  : CONTENT_SEARCH;
		const char *nul = memchr(at, '\0', span);
		const char *stop = pass_lines(
		    at, nul != NULL ? nul : at + span, content->dots);
		if (stop == at)
			break;
		content->state =
		    stop[-1] == '\n' ? CONTENT_LINE : CONTENT_MIDDLE;
		at = stop;
	}
	return (size_t)(at - in);
}

size_t
content_next(struct content *content, const char *in, size_t len,
    struct content_piece *piece)
{
	*piece = (struct content_piece){"", 0};
	if (len == 0 || content->state == CONTENT_ENDED)
		return 0;
	size_t used = holds_back(content) ? 0 : unchanged(content, in, len);
	if (used == len || used >= SLICE_MIN) {
		*piece = (struct content_piece){in, used};
		return used;
	}
	memcpy(content->changed, in, used);
	content->changed_len = used;
	used += change_octets(content, in + used, len - used);
	*piece = (struct content_piece){content->changed, content->changed_len};
	return used;
}

void
content_end(struct content *content, struct content_piece *piece)
{
	content->changed_len = 0;
	if (content->state == CONTENT_CR) {
		content->bare = true;
		put_octet(content, ' ');
	}
	if (content->state == CONTENT_CR || content->state == CONTENT_MIDDLE)
		put_line_end(content);
	*piece = (struct content_piece){content->changed, content->changed_len};
	content->state = CONTENT_ENDED;
}
