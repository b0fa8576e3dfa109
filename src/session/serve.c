/* SPDX-License-Identifier: ISC */
#include "session/serve.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/deadline.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/transcript.h"
#include "config/config.h"
#include "deliver/delivery.h"
#include "ledger/ledger.h"
#include "net/stream.h"
#include "protocol/limits.h"
#include "serve_private.h"
#include "session/destinations.h"
#include "session/soft_bounce.h"
#include "session/tally.h"

enum {
	/* A message under way is finished within this after a SIGTERM, and
	 * what is to be told then is written within it. */
	GRACE_TEXT = 10 * 1000,
	/* An answer that the delivery owes is waited for so long after it. */
	GRACE_ANSWER = 60 * 1000,
	/* Deliveries have time limits of their own, all of them below: a
	 * `timeout` of a day gives three days to the end of a text. */
	DELIVERY_MAX = 7 * 24 * 3600 * 1000,
	/* After session_timeout a message goes on at this rate or not at all */
	SLOW_WINDOW = 60 * 1000,
	SLOW_OCTETS = 1024,
	/* What comes behind a lone LF belongs to its command if it comes within
	 * this: a segment that was lost is sent again by then. */
	LF_QUIET = 1000,
	/* For the provider to read our 221. */
	FINISH_TIME = 3000,
};

static const struct config_delivery *
delivery_of(const struct serve *s, size_t rcpt)
{
	return destinations_find(s->options->destinations,
	    receiver_envelope(s->receiver)->rcpt[rcpt]);
}

/* soft_bounce: the provider keeps the mail. */
static void
soften(const struct serve *s, const struct config_delivery *delivery,
    struct status *status)
{
	if (soft_bounce_is_on(s->options->soft_bounce, delivery))
		status_soften(status);
}

/* The limit of size is that of all deliveries together. */
static void
soften_size(const struct serve *s)
{
	receiver_soften_size(
	    s->receiver, soft_bounce_is_on_anywhere(s->options->soft_bounce));
}

/*
 * Recipients
 */

static bool
names_domain(const struct config_texts *domains, const char *domain)
{
	for (size_t i = 0; i < domains->count; i++)
		if (strcasecmp(domains->items[i], domain) == 0)
			return true;
	return false;
}

/* The relay guard: only domains that the account accepts. */
static bool
accepts(const struct serve *s, const struct path *rcpt, struct status *status)
{
	const struct config *config = s->options->config;
	const char *domain = path_domain(rcpt);

	if (names_domain(&s->options->account->accept, domain))
		return true;
	for (size_t i = 0; i < config->accounts_count; i++) {
		if (!names_domain(&config->accounts[i].accept, domain))
			continue;
		status_set(status, 450, "4.7.1",
		    "This domain is fetched in a session of its own");
		status->cause = CAUSE_OTHER_ACCOUNT;
		return false;
	}
	status_set(status, 550, "5.7.1", "This domain is not accepted here");
	status->cause = CAUSE_DOMAIN;
	return false;
}

/* The last word on a recipient at RCPT. */
static void
tell_rcpt(struct serve *s, size_t rcpt, const struct status *status)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);

	if (status_class(status) != 2) {
		tally_told(s->options->tally, envelope, rcpt, status);
		serve_log_refusal(s, envelope, rcpt, status);
	}
	receiver_answer(s->receiver, rcpt, status);
}

static void
on_mail(struct serve *s)
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

/* The delivery was down before the call, or went away since: it is not tried
 * again in this session, or all other mail would wait behind its own. */
static bool
is_down(const struct serve *s, const struct config_delivery *delivery,
    struct status *status)
{
	if (delivery == NULL ||
	    destinations_is_there(s->options->destinations, delivery))
		return false;
	status_set(status, 451, "4.4.2", "Local delivery unavailable");
	status->cause = CAUSE_DELIVERY;
	return true;
}

/* What is said without asking the delivery, or that it is to be asked. */
static enum ledger_admission
admit(struct serve *s, size_t rcpt, struct status *status)
{
	const struct path *path = receiver_envelope(s->receiver)->rcpt[rcpt];
	const struct config_delivery *delivery = delivery_of(s, rcpt);

	if (!accepts(s, path, status)) {
		soften(s, NULL, status);
		return LEDGER_SAID;
	}
	if (is_down(s, delivery, status))
		return LEDGER_SAID;
	if (tally_is_stuck(
		s->options->tally, receiver_envelope(s->receiver), rcpt)) {
		status_set(status, 451, "4.3.0",
		    "Accepted before the connection broke; please send other"
		    " messages first");
		status->cause = CAUSE_CONNECTION;
		return LEDGER_SAID;
	}
	bool writes = delivery != NULL && config_kinds[delivery->kind].writes;
	struct ledger_target target = {
	    .unsynced = writes && !delivery->sync, .caseless = writes};
	return ledger_rcpt(s->options->ledger, rcpt, path, &target, status);
}

