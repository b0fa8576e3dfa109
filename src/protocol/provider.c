/* SPDX-License-Identifier: ISC */
#include "protocol/provider.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/transcript.h"
#include "provider_private.h"

/*
 * Output and events
 */

void
provider_say(struct provider *p, const char *line)
{
	transcript_line(p->options.transcript, '>', line, strlen(line));
	bool fits = buf_printf(&p->output, "%s\r\n", line);
	assert(fits);
}

void
provider_reply(
    struct provider *p, int code, const char *enhanced, const char *format, ...)
{
	char text[STATUS_TEXT_MAX + 1], line[STATUS_LINE_MAX];
	struct status status;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	status_set(&status, code, enhanced, "%s", text);
	provider_say(p, status_format(&status, line, sizeof line));
}

struct provider_event *
provider_emit(struct provider *p, enum provider_event_type type)
{
	assert(p->event_count < EVENTS_MAX);
	struct provider_event *event = &p->events[p->event_count++];
	*event = (struct provider_event){.type = type};
	return event;
}

void
provider_close_down(
    struct provider *p, enum provider_end end, const char *reason)
{
	if (p->state == STATE_HELD)
		provider_emit(p, PROVIDER_VOID);
	p->state = STATE_CLOSED;
	p->end = end;
	p->reason = reason;
}

void
provider_break_off(struct provider *p, const char *reason)
{
	provider_reply(p, 421, "4.7.0", "%s: closing the connection", reason);
	provider_close_down(p, PROVIDER_BROKEN, reason);
}

/* What no customer says, or only a few times. */
void
provider_complain(
    struct provider *p, int code, const char *enhanced, const char *text)
{
	if (++p->errors >= PROVIDER_ERRORS_MAX)
		provider_break_off(p, "Too many commands that make no sense");
	else
		provider_reply(p, code, enhanced, "%s", text);
}

void
provider_count_idle(struct provider *p)
{
	if (++p->idle >= PROVIDER_IDLE_MAX)
		provider_break_off(p, "Too many commands that do nothing");
}

/*
 * Input
 */

struct provider *
provider_new(const struct provider_options *options)
{
	struct provider *p = xcalloc(1, sizeof *p);

	p->options = *options;
	p->secure = options->implicit_tls;
	buf_init(&p->output, OUTPUT_MAX);
	provider_reply(
	    p, 220, "", "%s ESMTP On-Demand Mail Relay", options->hostname);
	return p;
}

void
provider_free(struct provider *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p->response, sizeof p->response);
	explicit_bzero(p->in, sizeof p->in);
	buf_clear(&p->output);
	free(p);
}

char *
provider_room(struct provider *p, size_t *room)
{
	bool reads = p->state == STATE_COMMAND || p->state == STATE_RESPONSE ||
		     p->state == STATE_HELD;

	*room = reads ? sizeof p->in - p->in_len : 0;
	return *room > 0 ? p->in + p->in_len : NULL;
}

void
provider_filled(struct provider *p, size_t len)
{
	assert(len <= sizeof p->in - p->in_len);
	p->in_len += len;
}

void
provider_eof(struct provider *p)
{
	p->eof = true;
}

/* Takes the first len octets off the input, and leaves nothing of them. */
static void
consume(struct provider *p, size_t len)
{
	memmove(p->in, p->in + len, p->in_len - len);
	p->in_len -= len;
	explicit_bzero(p->in + p->in_len, len);
}

