/*
 * international - which characters beyond ASCII an address may have.
 *
 * RFC 6531 3.3 takes all of UTF-8. We take what cannot be read as something
 * else on the way: well-formed sequences (RFC 3629), without controls (C1 and
 * those of direction among them), without blanks and what nobody sees, and
 * without a look-alike of a separator ('@', '.', '/', '\', '<', '>') or a wide
 * or small form of ASCII, which becomes ASCII where somebody normalizes. Octets
 * are compared as they are: no case, no normal form.
 */
#ifndef ODMR_PROTOCOL_INTERNATIONAL_H
#define ODMR_PROTOCOL_INTERNATIONAL_H

#include <stdbool.h>
#include <stddef.h>

/* One octet of such a character. */
bool international_octet(char octet);
/* The octets of the character beyond ASCII at text, of which len are there; 0:
 * an address may not have it. */
size_t international_char(const char *text, size_t len);
/* No octet is beyond ASCII. */
bool international_is_ascii(const char *text);
/* What is beyond ASCII in text may stand in an address. */
bool international_is_sound(const char *text);

#endif
