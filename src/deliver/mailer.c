/* SPDX-License-Identifier: ISC */
#include "deliver/mailer.h"

#include <stdlib.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/transcript.h"
#include "deliver/collect.h"
#include "deliver/delivery.h"
#include "deliver/rcpts.h"
#include "net/local.h"
#include "net/stream.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/sender.h"
#include "protocol/status.h"

enum {
	/* What a stop request leaves to a message that is under way, and to
	 * the answer once its end went out. */
	UNDER_WAY_GRACE = 10 * 1000,
	RESULT_GRACE = 60 * 1000,
	/* Some services send one reply in place of all. */
	NEXT_RESULT = 60 * 1000,
	/* A slow line must not look like silence to the local service. */
	TEXT_HELD = 5 * 1000,
	/* For what is known to be there already, and for QUIT. */
	AT_ONCE = 1000,
};

struct mailer {
	struct delivery delivery;
	struct mailer_options options;
	struct transcript transcript;
	struct stream *stream; /* NULL: closed */
	struct sender *sender; /* of the stream, or of the last one */
	bool gone;

	const struct envelope *envelope;
	struct rcpts queue; /* for the sender, next: not given to it yet */
	struct rcpts refused; /* by ourselves, not answered yet */
	bool text_waits; /* DATA was given with them */
	bool begun; /* MAIL was given to this sender */
	bool reused; /* the connection is older than the message */
	bool told; /* the answer to a recipient of it */
	struct deadline end; /* of all answers, then of all results */
	struct deadline next; /* of the next one */
	int64_t written_at; /* clock_ms(): commands, or a piece of text */
};

static struct mailer *
mailer_of(struct delivery *delivery)
{
	return (struct mailer *)delivery;
}

static struct deadline
time_out(const struct mailer *mailer)
{
	return deadline_in(mailer->options.timeout, UNDER_WAY_GRACE);
}

static void
disconnect(struct mailer *mailer)
{
	stream_free(mailer->stream);
	mailer->stream = NULL;
}

/* A sender that is over has nothing more to say; the end of the connection
 * tells the service that nothing may be delivered. */
static void
close_if_over(struct mailer *mailer)
{
	if (sender_is_over(mailer->sender))
		disconnect(mailer);
}

/* The last words of a service that went away may still be there to read. */
static void
take_last_words(struct mailer *mailer)
{
	struct deadline at_once = deadline_in(AT_ONCE, UNDER_WAY_GRACE);
	struct error ignored;
	size_t room;
	ssize_t n = 1;

	while (n > 0 && !sender_is_over(mailer->sender) &&
	       stream_pending(mailer->stream)) {
		char *in = sender_room(mailer->sender, &room);
		if (room == 0)
			return;
		n = stream_read(mailer->stream, in, room, &at_once, &ignored);
		if (n > 0)
			sender_filled(mailer->sender, (size_t)n);
	}
}

/* Writes and reads once, as far as it goes; every failure goes to the sender. */
static void
exchange(struct mailer *mailer, const struct deadline *deadline)
{
	struct sender *sender = mailer->sender;
	struct stream_exchange step;
	struct error err;

	if (mailer->stream == NULL) {
		sender_fail(sender, "4.4.2", "connection closed");
		return;
	}
	step.out = sender_output(sender, &step.out_len);
	step.in = sender_room(sender, &step.in_size);
	bool ok = stream_exchange(mailer->stream, &step, deadline, &err);
	sender_written(sender, step.written);
	sender_filled(sender, step.read);
	if (!ok) {
		if (deadline_left(deadline) > 0)
			take_last_words(mailer);
		sender_fail(sender, "4.4.2", err.text);
	}
	if (step.ended) {
		sender_eof(sender);
		disconnect(mailer);
	}
	transcript_flush(&mailer->transcript);
	close_if_over(mailer);
}

/*
 * Writes what is to be written. While replies fill the sender's input this
 * stops, to go on after they were taken: so neither side waits for the other.
 */
static void
flush(struct mailer *mailer, const struct deadline *deadline)
{
	size_t len, room;

	while (mailer->stream != NULL) {
		sender_output(mailer->sender, &len);
		sender_room(mailer->sender, &room);
		if (len == 0 || room == 0)
			return;
		exchange(mailer, deadline);
	}
}

/* What the service said meanwhile, its end included. */
static void
look_around(struct mailer *mailer)
{
	while (mailer->stream != NULL && stream_pending(mailer->stream)) {
		struct deadline at_once = deadline_in(AT_ONCE, UNDER_WAY_GRACE);
		exchange(mailer, &at_once);
	}
}

