/* SPDX-License-Identifier: ISC */
#include "deliver/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/mem.h"
#include "protocol/status.h"

/* Few writes for a large message, and little memory. */
enum { WRITER_PIECE = 64 * 1024 };

void
writer_init(struct writer *writer, int fd, enum writer_lines lines)
{
	*writer = (struct writer){.fd = fd, .lines = lines};
}

void
writer_clear(struct writer *writer)
{
	free(writer->data);
	writer_init(writer, -1, writer->lines);
}

static void
write_out(struct writer *writer)
{
	if (writer->errnum == 0 && descriptor_write(writer->fd, writer->data,
				       writer->used) < writer->used)
		writer->errnum = errno;
	writer->used = 0;
}

static void
add_as_is(struct writer *writer, const char *text, size_t len)
{
	if (writer->data == NULL)
		writer->data = xmalloc(WRITER_PIECE);
	writer->size += len;
	while (len > 0) {
		size_t room = WRITER_PIECE - writer->used;
		size_t part = len < room ? len : room;
		memcpy(writer->data + writer->used, text, part);
		writer->used += part;
		text += part;
		len -= part;
		if (writer->used == WRITER_PIECE)
			write_out(writer);
	}
}

/* Each CR is held back until the next octet is known, and dropped where that
 * is LF. */
static void
add_as_lf(struct writer *writer, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		if (writer->cr && *text != '\n')
			add_as_is(writer, "\r", 1);
		writer->cr = false;
		const char *cr = memchr(text, '\r', (size_t)(end - text));
		add_as_is(
		    writer, text, (size_t)((cr != NULL ? cr : end) - text));
		if (cr == NULL)
			return;
		writer->cr = true;
		text = cr + 1;
	}
}

void
writer_add(struct writer *writer, const char *text, size_t len)
{
	if (writer->errnum != 0)
		return;
	switch (writer->lines) {
	case WRITER_CRLF:
		add_as_is(writer, text, len);
		break;
	case WRITER_LF:
		add_as_lf(writer, text, len);
		break;
	}
}

bool
writer_flush(struct writer *writer)
{
	if (writer->cr)
		add_as_is(writer, "\r", 1);
	writer->cr = false;
	write_out(writer);
	return writer->errnum == 0;
}

bool
writer_copy(int from, off_t octets, int to)
{
	char *data = xmalloc(WRITER_PIECE);
	off_t offset = octets;
	int errnum = 0;
	ssize_t n;

	while (
	    errnum == 0 && (n = pread(from, data, WRITER_PIECE, offset)) != 0) {
		if (n > 0 && descriptor_write(to, data, (size_t)n) == (size_t)n)
			offset += n;
		else if (errno != EINTR)
			errnum = errno;
	}
	free(data);
	errno = errnum;
	return errnum == 0;
}

bool
writer_full(int errnum)
{
	return errnum == ENOSPC || errnum == EDQUOT;
}

bool
writer_has_room(const struct statvfs *fs, uint64_t octets)
{
	uint64_t block = fs->f_frsize != 0 ? fs->f_frsize : fs->f_bsize;

	if (fs->f_files != 0 && fs->f_favail == 0)
		return false;
	return fs->f_blocks == 0 || block == 0 || octets / block < fs->f_bavail;
}

void
writer_status(struct status *status, const char *name, int errnum)
{
	if (writer_full(errnum))
		status_set(
		    status, 452, "4.3.1", "%s: %s", name, strerror(errnum));
	else
		status_set(
		    status, 451, "4.3.0", "%s: %s", name, strerror(errnum));
}

void
writer_complain(struct error *complaint, const char *place, int errnum)
{
	const char *advice = errnum == EIO || errnum == EROFS
				 ? "; look at the disk"
				 : "; let the agent's user write there";

	if (writer_full(errnum))
		error_set_errno(complaint, ERROR_LOCAL, errnum,
		    "cannot write to %s", place);
	else
		error_set(complaint, ERROR_LOCAL, "cannot write to %s: %s%s",
		    place, strerror(errnum), advice);
}
