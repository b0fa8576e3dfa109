/*
 * clock - the clocks of the program, in whole milliseconds.
 *
 * Waits and intervals go by a clock that nobody sets; only what is told to
 * people, kept in files or planned by the calendar goes by the wall clock.
 */
#ifndef ODMR_BASE_CLOCK_H
#define ODMR_BASE_CLOCK_H

#include <stdint.h>

/* Since some point in the past; stands still while the machine sleeps
 * (CLOCK_MONOTONIC). Async-signal-safe. */
int64_t clock_ms(void);
/* The same, and the sleep counts (CLOCK_BOOTTIME). */
int64_t clock_boot_ms(void);
/* 2024-01-01, as clock_unix_ms(): a wall clock that says less was not set yet
 * (routers, at boot), and a time before it was told by such a clock. */
#define CLOCK_PLAUSIBLE INT64_C(1704067200000)

/* The wall clock, since 1970-01-01T00:00:00Z; may be set at any time. */
int64_t clock_unix_ms(void);
/* A time of the wall clock that was kept: now, where it is to come or was told
 * by a clock that was not set; 0, which is never, stays. */
int64_t clock_settled(int64_t time, int64_t now);

#endif
