/* SPDX-License-Identifier: ISC */
#include "protocol/sender.h"

#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/mem.h"
#include "protocol/envelope.h"
#include "sender_private.h"

struct sender *
sender_new(const struct sender_options *options)
{
	struct sender *sender = xcalloc(1, sizeof *sender);

	sender->options = *options;
	reply_init(&sender->reply);
	buf_init(&sender->output, SENDER_TEXT_MAX + SENDER_COMMAND_MAX);
	sender_push_step(sender, (struct step){.kind = STEP_GREETING});
	sender_push_step(sender, (struct step){.kind = STEP_HELLO});
	sender->sent = 1; /* the greeting comes unasked */
	return sender;
}

void
sender_free(struct sender *sender)
{
	if (sender == NULL)
		return;
	free(sender->steps);
	free(sender->now.accepted);
	reply_clear(&sender->reply);
	buf_clear(&sender->output);
	free(sender);
}

char *
sender_room(struct sender *sender, size_t *room)
{
	if (sender->input_len == 0)
		sender->input_start = 0;
	size_t end = sender->input_start + sender->input_len;
	*room = SENDER_INPUT_SIZE - end;
	return sender->input + end;
}

void
sender_filled(struct sender *sender, size_t len)
{
	sender->input_len += len;
	assert(sender->input_start + sender->input_len <= SENDER_INPUT_SIZE);
	sender_process(sender);
}

void
sender_eof(struct sender *sender)
{
	sender->eof = true;
	sender_process(sender);
}

const char *
sender_output(const struct sender *sender, size_t *len)
{
	*len = buf_len(&sender->output);
	return buf_data(&sender->output);
}

void
sender_written(struct sender *sender, size_t len)
{
	/* What was read before the write may have ended it. */
	if (!sender->over)
		buf_consume(&sender->output, len);
	sender_process(sender);
}

static void
begin_transaction(struct sender *sender)
{
	struct transaction *now = &sender->now;

	*now = (struct transaction){
	    .accepted = now->accepted,
	    .dots.line_start = true,
	};
}

void
sender_mail(struct sender *sender, const struct envelope *envelope)
{
	begin_transaction(sender);
	sender->mails++;
	sender->now.size = envelope->size;
	sender->now.ret = envelope->ret;
	sender->now.envid = envelope->envid;
	sender->now.smtputf8 = envelope->smtputf8 && sender->takes_smtputf8;
	/* A header in UTF-8 is one of eight bits. */
	sender->now.eightbit = (envelope->eightbit || envelope->smtputf8) &&
			       sender->takes_eightbit;
	if (sender->dirty)
		sender_push_step(sender, (struct step){.kind = STEP_RSET});
	sender_push_step(
	    sender, (struct step){.kind = STEP_MAIL, .from = envelope->sender});
	sender_process(sender);
}

void
sender_rcpt(struct sender *sender, const struct recipient *to, size_t rcpt)
{
	sender_push_step(
	    sender, (struct step){.kind = STEP_RCPT, .rcpt = rcpt, .to = to});
	sender->now.rcpts++;
	sender->now.answers_owed++;
	sender_process(sender);
}

void
sender_data(struct sender *sender)
{
	if (sender->over || sender->now.data != DATA_NONE)
		return;
	sender->now.data = DATA_ASKED;
	sender_push_step(sender, (struct step){.kind = STEP_DATA});
	sender_process(sender);
}

size_t
sender_text(struct sender *sender, const char *text, size_t len)
{
	if (!sender_takes_text(sender))
		return len;
	if (buf_len(&sender->output) >= SENDER_TEXT_MAX)
		return 0;
	/* The rest of the room is for the dot. */
	sender->output.max = SENDER_TEXT_MAX;
	size_t taken =
	    dots_stuff(&sender->now.dots, &sender->output, text, len);
	sender->output.max = SENDER_TEXT_MAX + SENDER_COMMAND_MAX;
	sender->now.octets += taken;
	return taken;
}

void
sender_dot(struct sender *sender)
{
	if (!sender_takes_text(sender))
		return;
	sender->now.data = DATA_ENDED;
	sender_push_step(sender, (struct step){.kind = STEP_DOT});
	sender_process(sender);
}

/* DATA went out, and its answer is not known. */
static bool
data_is_out(const struct sender *sender)
{
	return sender_awaits_reply(sender) &&
	       sender->steps[sender->sent - 1].kind == STEP_DATA;
}

static bool
is_of_transaction(const struct step *step)
{
	return step->kind >= STEP_RSET;
}

void
sender_abort(struct sender *sender)
{
	struct transaction *now = &sender->now;

	if (now->data == DATA_GO || now->data == DATA_ENDED ||
	    (now->accepted_count > 0 && data_is_out(sender))) {
		struct status aborted;
		status_set(&aborted, 451, "4.3.0", "aborted");
		sender_give_up(sender, &aborted);
	}
	while (sender->steps_count > sender->sent &&
	       is_of_transaction(&sender->steps[sender->steps_count - 1]))
		sender->steps_count--;
	for (size_t i = sender->first; i < sender->sent; i++)
		sender->steps[i].orphan = is_of_transaction(&sender->steps[i]);
	begin_transaction(sender);
	sender_process(sender);
}

