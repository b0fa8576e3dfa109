/*
 * escape - makes a peer's text safe for a log, a terminal, a file or a reply.
 */
#ifndef ODMR_BASE_ESCAPE_H
#define ODMR_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether an octet is printable ASCII, blanks included: all that goes where we
 * do not know who reads it. */
bool escape_is_printable(char octet);
/*
 * Copies len octets of text to out (size octets, NUL included), with \ as \\,
 * and each octet outside printable ASCII as \xHH; what does not fit is cut and
 * shown as "...". Returns out.
 */
char *escape_text(char *out, size_t size, const char *text, size_t len);
/*
 * As escape_text(), of a text of ours in which what peers said is escaped
 * already: a backslash stays one, so that nothing is escaped twice. What has
 * got past an escape, against the rule, still becomes \xHH.
 */
char *escape_sentence(char *out, size_t size, const char *text);

#endif
