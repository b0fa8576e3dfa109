/* SPDX-License-Identifier: ISC */
#include "serve_private.h"

#include "base/clock.h"
#include "base/decimal.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "deliver/delivery.h"
#include "ledger/ledger.h"
#include "net/tls.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/receiver.h"
#include "protocol/trace.h"
#include "session/tally.h"

static void
give(struct serve *s, const char *text, size_t len)
{
	if (s->taken > 0 && len > 0)
		s->delivery->ops->body(s->delivery, text, len);
}

const char *
serve_id(const struct serve *s, char *out)
{
	char number[DECIMAL_SIZE];

	text_join(out, SERVE_ID_SIZE,
	    TEXTS(s->options->session_id, "-",
		decimal_write(number, s->options->tally->transactions)));
	return out;
}

/* The only accepted recipient, or NULL (RFC 5321 4.4: no Bcc is given away). */
static const char *
only_rcpt(const struct serve *s)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);
	const char *only = NULL;

	for (size_t i = 0; i < envelope->rcpts; i++) {
		if (!receiver_accepted(s->receiver, i))
			continue;
		if (only != NULL)
			return NULL;
		only = envelope->rcpt[i]->path.mailbox;
	}
	return only;
}

/* The date of the Received field, made once for all messages of a second. */
static const char *
date_now(struct serve *s)
{
	int64_t now = clock_unix_ms(), second = now / 1000;

	if (s->date[0] == '\0' || second != s->date_second)
		timestamp_format_mail(s->date, now);
	s->date_second = second;
	return s->date;
}

void
serve_text_begin(struct serve *s)
{
	char field[TRACE_FIELD_MAX], id[SERVE_ID_SIZE];

	struct trace_field trace = {
	    .peer_name = receiver_peer_name(s->receiver),
	    .peer_addr = s->options->peer_addr,
	    .hostname = s->options->hostname,
	    .cipher = tls_cipher(s->options->stream),
	    .id = serve_id(s, id),
	    .rcpt = only_rcpt(s),
	    .date = date_now(s),
	    .esmtp = receiver_is_esmtp(s->receiver),
	    .smtputf8 = receiver_envelope(s->receiver)->smtputf8,
	};
	s->first_line = (struct first_line){.len = 0};
	size_t len = trace_format(&trace, field);
	give(s, field, len);
}

/* The first line waits until it is known whether it belongs to a header. */
static void
give_text(struct serve *s, const char *text, size_t len)
{
	struct first_line *first = &s->first_line;
	size_t used = 0;

	if (first->kind == FIRST_LINE_OPEN) {
		used = first_line_text(first, text, len);
		if (first->kind == FIRST_LINE_OPEN)
			return;
		if (first->kind == FIRST_LINE_OTHER)
			give(s, "\r\n", 2);
		give(s, first->held, first->len);
	}
	give(s, text + used, len - used);
}

void
serve_text_body(struct serve *s, const char *text, size_t len)
{
	s->octets += len;
	give_text(s, text, len);
	if (s->first_line.kind != FIRST_LINE_OTHER)
		message_id_text(&s->message_id, text, len);
	/* As it came: the empty line before it is ours, as the field is. */
	ledger_text(s->options->ledger, text, len);
}
