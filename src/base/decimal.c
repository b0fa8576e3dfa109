/* SPDX-License-Identifier: ISC */
#include "base/decimal.h"

size_t
decimal_digits(const char *text, size_t len, uint64_t *number)
{
	size_t i = 0;

	*number = 0;
	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (*number > (UINT64_MAX - digit) / 10)
			*number = UINT64_MAX;
		else
			*number = *number * 10 + digit;
	}
	return i;
}

bool
decimal_read(const char *text, uint64_t max, uint64_t *number)
{
	size_t digits = decimal_digits(text, SIZE_MAX, number);

	return digits > 0 && text[digits] == '\0' && *number <= max;
}

const char *
decimal_write(char *out, uint64_t number)
{
	char *at = &out[DECIMAL_SIZE - 1];

	*at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return at;
}