static void
on_rcpt(struct serve *s, size_t rcpt)
{
	struct status status;

	if (rcpt >= s->replies_size) {
		s->replies_size = s->replies_size > 0 ? 2 * s->replies_size : 8;
		s->replies = xreallocarray(
		    s->replies, s->replies_size, sizeof *s->replies);
	}
	s->replies[rcpt] = (struct status){.code = 0};
	switch (admit(s, rcpt, &status)) {
	case LEDGER_ASK:
		s->delivery->ops->rcpt(s->delivery, rcpt);
		s->asked++;
		break;
	case LEDGER_SAID:
		tell_rcpt(s, rcpt, &status);
		break;
	case LEDGER_SAME: /* with the answer to the other */
		break;
	}
}

/* The delivery's answers to a group of recipients. */
static void
answer_rcpts(struct serve *s)
{
	struct deadline deadline = deadline_in(DELIVERY_MAX, GRACE_TEXT);
	struct status status;
	size_t rcpt, same;

	s->delivery->ops->send(s->delivery, receiver_text_waits(s->receiver));
	while (
	    s->delivery->ops->answer(s->delivery, &rcpt, &status, &deadline)) {
		assert(s->replies != NULL && s->asked > 0);
		s->asked--;
		s->replies[rcpt] = status;
		s->taken += status_class(&status) == 2;
		soften(s, delivery_of(s, rcpt), &status);
		ledger_rcpt_answer(s->options->ledger, rcpt, &status);
		tell_rcpt(s, rcpt, &status);
		while (ledger_rcpt_same(s->options->ledger, rcpt, &same)) {
			s->replies[same] = s->replies[rcpt];
			tell_rcpt(s, same, &status);
		}
	}
	assert(s->asked == 0);
}

/*
 * The text
 */

/* What the delivery has nothing to do with any more leaves no trace there. */
static void
drop(struct serve *s)
{
	if (s->begun)
		s->delivery->ops->abort(s->delivery);
	s->begun = false;
}

static void
on_abort(struct serve *s, const struct status *refusal)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);

	drop(s);
	/* Another try would be told the same, after another download. */
	if (refusal != NULL && status_class(refusal) == 4)
		ledger_defer(s->options->ledger, refusal);
	else
		ledger_abort(s->options->ledger);
	if (refusal != NULL && strcmp(refusal->enhanced, "4.4.6") == 0)
		serve_log_loop(s);
	for (size_t i = 0; refusal != NULL && i < envelope->rcpts; i++) {
		if (!receiver_accepted(s->receiver, i))
			continue;
		tally_told(s->options->tally, envelope, i, refusal);
		serve_log_refusal(s, envelope, i, refusal);
	}
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

/* The last step and its outcomes, unless the ledger knows them already. */
static void
hand_over(struct serve *s)
{
	struct delivery *delivery = s->delivery;
	struct deadline deadline = deadline_in(DELIVERY_MAX, GRACE_ANSWER);
	struct status status;
	size_t rcpt;
	bool ready = s->taken > 0 && delivery->ops->ready(delivery, &deadline);

	if (ledger_judge(s->options->ledger) == LEDGER_ABORT || s->taken == 0) {
		drop(s);
		return;
	}
	if (ready)
		delivery->ops->finish(delivery, &deadline);
	while (delivery->ops->result(delivery, &rcpt, &status, &deadline)) {
		s->replies[rcpt] = status;
		soften(s, delivery_of(s, rcpt), &status);
		ledger_outcome(s->options->ledger, rcpt, &status);
	}
	s->begun = false;
	rcpt = receiver_envelope(s->receiver)->rcpts;
	while (rcpt-- > 0) {
		s->replies[rcpt] =
		    s->replies[ledger_asked_as(s->options->ledger, rcpt)];
		if (status_class(&s->replies[rcpt]) == 2)
			soft_bounce_accepted(
			    s->options->soft_bounce, delivery_of(s, rcpt));
	}
	soften_size(s);
}

/* Tells what became of each recipient: tally, log, and then the provider, with
 * whose last answer the transaction is over. */
static void
tell_text(struct serve *s, const struct status *told, bool again)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);
	struct tally *tally = s->options->tally;
	size_t rcpts = envelope->rcpts, taken = 0;

	for (size_t i = 0; i < rcpts; i++) {
		if (told[i].code == 0)
			continue;
		tally_told(tally, envelope, i, &told[i]);
		if (again)
			tally_told_again(tally, envelope, i);
		taken += status_class(&told[i]) == 2;
		if (status_class(&told[i]) != 2)
			serve_log_refusal(s, envelope, i, &told[i]);
	}
	if (taken > 0) {
		tally->messages++;
		tally->bytes += s->octets;
	}
	for (size_t i = 0; taken > 0 && i < rcpts;)
		i = status_class(&told[i]) == 2
			? serve_log_message(s, envelope, told, i)
			: i + 1;
	for (size_t i = 0; i < rcpts; i++)
		if (told[i].code != 0)
			receiver_answer(s->receiver, i, &told[i]);
}

static void
tell_progress(const struct serve *s)
{
	if (s->options->progress != NULL)
		s->options->progress(s->options->progress_context);
}

