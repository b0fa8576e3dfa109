/* SPDX-License-Identifier: ISC */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One by one; more would take longer than a start may. */
enum { CLOSE_MAX = 65536 };

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

void
descriptor_close(int first, int last)
{
	struct rlimit limit = {.rlim_cur = CLOSE_MAX};

	/* The C library may have no name for it (musl). */
	if (first > last ||
	    syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	int end = limit.rlim_cur < CLOSE_MAX ? (int)limit.rlim_cur : CLOSE_MAX;
	for (int fd = first; fd < end && fd <= last; fd++)
		close(fd);
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
