/* SPDX-License-Identifier: ISC */
#include "serve_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "deliver/delivery.h"
#include "ledger/ledger.h"
#include "protocol/receiver.h"
#include "session/soft_bounce.h"
#include "session/tally.h"

void
serve_soften_size(const struct serve *s)
{
	receiver_soften_size(
	    s->receiver, soft_bounce_is_on_anywhere(s->options->soft_bounce));
}

/* What the delivery has nothing to do with any more leaves no trace there. */
static void
drop_message(struct serve *s)
{
	if (s->begun)
		s->delivery->ops->abort(s->delivery);
	s->begun = false;
}

void
serve_outcome_abort(struct serve *s, const struct status *refusal)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);

	drop_message(s);
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

/* The last step and its outcomes, unless the ledger knows them already. */
static void
hand_over(struct serve *s)
{
	struct delivery *delivery = s->delivery;
	struct deadline deadline =
	    deadline_in(SERVE_DELIVERY_MAX, SERVE_GRACE_ANSWER);
	struct status status;
	size_t rcpt;
	bool ready = s->taken > 0 && delivery->ops->ready(delivery, &deadline);

	if (ledger_judge(s->options->ledger) == LEDGER_ABORT || s->taken == 0) {
		drop_message(s);
		return;
	}
	if (ready)
		delivery->ops->finish(delivery, &deadline);
	while (delivery->ops->result(delivery, &rcpt, &status, &deadline)) {
		s->replies[rcpt] = status;
		if (status.cause == CAUSE_UNANSWERED)
			tally_note_unanswered(s->options->tally,
			    receiver_envelope(s->receiver), rcpt);
		serve_soften_reply(s, rcpt, &status);
		ledger_outcome(s->options->ledger, rcpt, &status,
		    delivery_result_joined(delivery));
	}
	s->begun = false;
	rcpt = receiver_envelope(s->receiver)->rcpts;
	while (rcpt-- > 0) {
		s->replies[rcpt] =
		    s->replies[ledger_asked_as(s->options->ledger, rcpt)];
		if (status_class(&s->replies[rcpt]) == 2)
			serve_delivered(s, rcpt);
	}
	serve_soften_size(s);
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

void
serve_tell_progress(const struct serve *s)
{
	if (s->options->progress != NULL)
		s->options->progress(s->options->progress_context);
}

void
serve_outcome_answer(struct serve *s)
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
	serve_tell_progress(s);
}
