/* SPDX-License-Identifier: ISC */
#include "receiver_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/transcript.h"

void
receiver_emit(struct receiver *r, enum receiver_event_type type)
{
	assert(r->event_count < sizeof r->events / sizeof *r->events);
	r->events[r->event_count++] = (struct receiver_event){.type = type};
}

/* The event that was emitted last, to be filled in. */
struct receiver_event *
receiver_emitted(struct receiver *r)
{
	return &r->events[r->event_count - 1];
}

void
receiver_say_line(struct receiver *r, const char *line)
{
	transcript_line(r->options.transcript, '>', line, strlen(line));
	/* The input waits while LIMIT_OUTPUT is unwritten, and one step never
	 * says more than all slots, or PRDR for LIMIT_RCPTS. */
	bool fits = buf_join(&r->output, TEXTS(line, "\r\n"));
	assert(fits);
	r->awaits_proof = false;
}

void
receiver_say(struct receiver *r, const struct status *status)
{
	char line[STATUS_LINE_MAX];

	receiver_say_line(r, status_format(status, line, sizeof line));
}

void
receiver_reply(
    struct receiver *r, int code, const char *enhanced, const char *text)
{
	struct status status;

	status_set_text(&status, code, enhanced, text);
	receiver_say(r, &status);
}

void
receiver_close_down(struct receiver *r, enum receiver_end end)
{
	r->state = STATE_CLOSED;
	r->end = end;
}

/* Recipients that get no further than this engine are worth a word. */
void
receiver_tell_refusal(struct receiver *r, const struct status *status)
{
	r->refused = *status;
	if (r->refused.cause == CAUSE_NONE)
		r->refused.cause = CAUSE_COMMAND;
	receiver_emit(r, RECEIVER_REFUSAL);
	receiver_emitted(r)->text = r->line;
	receiver_emitted(r)->len = r->line_len;
	receiver_emitted(r)->refusal = &r->refused;
}

/*
 * The transaction
 */

void
receiver_transaction_clear(struct transaction *t)
{
	for (size_t i = 0; i < t->envelope.rcpts; i++)
		free(t->rcpts[i]);
	free(t->rcpts);
	free(t->accepted);
	free(t->outcomes);
	*t = (struct transaction){.open = false};
}

/* It ends without a message; whoever saw it begin is told. */
void
receiver_transaction_abort(struct receiver *r)
{
	if (!r->transaction.open)
		return;
	/* A refusal of our own was told when it was found. */
	if (r->transaction.refusal.code == 0)
		receiver_emit(r, RECEIVER_ABORT);
	receiver_transaction_clear(&r->transaction);
}

void
receiver_mail_comes(struct receiver *r)
{
	receiver_transaction_abort(r);
	r->mail_refused = true;
}

/* Returns to, with the value behind it; NULL where there is none. */
static const char *
keep_value(char *to, const struct command_word *value)
{
	if (value->text == NULL)
		return NULL;
	memcpy(to, value->text, value->len);
	to[value->len] = '\0';
	return to;
}

/*
 * RFC 3461 5.1 has 501 for an ENVID or ORCPT that is malformed. But an MTA
 * writes an ORCPT of its own for each recipient, of whatever the address was
 * before it was rewritten, and limits of an ENVID differ: 501 would bounce mail
 * of which nobody wants a report. They are passed over, and a report lacks
 * them.
 */
static void
note_dsn_of_mail(struct transaction *t, const struct command *command)
{
	const struct command_word *envid = &command->envid;

	t->envelope.ret = keep_value(t->ret, &command->ret);
	if (envid->text != NULL && dsn_is_envid(envid->text, envid->len))
		t->envelope.envid = keep_value(t->envid, envid);
}

/* With its values behind it. */
static struct recipient *
make_recipient(const struct command *command, bool smtputf8)
{
	struct command_word notify = command->notify, orcpt = command->orcpt;

	if (orcpt.text != NULL &&
	    !dsn_is_orcpt(orcpt.text, orcpt.len, smtputf8))
		orcpt = (struct command_word){.text = NULL};
	struct recipient *recipient =
	    xmalloc(sizeof *recipient + notify.len + orcpt.len + 2);
	char *values = (char *)(recipient + 1);
	*recipient = (struct recipient){
	    .path = command->path,
	    .notify = keep_value(values, &notify),
	    .orcpt = keep_value(values + notify.len + 1, &orcpt),
	};
	return recipient;
}

