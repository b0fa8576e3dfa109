/*
 * utf8 - octets as characters of Unicode (RFC 3629).
 */
#ifndef ODMR_BASE_UTF8_H
#define ODMR_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * The octets of the sequence at text, of which len are there, and its character
 * in *point. 0: there is none; not the shortest form, a surrogate or beyond
 * U+10FFFF is none either.
 */
size_t utf8_decode(const unsigned char *text, size_t len, uint32_t *point);

#endif
