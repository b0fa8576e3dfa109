/* SPDX-License-Identifier: ISC */
#include "deliver/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

void
spool_init(struct spool *spool, const char *folder, enum writer_lines lines)
{
	*spool = (struct spool){.folder = folder, .fd = -1};
	writer_init(&spool->writer, -1, lines);
}

void
spool_clear(struct spool *spool)
{
	if (spool->fd >= 0)
		close(spool->fd);
	writer_clear(&spool->writer);
	spool_init(spool, spool->folder, spool->writer.lines);
}

/* Only where the file system knows no O_TMPFILE, as vfat: a crash between the
 * two calls leaves an empty file. */
static int
open_and_unlink(const char *folder)
{
	char *path = xasprintf("%s/spool-XXXXXX", folder);
	int fd = mkostemp(path, O_CLOEXEC); /* 0600 */

	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

static int
open_on_disk(const char *folder)
{
	int fd =
	    open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);

	/* EISDIR: a kernel that takes the flag for O_DIRECTORY. */
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = open_and_unlink(folder);
	return fd;
}

/* From memory to the disk; false: errno says why. */
static bool
move_to_disk(struct spool *spool)
{
	int fd = open_on_disk(spool->folder);

	if (fd < 0)
		return false;
	if (spool->fd >= 0 && !writer_copy(spool->fd, 0, fd)) {
		int errnum = errno;
		close(fd);
		errno = errnum;
		return false;
	}
	if (spool->fd >= 0)
		close(spool->fd);
	spool->fd = spool->writer.fd = fd;
	spool->on_disk = true;
	return true;
}

bool
spool_has_room(const char *folder, uint64_t octets)
{
	struct statvfs fs;

	return octets <= SPOOL_MEMORY_MAX || statvfs(folder, &fs) != 0 ||
	       writer_has_room(&fs, octets);
}

static bool
open_in_memory(struct spool *spool)
{
	spool->fd = spool->writer.fd = memfd_create("message", MFD_CLOEXEC);
	return spool->fd >= 0;
}

void
spool_add(struct spool *spool, const char *text, size_t len)
{
	struct writer *writer = &spool->writer;

	if (writer->errnum != 0)
		return;
	/* A kernel without memfd_create() has its disk. */
	if (spool->fd < 0 && !open_in_memory(spool) && !move_to_disk(spool))
		writer->errnum = errno;
	if (!spool->on_disk && writer->size + len > SPOOL_MEMORY_MAX &&
	    !move_to_disk(spool))
		writer->errnum = errno;
	writer_add(writer, text, len);
}

bool
spool_rewind(struct spool *spool)
{
	spool_add(spool, "", 0);
	if (!writer_flush(&spool->writer))
		return false;
	if (lseek(spool->fd, 0, SEEK_SET) != 0)
		spool->writer.errnum = errno;
	return spool->writer.errnum == 0;
}

int
spool_open(const struct spool *spool)
{
	/* A file without a name has no other. */
	char *path = xasprintf("/proc/self/fd/%d", spool->fd);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	free(path);
	return fd;
}

uint64_t
spool_size(const struct spool *spool)
{
	return spool->writer.size;
}

int
spool_error(const struct spool *spool)
{
	return spool->writer.errnum;
}