/* Runs the next line. false: it is not there yet, or must wait. */
static bool
provider_step(struct provider *p)
{
	char line[PROVIDER_LINE_MAX + 1];

	if (buf_len(&p->output) > OUTPUT_HELD)
		return false;
	const char *end = memchr(p->in, '\n', p->in_len);
	if (end == NULL) {
		if (p->in_len == sizeof p->in)
			provider_break_off(p, "A line is too long");
		return p->in_len == sizeof p->in;
	}
	size_t len = (size_t)(end - p->in);
	memcpy(line, p->in, len);
	consume(p, len + 1);
	if (len > 0 && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	if (memchr(line, '\0', len) != NULL || memchr(line, '\r', len) != NULL)
		provider_break_off(p, "NUL or a lone CR in a line");
	else if (p->state == STATE_RESPONSE)
		provider_run_response(p, line);
	else
		provider_run_command(p, line);
	explicit_bzero(line, sizeof line);
	return true;
}

static bool
next_line(struct provider *p)
{
	if (p->state == STATE_COMMAND || p->state == STATE_RESPONSE)
		return provider_step(p);
	if (p->state == STATE_HELD && p->in_len > 0) {
		provider_break_off(p, "Octets after ATRN, before its reply");
		return true;
	}
	return false;
}

bool
provider_next(struct provider *p, struct provider_event *event)
{
	do {
		if (p->event_next < p->event_count) {
			*event = p->events[p->event_next++];
			return true;
		}
		p->event_next = p->event_count = 0;
	} while (next_line(p) || p->event_count > 0);
	if (p->eof && p->state != STATE_CLOSED && p->state != STATE_TURNED) {
		provider_close_down(p, PROVIDER_EOF, NULL);
		if (p->event_count > 0)
			return provider_next(p, event);
	}
	if (p->state != STATE_CLOSED || p->close_told)
		return false;
	p->close_told = true;
	*event = (struct provider_event){
	    .type = PROVIDER_CLOSE, .end = p->end, .reason = p->reason};
	return true;
}

/*
 * Answers
 */

void
provider_tls_started(struct provider *p)
{
	assert(p->state == STATE_TLS);
	p->state = STATE_COMMAND;
	p->secure = true;
	p->greeted = false;
}

void
provider_challenge(struct provider *p, const void *octets, size_t len)
{
	char *encoded = xmalloc(BASE64_SIZE(len));

	assert(p->state == STATE_LOGIN && len <= PROVIDER_RESPONSE_MAX);
	base64_encode(encoded, octets, len);
	transcript_line(p->options.transcript, '>', "334 ***", 7);
	bool fits = buf_printf(&p->output, "334 %s\r\n", encoded);
	assert(fits);
	free(encoded);
	p->state = STATE_RESPONSE;
}

void
provider_logged_in(struct provider *p, enum provider_login login)
{
	assert(p->state == STATE_LOGIN);
	p->state = STATE_COMMAND;
	switch (login) {
	case PROVIDER_LOGIN_GOOD:
		p->logged_in = true;
		p->errors = p->idle = 0;
		provider_reply(p, 235, "2.7.0", "Logged in");
		break;
	case PROVIDER_LOGIN_BAD:
		provider_reply(p, 535, "5.7.8", "Wrong user or password");
		if (++p->tries == PROVIDER_TRIES_MAX)
			provider_close_down(p, PROVIDER_REFUSED, NULL);
		break;
	case PROVIDER_LOGIN_LATER:
		provider_complain(
		    p, 454, "4.7.0", "Logins cannot be checked now");
		break;
	case PROVIDER_LOGIN_UNABLE:
		provider_complain(
		    p, 504, "5.5.4", "This mechanism cannot be used");
		break;
	case PROVIDER_LOGIN_MALFORMED:
		provider_complain(
		    p, 501, "5.5.2", "This is no response to the challenge");
		break;
	}
}

void
provider_answer(struct provider *p, const struct status *status)
{
	char line[STATUS_LINE_MAX];

	assert(p->state == STATE_HELD);
	provider_say(p, status_format(status, line, sizeof line));
	p->state = status->code == 250 ? STATE_TURNED : STATE_COMMAND;
	/* Not his domain: each has a line in the log, which he must not fill. */
	if (status->code == 450 && ++p->errors >= PROVIDER_ERRORS_MAX)
		provider_break_off(
		    p, "Too many requests for domains of others");
}

void
provider_stop(struct provider *p, const struct status *status)
{
	char line[STATUS_LINE_MAX];

	if (p->state == STATE_CLOSED || p->state == STATE_TURNED)
		return;
	provider_say(p, status_format(status, line, sizeof line));
	/* The driver knows that it stopped what it was asked for. */
	p->event_next = p->event_count = 0;
	p->state = STATE_CLOSED;
	p->end = PROVIDER_STOPPED;
}

const char *
provider_output(struct provider *p, size_t *len)
{
	*len = buf_len(&p->output);
	return buf_data(&p->output);
}

void
provider_written(struct provider *p, size_t len)
{
	buf_consume(&p->output, len);
}

bool
provider_is_turned(const struct provider *p)
{
	return p->state == STATE_TURNED;
}
