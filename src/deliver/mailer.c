/* SPDX-License-Identifier: ISC */
#include "deliver/mailer.h"

#include <stdlib.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "deliver/collect.h"
#include "deliver/complaint.h"
#include "deliver/connection.h"
#include "deliver/delivery.h"
#include "deliver/rcpts.h"
#include "deliver/refuse.h"
#include "protocol/envelope.h"
#include "protocol/sender.h"
#include "protocol/status.h"

enum {
	/* What a stop request leaves to a message that is under way, and to
	 * the answer once its end went out. */
	UNDER_WAY_GRACE = 10 * 1000,
	RESULT_GRACE = 60 * 1000,
	/* The end of data may take as much longer than any other reply (RFC
	 * 5321 4.5.3.2.6: 10 minutes, where others have 2 to 5). For LMTP it
	 * is for all its replies together: the first says nothing of how long
	 * the next mailbox is locked. */
	RESULT_TIMES = 3,
	/* A slow line must not look like silence to the local service. */
	TEXT_HELD = 5 * 1000,
};

struct mailer {
	struct delivery delivery;
	int64_t timeout;
	bool lmtp;
	struct connection connection;
	bool gone;
	struct complaint complaint;

	const struct envelope *envelope;
	struct rcpts queue; /* for the sender, next: not given to it yet */
	struct rcpts refused; /* by ourselves, not answered yet */
	bool text_waits; /* DATA was given with them */
	bool begun; /* MAIL was given to this sender */
	bool reused; /* the connection is older than the message */
	bool told; /* the answer to a recipient of it */
	struct deadline end; /* of all answers, then of all results */
	int64_t written_at; /* clock_ms(): commands, or a piece of text */
};

static struct mailer *
mailer_of(struct delivery *delivery)
{
	return (struct mailer *)(void *)delivery;
}

static struct deadline
time_out(const struct mailer *mailer)
{
	return deadline_in(mailer->timeout, UNDER_WAY_GRACE);
}

/* The connection of the last message, where it is still good, or a new one. */
static void
connect_anew(struct mailer *mailer, const struct deadline *deadline)
{
	struct connection *connection = &mailer->connection;

	connection_look_around(connection);
	if (connection->stream != NULL && /* LIMITS */
	    !sender_takes_mail(connection->sender))
		connection_end(connection);
	mailer->reused = connection->stream != NULL;
	if (!mailer->reused)
		connection_open(connection, deadline);
}

static bool
mailer_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	struct mailer *mailer = mailer_of(delivery);
	struct deadline end = deadline_min(*deadline, time_out(mailer));

	connect_anew(mailer, &end);
	if (!sender_is_open(mailer->connection.sender)) {
		const struct error *refusal = &mailer->connection.refusal;
		error_set(err, ERROR_LOCAL, "%s",
		    refusal->class != ERROR_NONE
			? refusal->text
			: sender_failure(mailer->connection.sender)->text);
		return false;
	}
	can->size_max = sender_size_max(mailer->connection.sender);
	return true;
}

static bool
mailer_takes_dsn(const struct delivery *delivery)
{
	const struct mailer *mailer = (const void *)delivery;
	const struct sender *sender = mailer->connection.sender;

	return sender != NULL && sender_takes_dsn(sender);
}

static void
mailer_pair(struct delivery *delivery, struct stream *provider)
{
	connection_pair(&mailer_of(delivery)->connection, provider);
}

static void
mailer_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct mailer *mailer = mailer_of(delivery);

	mailer->envelope = envelope;
	mailer->text_waits = false;
	mailer->begun = false;
	mailer->told = false;
	complaint_begin(&mailer->complaint);
	rcpts_reset(&mailer->queue);
	rcpts_reset(&mailer->refused);
}

static void
mailer_rcpt(struct delivery *delivery, size_t rcpt)
{
	struct mailer *mailer = mailer_of(delivery);
	struct status ignored;

	if (!mailer->lmtp &&
	    refuse_relay(&mailer->envelope->rcpt[rcpt]->path, &ignored))
		rcpts_add(&mailer->refused, rcpt);
	else
		rcpts_add(&mailer->queue, rcpt);
}

