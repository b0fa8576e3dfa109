/*
 * fuzz - what the fuzz targets share.
 *
 * Each target feeds octets to one parser or engine and checks what must hold
 * whatever they are; above all that pieces give what the whole gives. The
 * first octet of an input chooses options, the second how it is cut. A broken
 * promise ends the program by assert().
 */
#ifndef ODMR_TEST_FUZZ_H
#define ODMR_TEST_FUZZ_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { FUZZ_HEAD = 2, FUZZ_LOG_MAX = 16 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where to cut: 0 stands for "not at all". */
struct cuts {
	uint32_t state;
};

static inline struct cuts
cuts_from(unsigned seed)
{
	return (struct cuts){seed * 2654435761u};
}

/* The next piece of what is left, at least one octet. */
static inline size_t
cuts_next(struct cuts *cuts, size_t left)
{
	static const size_t usual[] = {1, 1, 2, 3, 7, 64, 511, 4096};

	if (cuts->state == 0)
		return left;
	cuts->state = cuts->state * 1664525u + 1013904223u;
	size_t piece = usual[cuts->state >> 29];
	return piece < left ? piece : left;
}

static inline void
log_add(struct buf *log, const char *text, size_t len)
{
	bool fits = buf_append(log, text, len);

	assert(fits);
}

static inline void
log_text(struct buf *log, const char *text)
{
	log_add(log, text, strlen(text));
}

static inline void
log_number(struct buf *log, const char *name, long long number)
{
	bool fits = buf_printf(log, "%s %lld\n", name, number);

	assert(fits);
}

static inline void
expect_same(const struct buf *whole, const struct buf *pieces)
{
	if (buf_len(whole) == buf_len(pieces) &&
	    memcmp(buf_data(whole), buf_data(pieces), buf_len(whole)) == 0)
		return;
	fprintf(stderr, "whole:\n%.*s\npieces:\n%.*s\n", (int)buf_len(whole),
	    buf_data(whole), (int)buf_len(pieces), buf_data(pieces));
	abort();
}

#endif
