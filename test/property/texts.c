/* SPDX-License-Identifier: ISC */
/* Messages by chance, and what has to arrive of them. */
#include <stdio.h>
#include <string.h>

#include "world.h"

static void
both(struct message *m, const char *data, size_t len)
{
	put(&m->wire, data, len);
	put(&m->want, data, len);
}

static void
apart(struct message *m, const char *wire, const char *want)
{
	put(&m->wire, wire, strlen(wire));
	put(&m->want, want, strlen(want));
}

static void
long_line(struct world *w, struct message *m)
{
	static const char octets[64] = "0123456789 abcdefghijklmnopqrstuvwxyz";
	unsigned count = 1 + chance(w, 1500);

	while (count-- > 0)
		both(m, octets, 37);
	both(m, "\r\n", 2);
}

/* Lone CR is a space, lone LF a line end, NUL a space; behind a lone LF no dot
 * is a stuffed one, and none ends the text. */
static void
line_by_chance(struct world *w, struct message *m)
{
	switch (chance(w, 12)) {
	case 0:
		both(m, ".\r\n", 3);
		break;
	case 1:
		both(m, "..x\r\n.y\r\n", 9);
		break;
	case 2:
		apart(m, "a\rb\r\n", "a b\r\n");
		break;
	case 3:
		apart(m, "a\nb\r\n", "a\r\nb\r\n");
		break;
	case 4:
		apart(m, "x\n.\r\nMAIL FROM:<x@y.example>\r\n",
		    "x\r\n.\r\nMAIL FROM:<x@y.example>\r\n");
		break;
	case 5:
		put(&m->wire, "n\0l\r\n", 5);
		put(&m->want, "n l\r\n", 5);
		break;
	case 6:
		both(m, "\xc3\xa4\xff\x80 eight bit\r\n", 16);
		break;
	case 7:
		both(m, "\r\n", 2);
		break;
	case 8:
		if (chance(w, 4) == 0)
			long_line(w, m);
		break;
	case 9:
		apart(m, "z\r\r\n", "z \r\n");
		break;
	default:
		both(m, "a line of text\r\n", 16);
	}
}

void
text_make(struct world *w, size_t number)
{
	struct message *m = &w->messages[number];
	unsigned lines = chance(w, 3) == 0 ? 0 : chance(w, 30);
	char first[80];

	buf_init(&m->wire, 1 << 22);
	buf_init(&m->want, 1 << 22);
	if (number == 0 && chance(w, 8) == 0)
		return; /* nothing at all */
	unsigned manner = chance(w, 8);
	snprintf(first, sizeof first, "%s%zu%s\r\n",
	    manner == 0   ? " not a header "
	    : manner == 1 ? "\r\nno header, message "
			  : "X-Id: ",
	    number, manner == 2 ? "\r\n" : "");
	if (manner == 0)
		put(&m->want, "\r\n", 2);
	both(m, first, strlen(first));
	if (chance(w, 40) == 0)
		lines += 1000;
	while (lines-- > 0)
		line_by_chance(w, m);
}

/* Behind our Received field, and what a Maildir has in front of it; NULL: there
 * is none. */
static const char *
behind_trace(const char *text, const char *end)
{
	static const char received[] = "Received: from ";
	bool seen = false;

	while (text < end && !seen) {
		seen = (size_t)(end - text) > sizeof received &&
		       memcmp(text, received, sizeof received - 1) == 0;
		do {
			const char *lf =
			    memchr(text, '\n', (size_t)(end - text));
			text = lf != NULL ? lf + 1 : end;
		} while (text < end && *text == '\t');
	}
	return seen ? text : NULL;
}

int
text_find(
    const struct world *w, const char *sender, const char *text, size_t len)
{
	const char *end = text + len, *at = behind_trace(text, end);

	for (size_t i = 0; at != NULL && i < w->message_count; i++) {
		const struct message *m = &w->messages[i];
		if (buf_len(&m->want) == (size_t)(end - at) &&
		    (at == end || memcmp(buf_data(&m->want), at,
				      (size_t)(end - at)) == 0) &&
		    (sender == NULL || strcmp(sender, m->sender) == 0))
			return (int)i;
	}
	return NO_MESSAGE;
}
