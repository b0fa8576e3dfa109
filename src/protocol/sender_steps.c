/* SPDX-License-Identifier: ISC */
#include "sender_private.h"

#include <stdio.h>

#include "base/array.h"

void
sender_push_step(struct sender *sender, struct step step)
{
	if (sender->first == sender->steps_count)
		sender->first = sender->sent = sender->steps_count = 0;
	sender->steps =
	    array_more(sender->steps, sender->steps_count, sizeof step);
	sender->steps[sender->steps_count++] = step;
}

void
sender_pop_step(struct sender *sender)
{
	sender->first++;
	if (sender->sent < sender->first)
		sender->sent = sender->first;
}

const struct step *
sender_first_step(const struct sender *sender)
{
	return &sender->steps[sender->first];
}

bool
sender_awaits_reply(const struct sender *sender)
{
	return sender->first < sender->sent;
}

void
sender_give_up(struct sender *sender, const struct status *failure)
{
	if (sender->over)
		return;
	sender->over = true;
	sender->failure =
	    sender->parting.code != 0 ? sender->parting : *failure;
	buf_reset(&sender->output);
}

/* The dot went out, and the service may have delivered the message (RFC 1047). */
static bool
may_be_delivered(const struct sender *sender)
{
	return sender->now.data == DATA_ENDED && sender_awaits_reply(sender) &&
	       sender_first_step(sender)->kind == STEP_DOT &&
	       buf_len(&sender->output) == 0;
}

void
sender_fail(struct sender *sender, const char *enhanced, const char *reason)
{
	struct status failure;

	if (sender_awaits_reply(sender))
		status_set(&failure, 451, enhanced, "%s (at %s)", reason,
		    sender_verbs[sender_first_step(sender)->kind].name);
	else
		status_set(&failure, 451, enhanced, "%s%s", reason,
		    sender->now.data == DATA_GO ? " (inside the message)" : "");
	failure.cause =
	    may_be_delivered(sender) ? CAUSE_UNANSWERED : CAUSE_DELIVERY;
	sender_give_up(sender, &failure);
}

/*
 * What the dialogue can do without: RCPT where MAIL was refused, and DATA where
 * every recipient was. In a pipelined group they go out all the same.
 */
static bool
is_pointless(const struct sender *sender, const struct step *step)
{
	if (step->kind == STEP_RCPT)
		return sender->now.refusal.code != 0;
	return step->kind == STEP_DATA && !sender_awaits_reply(sender) &&
	       sender->now.accepted_count == 0;
}

static bool
may_send(const struct sender *sender)
{
	if (sender->over || sender->sent == sender->steps_count ||
	    buf_len(&sender->output) >= SENDER_TEXT_MAX ||
	    is_pointless(sender, &sender->steps[sender->sent]))
		return false;
	return !sender_awaits_reply(sender) ||
	       (sender->pipelining &&
		   !sender_verbs[sender->steps[sender->sent - 1].kind].last);
}

static void
send_steps(struct sender *sender)
{
	while (may_send(sender)) {
		const struct step *step = &sender->steps[sender->sent++];
		sender_verbs[step->kind].write(sender, step);
	}
}

/* Takes one reply off the input. false: it is not whole, or there is none. */
static bool
parse_reply(struct sender *sender)
{
	size_t used;
	enum reply_result result = reply_parse(&sender->reply,
	    sender->input + sender->input_start, sender->input_len, &used);

	sender->input_start += used;
	sender->input_len -= used;
	if (result == REPLY_BROKEN)
		sender_fail(sender, "4.3.0", sender->reply.why);
	else if (result == REPLY_MORE && sender->eof)
		sender_fail(sender, "4.4.2", "connection closed");
	if (result != REPLY_DONE)
		return false;
	reply_trace(&sender->reply, sender->options.transcript);
	return true;
}

/*
 * The service ends the connection (RFC 5321 3.8). Behind the dot LMTP may still
 * have good news for other recipients; else there is nothing to wait for.
 */
static bool
take_parting(struct sender *sender, const struct step *step)
{
	struct status *status = &sender->reply.status;

	status->code = 451;
	if (step->kind == STEP_DOT && sender->options.lmtp) {
		sender->parting = *status;
		return true;
	}
	sender_give_up(sender, status);
	return false;
}

/* Not one that only follows from a refusal: RCPT after MAIL, or DATA after
 * every RCPT, in a pipelined group (RFC 2920 3.1). */
static bool
stands_alone(const struct sender *sender, const struct step *step)
{
	const struct transaction *now = &sender->now;

	return !step->orphan && now->refusal.code == 0 &&
	       (step->kind != STEP_DATA || now->accepted_count > 0);
}

