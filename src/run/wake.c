/* SPDX-License-Identifier: ISC */
#include "run/wake.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/stop.h"

/* The timer itself ends once a year, which does no harm. */
static void
watch_clock(const struct wake *wake)
{
	struct itimerspec far = {.it_value.tv_sec = time(NULL) + 365 * 86400};

	timerfd_settime(wake->fds[WAKE_CLOCK],
	    TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

/* Signals that are read from a descriptor are blocked. */
static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool
wake_open(struct wake *wake, struct error *err)
{
	const int flags = TFD_CLOEXEC | TFD_NONBLOCK;

	stop_install();
	wake->fds[WAKE_STOP] = stop_fd();
	wake->fds[WAKE_SIGNAL] = open_signals();
	wake->fds[WAKE_TIMER] = timerfd_create(CLOCK_BOOTTIME, flags);
	wake->fds[WAKE_CLOCK] = timerfd_create(CLOCK_REALTIME, flags);
	for (size_t i = 0; i < WAKE_FDS; i++) {
		if (wake->fds[i] < 0) {
			error_set_errno(err, ERROR_SYSTEM, errno,
			    "no descriptor to wait for signals and timers");
			wake_close(wake);
			return false;
		}
	}
	watch_clock(wake);
	return true;
}

void
wake_close(struct wake *wake)
{
	for (size_t i = 0; i < WAKE_FDS; i++) {
		if (i != WAKE_STOP && wake->fds[i] >= 0)
			close(wake->fds[i]);
		wake->fds[i] = -1;
	}
}

void
wake_set_timer(const struct wake *wake, int64_t boot_ms)
{
	struct itimerspec timer = {.it_value.tv_sec = 0};

	if (boot_ms != INT64_MAX) {
		timer.it_value.tv_sec = (time_t)(boot_ms / 1000);
		/* A value of 0 would be no timer at all. */
		timer.it_value.tv_nsec = (long)(boot_ms % 1000) * 1000000 + 1;
	}
	timerfd_settime(wake->fds[WAKE_TIMER], TFD_TIMER_ABSTIME, &timer, NULL);
}

/* true: it came to its end, or was cancelled. */
static bool
read_timer(int fd)
{
	uint64_t expired;

	return read(fd, &expired, sizeof expired) > 0 || errno == ECANCELED;
}

void
wake_read(const struct wake *wake, struct wake_reasons *reasons)
{
	struct signalfd_siginfo info;

	*reasons = (struct wake_reasons){.reload = false};
	while (read(wake->fds[WAKE_SIGNAL], &info, sizeof info) ==
	       (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP)
			reasons->reload = true;
		else
			reasons->fetch = true;
	}
	(void)read_timer(wake->fds[WAKE_TIMER]);
	reasons->clock = read_timer(wake->fds[WAKE_CLOCK]);
	if (reasons->clock)
		watch_clock(wake);
}
