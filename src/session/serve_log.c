/* SPDX-License-Identifier: ISC */
#include "serve_private.h"

#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "ledger/ledger.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/limits.h"
#include "protocol/status.h"
#include "session/destinations.h"
#include "session/tally.h"
#include "tell/log.h"

/*
 * Lines for each kind, deferrals and refusals, in one session. A mailbox that
 * is full or a wave of spam has its lines; a provider that goes on for two
 * hours wrote gigabytes.
 */
enum { LINES_MAX = 500 };

static enum tally_line
kind_of(const struct status *told)
{
	return status_class(told) == 4 ? TALLY_LINE_DEFERRED
				       : TALLY_LINE_REFUSED;
}

/* Whether this one still has a line; it is counted in any case. */
static bool
admit_line(const struct serve *s, const struct status *told)
{
	struct tally_lines *lines = &s->options->tally->lines[kind_of(told)];

	if (lines->logged == LINES_MAX) {
		lines->left_out++;
		return false;
	}
	lines->logged++;
	return true;
}

static void
begin_refusal(
    struct log_line *line, const struct serve *s, const struct status *told)
{
	log_begin(line, CONFIG_LOG_WARNING, s->options->account->name,
	    kind_of(told) == TALLY_LINE_DEFERRED ? "deferred" : "refused");
}

static void
log_connection(struct log_line *line, const struct serve *s)
{
	log_text(line, "provider", receiver_peer_name(s->receiver));
	log_text(line, "address", s->options->peer_addr);
}

/* Why the agent itself defers or refuses, and until when. */
static void
log_cause(struct log_line *line, const struct status *told)
{
	log_text(line, "cause", cause_name(told->cause));
	if (told->until > 0)
		log_time(line, "until", told->until);
}

static void
log_recipients(struct log_line *line, const struct serve *s,
    const struct envelope *envelope, size_t only, const struct status *told)
{
	char id[SERVE_ID_SIZE];
	const struct path *rcpt = &envelope->rcpt[only]->path;
	const struct config_delivery *delivery =
	    destinations_find(s->options->destinations, rcpt);

	if (delivery != NULL)
		log_text(line, "delivery", delivery->name);
	log_reply(line, "reply", &s->replies[only]);
	log_reply(line, "answer", told);
	log_cause(line, told);
	log_ms(line, "seconds", clock_ms() - s->since);
	log_text(line, "id", serve_id(s, id));
	log_text(line, "message-id", s->message_id.value);
	log_connection(line, s);
}

/* "<a@b>" of an envelope's path into a log line. */
static void
log_path(struct log_line *line, const char *key, const struct path *path)
{
	char text[ADDRESS_MAX + 3];

	snprintf(text, sizeof text, "<%s>", path->mailbox);
	log_text(line, key, text);
}

void
serve_log_refusal(const struct serve *s, const struct envelope *envelope,
    size_t rcpt, const struct status *told)
{
	struct log_line line;

	if (!admit_line(s, told))
		return;
	begin_refusal(&line, s, told);
	log_path(&line, "from", envelope->sender);
	log_path(&line, "to", &envelope->rcpt[rcpt]->path);
	if (s->octets > 0)
		log_number(&line, "size", s->octets);
	log_recipients(&line, s, envelope, rcpt, told);
	log_end(&line);
}

void
serve_log_command(const struct serve *s, const char *text, size_t len,
    const struct status *told)
{
	struct log_line line;
	char command[ADDRESS_MAX + 32];

	if (!admit_line(s, told))
		return;
	snprintf(command, sizeof command, "%.*s", (int)len, text);
	begin_refusal(&line, s, told);
	log_text(&line, "command", command);
	log_reply(&line, "answer", told);
	log_cause(&line, told);
	log_connection(&line, s);
	log_end(&line);
}

void
serve_log_loop(const struct serve *s)
{
	/* Its recipients have a line each; with theirs ends this one. */
	if (s->options->tally->lines[TALLY_LINE_DEFERRED].logged < LINES_MAX)
		log_say(CONFIG_LOG_ERROR, s->options->account->name, "loop",
		    "a message has come through here %d times: the local mail"
		    " server sends mail for this domain back to the provider;"
		    " make the domain local there",
		    LIMIT_RECEIVED_OWN);
}

void
serve_log_left_out(const struct tally *tally, const char *account)
{
	struct log_line line;
	uint64_t deferred = tally->lines[TALLY_LINE_DEFERRED].left_out;
	uint64_t refused = tally->lines[TALLY_LINE_REFUSED].left_out;

	if (deferred + refused == 0)
		return;
	log_begin(&line, CONFIG_LOG_WARNING, account, "left-out");
	log_sentence(&line,
	    "after %d deferrals or %d refusals of one session the others are"
	    " only counted",
	    LINES_MAX, LINES_MAX);
	log_number(&line, "deferred", deferred);
	log_number(&line, "refused", refused);
	log_end(&line);
}

static bool
is_same_reply(const struct status *a, const struct status *b)
{
	return a->code == b->code && strcmp(a->text, b->text) == 0;
}

size_t
serve_log_message(const struct serve *s, const struct envelope *envelope,
    const struct status *told, size_t first)
{
	struct log_line line;
	size_t len = 0, i;

	if (!log_is_on(CONFIG_LOG_INFO))
		return envelope->rcpts;
	char to[ADDRESS_MAX + sizeof ",<>"]; /* one at least */

	for (i = first; i < envelope->rcpts; i++) {
		const char *mailbox = envelope->rcpt[i]->path.mailbox;
		if (status_class(&told[i]) != 2)
			continue;
		if (len + strlen(mailbox) + sizeof ",<>" > sizeof to ||
		    !is_same_reply(&s->replies[i], &s->replies[first]))
			break;
		len += (size_t)snprintf(to + len, sizeof to - len, "%s<%s>",
		    len > 0 ? "," : "", mailbox);
	}
	log_begin(&line, CONFIG_LOG_INFO, s->options->account->name, "message");
	log_path(&line, "from", envelope->sender);
	log_text(&line, "to", to);
	log_number(&line, "size", s->octets);
	log_recipients(&line, s, envelope, first, &told[first]);
	log_end(&line);
	return i;
}

void
serve_log_ledger_notes(const struct serve *s)
{
	const char *note;
	bool error;

	while ((note = ledger_note(s->options->ledger, &error)) != NULL)
		log_say(error ? CONFIG_LOG_ERROR : CONFIG_LOG_WARNING,
		    s->options->account->name, "ledger", "%s", note);
}
