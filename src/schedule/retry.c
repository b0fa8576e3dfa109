/* SPDX-License-Identifier: ISC */
#include "schedule/retry.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

/* The schedule comes first long before; this only keeps the shift in range. */
enum { DOUBLINGS_MAX = 10 };

/* The longest hold of a class; 0: no hold. */
static int64_t longest_hold(enum error_class class)
{
	switch (class) {
	case ERROR_NONE:
	case ERROR_USAGE:
	case ERROR_CONFIG:
	case ERROR_SYSTEM:
	case ERROR_AGAIN:
	case ERROR_LOCAL:
	case ERROR_BUSY:
	case ERROR_STOPPED:
	case ERROR_SECRET: /* nothing was sent, and the cause is here */
	case ERROR_CERTIFICATE: /* a captive portal, or a clock at 1970 */
		return 0;
	case ERROR_INTERNAL: /* a session that crashes may do so each time */
		return HOUR;
	case ERROR_UNABLE:
	case ERROR_PROTOCOL:
	case ERROR_REFUSED:
		return 6 * (int64_t)HOUR;
	case ERROR_AUTH: /* wrong passwords in a row get customers locked */
		return RETRY_HOLD_MAX;
	}
	return 0;
}

int64_t
retry_hold(enum error_class class, unsigned in_a_row)
{
	unsigned doublings = in_a_row > 0 ? in_a_row - 1 : 0;
	int64_t longest = longest_hold(class);

	if (doublings > DOUBLINGS_MAX)
		doublings = DOUBLINGS_MAX;
	int64_t length = (int64_t)HOUR << doublings;
	return length < longest ? length : longest;
}

int64_t
retry_backoff(unsigned in_a_row, uint32_t random)
{
	unsigned doublings = in_a_row > 0 ? in_a_row - 1 : 0;

	if (doublings > DOUBLINGS_MAX)
		doublings = DOUBLINGS_MAX;
	int64_t base = (int64_t)MINUTE << doublings;
	return base / 2 + (int64_t)(((uint64_t)base * random) >> 32);
}
