/* SPDX-License-Identifier: ISC */
/*
 * clock - a library to be loaded first: the wall clock is ODMR_TEST_CLOCK
 * seconds ahead, or behind where that is negative. What counts from boot is
 * as it was, and so are timers that do not end at a time of day; but where
 * ODMR_TEST_CLOCK_STANDS is set, CLOCK_MONOTONIC stands still: for counts that
 * must not depend on how fast a machine is.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

typedef int clock_function(clockid_t, struct timespec *);
typedef int timer_function(
    int, int, const struct itimerspec *, struct itimerspec *);

static time_t
ahead(void)
{
	const char *text = getenv("ODMR_TEST_CLOCK");

	return text != NULL ? (time_t)strtoll(text, NULL, 10) : 0;
}

static void *
original(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* A process that was forked stands where its parent does. */
static void
stand_still(struct timespec *now)
{
	static struct timespec first;

	if (first.tv_sec == 0)
		first = *now;
	*now = first;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	clock_function *real = (clock_function *)original("clock_gettime");
	int result = real(clock, now);

	if (result == 0 && clock == CLOCK_REALTIME)
		now->tv_sec += ahead();
	if (result == 0 && clock == CLOCK_MONOTONIC &&
	    getenv("ODMR_TEST_CLOCK_STANDS") != NULL)
		stand_still(now);
	return result;
}

time_t
time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	out->tv_sec = now.tv_sec;
	out->tv_usec = now.tv_nsec / 1000;
	return 0;
}

/* Of the agent's timers only the one that the clock's setting ends is set by
 * the time of day. */
int
timerfd_settime(int fd, int flags, const struct itimerspec *new_value,
    struct itimerspec *old_value)
{
	timer_function *real = (timer_function *)original("timerfd_settime");
	struct itimerspec value = *new_value;

	if ((flags & TFD_TIMER_CANCEL_ON_SET) != 0)
		value.it_value.tv_sec -= ahead();
	return real(fd, flags, &value, old_value);
}
