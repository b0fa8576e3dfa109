/*
 * transcript - the protocol lines of both peers, for --trace.
 *
 * The engines add lines, with credentials shown as ***; they know no
 * descriptor. Whoever drives an engine calls transcript_flush() after each
 * step. Message content is only ever counted. A line of the peer is escaped.
 */
#ifndef ODMR_BASE_TRANSCRIPT_H
#define ODMR_BASE_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct transcript {
	bool on;
	const char *peer; /* "provider", or the name of a delivery; borrowed */
	struct buf lines;
};

void transcript_init(struct transcript *transcript, const char *peer, bool on);
void transcript_clear(struct transcript *transcript);
/* One line without its CRLF, '<' from the peer or '>' to it. */
void transcript_line(struct transcript *transcript, char direction,
    const char *line, size_t len);
/* A count of content octets that came or went, in place of the content. */
void transcript_octets(
    struct transcript *transcript, char direction, unsigned long long octets);
/* Writes what was added to standard error, in one write. */
void transcript_flush(struct transcript *transcript);

#endif