/* Gives one to the sender, or refuses it. */
static void
give_rcpt(struct mailer *mailer, size_t rcpt)
{
	const struct envelope *envelope = mailer->envelope;
	struct sender *sender = mailer->connection.sender;

	if (!refuse_is_able(sender, envelope, rcpt) ||
	    (mailer->begun && !sender_takes_rcpt(sender))) {
		/* For good: it is not given to another connection either. */
		rcpts_drop(&mailer->queue);
		rcpts_add(&mailer->refused, rcpt);
		return;
	}
	if (!mailer->begun)
		sender_mail(sender, envelope);
	mailer->begun = true;
	sender_rcpt(sender, envelope->rcpt[rcpt], rcpt);
}

static void
give_queue(struct mailer *mailer)
{
	size_t rcpt;

	while (rcpts_next(&mailer->queue, &rcpt))
		give_rcpt(mailer, rcpt);
	if (!mailer->begun)
		return;
	if (mailer->text_waits)
		sender_data(mailer->connection.sender);
	connection_flush(&mailer->connection, &mailer->end);
}

/* After a new connection was tried. */
static void
note_gone(struct mailer *mailer)
{
	mailer->gone = !sender_is_open(mailer->connection.sender);
	complaint_lost(&mailer->complaint, &mailer->connection.refusal);
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
		note_gone(mailer);
	}
	give_queue(mailer);
}

/* A connection that died while it was idle, which only showed now. */
static bool
is_replaceable(const struct mailer *mailer)
{
	return mailer->reused && !mailer->told &&
	       sender_is_over(mailer->connection.sender) &&
	       !sender_was_answered(mailer->connection.sender) &&
	       deadline_left(&mailer->end) > 0;
}

static void
replace_connection(struct mailer *mailer)
{
	mailer->reused = false;
	mailer->begun = false;
	mailer->queue.next = 0;
	connection_open(&mailer->connection, &mailer->end);
	note_gone(mailer);
	give_queue(mailer);
}

static bool
answer_refused(struct mailer *mailer, size_t *rcpt, struct status *status)
{
	if (!rcpts_next(&mailer->refused, rcpt))
		return false;
	if (mailer->lmtp ||
	    !refuse_relay(&mailer->envelope->rcpt[*rcpt]->path, status))
		refuse_rcpt(
		    mailer->connection.sender, mailer->envelope, *rcpt, status);
	return true;
}

static bool
mailer_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct mailer *mailer = mailer_of(delivery);

	if (answer_refused(mailer, rcpt, status))
		return true;
	if (!mailer->begun)
		return false;
	struct deadline end = deadline_min(*deadline, mailer->end);
	while (sender_owes_answers(mailer->connection.sender)) {
		if (is_replaceable(mailer)) {
			replace_connection(mailer);
			if (answer_refused(mailer, rcpt, status))
				return true;
		} else if (sender_answer(
			       mailer->connection.sender, rcpt, status)) {
			mailer->told = true;
			mailer->complaint.welcome |= status_class(status) == 2;
			if (!sender_is_over(mailer->connection.sender))
				mailer->connection.silences = 0;
			complaint_hear(
			    &mailer->complaint, mailer->connection.sender);
			return true;
		} else {
			connection_await(&mailer->connection, &end);
		}
	}
	connection_close_if_over(&mailer->connection);
	return false;
}

/* 354 has to come before any text (RFC 2920 3.1); mostly it is there. */
static void
await_go(struct mailer *mailer, const struct deadline *deadline)
{
	if (sender_takes_text(mailer->connection.sender))
		return;
	sender_data(mailer->connection.sender);
	while (sender_awaits_go(mailer->connection.sender))
		connection_exchange(&mailer->connection, deadline);
}

static void
write_text(struct mailer *mailer)
{
	struct deadline deadline = time_out(mailer);

	connection_flush(&mailer->connection, &deadline);
	mailer->written_at = clock_ms();
}

