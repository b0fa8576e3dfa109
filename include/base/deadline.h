/*
 * deadline - a point in monotonic time by which a wait must end.
 *
 * Every wait of the program goes through this module. After a stop request
 * (base/stop) a deadline is no later than its grace after the request, so that
 * one SIGTERM shortens every wait and no wait needs to know of signals.
 */
#ifndef ODMR_BASE_DEADLINE_H
#define ODMR_BASE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct pollfd;

struct deadline {
	int64_t at; /* clock_ms() */
	int64_t grace; /* ms that a stop request leaves to this wait */
};

enum deadline_result {
	DEADLINE_READY, /* the descriptor is ready, or has an error to read */
	DEADLINE_OVER, /* the time is over */
	DEADLINE_STOPPED, /* the time is over because a stop was requested */
};

struct deadline deadline_in(int64_t ms, int64_t grace_ms);
/* The earlier of both ends, the shorter of both graces. */
struct deadline deadline_min(struct deadline a, struct deadline b);
/* Milliseconds that are left now, never negative; a stop request counts. */
int64_t deadline_left(const struct deadline *deadline);
/*
 * Waits until one of several descriptors is ready, as poll(2) has them, with
 * room for one more: fds[count] is used for the stop request.
 */
enum deadline_result deadline_poll(
    const struct deadline *deadline, struct pollfd *fds, size_t count);
/* Waits until fd has one of events (poll(2)), or the deadline; fd may be -1. */
enum deadline_result deadline_wait(
    const struct deadline *deadline, int fd, short events);
/*
 * The same, and looks at the descriptor beside, -1: none, in the same call of the
 * system: *spoke is whether something was there to read when the wait ended, or
 * before. That ends no wait.
 */
enum deadline_result deadline_wait_beside(const struct deadline *deadline,
    int fd, short events, int beside, bool *spoke);

#endif