/*
 * What is said of us, or of how the service is set up, is no word on a
 * recipient: what is owed becomes 451, and the driver hears the true reply.
 */
static void
note_complaint(
    struct sender *sender, const struct step *step, enum meaning meaning)
{
	struct status *status = &sender->reply.status;
	struct sender_complaint *complaint = &sender->complaint;
	char reply[STATUS_LINE_MAX];

	*complaint = (struct sender_complaint){
	    .meaning = meaning,
	    .step = sender_verbs[step->kind].name,
	    .reply = *status,
	};
	status_set(status, 451, "4.3.5", "%s at %s: %s",
	    meaning == MEANING_ESTRANGED
		? "the local server refuses the agent"
		: "the local server is not set up for this",
	    complaint->step,
	    status_format(&complaint->reply, reply, sizeof reply));
	status->cause = CAUSE_DELIVERY_SETUP;
}

static void
soften_deferred(struct status *status)
{
	if (status_class(status) != 5)
		return;
	status->code -= 100;
	if (status->enhanced[0] == '5')
		status->enhanced[0] = '4';
}

static void
fail_senseless(struct sender *sender)
{
	char reason[48];

	snprintf(reason, sizeof reason, "unexpected reply %d",
	    sender->reply.status.code);
	sender_fail(sender, "4.3.0", reason);
}

bool
sender_take_reply(struct sender *sender)
{
	const struct step *step = sender_first_step(sender);
	struct status *status = &sender->reply.status;

	if (!parse_reply(sender))
		return false;
	enum meaning meaning = meaning_of(status, step->kind);
	switch (meaning) {
	case MEANING_PARTING:
		return take_parting(sender, step);
	case MEANING_NONE:
		fail_senseless(sender);
		return false;
	case MEANING_UNPREPARED:
	case MEANING_ESTRANGED:
		/* Before MAIL the connection itself has failed. */
		if (sender->open && stands_alone(sender, step))
			note_complaint(sender, step, meaning);
		break;
	case MEANING_DEFERRED:
		soften_deferred(status);
		break;
	case MEANING_POSITIVE:
	case MEANING_REFUSED:
		break;
	}
	if (!step->orphan)
		sender->now.answered = true;
	return true;
}

/*
 * A reply to no command: the service takes its leave, or does not bear the
 * text. Its end was not seen, so that nothing of this is the answer to it.
 */
static void
take_unasked(struct sender *sender)
{
	struct status status = sender->reply.status;
	char reply[STATUS_LINE_MAX];

	if (status.code == 421)
		status.code = 451;
	if (status_class(&status) == 5) {
		status_set(&status, 451, "4.3.0", "before the end of data: %s",
		    status_format(&sender->reply.status, reply, sizeof reply));
		status.cause = CAUSE_DELIVERY;
	}
	if (status_class(&status) == 4)
		sender_give_up(sender, &status);
	else
		sender_fail(sender, "4.3.0", "unexpected reply");
}

/* The final dot waits to be written: what comes now does not answer it. */
static bool
dot_waits(const struct sender *sender)
{
	return sender->now.data == DATA_ENDED && buf_len(&sender->output) > 0;
}

/* The next step is a DATA that nobody was accepted for. */
static bool
drop_pointless_data(struct sender *sender)
{
	const struct step *step = sender_first_step(sender);

	if (sender->first == sender->steps_count || step->kind != STEP_DATA ||
	    !is_pointless(sender, step))
		return false;
	sender->now.data = DATA_NONE;
	sender_pop_step(sender);
	return true;
}

/* Of a reply whose first octets came unasked the rest is no answer either. */
static void
listen_unasked(struct sender *sender)
{
	if (sender->input_len > 0)
		sender->unasked = true;
	if ((sender->input_len > 0 || sender->eof) && parse_reply(sender))
		take_unasked(sender);
}

/* Takes a reply, unless it is one that is pulled. */
static bool
proceed(struct sender *sender)
{
	if (sender->over)
		return false;
	if (!sender_awaits_reply(sender) || dot_waits(sender) ||
	    sender->unasked) {
		if (drop_pointless_data(sender))
			return true;
		listen_unasked(sender);
		return false;
	}
	const struct step *step = sender_first_step(sender);
	const struct verb *verb = &sender_verbs[step->kind];
	if ((verb->reply == NULL && !step->orphan) ||
	    !sender_take_reply(sender))
		return false;
	if (verb->reply == NULL || verb->reply(sender, step))
		sender_pop_step(sender);
	return true;
}

void
sender_process(struct sender *sender)
{
	do
		send_steps(sender);
	while (proceed(sender));
}
