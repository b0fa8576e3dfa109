/*
 * buf - a run of octets that grows up to a maximum given at the start.
 *
 * Appending beyond the maximum changes nothing and returns false, so a peer
 * can never make one grow. Embedded: buf_init() and buf_clear() bracket it.
 */
#ifndef ODMR_BASE_BUF_H
#define ODMR_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* the allocation; the content begins at data + start */
	size_t start, len, size, max;
};

void buf_init(struct buf *buf, size_t max);
/* Frees the content; the buffer is as after buf_init(). */
void buf_clear(struct buf *buf);
/* Empties it and keeps the allocation. */
void buf_reset(struct buf *buf);
/* The same, and no octet of what went through it is left: for secrets. */
void buf_wipe(struct buf *buf);

/* The content, buf_len() octets; not NUL-terminated. */
const char *buf_data(const struct buf *buf);
size_t buf_len(const struct buf *buf);

/* false: it would pass the maximum, and nothing was added. */
bool buf_append(struct buf *buf, const void *data, size_t len)
    __attribute__((warn_unused_result));
/* All of TEXTS() (base/text) one behind the other, or none of them. None may be
 * in the buffer. */
bool buf_join(struct buf *buf, const char *const *texts)
    __attribute__((warn_unused_result));
bool buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));
bool buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0), warn_unused_result));

/*
 * Free room of at least one octet and at most want octets behind the content,
 * for reading straight into it, then buf_filled() with what was read. NULL and
 * *room 0 when the buffer is at its maximum.
 */
char *buf_room(struct buf *buf, size_t want, size_t *room);
void buf_filled(struct buf *buf, size_t len);
/* Takes len octets off the front; nothing is moved. */
void buf_consume(struct buf *buf, size_t len);

#endif