static void
open_connection(struct mailer *mailer, const struct deadline *deadline)
{
	const struct mailer_options *options = &mailer->options;
	const struct sender_options sender_options = {
	    .lmtp = options->lmtp,
	    .hostname = options->hostname,
	    .transcript = &mailer->transcript,
	};
	struct error err;

	sender_free(mailer->sender);
	mailer->sender = sender_new(&sender_options);
	int fd =
	    local_open(options->path != NULL ? options->path : options->host,
		options->port, deadline, &err);
	if (fd < 0) {
		sender_fail(mailer->sender, "4.4.2", err.text);
		return;
	}
	mailer->stream = stream_new(fd);
	while (
	    !sender_is_open(mailer->sender) && !sender_is_over(mailer->sender))
		exchange(mailer, deadline);
}

/* The connection of the last message, where it is still good, or a new one. */
static void
connect_anew(struct mailer *mailer, const struct deadline *deadline)
{
	look_around(mailer);
	mailer->reused = mailer->stream != NULL;
	if (!mailer->reused)
		open_connection(mailer, deadline);
}

static bool
mailer_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	struct mailer *mailer = mailer_of(delivery);
	struct deadline end = deadline_min(*deadline, time_out(mailer));

	connect_anew(mailer, &end);
	if (!sender_is_open(mailer->sender)) {
		error_set(err, ERROR_LOCAL, "%s",
		    sender_failure(mailer->sender)->text);
		return false;
	}
	can->size_max = sender_size_max(mailer->sender);
	return true;
}

static void
mailer_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct mailer *mailer = mailer_of(delivery);

	mailer->envelope = envelope;
	mailer->text_waits = false;
	mailer->begun = false;
	mailer->told = false;
	rcpts_reset(&mailer->queue);
	rcpts_reset(&mailer->refused);
}

/* What SMTP servers of the local side are known to read a relay into. */
static bool
refuses_relay(const struct path *rcpt, struct status *status)
{
	if (path_is_plain(rcpt))
		return false;
	status_set(status, 553, "5.1.3",
	    "this kind of local part is not accepted here");
	return true;
}

static void
mailer_rcpt(struct delivery *delivery, size_t rcpt)
{
	struct mailer *mailer = mailer_of(delivery);
	struct status ignored;

	if (!mailer->options.lmtp &&
	    refuses_relay(mailer->envelope->rcpt[rcpt], &ignored))
		rcpts_add(&mailer->refused, rcpt);
	else
		rcpts_add(&mailer->queue, rcpt);
}

static void
give_queue(struct mailer *mailer)
{
	const struct envelope *envelope = mailer->envelope;
	size_t rcpt;

	if (!mailer->begun)
		sender_mail(mailer->sender, envelope->sender, envelope->size,
		    envelope->eightbit);
	mailer->begun = true;
	while (rcpts_next(&mailer->queue, &rcpt))
		sender_rcpt(mailer->sender, envelope->rcpt[rcpt], rcpt);
	if (mailer->text_waits)
		sender_data(mailer->sender);
	flush(mailer, &mailer->end);
}

static void
mailer_send(struct delivery *delivery, bool text_waits)
{
	struct mailer *mailer = mailer_of(delivery);

	if (!rcpts_left(&mailer->queue))
		return;
	mailer->text_waits = text_waits;
	mailer->end = time_out(mailer);
	mailer->written_at = clock_ms();
	if (!mailer->begun) {
		connect_anew(mailer, &mailer->end);
		mailer->gone = !sender_is_open(mailer->sender);
	}
	give_queue(mailer);
}

/* A connection that died while it was idle, which only showed now. */
static bool
is_replaceable(const struct mailer *mailer)
{
	return mailer->reused && !mailer->told &&
	       sender_is_over(mailer->sender) &&
	       !sender_was_answered(mailer->sender) &&
	       deadline_left(&mailer->end) > 0;
}

static void
replace_connection(struct mailer *mailer)
{
	mailer->reused = false;
	mailer->begun = false;
	mailer->queue.next = 0;
	open_connection(mailer, &mailer->end);
	mailer->gone = !sender_is_open(mailer->sender);
	give_queue(mailer);
}

static bool
mailer_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct mailer *mailer = mailer_of(delivery);

	if (rcpts_next(&mailer->refused, rcpt))
		return refuses_relay(mailer->envelope->rcpt[*rcpt], status);
	if (!mailer->begun)
		return false;
	struct deadline end = deadline_min(*deadline, mailer->end);
	while (sender_owes_answers(mailer->sender)) {
		if (is_replaceable(mailer)) {
			replace_connection(mailer);
		} else if (sender_answer(mailer->sender, rcpt, status)) {
			mailer->told = true;
			return true;
		} else {
			exchange(mailer, &end);
		}
	}
	close_if_over(mailer);
	return false;
}

