/*
 * retry - when an account is tried again after a session that failed.
 *
 * The rules of odmr-agent(8), by the class of the error.
 */
#ifndef ODMR_SCHEDULE_RETRY_H
#define ODMR_SCHEDULE_RETRY_H

#include <stdint.h>

#include "base/error.h"

/* The longest hold, in ms. */
#define RETRY_HOLD_MAX (INT64_C(12) * 3600 * 1000)

/* ms on hold after the in_a_row-th (1, 2, ...) failure that leads to a hold;
 * 0 where the class leads to none. */
int64_t retry_hold(enum error_class class, unsigned in_a_row);
/*
 * ms to wait after the in_a_row-th failure in a row where it does not lead to
 * a hold: 1, 2, 4, ... minutes, each up to 50 % more or less as random, spread
 * over all 32 bits, has it.
 */
int64_t retry_backoff(unsigned in_a_row, uint32_t random);

#endif
