/* SPDX-License-Identifier: ISC */
#include "protocol/sender_private.h"

#include <stdio.h>

#include "base/mem.h"

void
sender_push_step(struct sender *sender, struct step step)
{
	if (sender->first == sender->steps_count)
		sender->first = sender->sent = sender->steps_count = 0;
	if (sender->steps_count == sender->steps_size) {
		sender->steps_size += sender->steps_size / 2 + 16;
		sender->steps = xreallocarray(
		    sender->steps, sender->steps_size, sizeof step);
	}
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

void
sender_fail(struct sender *sender, const char *enhanced, const char *reason)
{
	struct status failure;

	if (sender_awaits_reply(sender))
		status_set(&failure, 451, enhanced, "%s (at %s)", reason,
		    sender_verbs[sender_first_step(sender)->kind].name);
	else
		status_set(&failure, 451, enhanced, "%s%s", reason,
		    sender->now.data == DATA_GO ? " (amid the text)" : "");
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

/* No success is told for a message whose end the service cannot have seen. */
static bool
makes_sense(const struct sender *sender, const struct step *step)
{
	int class = status_class(&sender->reply.status);

	if (step->kind == STEP_DOT && class == 2 &&
	    buf_len(&sender->output) > 0)
		return false;
	return (sender_verbs[step->kind].replies & 1U << class) != 0;
}

bool
sender_take_reply(struct sender *sender)
{
	const struct step *step = sender_first_step(sender);
	const struct status *status = &sender->reply.status;

	if (!parse_reply(sender))
		return false;
	if (status->code == 421)
		return take_parting(sender, step);
	if (!makes_sense(sender, step)) {
		char reason[48];
		snprintf(reason, sizeof reason, "a reply %d makes no sense",
		    status->code);
		sender_fail(sender, "4.3.0", reason);
		return false;
	}
	if (!step->orphan)
		sender->now.answered = true;
	return true;
}

/*
 * A reply to no command: the service takes its leave, or it refuses the text
 * before its end.
 */
static void
take_unasked(struct sender *sender)
{
	struct status status = sender->reply.status;

	if (status.code == 421)
		status.code = 451;
	if (status_class(&status) == 4 ||
	    (status_class(&status) == 5 && sender->now.data == DATA_GO))
		sender_give_up(sender, &status);
	else
		sender_fail(sender, "4.3.0", "a reply that nobody asked for");
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

/* Takes a reply, unless it is one that is pulled. */
static bool
proceed(struct sender *sender)
{
	if (sender->over)
		return false;
	if (!sender_awaits_reply(sender)) {
		if (drop_pointless_data(sender))
			return true;
		if ((sender->input_len > 0 || sender->eof) &&
		    parse_reply(sender))
			take_unasked(sender);
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
