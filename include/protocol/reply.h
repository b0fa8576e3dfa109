/*
 * reply - the replies of an SMTP or LMTP server, parsed as they arrive.
 *
 * RFC 5321 4.2: several lines with one code, ended by CRLF, or by LF alone as
 * some servers do it; a CR alone ends nothing. RFC 2034: an enhanced status
 * code of the same class in front of the text. For the client sides:
 * protocol/customer and protocol/sender. Whatever the peer sends, the memory
 * used has a maximum.
 */
#ifndef ODMR_PROTOCOL_REPLY_H
#define ODMR_PROTOCOL_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "protocol/status.h"

struct secret;
struct transcript;

enum {
	/* RFC 5321 4.5.3.1.5 says 512 octets, its end included; some say more. */
	REPLY_LINE_MAX = 4096,
	/* A line of an AUTH exchange (RFC 4954 4), CRLF included. */
	REPLY_AUTH_LINE_MAX = 12288,
	REPLY_LINES_MAX = 256, /* EHLO has some twenty */
	/* As many octets as that many lines of the RFC's length have. */
	REPLY_MAX = REPLY_LINES_MAX * 512,
	REPLY_WHY_MAX = 160, /* a clause and the begin of the line at fault */
};

enum reply_result {
	REPLY_MORE, /* everything was taken, the reply goes on */
	REPLY_DONE, /* a reply is whole; what follows was not taken */
	REPLY_BROKEN, /* not a reply; the connection cannot be used further */
};

struct reply {
	/*
	 * Of the last whole reply: its code, its enhanced code ("" if it has
	 * none, or one of another class), and the texts of its lines, joined
	 * by a blank, without the enhanced codes.
	 */
	struct status status;
	size_t lines; /* of the last whole reply */
	/* After REPLY_BROKEN: "a line without a reply code: SSH-2.0-..." */
	char why[REPLY_WHY_MAX];
	/* Octets of a line with its CRLF; may be changed between replies. */
	size_t line_max;

	/* The parser's own. */
	size_t count; /* lines so far */
	struct buf texts; /* theirs, a NUL behind each */
	struct buf line; /* the line that has not ended yet */
	int code; /* of the lines so far, 0 before the first */
	bool done; /* the next octet begins a new reply */
	bool broken;
	const char *clause; /* of why */
};

/* line_max is REPLY_LINE_MAX. */
void reply_init(struct reply *reply);
void reply_clear(struct reply *reply);

/*
 * Takes octets up to the end of a reply; *used gets how many. After REPLY_DONE
 * the next call begins a new reply, and what the last one left goes away.
 * REPLY_BROKEN stays.
 */
enum reply_result reply_parse(
    struct reply *reply, const char *data, size_t len, size_t *used);
/*
 * What stands behind the code in a line of the last whole reply (EHLO
 * keywords, a challenge), index < reply->lines. A tab has become a blank,
 * other control characters '?'. Lives until the next reply_parse().
 */
const char *reply_line(const struct reply *reply, size_t index);
/* Overwrites what repeats the secret, in all that is shown of the reply. */
void reply_hide(struct reply *reply, const struct secret *secret);
/*
 * Adds the lines of the last whole reply, a challenge (334) as "***", or after
 * REPLY_BROKEN why.
 */
void reply_trace(const struct reply *reply, struct transcript *transcript);

#endif
