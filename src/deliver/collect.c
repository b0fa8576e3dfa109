/* SPDX-License-Identifier: ISC */
#include "deliver/collect.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/mem.h"
#include "deliver/delivery.h"
#include "deliver/rcpts.h"
#include "deliver/spool.h"
#include "deliver/writer.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/status.h"

enum { PIECE_SIZE = 64 * 1024 }; /* as large as the pieces off the line */

/* What the inner delivery refused, told with the results. */
struct refusal {
	size_t rcpt;
	struct status status;
};

struct collect {
	struct delivery delivery;
	struct collect_options options;
	struct delivery *inner;
	struct spool spool;

	const struct envelope *envelope;
	struct rcpts queue; /* to be answered */
	struct rcpts accepted; /* unseen, until the inner delivery has them */
	struct rcpts taken; /* by the inner delivery */
	int spool_errnum; /* the message could not be kept */
	bool no_room; /* a message was refused for want of it */
	bool complained; /* of one of these, in this session */
	bool begun; /* the inner delivery has the transaction */
	struct refusal *refusals;
	size_t refusals_count, refusals_told;
};

static struct collect *
collect_of(struct delivery *delivery)
{
	return (struct collect *)(void *)delivery;
}

static bool
collect_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	struct delivery *inner = collect_of(delivery)->inner;

	return inner->ops->probe(inner, can, deadline, err);
}

static bool
collect_takes_dsn(const struct delivery *delivery)
{
	const struct collect *collect = (const void *)delivery;

	return delivery_takes_dsn(collect->inner);
}

static void
collect_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct collect *collect = collect_of(delivery);

	collect->envelope = envelope;
	collect->spool_errnum = 0;
	collect->begun = false;
	collect->refusals_count = collect->refusals_told = 0;
	rcpts_reset(&collect->queue);
	rcpts_reset(&collect->accepted);
	rcpts_reset(&collect->taken);
	spool_clear(&collect->spool);
}

static void
collect_rcpt(struct delivery *delivery, size_t rcpt)
{
	rcpts_add(&collect_of(delivery)->queue, rcpt);
}

static void
collect_send(struct delivery *delivery, bool text_waits)
{
	(void)delivery;
	(void)text_waits;
}

static bool
collect_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct collect *collect = collect_of(delivery);

	(void)deadline;
	if (!rcpts_next(&collect->queue, rcpt))
		return false;
	if (collect->options.refuses != NULL &&
	    collect->options.refuses(
		&collect->envelope->rcpt[*rcpt]->path, status))
		return true;
	if (spool_has_room(
		collect->options.spool_dir, collect->envelope->size)) {
		status_set(status, 250, "2.1.5", "ok");
		rcpts_add(&collect->accepted, *rcpt);
		return true;
	}
	writer_status(status, collect->delivery.name, ENOSPC);
	collect->no_room = true;
	return true;
}

static void
collect_body(struct delivery *delivery, const char *text, size_t len)
{
	spool_add(&collect_of(delivery)->spool, text, len);
}

static void
note_refusal(struct collect *collect, size_t rcpt, const struct status *status)
{
	collect->refusals = array_more(collect->refusals,
	    collect->refusals_count, sizeof *collect->refusals);
	collect->refusals[collect->refusals_count++] =
	    (struct refusal){.rcpt = rcpt, .status = *status};
}

/* The recipients, to the inner delivery. false: all were refused. */
static bool
hand_over_envelope(struct collect *collect, const struct deadline *deadline)
{
	struct delivery *inner = collect->inner;
	struct status status;
	size_t rcpt;

	inner->ops->begin(inner, collect->envelope);
	collect->begun = true;
	while (rcpts_next(&collect->accepted, &rcpt))
		inner->ops->rcpt(inner, rcpt);
	inner->ops->send(inner, true);
	while (inner->ops->answer(inner, &rcpt, &status, deadline)) {
		if (status_class(&status) == 2)
			rcpts_add(&collect->taken, rcpt);
		else
			note_refusal(collect, rcpt, &status);
	}
	return rcpts_left(&collect->taken);
}