void
receiver_transaction_begin(struct receiver *r, const struct command *command)
{
	struct transaction *t = &r->transaction;

	t->open = true;
	t->sender = command->path;
	t->envelope = (struct envelope){
	    .sender = &t->sender,
	    .size = command->size,
	    .prdr = command->prdr,
	    .eightbit = command->eightbit,
	    .smtputf8 = command->smtputf8,
	};
	note_dsn_of_mail(t, command);
	trace_count_init(&t->trace, r->options.hostname);
	receiver_emit(r, RECEIVER_MAIL);
}

void
receiver_transaction_add(struct transaction *t, const struct command *command)
{
	size_t n = t->envelope.rcpts;

	t->rcpts = array_more(t->rcpts, n, sizeof(struct recipient *));
	t->accepted = array_more(t->accepted, n, sizeof(bool));
	t->rcpts[n] = make_recipient(command, t->envelope.smtputf8);
	t->accepted[n] = false;
	t->envelope.rcpt = (const struct recipient *const *)t->rcpts;
	t->envelope.rcpts = n + 1;
}

/*
 * Replies to RCPT: the provider gets them in its order, however they come in
 */

static void
slots_flush(struct receiver *r)
{
	if (r->slots_due > 0)
		return;
	for (size_t i = 0; i < r->slot_count; i++) {
		assert(r->slots[i].line != NULL); /* none is due */
		receiver_say_line(r, r->slots[i].line);
		free(r->slots[i].line);
	}
	r->slot_count = r->slots_begun = 0;
}

void
receiver_slot_add(struct receiver *r, const struct status *status, size_t rcpt)
{
	char line[STATUS_LINE_MAX];
	struct slot *slot = &r->slots[r->slot_count++];

	*slot = (struct slot){.rcpt = rcpt};
	if (status == NULL)
		r->slots_due++;
	else
		slot->line = xstrdup(status_format(status, line, sizeof line));
	slots_flush(r);
}

void
receiver_answer_rcpt(
    struct receiver *r, size_t rcpt, const struct status *status)
{
	char line[STATUS_LINE_MAX];
	struct transaction *t = &r->transaction;

	/* They mostly come in this order. */
	while (r->slots_begun < r->slot_count &&
	       r->slots[r->slots_begun].line != NULL)
		r->slots_begun++;
	for (size_t i = r->slots_begun; i < r->slot_count; i++) {
		struct slot *slot = &r->slots[i];
		if (slot->line != NULL || slot->rcpt != rcpt)
			continue;
		slot->line = xstrdup(status_format(status, line, sizeof line));
		t->accepted[rcpt] = status_class(status) == 2;
		t->accepted_count += t->accepted[rcpt];
		r->slots_due--;
		slots_flush(r);
		return;
	}
	assert(false && "an answer that nobody waits for");
}

/* A reply to nonsense; too many of them end the session. */
void
receiver_complain(struct receiver *r, const struct status *status)
{
	struct status enough;

	if (++r->errors < LIMIT_ERRORS) {
		receiver_slot_add(r, status, 0);
		return;
	}
	status_set(&enough, 421, "4.7.0", "Too many errors");
	receiver_slot_add(r, &enough, 0);
	receiver_close_down(r, RECEIVER_BROKEN);
}

void
receiver_complain_order(struct receiver *r, const char *text)
{
	struct status status;

	status_set(&status, 503, "5.5.1", "%s", text);
	receiver_complain(r, &status);
}

void
receiver_excuse(struct receiver *r, const struct status *status)
{
	if (r->excused == LIMIT_EXCUSED) {
		receiver_complain(r, status);
		return;
	}
	r->excused++;
	receiver_slot_add(r, status, 0);
}

void
receiver_miss_mail(struct receiver *r)
{
	struct status status;

	status_set(&status, 503, "5.5.1", "MAIL first");
	if (r->mail_refused)
		receiver_excuse(r, &status);
	else
		receiver_complain(r, &status);
}

