/* SPDX-License-Identifier: ISC */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	/* One by one; more would take longer than a start may. */
	CLOSE_MAX = 65536,
	/* CLOSE_RANGE_CLOEXEC of close_range(2), which older headers lack. */
	RANGE_ON_EXEC = 1 << 2,
};

size_t
descriptor_write(int fd, const void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)data + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC; /* no file does that */
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* false: the system cannot. */
static bool
change_range(int first, int last, unsigned flags)
{
	/* The C library may have no name for it (musl). */
	return syscall(SYS_close_range, (unsigned)first, (unsigned)last,
		   flags) == 0;
}

/* Behind the last one that may be open. */
static int
end_of_descriptors(void)
{
	struct rlimit limit = {.rlim_cur = CLOSE_MAX};

	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur < CLOSE_MAX ? (int)limit.rlim_cur : CLOSE_MAX;
}

void
descriptor_close(int first, int last)
{
	if (first > last || change_range(first, last, 0))
		return;
	int end = end_of_descriptors();
	for (int fd = first; fd < end && fd <= last; fd++)
		close(fd);
}

void
descriptor_close_on_exec(int first)
{
	if (change_range(first, INT_MAX, RANGE_ON_EXEC))
		return;
	int end = end_of_descriptors();
	for (int fd = first; fd < end; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void
descriptor_fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}
