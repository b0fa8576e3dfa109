/*
 * ledger_reading - the octets of a ledger file, taken apart into a book.
 *
 * A line that is damaged is counted and dropped alone. Cannot fail.
 */
#ifndef ODMR_LEDGER_LEDGER_READING_H
#define ODMR_LEDGER_LEDGER_READING_H

#include <stdbool.h>
#include <stddef.h>

#include "ledger/ledger_record.h"

struct ledger_book;

/* Begins with the book, borrowed, and zeroes. */
struct ledger_reading {
	struct ledger_book *book;
	char line[LEDGER_LINE_MAX];
	size_t len; /* of the line so far, or more than fits */
	size_t lines, bad;
	bool torn; /* the last line has no end */
	/* The first line names an unknown version; the rest is not looked at.
	 */
	bool foreign;
};

/* The next octets, cut anywhere. */
void ledger_reading_take(
    struct ledger_reading *reading, const char *octets, size_t len);
/* There are no more; a last line without its end is taken as it is. */
void ledger_reading_end(struct ledger_reading *reading);

#endif
