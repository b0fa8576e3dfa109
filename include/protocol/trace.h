/*
 * trace - the Received field, ours and those that are there already.
 *
 * RFC 5321 4.4, the TLS clause of RFC 8314 4.3. Ours is known again by the
 * comment behind our name: five of them mean that mail goes in a circle.
 */
#ifndef ODMR_PROTOCOL_TRACE_H
#define ODMR_PROTOCOL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_field {
	const char *peer_name; /* of EHLO or HELO; made safe here */
	const char *peer_addr; /* numeric, "" where it is not known */
	const char *hostname; /* ours */
	const char *cipher; /* IANA name of the TLS suite; NULL: no TLS */
	const char *id; /* of the transaction */
	const char *rcpt; /* where there is one recipient, else NULL */
	const char *date; /* RFC 5322 3.3 */
	bool esmtp;
	bool smtputf8; /* MAIL had it; only then rcpt may be beyond ASCII */
};

/* More than the longest field: two names, an address, all folded. */
enum { TRACE_FIELD_MAX = 2048 };

/* Writes the field with CRLF to out (TRACE_FIELD_MAX octets); its length. */
size_t trace_format(const struct trace_field *field, char *out);

/* Counts Received fields in a text that comes in pieces. */
struct trace_count {
	unsigned received; /* all of them */
	unsigned own; /* those with our name and comment */
	/* the rest is internal */
	char ours[288]; /* "by NAME (odmr-agent)" */
	char line[16]; /* the beginning of the line, lower case */
	size_t line_len;
	size_t matched; /* octets of ours that the field's last octets match */
	bool in_received, found, in_body;
};

void trace_count_init(struct trace_count *count, const char *hostname);
/* text has CRLF line ends and may be cut anywhere. */
void trace_count_text(struct trace_count *count, const char *text, size_t len);

#endif
