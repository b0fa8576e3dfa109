/* SPDX-License-Identifier: ISC */
#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/descriptor.h"
#include "base/mem.h"

enum { READ_AT_ONCE = 16384 };

int
whole_file_open_folder(
    int parent, const char *name, bool create, struct error *err)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	/* The state folder itself may be a link of the administrator's; what
	 * lies in it may not. */
	if (parent != AT_FDCWD)
		flags |= O_NOFOLLOW;
	if (create && mkdirat(parent, name, 0750) != 0 && errno != EEXIST) {
		error_set_errno(err, ERROR_SYSTEM, errno,
		    "cannot make the folder %s", name);
		return -1;
	}
	int fd = openat(parent, name, flags);
	if (fd < 0)
		error_set_errno(err, ERROR_SYSTEM, errno,
		    "cannot open the folder %s", name);
	return fd;
}

/* Reads to the end, which a file that grows meanwhile may not have. */
static bool
read_whole(int fd, const char *name, struct buf *out, struct error *err)
{
	for (;;) {
		size_t room;
		char *space = buf_room(out, READ_AT_ONCE, &room);
		if (space == NULL) {
			error_set(err, ERROR_SYSTEM, "%s is too large", name);
			return false;
		}
		ssize_t got = read(fd, space, room);
		if (got == 0)
			return true;
		if (got > 0)
			buf_filled(out, (size_t)got);
		else if (errno != EINTR) {
			error_set_errno(
			    err, ERROR_SYSTEM, errno, "cannot read %s", name);
			return false;
		}
	}
}

enum whole_file_result
whole_file_read(
    int folder, const char *name, struct buf *out, struct error *err)
{
	struct stat st;
	/* A FIFO in its place must not hold us up. */
	int fd = openat(
	    folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return WHOLE_FILE_MISSING;
	if (fd < 0) {
		error_set_errno(
		    err, ERROR_SYSTEM, errno, "cannot open %s", name);
		return WHOLE_FILE_FAILED;
	}
	bool read = false;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		error_set(err, ERROR_SYSTEM, "%s is not a file", name);
	else
		read = read_whole(fd, name, out, err);
	close(fd);
	return read ? WHOLE_FILE_READ : WHOLE_FILE_FAILED;
}

/* Creates it anew, whatever a process that died left there. */
static int
create_temporary(int folder, const char *name)
{
	if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
		return -1;
	return openat(folder, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* The name alone would leave its reader to look for it. */
static void
explain_write(int folder, const char *name, const char *what, int errnum,
    struct error *err)
{
	char link[32], path[PATH_MAX];

	snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
	ssize_t len = readlink(link, path, sizeof path);
	if (len < 0)
		len = 0; /* there is no /proc here */
	error_set_errno(err, ERROR_SYSTEM, errnum, "cannot %s %.*s%s%s", what,
	    (int)len, path, len > 0 ? "/" : "", name);
}

bool
whole_file_write(int folder, const char *name, mode_t mode, const void *data,
    size_t len, struct error *err)
{
	char new[NAME_MAX + 1];

	if ((size_t)snprintf(new, sizeof new, "%s.new", name) >= sizeof new) {
		error_set(err, ERROR_SYSTEM, "the name %s is too long", name);
		return false;
	}
	int fd = create_temporary(folder, new);
	if (fd < 0) {
		explain_write(folder, new, "create", errno, err);
		return false;
	}
	bool written =
	    descriptor_write(fd, data, len) == len && fchmod(fd, mode) == 0;
	int errnum = errno;
	if (close(fd) != 0 && written) {
		written = false;
		errnum = errno;
	}
	if (written && renameat(folder, new, folder, name) != 0) {
		written = false;
		errnum = errno;
	}
	if (!written) {
		unlinkat(folder, new, 0);
		explain_write(folder, name, "write", errnum, err);
	}
	return written;
}

bool
whole_file_write_path(const char *path, mode_t mode, const void *data,
    size_t len, struct error *err)
{
	const char *name = strrchr(path, '/') + 1;
	char *parent = xstrndup(path, (size_t)(name - path));
	int folder = whole_file_open_folder(AT_FDCWD, parent, false, err);

	free(parent);
	if (folder < 0)
		return false;
	bool written = whole_file_write(folder, name, mode, data, len, err);
	close(folder);
	return written;
}

bool
whole_file_is_same(const struct stat *before, const struct stat *now)
{
	return now->st_ino == before->st_ino &&
	       now->st_size == before->st_size &&
	       now->st_mtim.tv_sec == before->st_mtim.tv_sec &&
	       now->st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}
