/* SPDX-License-Identifier: ISC */
#include "protocol/dots.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

/*
 * Octets up to the next dot that begins a line; len is at least 1, and the first
 * octet is not looked at. Dots are rarer than line ends, and absent from base64.
 */
static size_t
run_length(const char *text, size_t len)
{
	const char *end = text + len, *dot = text;

	do
		dot = memchr(dot + 1, '.', (size_t)(end - dot - 1));
	while (dot != NULL && dot[-1] != '\n');
	return dot != NULL ? (size_t)(dot - text) : len;
}

size_t
dots_stuff(struct dots *dots, struct buf *out, const char *text, size_t len)
{
	size_t taken = 0;

	while (taken < len) {
		size_t run = run_length(text + taken, len - taken);
		size_t room = out->max - buf_len(out);
		bool stuff = dots->line_start && text[taken] == '.';
		if (room < (stuff ? 2 : 1))
			break;
		if (stuff && !buf_append(out, ".", 1))
			break;
		room -= stuff ? 1 : 0;
		if (run > room)
			run = room;
		bool fits = buf_append(out, text + taken, run);
		assert(fits);
		taken += run;
		dots->line_start = text[taken - 1] == '\n';
	}
	return taken;
}
