/*
 * status - one answer of SMTP: code, enhanced status code, text.
 *
 * Plain data that deliveries give, the receiver sends and the log shows. The
 * text is printable ASCII on one line (RFC 5321 4.2), whatever a peer sent.
 */
#ifndef ODMR_PROTOCOL_STATUS_H
#define ODMR_PROTOCOL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cause.h"

enum {
	/* A reply line has 512 octets (RFC 5321 4.5.3.1.5), code and CRLF in. */
	STATUS_TEXT_MAX = 480,
	STATUS_ENHANCED_MAX = 12, /* "5.123.123" (RFC 3463 2) and a NUL */
	STATUS_LINE_MAX = 512, /* what status_format() needs at most */
};

struct status {
	int code; /* 200 to 599; 0: no answer yet */
	char enhanced[STATUS_ENHANCED_MAX]; /* "" where there is none */
	char text[STATUS_TEXT_MAX + 1];
	/* For the log, never on the wire: why the agent itself said so, and
	 * until when it will (Unix seconds; 0: no time). */
	enum cause cause;
	int64_t until;
};

/* Without a cause. enhanced may be ""; the text is cut, and each odd octet becomes
 * '?'. Both may be the status' own. */
void status_set(struct status *status, int code, const char *enhanced,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same of a text that is no format. */
void status_set_text(
    struct status *status, int code, const char *enhanced, const char *text);
/* More of the text behind what is there. */
void status_add_text(struct status *status, const char *text);
/* 2, 3, 4 or 5; 0 for no answer yet. */
int status_class(const struct status *status);
/* A 5xx becomes 450, with what it was in its text and CAUSE_SOFT_BOUNCE; others
 * stay. */
void status_soften(struct status *status);
/* "250 2.0.0 ok" into out, without CRLF; returns out. */
char *status_format(const struct status *status, char *out, size_t size);
/*
 * Many outcomes to one reply, for a peer without PRDR: the first 4xx if there
 * is any, else the first 5xx, else the first 2xx.
 */
const struct status *status_reduce(const struct status *each, size_t count);
/*
 * The last reply of PRDR: 250 if any is 2xx, else 4xx if any is, else 5xx
 * (draft-hall-prdr: it overrides the single ones at the client).
 */
const struct status *status_overall(const struct status *each, size_t count);

#endif