static void
answer_text(struct serve *s)
{
	size_t rcpts = receiver_envelope(s->receiver)->rcpts, rcpt;
	struct status *told = xcalloc(rcpts, sizeof *told), status;

	uint64_t before = ledger_progress(s->options->ledger);

	s->done = false;
	hand_over(s);
	while (ledger_reply(s->options->ledger, &rcpt, &status))
		told[rcpt] = status;
	tell_text(s, told, ledger_progress(s->options->ledger) == before);
	free(told);
	serve_log_ledger_notes(s);
	tell_progress(s);
}

/*
 * The loop
 */

static void
act(struct serve *s, const struct receiver_event *event)
{
	switch (event->type) {
	case RECEIVER_MAIL:
		on_mail(s);
		break;
	case RECEIVER_RCPT:
		on_rcpt(s, event->rcpt);
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
		on_abort(s, event->refusal);
		break;
	case RECEIVER_CLOSE:
		s->closed = true;
		s->result->end = event->end;
		break;
	}
}

static void
answer(struct serve *s)
{
	if (s->done)
		answer_text(s);
	else
		answer_rcpts(s);
}

/* The session is to end: 421 to the next command. */
static void
end_with(struct serve *s, enum error_class class, const char *reason)
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
	struct error err;

	if (stop_requested())
		end_with(s, ERROR_STOPPED, "stopped by a signal");
	else if (s->result->mail_seen &&
		 !destinations_watch(s->options->destinations, &err))
		end_with(s, ERROR_LOCAL, err.text);
	else if (ledger_failed(s->options->ledger, &err))
		end_with(s, ERROR_LOCAL, err.text);
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
		act(s, &event);
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
write_output(struct serve *s)
{
	struct deadline deadline = deadline_in(
	    s->options->account->provider_timeout, grace_from_now(GRACE_TEXT));
	struct error err;
	size_t len;
	const char *output = receiver_output(s->receiver, &len);

	transcript_flush(s->options->transcript);
	if (len == 0)
		return;
	/* Asked before it is written: a fast provider answers at once. */
	bool waited_for = receiver_awaits_proof(s->receiver) &&
			  !stream_pending(s->options->stream);
	if (!stream_write(s->options->stream, output, len, &deadline, &err)) {
		lose(s, &err);
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
	s->deadline.grace = in_text ? GRACE_TEXT : 0;
	if (now < over)
		return s->deadline;
	if (!in_text) {
		end_with(s, ERROR_AGAIN, "session_timeout is over");
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
	    .grace = GRACE_TEXT,
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
		end_with(s, ERROR_STOPPED, "stopped by a signal");
	else
		end_with(s, ERROR_AGAIN,
		    over ? "session_timeout is over"
			 : "the provider said nothing for too long");
	receiver_hang_up(s->receiver);
}

static void
read_input(struct serve *s)
{
	struct deadline deadline = read_deadline(s), wait = deadline;
	struct error err = {.class = ERROR_NONE};
	size_t room;
	bool hangs = receiver_line_hangs(s->receiver);
	if (hangs)
		wait = deadline_min(wait, deadline_in(LF_QUIET, wait.grace));
	char *to = receiver_room(s->receiver, &room);
	ssize_t n = stream_read(s->options->stream, to, room, &wait, &err);

	if (n > 0) {
		ledger_arrived(s->options->ledger);
		receiver_filled(s->receiver, (size_t)n);
		tell_progress(s);
	} else if (n == 0) {
		error_set(&err, ERROR_AGAIN, "closed without QUIT");
		lose(s, &err);
	} else if (err.class == ERROR_STOPPED ||
		   deadline_left(&deadline) == 0) {
		hang_up(s, &err);
	} else if (hangs && deadline_left(&wait) == 0) {
		receiver_line_over(s->receiver);
	} else {
		lose(s, &err);
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

static void
serve_loop(struct serve *s)
{
	struct receiver_event event;

	while (!s->closed) {
		while (receiver_next(s->receiver, &event))
			act(s, &event);
		bool wanted = receiver_wants_answers(s->receiver);
		if (wanted)
			answer(s);
		/* Before the next message, which may be there already. */
		look_around(s);
		if (wanted)
			continue;
		size_t waiting;
		(void)receiver_output(s->receiver, &waiting);
		write_output(s);
		/* A full output had held the engine back. */
		if (!s->closed && waiting < LIMIT_OUTPUT)
			read_input(s);
	}
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
	    .newline = options->config->bare_newline,
	    .postmaster_domain = options->account->accept.items[0],
	    .transcript = options->transcript,
	};

	*result = (struct serve_result){.end = RECEIVER_OPEN};
	s.receiver = receiver_new(&receiver_options);
	soften_size(&s);
	ledger_connection_begin(options->ledger);
	tally_connection_begin(options->tally);
	take_early(&s);
	serve_loop(&s);
	struct deadline finish =
	    deadline_in(FINISH_TIME, grace_from_now(FINISH_TIME));
	stream_finish(options->stream, &finish);
	transcript_flush(options->transcript);
	receiver_free(s.receiver);
	free(s.replies);
}
