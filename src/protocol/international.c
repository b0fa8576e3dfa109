/* SPDX-License-Identifier: ISC */
#include "protocol/international.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* In ascending order. The joiners U+200C and U+200D are left: Persian and the
 * scripts of India need them (RFC 5892 A.1, A.2). */
static const struct range {
	uint32_t first, last;
} unsafe[] = {
    {0x80, 0xa0}, /* C1, no-break space */
    {0xad, 0xad}, /* soft hyphen */
    {0x34f, 0x34f}, /* nobody sees it */
    {0x61c, 0x61c}, /* direction */
    {0x115f, 0x1160}, /* empty letters */
    {0x1680, 0x1680}, /* blank */
    {0x17b4, 0x17b5}, /* nobody sees them */
    {0x180e, 0x180e}, {0x2000, 0x200b}, /* blanks */
    {0x200e, 0x200f}, /* direction */
    {0x2024, 0x2026}, /* dots */
    {0x2028, 0x202f}, /* ends of lines, direction, blank */
    {0x2039, 0x203a}, /* < > */
    {0x2044, 0x2044}, /* slash */
    {0x205f, 0x206f}, /* blank, direction, nobody sees them */
    {0x2100, 0x2101}, /* "a/c", "a/s" */
    {0x2105, 0x2106}, /* "c/o", "c/u" */
    {0x2215, 0x2216}, /* slash, backslash */
    {0x2329, 0x232a}, /* < > */
    {0x2571, 0x2572}, /* slash, backslash */
    {0x27cb, 0x27cb}, /* slash */
    {0x27cd, 0x27cd}, /* backslash */
    {0x27e8, 0x27e9}, /* < > */
    {0x29f5, 0x29f5}, /* backslash */
    {0x29f8, 0x29f9}, /* slash, backslash */
    {0x3000, 0x3000}, /* blank */
    {0x3002, 0x3002}, /* dot of a label, to some (RFC 3490 3.1) */
    {0x3008, 0x3009}, /* < > */
    {0x3164, 0x3164}, /* empty letter */
    {0xfdd0, 0xfdef}, /* no characters */
    {0xfe10, 0xfe19}, /* upright and small forms of ASCII */
    {0xfe30, 0xfe6f}, {0xfeff, 0xfeff}, /* byte order mark */
    {0xff01, 0xff61}, /* wide forms of ASCII, dot of a label */
    {0xffa0, 0xffa0}, /* empty letter */
    {0xffe0, 0xffff}, /* wide signs, what stands for an error */
    {0xe0000, 0xe0fff}, /* tags, which nobody sees */
};

bool
international_octet(char octet)
{
	return (unsigned char)octet > 0x7f;
}

static bool
is_unsafe(uint32_t point)
{
	for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
		if (point >= unsafe[i].first && point <= unsafe[i].last)
			return true;
	/* The last two of each plane are no characters. */
	return (point & 0xfffe) == 0xfffe;
}

size_t
international_char(const char *text, size_t len)
{
	uint32_t point = 0;
	size_t octets =
	    len > 0 ? utf8_decode((const unsigned char *)text, len, &point) : 0;

	return octets > 1 && !is_unsafe(point) ? octets : 0;
}

bool
international_is_ascii(const char *text)
{
	while (*text != '\0' && !international_octet(*text))
		text++;
	return *text == '\0';
}

bool
international_is_sound(const char *text)
{
	while (*text != '\0') {
		size_t octets = international_octet(*text)
				    ? international_char(text, strlen(text))
				    : 1;
		if (octets == 0)
			return false;
		text += octets;
	}
	return true;
}
