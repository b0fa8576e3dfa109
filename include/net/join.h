/*
 * join - passes octets on between two streams, both ways, as they come.
 *
 * Nothing is looked at, nothing is added. It ends with one of the sides: what
 * that side said to the last is passed on, then the other one is told the end.
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
	int interrupt; /* readable: it is to end at once; -1: never */
	/* Octets that came from a side; may be NULL. */
	void (*moved)(void *context, int side, uint64_t octets);
	void *context;
};

enum join_end {
	JOIN_FIRST_ENDED, /* sides[0] ended its direction in order */
	JOIN_SECOND_ENDED,
	JOIN_SILENT,
	JOIN_INTERRUPTED,
	JOIN_STOPPED, /* a stop request */
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
