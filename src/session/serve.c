/* SPDX-License-Identifier: ISC */
#include "session/serve.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "base/stop.h"
#include "base/transcript.h"
#include "config/config.h"
#include "deliver/delivery.h"
#include "ledger/ledger.h"
#include "net/stream.h"
#include "protocol/international.h"
#include "protocol/limits.h"
#include "serve_private.h"
#include "session/destinations.h"
#include "session/tally.h"

enum {
	/* After session_timeout a message goes on at this rate or not at all */
	SLOW_WINDOW = 60 * 1000,
	SLOW_OCTETS = 1024,
	/* What comes behind a lone LF belongs to its command if it comes within
	 * this: a segment that was lost is sent again by then. */
	LF_QUIET = 1000,
	/* For the provider to read our 221. */
	FINISH_TIME = 3000,
};

static void
on_mail_event(struct serve *s)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);

	s->result->mail_seen = true;
	s->options->tally->transactions++;
	s->octets = 0;
	s->since = clock_ms();
	s->message_id = (struct message_id){.len = 0};
	s->asked = s->taken = 0;
	ledger_mail(s->options->ledger, envelope->sender, envelope->size,
	    envelope->prdr);
	s->delivery->ops->begin(s->delivery, envelope);
	s->begun = true;
}

/* The receiver itself said no to a MAIL or RCPT. */
static void
on_refusal(struct serve *s, const struct receiver_event *event)
{
	const struct status *refusal = event->refusal;

	s->result->mail_seen = true;
	tally_refusal(s->options->tally, receiver_envelope(s->receiver),
	    event->text, event->len, refusal);
	serve_log_command(s, event->text, event->len, refusal);
}

/*
 * The loop
 */

static void
act_on(struct serve *s, const struct receiver_event *event)
{
	switch (event->type) {
	case RECEIVER_MAIL:
		on_mail_event(s);
		break;
	case RECEIVER_RCPT:
		serve_rcpt(s, event->rcpt);
		break;
	case RECEIVER_TEXT:
		serve_text_begin(s);
		break;
	case RECEIVER_BODY:
		serve_text_body(s, event->text, event->len);
		break;
	case RECEIVER_DONE:
		s->done = true;
		break;
	case RECEIVER_REFUSAL:
		on_refusal(s, event);
		break;
	case RECEIVER_ABORT:
		serve_outcome_abort(s, event->refusal);
		break;
	case RECEIVER_CLOSE:
		s->closed = true;
		s->result->end = event->end;
		break;
	}
}

static void
give_answers(struct serve *s)
{
	if (s->done)
		serve_outcome_answer(s);
	else
		serve_rcpt_answers(s);
}

/* The session is to end: 421 to the next command. */
static void
end_session_with(struct serve *s, enum error_class class, const char *reason)
{
	struct status status;

	if (s->result->error.class != ERROR_NONE)
		return;
	error_set(&s->result->error, class, "%s", reason);
	status_set(&status, 421, "4.3.2", "%s",
	    class == ERROR_LOCAL ? "Local delivery unavailable" : reason);
	receiver_stop(s->receiver, &status);
}

/* Reasons to begin nothing new. */
static void
look_around(struct serve *s)
{
	if (stop_requested())
		end_session_with(s, ERROR_STOPPED, "stopped by a signal");
	else if (s->result->mail_seen &&
		 !destinations_watch(s->options->destinations, &s->err))
		end_session_with(s, ERROR_LOCAL, s->err.text);
	else if (ledger_failed(s->options->ledger, &s->err))
		end_session_with(s, ERROR_LOCAL, s->err.text);
}

/* The line is of no use any more; nothing of an open transaction stays. It may
 * have been closed already: not every provider stays for our 221. */
static void
lose(struct serve *s, const struct error *err)
{
	bool inside = receiver_envelope(s->receiver) != NULL;
	struct receiver_event event;

	receiver_eof(s->receiver);
	while (receiver_next(s->receiver, &event))
		act_on(s, &event);
	assert(s->closed);
	if (inside && s->result->error.class == ERROR_NONE) {
		s->result->error = *err;
		error_prefix(&s->result->error,
		    "the connection was lost inside a message");
	}
}

/* A grace that begins now, where the stop request is older: what the delivery
 * answered in the last moment is passed on. */
static int64_t
grace_from_now(int64_t ms)
{
	return stop_requested() ? clock_ms() - stop_since() + ms : ms;
}

static void
write_replies(struct serve *s)
{
	struct deadline deadline =
	    deadline_in(s->options->account->provider_timeout,
		grace_from_now(SERVE_GRACE_TEXT));
	size_t len;
	const char *output = receiver_output(s->receiver, &len);

	transcript_flush(s->options->transcript);
	if (len == 0)
		return;
	/* Asked before it is written: a fast provider answers at once. */
	bool waited_for = receiver_awaits_proof(s->receiver) &&
			  !stream_pending(s->options->stream);
	if (!stream_write(
		s->options->stream, output, len, &deadline, &s->err)) {
		lose(s, &s->err);
		return;
	}
	receiver_written(s->receiver, len);
	if (waited_for)
		ledger_synchronised(s->options->ledger);
}

/* Before the first message the provider may have to search its queue. */
static bool
is_between(const struct serve *s)
{
	return s->result->mail_seen && !receiver_in_text(s->receiver);
}

/* Until when the provider may keep us waiting. It counts per command and per
 * piece of text, not per read. */
