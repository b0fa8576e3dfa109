/*
 * escape - makes a peer's text safe for a log, a terminal, a file or a reply.
 */
#ifndef ODMR_BASE_ESCAPE_H
#define ODMR_BASE_ESCAPE_H

#include <stddef.h>

/*
 * Copies len octets of text to out (size octets, NUL included), with \ as \\,
 * and each octet outside printable ASCII as \xHH; what does not fit is cut and
 * shown as "...". Returns out.
 */
char *escape_text(char *out, size_t size, const char *text, size_t len);

#endif
