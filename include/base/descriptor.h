/*
 * descriptor - what is done with descriptors in more than one place.
 */
#ifndef ODMR_BASE_DESCRIPTOR_H
#define ODMR_BASE_DESCRIPTOR_H

#include <stddef.h>

/*
 * Writes data to a file, in as many pieces as it takes. How many octets were
 * written: errno says why they are fewer than len.
 */
size_t descriptor_write(int fd, const void *data, size_t len)
    __attribute__((warn_unused_result));
/*
 * Closes first to last, which may be INT_MAX, as close_range(2), also where the
 * system has none (Linux before 5.9).
 */
void descriptor_close(int first, int last);
/* No program that we start gets first or one above it, also where the system has
 * no CLOSE_RANGE_CLOEXEC (Linux before 5.11). */
void descriptor_close_on_exec(int first);
/* Descriptors 0 to 2 that are closed become /dev/null, or the next socket would
 * be standard error. The first act of a program. */
void descriptor_fill_standard(void);

#endif
