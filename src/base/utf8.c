/* SPDX-License-Identifier: ISC */
#include "base/utf8.h"

#include <stdbool.h>

size_t
utf8_decode(const unsigned char *text, size_t len, uint32_t *point)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800},
	    {0xf8, 0xf0, 0x10000}};

	for (size_t more = 0; more < sizeof forms / sizeof *forms; more++) {
		if ((text[0] & forms[more].mask) != forms[more].lead)
			continue;
		if (more >= len)
			return 0;
		*point = text[0] & (unsigned char)~forms[more].mask;
		for (size_t i = 1; i <= more; i++) {
			if ((text[i] & 0xc0) != 0x80)
				return 0;
			*point = *point << 6 | (text[i] & 0x3f);
		}
		bool surrogate = *point >= 0xd800 && *point <= 0xdfff;
		if (*point < forms[more].least || *point > 0x10ffff ||
		    surrogate)
			return 0;
		return more + 1;
	}
	return 0;
}