/*
 * The text
 */

void
receiver_text_begin(struct receiver *r, bool dots)
{
	r->transaction.content_begun = true;
	content_init(&r->transaction.content, dots);
	receiver_emit(r, RECEIVER_TEXT);
}

/* The engine itself refuses the message: nothing more of it goes on. */
static void
refuse_content_with(struct receiver *r, const struct status *refusal)
{
	struct transaction *t = &r->transaction;

	if (t->refusal.code != 0)
		return;
	t->refusal = *refusal;
	receiver_emit(r, RECEIVER_ABORT);
	receiver_emitted(r)->refusal = &t->refusal;
}

static void
refuse_content(struct receiver *r, enum cause cause, int code,
    const char *enhanced, const char *text)
{
	struct status refusal;

	status_set(&refusal, code, enhanced, "%s", text);
	refusal.cause = cause;
	refuse_content_with(r, &refusal);
}

void
receiver_content_take(struct receiver *r, const struct content_piece *piece)
{
	struct transaction *t = &r->transaction;

	t->octets += piece->len;
	if (t->refusal.code != 0 || piece->len == 0)
		return;
	trace_count_text(&t->trace, piece->data, piece->len);
	if (r->options.size_max != 0 && t->octets > r->options.size_max) {
		struct status refusal;
		receiver_size_status(r, &refusal);
		refuse_content_with(r, &refusal);
		return;
	}
	receiver_emit(r, RECEIVER_BODY);
	receiver_emitted(r)->text = piece->data;
	receiver_emitted(r)->len = piece->len;
}

/* What can only be said of a whole message. */
static void
judge_content(struct receiver *r)
{
	struct transaction *t = &r->transaction;

	if (t->content.bare && r->options.newline == RECEIVER_REJECT)
		refuse_content(r, CAUSE_CONTENT, 550, "5.5.2",
		    "Lone CR, lone LF or NUL in the message");
	else if (t->trace.received >= LIMIT_RECEIVED)
		refuse_content(
		    r, CAUSE_LOOP, 554, "5.4.6", "Too many Received fields");
	else if (t->trace.own >= LIMIT_RECEIVED_OWN)
		refuse_content(r, CAUSE_LOOP, 451, "4.4.6",
		    "Mail loop: this message came through here before");
}

void
receiver_text_done(struct receiver *r)
{
	struct transaction *t = &r->transaction;

	transcript_octets(r->options.transcript, '<', t->octets);
	judge_content(r);
	r->progress++;
	if (t->refusal.code != 0) {
		r->state = STATE_COMMAND;
		receiver_say(r, &t->refusal);
		/* Cleared by the next step: the ABORT points into it. */
		t->content_begun = false;
		return;
	}
	t->outcomes = xcalloc(t->envelope.rcpts, sizeof *t->outcomes);
	t->outcomes_due = t->accepted_count;
	r->state = STATE_ANSWERS;
	receiver_emit(r, RECEIVER_DONE);
}

/* All outcomes are in: one reply, or with PRDR one each (draft-hall-prdr). */
static void
reply_to_content(struct receiver *r)
{
	struct transaction *t = &r->transaction;
	struct status *each = t->outcomes;
	size_t count = 0;

	for (size_t i = 0; i < t->envelope.rcpts; i++)
		if (t->accepted[i])
			each[count++] = each[i];
	if (t->envelope.prdr && count > 1) {
		receiver_reply(r, 353, "", "One reply for each recipient");
		for (size_t i = 0; i < count; i++)
			receiver_say(r, &each[i]);
		receiver_say(r, status_overall(each, count));
	} else {
		receiver_say(r, status_reduce(each, count));
	}
	r->state = STATE_COMMAND;
	receiver_transaction_clear(t);
}

void
receiver_answer_text(
    struct receiver *r, size_t rcpt, const struct status *status)
{
	struct transaction *t = &r->transaction;

	assert(t->accepted[rcpt] && t->outcomes[rcpt].code == 0);
	assert(status->code != 0);
	t->outcomes[rcpt] = *status;
	if (--t->outcomes_due == 0)
		reply_to_content(r);
}
