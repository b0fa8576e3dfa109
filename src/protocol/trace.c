/* SPDX-License-Identifier: ISC */
#include "protocol/trace.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "protocol/limits.h"

/* RFC 5321 4.5.3.1.3; the clause with a longer one is left out, since nobody
 * reads it and no line may come near 998 octets (RFC 5322 2.1.1). */
enum { TRACE_FOR_MAX = 256 };

#define COMMENT "(odmr-agent)"

static const char received[] = "received:";

static char
lower_octet(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_name_char(char c)
{
	c = lower_octet(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._:[]", c) != NULL);
}

/* The name is the peer's word: nothing in it may end the field or a comment. */
static void
copy_name(char out[LIMIT_PEER_NAME + 1], const char *name)
{
	size_t len = 0;

	for (; name[len] != '\0' && len < LIMIT_PEER_NAME; len++)
		out[len] = is_name_char(name[len]) ? name[len] : '?';
	out[len] = '\0';
}

/* WITH of RFC 3848 and RFC 6531 4.3; never the forms with A, since it is we who
 * logged in. */
static const char *
with(const struct trace_field *field)
{
	if (!field->esmtp)
		return "SMTP";
	if (field->smtputf8)
		return field->cipher != NULL ? "UTF8SMTPS" : "UTF8SMTP";
	return field->cipher != NULL ? "ESMTPS" : "ESMTP";
}

size_t
trace_format(const struct trace_field *field, char *out)
{
	const char *peer_addr = field->peer_addr, *cipher = field->cipher;
	bool addr = peer_addr[0] != '\0';
	bool rcpt = field->rcpt != NULL && strlen(field->rcpt) <= TRACE_FOR_MAX;
	char name[LIMIT_PEER_NAME + 1];

	copy_name(name, field->peer_name);
	size_t len = text_join(out, TRACE_FIELD_MAX,
	    TEXTS("Received: from ", name, addr ? " ([" : "",
		strchr(peer_addr, ':') != NULL ? "IPv6:" : "", peer_addr,
		addr ? "])" : "", "\r\n\tby ", field->hostname, " ", COMMENT,
		" with ", with(field), " id ", field->id,
		rcpt ? "\r\n\tfor <" : "", rcpt ? field->rcpt : "",
		rcpt ? ">" : "", cipher != NULL ? "\r\n\ttls " : "",
		cipher != NULL ? cipher : "", ";\r\n\t", field->date, "\r\n"));
	assert(len < TRACE_FIELD_MAX - 1);
	return len;
}

void
trace_count_init(struct trace_count *count, const char *hostname)
{
	*count = (struct trace_count){.received = 0};
	text_join(count->ours, sizeof count->ours,
	    TEXTS("by ", hostname, " ", COMMENT));
	for (char *c = count->ours; *c != '\0'; c++)
		*c = lower_octet(*c);
}

/* Looks for our name in a Received field, whatever way it was folded. */
static void
match_own(struct trace_count *count, char c)
{
	char last = count->matched > 0 ? count->ours[count->matched - 1] : '\0';

	c = c == '\t' || c == '\r' || c == '\n' ? ' ' : lower_octet(c);
	if (c == ' ' && last == ' ')
		return; /* folding white space counts once */
	if (c != count->ours[count->matched])
		count->matched = 0;
	if (c == count->ours[count->matched])
		count->matched++;
	if (count->ours[count->matched] == '\0') {
		count->own += !count->found;
		count->found = true;
		count->matched = 0;
	}
}

/* The first octets of a line decide what it is. */
static void
begin_line(struct trace_count *count, char c)
{
	if (count->line_len == 0) {
		if (c == '\r') /* CRLF at once: the empty line */
			count->in_body = true;
		if (c != ' ' && c != '\t')
			count->in_received = false;
	}
	count->line[count->line_len++] = lower_octet(c);
	if (count->line_len == sizeof received - 1 &&
	    memcmp(count->line, received, count->line_len) == 0) {
		count->received++;
		count->in_received = true;
		count->found = false;
		count->matched = 0;
	}
}

void
trace_count_text(struct trace_count *count, const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	while (at < end && !count->in_body) {
		bool decided = count->line_len == sizeof received - 1;
		if (decided && !count->in_received) {
			at = memchr(at, '\n', (size_t)(end - at));
			if (at == NULL)
				return;
		} else if (!decided && *at != '\n') {
			begin_line(count, *at);
		}
		if (count->in_received)
			match_own(count, *at);
		if (*at == '\n')
			count->line_len = 0;
		at++;
	}
}
