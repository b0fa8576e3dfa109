/*
 * join - passes octets on between two streams, both ways, as they come.
 *
 * Nothing is added. It ends with one of the sides: what that side said to the
 * last is passed on, then the other one is told the end.
 *
 * The first side is an SMTP server, the second one its client, and a stop
 * request ends it between a reply and the next command: see stop_grace.
 */
#ifndef ODMR_NET_JOIN_H
#define ODMR_NET_JOIN_H

#include <stdint.h>

#include "base/error.h"

struct stream;

enum { JOIN_SIDES = 2 };

/* Borrowed for the life of the call. */
struct join_options {
	struct stream *sides[JOIN_SIDES];
	int64_t silence; /* ms without an octet either way, which end it */
	/* ms after a stop request within which the server may finish a reply to
	 * what it was told; where it owes none, the end comes at once. */
	int64_t stop_grace;
	/* Readable: it is to end at once; closed by its other end: a stop
	 * request; -1: neither. */
	int interrupt;
	/* Octets that came from a side; may be NULL. */
	void (*moved)(void *context, int side, uint64_t octets);
	void *context;
};

enum join_end {
	JOIN_FIRST_ENDED, /* sides[0] ended its direction in order */
	JOIN_SECOND_ENDED,
	JOIN_SILENT,
	JOIN_INTERRUPTED,
	JOIN_STOPPED, /* a stop request; the client has every reply */
	JOIN_CUT, /* the same, but a reply was missing after stop_grace */
	JOIN_ENDLESS, /* the server said more than any reply has */
	JOIN_FAILED, /* a side was lost; error says how */
};

struct join_result {
	enum join_end end;
	int failed_side; /* FAILED */
	struct error error; /* FAILED */
	uint64_t octets[JOIN_SIDES]; /* that came from each */
};

void join_run(const struct join_options *options, struct join_result *result);

#endif
