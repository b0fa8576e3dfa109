/*
 * overview - the accounts as a table for people, 80 columns wide, and a plot of
 * the last days (tell/plot) beside it where a terminal has room for both.
 *
 * Pure: `status` gives history and now, and prints the lines.
 */
#ifndef ODMR_TELL_OVERVIEW_H
#define ODMR_TELL_OVERVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tell/alarm.h"

struct buf;
struct config_account;
struct history;

enum { OVERVIEW_COLUMNS = 80 };

struct overview {
	struct buf *out; /* borrowed; what does not fit is left out */
	int name_width; /* of the column of accounts */
	bool colour;
	bool plot;
	int64_t now;
};

/* longest: of the names to come, in octets. columns: of a terminal that shows
 * UTF-8; 0: there is none. */
void overview_begin(struct overview *overview, struct buf *out, size_t longest,
    bool colour, unsigned columns, int64_t now);
/* One line, and more below it where something is wrong. */
void overview_add(struct overview *overview,
    const struct config_account *account, const struct history *history,
    enum alarm alarm);

#endif
