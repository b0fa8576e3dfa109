/* SPDX-License-Identifier: ISC */
#include "base/html.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Of the characters that mean something to a parser, quotes included. */
static const char *
name_of(uint32_t point)
{
	switch (point) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

/* Controls, marks of direction (Unicode's Bidi_Control), separators of lines,
 * and what XML does not allow. */
static bool
is_unfit(uint32_t point)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200b, 0x200f},
	    {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},
	    {0xfff9, 0xfffb}, {0xfffe, 0xffff}};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (point >= ranges[i].from && point <= ranges[i].to)
			return true;
	return (point & 0xfffe) == 0xfffe; /* no character of any plane */
}

bool
html_text(struct buf *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t left = strlen(text);
	bool fits = true;

	while (left > 0 && fits) {
		uint32_t point = 0;
		size_t used = utf8_decode(at, left, &point);
		const char *name = name_of(point);
		if (used == 0 || is_unfit(point))
			fits = buf_append(
			    out, replacement, sizeof replacement - 1);
		else if (name != NULL)
			fits = buf_append(out, name, strlen(name));
		else
			fits = buf_append(out, at, used);
		at += used > 0 ? used : 1;
		left -= used > 0 ? used : 1;
	}
	return fits;
}
