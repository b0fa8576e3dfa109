/* SPDX-License-Identifier: ISC */
#include "base/digest.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/mem.h"

void
digest_octets(unsigned char out[DIGEST_SIZE], const void *data, size_t len)
{
	if (EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) != 1)
		mem_exhausted();
}

uint64_t
digest_number(const void *data, size_t len)
{
	unsigned char octets[DIGEST_SIZE];
	uint64_t number = 0;

	digest_octets(octets, data, len);
	for (size_t i = 0; i < sizeof number; i++)
		number = number << 8 | octets[i];
	return number;
}

static const char hex_digits[] = "0123456789abcdef";

char *
digest_hex(char *out, const unsigned char *octets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		out[2 * i] = hex_digits[octets[i] >> 4];
		out[2 * i + 1] = hex_digits[octets[i] & 0xf];
	}
	out[2 * count] = '\0';
	return out;
}

char *
digest_random(char *out, size_t count)
{
	unsigned char octets[DIGEST_RANDOM_MAX];

	assert(count <= sizeof octets);
	if (getentropy(octets, count) != 0)
		memset(octets, 0, count);
	return digest_hex(out, octets, count);
}

bool
digest_hex_number(const char *text, size_t digits, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < digits; i++) {
		char c = text[i];
		uint64_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (uint64_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			digit = (uint64_t)(c - 'A') + 10;
		else
			return false;
		*number = *number << 4 | digit;
	}
	return true;
}

char *
digest_number_hex(char *out, uint64_t number, size_t digits)
{
	out[digits] = '\0';
	for (size_t i = digits; i > 0; i--, number >>= 4)
		out[i - 1] = hex_digits[number & 0xf];
	return out;
}
