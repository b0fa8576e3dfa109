/*
 * wake - what ends the sleep of `run` besides its sessions.
 *
 * SIGTERM and SIGINT (base/stop), SIGHUP, SIGUSR1, a timer on the clock that
 * nobody sets and that goes on while the machine sleeps, and the moment when
 * the wall clock is set.
 */
#ifndef ODMR_RUN_WAKE_H
#define ODMR_RUN_WAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum { WAKE_STOP, WAKE_SIGNAL, WAKE_TIMER, WAKE_CLOCK, WAKE_FDS };

struct wake {
	int fds[WAKE_FDS]; /* to be waited for; but the first they are ours */
};

struct wake_reasons {
	bool reload; /* SIGHUP */
	bool fetch; /* SIGUSR1 */
	bool clock; /* the wall clock was set, or a suspend ended */
};

/* SIGHUP and SIGUSR1 are blocked from now on. Errors: ERROR_SYSTEM. */
bool wake_open(struct wake *wake, struct error *err)
    __attribute__((warn_unused_result));
void wake_close(struct wake *wake);
/* Wakes once when CLOCK_BOOTTIME is boot_ms; INT64_MAX: never. */
void wake_set_timer(const struct wake *wake, int64_t boot_ms);
/* What there is, after one of the descriptors was ready; never blocks. */
void wake_read(const struct wake *wake, struct wake_reasons *reasons);

#endif