static void
mailer_body(struct delivery *delivery, const char *text, size_t len)
{
	struct mailer *mailer = mailer_of(delivery);
	struct deadline deadline = time_out(mailer);

	if (!mailer->begun || !sender_owes_results(mailer->connection.sender))
		return;
	await_go(mailer, &deadline);
	while (len > 0) {
		size_t taken =
		    sender_text(mailer->connection.sender, text, len);
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

	if (!mailer->begun || !sender_owes_results(mailer->connection.sender))
		return false;
	await_go(mailer, &end);
	connection_look_around(&mailer->connection);
	return sender_takes_text(mailer->connection.sender);
}

static void
mailer_finish(struct delivery *delivery, const struct deadline *deadline)
{
	struct mailer *mailer = mailer_of(delivery);

	mailer->end = deadline_in(RESULT_TIMES * mailer->timeout, RESULT_GRACE);
	/* Other deliveries may have taken their time since it was ready: what
	 * the service said meanwhile is read before the dot is written, and
	 * where that ends the dialogue, the dot is not. */
	sender_dot(mailer->connection.sender);
	struct deadline end = deadline_min(*deadline, mailer->end);
	connection_flush(&mailer->connection, &end);
}

static bool
mailer_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct mailer *mailer = mailer_of(delivery);

	if (!mailer->begun)
		return false;
	struct deadline end = deadline_min(*deadline, mailer->end);
	while (sender_owes_results(mailer->connection.sender)) {
		if (sender_result(mailer->connection.sender, rcpt, status)) {
			complaint_hear(
			    &mailer->complaint, mailer->connection.sender);
			connection_close_if_over(&mailer->connection);
			return true;
		}
		connection_await(&mailer->connection, &end);
	}
	return false;
}

static bool
mailer_result_joined(const struct delivery *delivery)
{
	const struct mailer *mailer = (const void *)delivery;

	return sender_result_joined(mailer->connection.sender);
}

static void
mailer_abort(struct delivery *delivery)
{
	struct mailer *mailer = mailer_of(delivery);

	if (mailer->begun) {
		sender_abort(mailer->connection.sender);
		connection_close_if_over(&mailer->connection);
	}
	mailer->begun = false;
}

static bool
mailer_gone(const struct delivery *delivery)
{
	const struct mailer *mailer = (const void *)delivery;

	return mailer->gone ||
	       mailer->connection.silences >= CONNECTION_SILENCES_MAX ||
	       complaint_is_estranged(&mailer->complaint);
}

static bool
mailer_complains(struct delivery *delivery, struct error *complaint)
{
	return complaint_take(&mailer_of(delivery)->complaint, complaint);
}

static void
mailer_free(struct delivery *delivery)
{
	struct mailer *mailer = mailer_of(delivery);

	connection_clear(&mailer->connection);
	rcpts_clear(&mailer->queue);
	rcpts_clear(&mailer->refused);
	free(mailer);
}

static const struct delivery_ops mailer_ops = {
    .probe = mailer_probe,
    .takes_dsn = mailer_takes_dsn,
    .pair = mailer_pair,
    .begin = mailer_begin,
    .rcpt = mailer_rcpt,
    .send = mailer_send,
    .answer = mailer_answer,
    .body = mailer_body,
    .ready = mailer_ready,
    .finish = mailer_finish,
    .result = mailer_result,
    .result_joined = mailer_result_joined,
    .abort = mailer_abort,
    .gone = mailer_gone,
    .complains = mailer_complains,
    .free = mailer_free,
};

struct delivery *
mailer_new(const struct mailer_options *options)
{
	struct mailer *mailer = xcalloc(1, sizeof *mailer);
	const struct connection_options connection = {
	    .name = options->name,
	    .lmtp = options->lmtp,
	    .path = options->path,
	    .host = options->host,
	    .port = options->port,
	    .hostname = options->hostname,
	    .trace = options->trace,
	};

	mailer->delivery.ops = &mailer_ops;
	mailer->delivery.name = options->name;
	mailer->timeout = options->timeout;
	mailer->lmtp = options->lmtp;
	connection_init(&mailer->connection, &connection);
	if (!options->collect)
		return &mailer->delivery;
	const struct collect_options collect = {.spool_dir = options->spool_dir,
	    .refuses = options->lmtp ? NULL : refuse_relay};
	return collect_new(&mailer->delivery, &collect);
}
