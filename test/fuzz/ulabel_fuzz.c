/* SPDX-License-Identifier: ISC */
/*
 * A domain in ASCII becomes one in UTF-8. An encoder of its own (RFC 3492 6.3)
 * makes the A-labels anew: they must be those of the input, so that no two
 * domains look the same in UTF-8.
 */
#include "fuzz.h"

#include <strings.h>

#include "base/utf8.h"
#include "protocol/international.h"
#include "protocol/ulabel.h"

enum { LABEL = 4 * 63 + 1, CODE = 1024 };

/* Output of the encoder. */
struct code {
	char text[CODE];
	size_t len;
};

static void
put_octet(struct code *code, char octet)
{
	assert(code->len + 1 < CODE);
	code->text[code->len++] = octet;
	code->text[code->len] = '\0';
}

static void
put_number(struct code *code, uint64_t number, uint64_t bias)
{
	for (uint64_t k = 36;; k += 36) {
		uint64_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
		uint64_t digit =
		    number < t ? number : t + (number - t) % (36 - t);
		put_octet(
		    code, (char)(digit < 26 ? 'a' + digit : '0' + digit - 26));
		if (number < t)
			return;
		number = (number - t) / (36 - t);
	}
}

static uint64_t
next_bias(uint64_t delta, uint64_t count, bool first)
{
	uint64_t k = 0;

	delta /= first ? 700 : 2;
	for (delta += delta / count; delta > 455; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

/* The lowest character that is not below from. */
static uint64_t
lowest(const uint32_t *points, size_t count, uint64_t from)
{
	uint64_t found = UINT64_MAX;

	for (size_t i = 0; i < count; i++)
		if (points[i] >= from && points[i] < found)
			found = points[i];
	return found;
}

static void
encode(struct code *code, const uint32_t *points, size_t count)
{
	uint64_t next = 128, delta = 0, bias = 72;
	size_t basic = 0;

	code->len = 0;
	for (size_t i = 0; i < count; i++)
		if (points[i] < 128) {
			put_octet(code, (char)points[i]);
			basic++;
		}
	if (basic > 0)
		put_octet(code, '-');
	for (size_t done = basic; done < count; delta++, next++) {
		uint64_t point = lowest(points, count, next);
		delta += (point - next) * (done + 1);
		next = point;
		for (size_t i = 0; i < count; i++) {
			delta += points[i] < next;
			if (points[i] != next)
				continue;
			put_number(code, delta, bias);
			bias = next_bias(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
}

static size_t
decode_label(const char *text, size_t len, uint32_t points[LABEL])
{
	size_t count = 0;

	for (size_t at = 0; at < len; count++) {
		size_t octets = utf8_decode(
		    (const unsigned char *)text + at, len - at, &points[count]);
		assert(octets > 0 && count < LABEL);
		at += octets;
	}
	return count;
}

static void
check_label(const char *in, size_t in_len, const char *out, size_t out_len)
{
	uint32_t points[LABEL];
	struct code code;

	if (in_len <= 4 || in_len > 63 || strncasecmp(in, "xn--", 4) != 0) {
		assert(out_len == in_len && memcmp(in, out, in_len) == 0);
		return;
	}
	assert(out_len < LABEL);
	encode(&code, points, decode_label(out, out_len, points));
	assert(code.len == in_len - 4 && code.text[code.len - 1] != '-');
	assert(strncasecmp(code.text, in + 4, code.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char domain[1024], out[ULABEL_DOMAIN_MAX + 1];

	if (size >= sizeof domain || memchr(data, '\0', size) != NULL)
		return 0;
	memcpy(domain, data, size);
	domain[size] = '\0';
	if (!ulabel_domain(domain, out))
		return 0;
	assert(size <= ADDRESS_DOMAIN_MAX && strlen(out) <= ULABEL_DOMAIN_MAX);
	assert(!international_is_ascii(out) && international_is_sound(out));
	const char *in = domain, *at = out;
	for (;;) {
		size_t in_len = strcspn(in, "."), out_len = strcspn(at, ".");
		check_label(in, in_len, at, out_len);
		assert(in[in_len] == at[out_len]);
		if (in[in_len] == '\0')
			return 0;
		in += in_len + 1;
		at += out_len + 1;
	}
}