void
sender_quit(struct sender *sender)
{
	if (!sender_is_open(sender) || sender_takes_text(sender) ||
	    data_is_out(sender))
		return;
	sender_push_step(sender, (struct step){.kind = STEP_QUIT});
	sender_process(sender);
}

static bool
owes_answer(const struct step *step)
{
	return step->kind == STEP_RCPT && !step->orphan;
}

/* What else is left of a dialogue that is over goes away. NULL: no answer is
 * owed, or other replies come first. */
static const struct step *
answer_step(struct sender *sender)
{
	if (!sender_owes_answers(sender))
		return NULL;
	while (sender->over && !owes_answer(sender_first_step(sender)))
		sender_pop_step(sender);
	const struct step *step = sender_first_step(sender);
	return owes_answer(step) ? step : NULL;
}

/* The answer to the first step, or what stands in its place. false: there is
 * none yet. */
static bool
take_answer(struct sender *sender, struct status *status)
{
	const struct status *refusal = &sender->now.refusal;
	bool sent = sender_awaits_reply(sender);

	if (sent && !sender->over && !sender_take_reply(sender) &&
	    !sender->over)
		return false;
	if (refusal->code != 0)
		*status = *refusal;
	else if (sender->over)
		*status = sender->failure;
	else if (sent)
		*status = sender->reply.status;
	else
		return false;
	return true;
}

static void
note_accepted(struct transaction *now, size_t rcpt)
{
	now->accepted =
	    array_more(now->accepted, now->accepted_count, sizeof rcpt);
	now->accepted[now->accepted_count++] = rcpt;
}

bool
sender_answer(struct sender *sender, size_t *rcpt, struct status *status)
{
	const struct step *step = answer_step(sender);

	if (step == NULL || !take_answer(sender, status))
		return false;
	*rcpt = step->rcpt;
	sender->now.answers_owed--;
	if (status_class(status) == 2)
		note_accepted(&sender->now, step->rcpt);
	sender_pop_step(sender);
	sender_process(sender);
	return true;
}

static bool
take_result(struct sender *sender, struct status *status)
{
	struct transaction *now = &sender->now;
	bool taken = false;

	if (now->outcome.code == 0 && !sender->over &&
	    now->data == DATA_ENDED && sender_awaits_reply(sender))
		taken = sender_take_reply(sender);
	if (taken && !sender->options.lmtp) {
		now->outcome = sender->reply.status;
		sender_pop_step(sender);
	}
	if (now->outcome.code != 0)
		*status = now->outcome;
	else if (sender->over)
		*status = sender->failure;
	else if (taken)
		*status = sender->reply.status;
	else
		return false;
	return true;
}

bool
sender_result(struct sender *sender, size_t *rcpt, struct status *status)
{
	struct transaction *now = &sender->now;

	if (!sender_owes_results(sender) || !take_result(sender, status))
		return false;
	*rcpt = now->accepted[now->told++];
	if (sender_owes_results(sender) || sender->over)
		return true;
	if (now->outcome.code == 0) /* each had its own reply */
		sender_pop_step(sender);
	if (sender->parting.code != 0)
		sender_give_up(sender, &sender->parting);
	sender_process(sender);
	return true;
}

bool
sender_result_joined(const struct sender *sender)
{
	return sender_owes_results(sender) && sender->now.told > 0 &&
	       sender->now.outcome.code != 0;
}

bool
sender_is_open(const struct sender *sender)
{
	return sender->open && !sender->over;
}

bool
sender_is_over(const struct sender *sender)
{
	return sender->over;
}

const struct status *
sender_failure(const struct sender *sender)
{
	return &sender->failure;
}

bool
sender_complains(struct sender *sender, struct sender_complaint *complaint)
{
	if (sender->complaint.step == NULL)
		return false;
	*complaint = sender->complaint;
	sender->complaint.step = NULL;
	return true;
}

bool
sender_was_answered(const struct sender *sender)
{
	return sender->now.answered;
}

bool
sender_owes_answers(const struct sender *sender)
{
	return sender->now.answers_owed > 0;
}

bool
sender_owes_results(const struct sender *sender)
{
	return sender->now.told < sender->now.accepted_count;
}

bool
sender_takes_text(const struct sender *sender)
{
	return !sender->over && sender->now.data == DATA_GO;
}

bool
sender_awaits_go(const struct sender *sender)
{
	return !sender->over && sender->now.data == DATA_ASKED;
}

bool
sender_takes_smtputf8(const struct sender *sender)
{
	return sender->takes_smtputf8;
}

bool
sender_takes_dsn(const struct sender *sender)
{
	return sender->takes_dsn;
}

bool
sender_takes_rcpt(const struct sender *sender)
{
	return sender->rcpt_max == 0 || sender->now.rcpts < sender->rcpt_max;
}

bool
sender_takes_mail(const struct sender *sender)
{
	return sender->mail_max == 0 || sender->mails < sender->mail_max;
}

uint64_t
sender_size_max(const struct sender *sender)
{
	return sender->size_max;
}
