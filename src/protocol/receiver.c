/* SPDX-License-Identifier: ISC */
#include "protocol/receiver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/dsn.h"
#include "receiver_private.h"

static size_t
input_len(const struct receiver *r)
{
	return r->in_end - r->in_start;
}

/* The end of the line at the front, CRLF alone counts; NULL: not there yet. */
static const char *
find_line_end(const char *at, const char *end)
{
	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (at[-1] == '\r')
			return at - 1;
		at++;
	}
	return NULL;
}

/* Throws away the rest of a line that was too long; over: it is all there. */
static bool
skip_line(struct receiver *r, bool over)
{
	const char *front = r->in + r->in_start;
	const char *end = find_line_end(front + 1, r->in + r->in_end);
	struct status status;

	if (end == NULL && !over) {
		/* Keeps the last octet, which may be the CR. */
		r->in_start = r->in_end - (input_len(r) > 0);
		return false;
	}
	r->in_start = end != NULL ? (size_t)(end + 2 - r->in) : r->in_end;
	r->skipping = r->line_over = false;
	r->progress++;
	status_set(&status, 500, "5.5.2", "Line too long");
	receiver_complain(r, &status);
	return true;
}

/* One command line, if there is a whole one and its turn has come. */
static bool
step_command(struct receiver *r)
{
	const char *line = r->in + r->in_start;
	bool over = r->line_over && receiver_line_hangs(r);

	if (r->transaction.open && r->transaction.refusal.code != 0 &&
	    !r->transaction.content_begun)
		receiver_transaction_clear(&r->transaction);
	if (input_len(r) < 2 && !over)
		return false;
	if (r->skipping)
		return skip_line(r, over);
	const char *end = find_line_end(line + 1, r->in + r->in_end);
	size_t len = end != NULL ? (size_t)(end - line) : input_len(r);
	/* Without its end, the last octet may be the CR. */
	bool too_long = len + (end != NULL ? 2 : 1) > LIMIT_COMMAND;
	if (end == NULL && !over && !too_long)
		return false;
	enum command_verb verb = command_verb(line, len);
	/* Only RCPT may overtake answers to RCPT (RFC 2920 3.2). */
	if (r->slots_due > 0 && (r->slot_count >= LIMIT_RCPTS ||
				    r->stop.code != 0 || verb != COMMAND_RCPT))
		return false;
	if (too_long) {
		if (verb == COMMAND_MAIL)
			receiver_mail_comes(r);
		r->skipping = true;
		return true;
	}
	/* The lone LF that ended it, if any, stays in it and is its fault. */
	r->in_start += len + (end != NULL ? 2 : 0);
	r->line_over = false;
	receiver_run_command(r, line, len);
	return true;
}

static bool
step_text(struct receiver *r)
{
	struct content_piece piece;
	struct transaction *t = &r->transaction;
	size_t used = content_next(
	    &t->content, r->in + r->in_start, input_len(r), &piece);

	if (used == 0 && piece.len == 0)
		return false;
	r->in_start += used;
	r->progress += used;
	receiver_content_take(r, &piece);
	if (t->content.state == CONTENT_ENDED)
		receiver_text_done(r);
	return true;
}

static void
chunk_done(struct receiver *r)
{
	struct content_piece piece;
	struct transaction *t = &r->transaction;
	struct status status;

	r->state = STATE_COMMAND;
	if (r->chunk_fault.code != 0 && !t->open) {
		receiver_miss_mail(r);
		return;
	}
	r->errors = 0;
	if (r->chunk_fault.code != 0) {
		receiver_say(r, &r->chunk_fault);
	} else if (r->chunk_last) {
		content_end(&t->content, &piece);
		receiver_content_take(r, &piece);
		receiver_text_done(r);
	} else if (t->refusal.code != 0) {
		receiver_say(r, &t->refusal);
	} else {
		status_set(&status, 250, "2.0.0", "%llu octets received",
		    (unsigned long long)r->chunk_size);
		receiver_say(r, &status);
	}
}

static bool
step_chunk(struct receiver *r)
{
	struct content_piece piece = {.len = 0};
	size_t len = input_len(r), used;

	if (r->chunk_left == 0) {
		chunk_done(r);
		return true;
	}
	if (len > r->chunk_left)
		len = (size_t)r->chunk_left;
	if (r->chunk_fault.code != 0)
		used = len;
	else
		used = content_next(
		    &r->transaction.content, r->in + r->in_start, len, &piece);
	if (used == 0 && piece.len == 0)
		return false;
	r->in_start += used;
	r->chunk_left -= used;
	r->progress += used;
	receiver_content_take(r, &piece);
	return true;
}

/* EOF is no end of anything: what is open leaves no trace. */
static bool
step_eof(struct receiver *r)
{
	receiver_transaction_abort(r);
	receiver_close_down(r, RECEIVER_EOF);
	return true;
}

static bool
step_closed(struct receiver *r)
{
	if (r->closed_told || r->slots_due > 0)
		return false;
	receiver_transaction_abort(r);
	r->closed_told = true;
	receiver_emit(r, RECEIVER_CLOSE);
	receiver_emitted(r)->end = r->end;
	return true;
}

/* One step forward; false: nothing can be done now. */
static bool
receiver_step(struct receiver *r)
{
	if (r->eof && r->state != STATE_CLOSED)
		return step_eof(r);
	if (buf_len(&r->output) >= LIMIT_OUTPUT && !r->eof)
		return false;
	switch (r->state) {
	case STATE_COMMAND:
		return step_command(r);
	case STATE_TEXT:
		return step_text(r);
	case STATE_CHUNK:
		return step_chunk(r);
	case STATE_ANSWERS:
		return false;
	case STATE_CLOSED:
		return step_closed(r);
	}
	return false;
}

