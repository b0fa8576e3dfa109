/* SPDX-License-Identifier: ISC */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BUF_FIRST = 256 }; /* a reply or a command fits without growing */

void
buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void
buf_clear(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void
buf_reset(struct buf *buf)
{
	buf->start = buf->len = 0;
}

void
buf_wipe(struct buf *buf)
{
	/* No null pointer, not even for no octet: C says that of all such. */
	if (buf->data != NULL)
		explicit_bzero(buf->data, buf->size);
	buf_reset(buf);
}

const char *
buf_data(const struct buf *buf)
{
	return buf->data == NULL ? "" : buf->data + buf->start;
}

size_t
buf_len(const struct buf *buf)
{
	return buf->len;
}

/* Makes len octets free behind the content; the caller checked the maximum. */
static void
make_room(struct buf *buf, size_t len)
{
	if (buf->start + buf->len + len <= buf->size)
		return;
	if (buf->start > 0) {
		memmove(buf->data, buf->data + buf->start, buf->len);
		buf->start = 0;
	}
	if (buf->len + len <= buf->size)
		return;
	size_t size = buf->size > 0 ? buf->size : BUF_FIRST;
	while (size < buf->len + len)
		size *= 2;
	if (size > buf->max)
		size = buf->max;
	buf->data = xreallocarray(buf->data, size, 1);
	buf->size = size;
}

bool
buf_append(struct buf *buf, const void *data, size_t len)
{
	if (len > buf->max - buf->len)
		return false;
	if (len == 0)
		return true;
	make_room(buf, len);
	/* Not memcpy(): with -Os gcc makes `rep movsb` of it, octet by octet. */
	memmove(buf->data + buf->start + buf->len, data, len);
	buf->len += len;
	return true;
}

bool
buf_join(struct buf *buf, const char *const *texts)
{
	size_t before = buf->len;
	bool fits = true;

	for (; fits && *texts != NULL; texts++)
		fits = buf_append(buf, *texts, strlen(*texts));
	if (!fits)
		buf->len = before;
	return fits;
}

bool
buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	char text[BUF_FIRST], *longer = NULL;
	va_list again;

	/* Not into the buffer itself: an argument may be there. */
	va_copy(again, args);
	int len = vsnprintf(text, sizeof text, format, args);
	if (len >= (int)sizeof text)
		len = vasprintf(&longer, format, again);
	va_end(again);
	if (len < 0)
		mem_exhausted();
	bool fits =
	    buf_append(buf, longer != NULL ? longer : text, (size_t)len);
	free(longer);
	return fits;
}

bool
buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	bool fits = buf_vprintf(buf, format, args);
	va_end(args);
	return fits;
}

char *
buf_room(struct buf *buf, size_t want, size_t *room)
{
	size_t left = buf->max - buf->len;

	*room = left < want ? left : want;
	if (*room == 0)
		return NULL;
	make_room(buf, *room);
	return buf->data + buf->start + buf->len;
}

void
buf_filled(struct buf *buf, size_t len)
{
	assert(buf->start + buf->len + len <= buf->size);
	buf->len += len;
}

void
buf_consume(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	buf->start += len;
	buf->len -= len;
	if (buf->len == 0)
		buf->start = 0;
}
