/*
 * base64 - RFC 4648 4, strict both ways.
 */
#ifndef ODMR_BASE_BASE64_H
#define ODMR_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* Octets that len octets become, the NUL behind them included. */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* out has BASE64_SIZE(len) octets. Returns the length of the text. */
size_t base64_encode(char *out, const void *data, size_t len);
/*
 * out has len / 4 * 3 octets. Returns the octets written, or -1 where text is
 * not base64: white space, wrong padding, left-over bits (RFC 4954 4).
 */
ssize_t base64_decode(void *out, const char *text, size_t len);

#endif
