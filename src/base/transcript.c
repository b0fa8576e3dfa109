/* SPDX-License-Identifier: ISC */
#include "base/transcript.h"

#include <errno.h>
#include <unistd.h>

#include "base/escape.h"

enum {
	/* Drivers flush at every step: no step brings more than one read. */
	TRANSCRIPT_MAX = 1 << 20,
	LINE_SHOWN = 512, /* a reply or command line of RFC 5321 4.5.3.1 */
};

void
transcript_init(struct transcript *transcript, const char *peer, bool on)
{
	transcript->on = on;
	transcript->peer = peer;
	buf_init(&transcript->lines, TRANSCRIPT_MAX);
}

void
transcript_clear(struct transcript *transcript)
{
	buf_clear(&transcript->lines);
}

void
transcript_line(
    struct transcript *transcript, char direction, const char *line, size_t len)
{
	if (!transcript->on)
		return;
	char shown[LINE_SHOWN];
	escape_text(shown, sizeof shown, line, len);
	if (!buf_printf(&transcript->lines, "%s %c %s\n", transcript->peer,
		direction, shown))
		return; /* full: lines of a flood are left out */
}

void
transcript_octets(
    struct transcript *transcript, char direction, unsigned long long octets)
{
	if (!transcript->on)
		return;
	if (!buf_printf(&transcript->lines, "%s %c [%llu octets]\n",
		transcript->peer, direction, octets))
		return;
}

void
transcript_flush(struct transcript *transcript)
{
	struct buf *lines = &transcript->lines;

	while (buf_len(lines) > 0) {
		ssize_t n =
		    write(STDERR_FILENO, buf_data(lines), buf_len(lines));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_consume(lines, (size_t)n);
	}
	buf_reset(lines);
}
