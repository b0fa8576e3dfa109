/* SPDX-License-Identifier: ISC */
#include "base/base64.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
base64_encode(char *out, const void *data, size_t len)
{
	const unsigned char *in = data;
	char *end = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t have = len - i < 3 ? len - i : 3;
		unsigned bits = (unsigned)in[i] << 16;

		if (have > 1)
			bits |= (unsigned)in[i + 1] << 8;
		if (have > 2)
			bits |= in[i + 2];
		*end++ = alphabet[bits >> 18 & 63];
		*end++ = alphabet[bits >> 12 & 63];
		*end++ = '=';
		*end++ = '=';
		if (have > 1)
			end[-2] = alphabet[bits >> 6 & 63];
		if (have > 2)
			end[-1] = alphabet[bits & 63];
	}
	*end = '\0';
	return (size_t)(end - out);
}

static int
digit(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

ssize_t
base64_decode(void *out, const char *text, size_t len)
{
	unsigned char *end = out;

	if (len % 4 != 0)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		size_t have = 4;
		unsigned bits = 0;

		/* Padding may only end the text. */
		if (i + 4 == len)
			while (have > 2 && text[i + have - 1] == '=')
				have--;
		for (size_t k = 0; k < 4; k++) {
			int d = k < have ? digit(text[i + k]) : 0;
			if (d < 0)
				return -1;
			bits = bits << 6 | (unsigned)d;
		}
		/* Bits that no octet takes must be zero (RFC 4648 3.5). */
		if ((have == 2 && (bits & 0xffff) != 0) ||
		    (have == 3 && (bits & 0xff) != 0))
			return -1;
		for (size_t k = 0; k + 1 < have; k++)
			*end++ = (unsigned char)(bits >> (16 - 8 * k));
	}
	return end - (unsigned char *)out;
}