static struct deadline
read_deadline(struct serve *s)
{
	int64_t over = s->options->session_end, now = clock_ms();
	uint64_t progress = receiver_progress(s->receiver);
	bool in_text = receiver_in_text(s->receiver);

	if (progress != s->progress || s->deadline.at == 0)
		s->deadline = deadline_in(
		    is_between(s) ? s->options->silence
				  : s->options->account->provider_timeout,
		    0);
	s->progress = progress;
	s->deadline.grace = in_text ? SERVE_GRACE_TEXT : 0;
	if (now < over)
		return s->deadline;
	if (!in_text) {
		end_session_with(s, ERROR_AGAIN, "session_timeout is over");
		return s->deadline;
	}
	/* A message under way goes on at a decent rate, but not for ever. */
	if (s->window == 0 || progress - s->window_begin >= SLOW_OCTETS) {
		s->window = now + SLOW_WINDOW;
		s->window_begin = progress;
	}
	int64_t last = over + s->options->account->session_timeout;
	struct deadline window = {
	    .at = s->window < last ? s->window : last,
	    .grace = SERVE_GRACE_TEXT,
	};
	return deadline_min(s->deadline, window);
}

/* The provider was silent, or we are to stop: say so, and close. */
static void
hang_up(struct serve *s, const struct error *err)
{
	bool over = clock_ms() >= s->options->session_end;

	s->result->silent =
	    err->class != ERROR_STOPPED && !over && is_between(s);
	if (err->class == ERROR_STOPPED)
		end_session_with(s, ERROR_STOPPED, "stopped by a signal");
	else
		end_session_with(s, ERROR_AGAIN,
		    over ? "session_timeout is over"
			 : "the provider said nothing for too long");
	receiver_hang_up(s->receiver);
}

static void
read_commands(struct serve *s)
{
	struct deadline deadline = read_deadline(s), wait = deadline;
	size_t room;
	bool hangs = receiver_line_hangs(s->receiver);
	if (hangs)
		wait = deadline_min(wait, deadline_in(LF_QUIET, wait.grace));
	char *to = receiver_room(s->receiver, &room);
	ssize_t n = stream_read(s->options->stream, to, room, &wait, &s->err);

	if (n > 0) {
		ledger_arrived(s->options->ledger);
		receiver_filled(s->receiver, (size_t)n);
		serve_tell_progress(s);
	} else if (n == 0) {
		error_set(&s->err, ERROR_AGAIN, "closed without QUIT");
		lose(s, &s->err);
	} else if (s->err.class == ERROR_STOPPED ||
		   deadline_left(&deadline) == 0) {
		hang_up(s, &s->err);
	} else if (hangs && deadline_left(&wait) == 0) {
		receiver_line_over(s->receiver);
	} else {
		lose(s, &s->err);
	}
}

static void
take_early(struct serve *s)
{
	size_t left = s->options->early_len, room;

	while (left > 0) {
		char *to = receiver_room(s->receiver, &room);
		size_t n = left < room ? left : room;
		assert(n > 0);
		memcpy(to, s->options->early + s->options->early_len - left, n);
		receiver_filled(s->receiver, n);
		left -= n;
	}
}

/*
 * The octets of a BDAT come without a wait for the replies to what was said before
 * them (RFC 3030 2). Where they are here, those go out with the one to them: under
 * TLS commands and octets mostly are two records, which are read one by one.
 */
static bool
is_answered_later(const struct serve *s, size_t waiting)
{
	return waiting > 0 && waiting < LIMIT_OUTPUT &&
	       receiver_ends_chunk(s->receiver) &&
	       stream_pending(s->options->stream);
}

static void
serve_loop(struct serve *s)
{
	struct receiver_event event;

	while (!s->closed) {
		while (receiver_next(s->receiver, &event))
			act_on(s, &event);
		bool wanted = receiver_wants_answers(s->receiver);
		if (wanted)
			give_answers(s);
		/* Before the next message, which may be there already. */
		look_around(s);
		if (wanted)
			continue;
		size_t waiting;
		(void)receiver_output(s->receiver, &waiting);
		if (!is_answered_later(s, waiting))
			write_replies(s);
		/* A full output had held the engine back. */
		if (!s->closed && waiting < LIMIT_OUTPUT)
			read_commands(s);
	}
}

/* For a postmaster without a domain. One beyond ASCII, where there is another,
 * would be refused by a local server without SMTPUTF8, and bounce. */
static const char *
postmaster_domain(const struct config_account *account)
{
	const struct config_texts *accept = &account->accept;

	for (size_t i = 0; i < accept->count; i++)
		if (international_is_ascii(accept->items[i]))
			return accept->items[i];
	return accept->items[0];
}

void
serve_run(const struct serve_options *options, struct serve_result *result)
{
	struct serve s = {
	    .options = options,
	    .result = result,
	    .delivery = destinations_delivery(options->destinations),
	};
	struct receiver_options receiver_options = {
	    .hostname = options->hostname,
	    .size_max = options->size_max,
	    .dsn = delivery_takes_dsn(s.delivery),
	    .newline = options->config->bare_newline,
	    .postmaster_domain = postmaster_domain(options->account),
	    .transcript = options->transcript,
	};

	*result = (struct serve_result){.end = RECEIVER_OPEN};
	s.receiver = receiver_new(&receiver_options);
	serve_soften_size(&s);
	ledger_connection_begin(options->ledger);
	tally_connection_begin(options->tally);
	take_early(&s);
	delivery_pair(s.delivery, options->stream);
	serve_loop(&s);
	delivery_pair(s.delivery, NULL);
	struct deadline finish =
	    deadline_in(FINISH_TIME, grace_from_now(FINISH_TIME));
	stream_finish(options->stream, &finish);
	transcript_flush(options->transcript);
	receiver_free(s.receiver);
	free(s.replies);
}