/* The text, from the spool. false: it could not be read again. */
static bool
hand_over_text(struct collect *collect)
{
	char *piece = xmalloc(PIECE_SIZE);
	ssize_t n;

	while ((n = read(collect->spool.fd, piece, PIECE_SIZE)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			collect->inner->ops->body(
			    collect->inner, piece, (size_t)n);
	}
	if (n < 0)
		collect->spool_errnum = errno;
	free(piece);
	return n == 0;
}

static void
abort_inner(struct collect *collect)
{
	if (collect->begun)
		collect->inner->ops->abort(collect->inner);
	collect->begun = false;
}

static bool
hand_over_collected(struct collect *collect, const struct deadline *deadline)
{
	if (!spool_rewind(&collect->spool)) {
		collect->spool_errnum = spool_error(&collect->spool);
		return false;
	}
	if (!hand_over_envelope(collect, deadline) ||
	    !hand_over_text(collect)) {
		abort_inner(collect);
		return false;
	}
	return collect->inner->ops->ready(collect->inner, deadline);
}

static bool
collect_ready(struct delivery *delivery, const struct deadline *deadline)
{
	struct collect *collect = collect_of(delivery);
	bool ready = hand_over_collected(collect, deadline);

	spool_clear(&collect->spool);
	return ready;
}

static void
collect_finish(struct delivery *delivery, const struct deadline *deadline)
{
	struct delivery *inner = collect_of(delivery)->inner;

	inner->ops->finish(inner, deadline);
}

static bool
collect_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct collect *collect = collect_of(delivery);

	if (collect->refusals_told < collect->refusals_count) {
		*rcpt = collect->refusals[collect->refusals_told].rcpt;
		*status = collect->refusals[collect->refusals_told++].status;
		return true;
	}
	if (collect->begun)
		return collect->inner->ops->result(
		    collect->inner, rcpt, status, deadline);
	if (collect->spool_errnum == 0 ||
	    (!rcpts_next(&collect->accepted, rcpt) &&
		!rcpts_next(&collect->taken, rcpt)))
		return false;
	writer_status(status, delivery->name, collect->spool_errnum);
	return true;
}

static bool
collect_result_joined(const struct delivery *delivery)
{
	const struct collect *collect = (const void *)delivery;

	return collect->begun && delivery_result_joined(collect->inner);
}

static void
collect_abort(struct delivery *delivery)
{
	struct collect *collect = collect_of(delivery);

	abort_inner(collect);
	spool_clear(&collect->spool);
}

static bool
collect_gone(const struct delivery *delivery)
{
	const struct collect *collect = (const void *)delivery;

	return writer_full(collect->spool_errnum) ||
	       collect->inner->ops->gone(collect->inner);
}

static bool
collect_complains(struct delivery *delivery, struct error *complaint)
{
	struct collect *collect = collect_of(delivery);
	struct delivery *inner = collect->inner;

	int errnum = collect->no_room ? ENOSPC : collect->spool_errnum;
	if (errnum != 0 && !collect->complained) {
		writer_complain(complaint, collect->options.spool_dir, errnum);
		collect->complained = true;
		return true;
	}
	return inner->ops->complains != NULL &&
	       inner->ops->complains(inner, complaint);
}

static void
collect_free(struct delivery *delivery)
{
	struct collect *collect = collect_of(delivery);

	collect->inner->ops->free(collect->inner);
	spool_clear(&collect->spool);
	rcpts_clear(&collect->queue);
	rcpts_clear(&collect->accepted);
	rcpts_clear(&collect->taken);
	free(collect->refusals);
	free(collect);
}

static const struct delivery_ops collect_ops = {
    .probe = collect_probe,
    .takes_dsn = collect_takes_dsn,
    .begin = collect_begin,
    .rcpt = collect_rcpt,
    .send = collect_send,
    .answer = collect_answer,
    .body = collect_body,
    .ready = collect_ready,
    .finish = collect_finish,
    .result = collect_result,
    .result_joined = collect_result_joined,
    .abort = collect_abort,
    .gone = collect_gone,
    .complains = collect_complains,
    .free = collect_free,
};

struct delivery *
collect_new(struct delivery *take_inner, const struct collect_options *options)
{
	struct collect *collect = xcalloc(1, sizeof *collect);

	collect->delivery.ops = &collect_ops;
	collect->delivery.name = take_inner->name;
	collect->options = *options;
	collect->inner = take_inner;
	spool_init(&collect->spool, options->spool_dir, WRITER_CRLF);
	return &collect->delivery;
}
