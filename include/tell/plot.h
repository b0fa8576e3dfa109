/*
 * plot - messages of the last days as one line of bars for a terminal.
 */
#ifndef ODMR_TELL_PLOT_H
#define ODMR_TELL_PLOT_H

#include <stdint.h>

struct history_days;

enum {
	PLOT_DAYS = 14, /* two weeks side by side; one column each */
	PLOT_SIZE = 3 * PLOT_DAYS + 1, /* a bar has three octets */
};

/*
 * The oldest day first, today last, in UTF-8; returns out. A bar is as high as
 * the messages of its day in proportion to the most of these days; '.' is a day
 * without mail, 'x' one on which every session failed, a space one without a
 * session.
 */
char *plot_days(
    char out[static PLOT_SIZE], const struct history_days *days, int64_t today);

#endif