/* 354 has to come before any text (RFC 2920 3.1); mostly it is there. */
static void
await_go(struct mailer *mailer, const struct deadline *deadline)
{
	if (sender_takes_text(mailer->sender))
		return;
	sender_data(mailer->sender);
	while (sender_awaits_go(mailer->sender))
		exchange(mailer, deadline);
}

static void
write_text(struct mailer *mailer)
{
	struct deadline deadline = time_out(mailer);

	flush(mailer, &deadline);
	mailer->written_at = clock_ms();
}

static void
mailer_body(struct delivery *delivery, const char *text, size_t len)
{
	struct mailer *mailer = mailer_of(delivery);
	struct deadline deadline = time_out(mailer);

	if (!mailer->begun || !sender_owes_results(mailer->sender))
		return;
	await_go(mailer, &deadline);
	while (len > 0) {
		size_t taken = sender_text(mailer->sender, text, len);
		text += taken;
		len -= taken;
		if (len > 0 || clock_ms() - mailer->written_at >= TEXT_HELD)
			write_text(mailer);
	}
}

/*
 * Text that did not fill a buffer goes out together with the dot: one write,
 * one wake-up of the service.
 */
static bool
mailer_ready(struct delivery *delivery, const struct deadline *deadline)
{
	struct mailer *mailer = mailer_of(delivery);
	struct deadline end = deadline_min(*deadline, time_out(mailer));

	if (!mailer->begun || !sender_owes_results(mailer->sender))
		return false;
	await_go(mailer, &end);
	look_around(mailer);
	return sender_takes_text(mailer->sender);
}

static void
mailer_finish(struct delivery *delivery, const struct deadline *deadline)
{
	struct mailer *mailer = mailer_of(delivery);

	mailer->end = deadline_in(3 * mailer->options.timeout, RESULT_GRACE);
	mailer->next = mailer->end;
	sender_dot(mailer->sender);
	struct deadline end = deadline_min(*deadline, mailer->end);
	flush(mailer, &end);
}

static bool
mailer_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct mailer *mailer = mailer_of(delivery);

	if (!mailer->begun)
		return false;
	while (sender_owes_results(mailer->sender)) {
		struct deadline end = deadline_min(*deadline, mailer->next);
		if (sender_result(mailer->sender, rcpt, status)) {
			mailer->next = deadline_min(mailer->end,
			    deadline_in(NEXT_RESULT, RESULT_GRACE));
			close_if_over(mailer);
			return true;
		}
		exchange(mailer, &end);
	}
	return false;
}

static void
mailer_abort(struct delivery *delivery)
{
	struct mailer *mailer = mailer_of(delivery);

	if (mailer->begun) {
		sender_abort(mailer->sender);
		close_if_over(mailer);
	}
	mailer->begun = false;
}

static bool
mailer_gone(const struct delivery *delivery)
{
	return ((const struct mailer *)delivery)->gone;
}

static void
mailer_free(struct delivery *delivery)
{
	struct mailer *mailer = mailer_of(delivery);
	struct deadline at_once = deadline_in(AT_ONCE, AT_ONCE);

	if (mailer->stream != NULL) {
		sender_quit(mailer->sender);
		flush(mailer, &at_once);
	}
	/* Some services log a 221 that nobody takes. */
	if (mailer->stream != NULL)
		stream_finish(mailer->stream, &at_once);
	disconnect(mailer);
	sender_free(mailer->sender);
	transcript_clear(&mailer->transcript);
	rcpts_clear(&mailer->queue);
	rcpts_clear(&mailer->refused);
	free(mailer);
}

static const struct delivery_ops mailer_ops = {
    .probe = mailer_probe,
    .begin = mailer_begin,
    .rcpt = mailer_rcpt,
    .send = mailer_send,
    .answer = mailer_answer,
    .body = mailer_body,
    .ready = mailer_ready,
    .finish = mailer_finish,
    .result = mailer_result,
    .abort = mailer_abort,
    .gone = mailer_gone,
    .free = mailer_free,
};

struct delivery *
mailer_new(const struct mailer_options *options)
{
	struct mailer *mailer = xcalloc(1, sizeof *mailer);

	mailer->delivery.ops = &mailer_ops;
	mailer->delivery.name = options->name;
	mailer->options = *options;
	transcript_init(&mailer->transcript, options->name, options->trace);
	if (!options->collect)
		return &mailer->delivery;
	const struct collect_options collect = {.spool_dir = options->spool_dir,
	    .refuses = options->lmtp ? NULL : refuses_relay};
	return collect_new(&mailer->delivery, &collect);
}
