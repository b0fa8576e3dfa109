/* SPDX-License-Identifier: ISC */
#include "base/clock.h"

#include <time.h>

static int64_t
read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
clock_boot_ms(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t
clock_unix_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t
clock_settled(int64_t time, int64_t now)
{
	return time != 0 && (time > now || time < CLOCK_PLAUSIBLE) ? now : time;
}
