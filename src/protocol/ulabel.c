/* SPDX-License-Identifier: ISC */
#include "protocol/ulabel.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "protocol/international.h"

/* RFC 3492 5 */
enum {
	BASE = 36,
	T_MIN = 1,
	T_MAX = 26,
	SKEW = 38,
	DAMP = 700,
	FIRST_BIAS = 72,
	FIRST_POINT = 0x80,
	LAST_POINT = 0x10ffff,
	LABEL_MAX = 63, /* RFC 1035 2.3.4 */
};

/* A label as characters. */
struct label {
	uint32_t points[LABEL_MAX];
	uint32_t count;
};

/* 26 to 35 are digits; BASE: none. */
static uint32_t
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 26;
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a');
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	return BASE;
}

/* RFC 3492 6.1 */
static uint32_t
adapt_bias(uint32_t delta, uint32_t count, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / count;
	for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
		delta /= BASE - T_MIN;
	return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static uint32_t
threshold(uint32_t k, uint32_t bias)
{
	if (k <= bias + T_MIN)
		return T_MIN;
	return k >= bias + T_MAX ? T_MAX : k - bias;
}

/* One number of variable length, added to *sum; NULL: there is none. */
static const char *
add_number(const char *at, const char *end, uint32_t bias, uint32_t *sum)
{
	uint64_t weight = 1, total = *sum;

	for (uint32_t k = BASE; at < end; k += BASE) {
		uint32_t digit = digit_value(*at++), t = threshold(k, bias);
		total += digit * weight;
		if (digit == BASE || total > UINT32_MAX)
			return NULL;
		*sum = (uint32_t)total;
		if (digit < t)
			return at;
		weight *= BASE - t;
		if (weight > UINT32_MAX)
			return NULL;
	}
	return NULL;
}

static void
insert_point(struct label *label, uint32_t at, uint32_t point)
{
	memmove(label->points + at + 1, label->points + at,
	    (label->count - at) * sizeof *label->points);
	label->points[at] = point;
	label->count++;
}

/* RFC 3492 6.2, of what follows "xn--". What no encoder writes is refused, or
 * two domains would look the same: a '-' with nothing before it or nothing
 * behind it. */
static bool
decode_punycode(struct label *label, const char *at, const char *end)
{
	uint32_t point = FIRST_POINT, bias = FIRST_BIAS, sum = 0;
	const char *basic_end = end;

	label->count = 0;
	while (basic_end > at && basic_end[-1] != '-')
		basic_end--;
	if (basic_end == at + 1 || basic_end == end)
		return false;
	for (; at + 1 < basic_end; at++)
		label->points[label->count++] = (unsigned char)*at;
	for (at = basic_end; at < end;) {
		uint32_t before = sum;
		if ((at = add_number(at, end, bias, &sum)) == NULL ||
		    label->count == LABEL_MAX)
			return false;
		uint32_t length = label->count + 1;
		bias = adapt_bias(sum - before, length, before == 0);
		if (sum / length > LAST_POINT - point)
			return false;
		point += sum / length;
		sum %= length;
		insert_point(label, sum++, point);
	}
	return true;
}

static char *
put_character(char *out, uint32_t point)
{
	static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	int octets = 1 + (point > 0x7f) + (point > 0x7ff) + (point > 0xffff);

	if (octets == 1) {
		*out = (char)point;
		return out + 1;
	}
	for (int i = octets - 1; i >= 0; i--, point >>= 6)
		out[i] = (char)(i > 0 ? 0x80 | (point & 0x3f)
				      : leads[octets] | point);
	return out + octets;
}

static bool
is_alabel(const char *label, size_t len)
{
	return len > 4 && len <= LABEL_MAX &&
	       strncasecmp(label, "xn--", 4) == 0;
}

/* Behind the label that is written; NULL: it cannot be. */
static char *
put_label(char *out, const char *text, size_t len)
{
	struct label label;

	if (!is_alabel(text, len)) {
		memcpy(out, text, len);
		return out + len;
	}
	if (!decode_punycode(&label, text + 4, text + len))
		return NULL;
	for (uint32_t i = 0; i < label.count; i++)
		out = put_character(out, label.points[i]);
	return out;
}

bool
ulabel_domain(const char *domain, char out[ULABEL_DOMAIN_MAX + 1])
{
	const char *begin = out;
	char *at = out;

	if (strlen(domain) > ADDRESS_DOMAIN_MAX ||
	    !international_is_ascii(domain))
		return false;
	for (;;) {
		size_t len = strcspn(domain, ".");
		at = put_label(at, domain, len);
		if (at == NULL)
			return false;
		domain += len;
		if (*domain == '\0')
			break;
		*at++ = *domain++;
	}
	*at = '\0';
	return !international_is_ascii(begin) && international_is_sound(begin);
}