bool
receiver_next(struct receiver *r, struct receiver_event *event)
{
	while (r->event_next == r->event_count) {
		r->event_next = r->event_count = 0;
		if (!receiver_step(r))
			return false;
	}
	*event = r->events[r->event_next++];
	return true;
}

/*
 * The rest
 */

struct receiver *
receiver_new(const struct receiver_options *options)
{
	struct receiver *r = xcalloc(1, sizeof *r);
	struct status greeting;

	r->options = *options;
	buf_init(&r->output, OUTPUT_MAX);
	status_set(&greeting, 220, "", "%s ESMTP", options->hostname);
	receiver_say(r, &greeting);
	return r;
}

void
receiver_free(struct receiver *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->slot_count; i++)
		free(r->slots[i].line);
	receiver_transaction_clear(&r->transaction);
	buf_clear(&r->output);
	free(r);
}

char *
receiver_room(struct receiver *r, size_t *room)
{
	if (r->in_start == r->in_end)
		r->in_start = r->in_end = 0;
	/* Moved only when less than a command's length is left. */
	if (sizeof r->in - r->in_end < LIMIT_COMMAND && r->in_start > 0) {
		memmove(r->in, r->in + r->in_start, input_len(r));
		r->in_end -= r->in_start;
		r->in_start = 0;
	}
	*room = sizeof r->in - r->in_end;
	return r->in + r->in_end;
}

void
receiver_filled(struct receiver *r, size_t len)
{
	assert(len <= sizeof r->in - r->in_end);
	r->in_end += len;
}

void
receiver_eof(struct receiver *r)
{
	r->eof = true;
}

bool
receiver_line_hangs(const struct receiver *r)
{
	return r->state == STATE_COMMAND && input_len(r) > 0 &&
	       r->in[r->in_end - 1] == '\n';
}

void
receiver_line_over(struct receiver *r)
{
	r->line_over = true;
}

bool
receiver_wants_answers(const struct receiver *r)
{
	return r->slots_due > 0 || r->state == STATE_ANSWERS;
}

bool
receiver_text_waits(const struct receiver *r)
{
	const char *line = r->in + r->in_start;
	struct command command;
	struct status fault;

	if (r->state != STATE_COMMAND || r->stop.code != 0 || input_len(r) < 2)
		return false;
	const char *end = find_line_end(line + 1, r->in + r->in_end);
	size_t len = end != NULL ? (size_t)(end - line) : LIMIT_COMMAND;
	/* Only one that will not be refused: a delivery that said DATA cannot
	 * take another recipient. */
	return len + 2 <= LIMIT_COMMAND &&
	       command_parse(&command, line, len, &fault) &&
	       (command.verb == COMMAND_DATA || command.verb == COMMAND_BDAT);
}

void
receiver_answer(struct receiver *r, size_t rcpt, const struct status *status)
{
	assert(rcpt < r->transaction.envelope.rcpts);
	if (r->state == STATE_ANSWERS)
		receiver_answer_text(r, rcpt, status);
	else
		receiver_answer_rcpt(r, rcpt, status);
}

bool
receiver_accepted(const struct receiver *r, size_t rcpt)
{
	assert(rcpt < r->transaction.envelope.rcpts);
	return r->transaction.accepted[rcpt];
}

void
receiver_stop(struct receiver *r, const struct status *status)
{
	r->stop = *status;
}

void
receiver_soften_size(struct receiver *r, bool soft)
{
	r->soft_size = soft;
}

void
receiver_size_status(const struct receiver *r, struct status *status)
{
	status_set(status, 552, "5.3.4", "Message too big");
	status->cause = CAUSE_SIZE;
	if (r->soft_size)
		status_soften(status);
}

void
receiver_hang_up(struct receiver *r)
{
	if (r->state == STATE_CLOSED)
		return;
	receiver_say(r, &r->stop);
	receiver_close_down(r, RECEIVER_STOPPED);
}

const char *
receiver_output(struct receiver *r, size_t *len)
{
	*len = buf_len(&r->output);
	return buf_data(&r->output);
}

void
receiver_written(struct receiver *r, size_t len)
{
	buf_consume(&r->output, len);
}

void
receiver_same_mailbox(struct receiver *r, size_t first, size_t rcpt)
{
	struct recipient *const *rcpts = r->transaction.rcpts;

	assert(first < rcpt && rcpt < r->transaction.envelope.rcpts);
	rcpts[first]->notify =
	    dsn_notify_both(rcpts[first]->notify, rcpts[rcpt]->notify);
}

const struct envelope *
receiver_envelope(const struct receiver *r)
{
	return r->transaction.open ? &r->transaction.envelope : NULL;
}

bool
receiver_in_text(const struct receiver *r)
{
	return r->transaction.content_begun || r->state == STATE_CHUNK;
}

bool
receiver_ends_chunk(const struct receiver *r)
{
	return r->state == STATE_CHUNK && r->chunk_left > 0 &&
	       r->chunk_left <= sizeof r->in;
}

uint64_t
receiver_progress(const struct receiver *r)
{
	return r->progress;
}

const char *
receiver_peer_name(const struct receiver *r)
{
	return r->peer_name;
}

bool
receiver_is_esmtp(const struct receiver *r)
{
	return r->esmtp;
}

bool
receiver_awaits_proof(const struct receiver *r)
{
	return r->awaits_proof && input_len(r) == 0;
}
