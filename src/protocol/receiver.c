/* SPDX-License-Identifier: ISC */
#include "protocol/receiver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/transcript.h"
#include "protocol/command.h"
#include "protocol/limits.h"
#include "protocol/text.h"
#include "protocol/trace.h"

enum state {
	STATE_COMMAND, /* the next octets are a command line */
	STATE_TEXT, /* the text of DATA */
	STATE_CHUNK, /* octets of a BDAT */
	STATE_ANSWERS, /* the text is whole, and its answers are awaited */
	STATE_CLOSED,
};

enum {
	/* Recipients, and lines too long for a command among them. */
	SLOTS_MAX = LIMIT_RCPTS + LIMIT_ERRORS,
	OUTPUT_MAX = LIMIT_OUTPUT + (SLOTS_MAX + 2) * (STATUS_LINE_MAX + 2),
};

/* A reply that may have to wait for those before it. */
struct slot {
	char *line; /* NULL: not answered yet */
	size_t rcpt;
};

/* One mail transaction (RFC 5321 3.3); reset by one assignment. */
struct transaction {
	bool open;
	struct path sender;
	struct envelope envelope;
	struct path **rcpts; /* envelope.rcpts of them, owned */
	bool *accepted; /* one for each */
	size_t accepted_count;
	struct status *outcomes; /* of the accepted, once the text is whole */
	size_t outcomes_due;
	bool text_begun;
	uint64_t octets; /* of the text so far */
	struct status refusal; /* by the engine itself; code 0: none */
	struct text text;
	struct trace_count trace;
};

struct receiver {
	struct receiver_options options;
	enum state state;
	enum receiver_end end;
	bool closed_told;
	bool eof;
	bool skipping; /* the rest of a line that is too long */
	bool esmtp;
	char peer_name[LIMIT_PEER_NAME + 1];
	unsigned errors; /* in a row */
	uint64_t progress;
	struct status stop; /* code 0: go on */

	struct transaction transaction;
	struct slot slots[SLOTS_MAX]; /* in their order */
	size_t slot_count, slots_due;

	uint64_t chunk_left; /* octets of this BDAT */
	uint64_t chunk_size;
	bool chunk_last;
	struct status chunk_fault; /* its octets are swallowed, then this */

	/* Events that one step brings, given out one at a time. */
	struct receiver_event events[3];
	size_t event_count, event_next;

	/* The command under way, and the reply where it is refused here. */
	const char *line;
	size_t line_len;
	struct status refused;

	bool awaits_proof;
	struct buf output;
	size_t in_start, in_end;
	char in[LIMIT_INPUT];
};

static void
emit(struct receiver *r, enum receiver_event_type type)
{
	assert(r->event_count < sizeof r->events / sizeof *r->events);
	r->events[r->event_count++] = (struct receiver_event){.type = type};
}

/* The event that was emitted last, to be filled in. */
static struct receiver_event *
emitted(struct receiver *r)
{
	return &r->events[r->event_count - 1];
}

static void
say_line(struct receiver *r, const char *line)
{
	transcript_line(r->options.transcript, '>', line, strlen(line));
	/* The input waits while LIMIT_OUTPUT is unwritten, and one step never
	 * says more than all slots, or PRDR for LIMIT_RCPTS. */
	bool fits = buf_printf(&r->output, "%s\r\n", line);
	assert(fits);
	r->awaits_proof = false;
}

static void
say(struct receiver *r, const struct status *status)
{
	char line[STATUS_LINE_MAX];

	say_line(r, status_format(status, line, sizeof line));
}

static void
reply(struct receiver *r, int code, const char *enhanced, const char *text)
{
	struct status status;

	status_set(&status, code, enhanced, "%s", text);
	say(r, &status);
}

static void
close_down(struct receiver *r, enum receiver_end end)
{
	r->state = STATE_CLOSED;
	r->end = end;
}

/* Recipients that get no further than this engine are worth a word. */
static void
tell_refusal(struct receiver *r, const struct status *status)
{
	r->refused = *status;
	emit(r, RECEIVER_REFUSAL);
	emitted(r)->text = r->line;
	emitted(r)->len = r->line_len;
	emitted(r)->refusal = &r->refused;
}

/*
 * The transaction
 */

static void
transaction_clear(struct transaction *t)
{
	for (size_t i = 0; i < t->envelope.rcpts; i++)
		free(t->rcpts[i]);
	free(t->rcpts);
	free(t->accepted);
	free(t->outcomes);
	*t = (struct transaction){.open = false};
}

/* It ends without a message; whoever saw it begin is told. */
static void
transaction_abort(struct receiver *r)
{
	if (!r->transaction.open)
		return;
	/* A refusal of our own was told when it was found. */
	if (r->transaction.refusal.code == 0)
		emit(r, RECEIVER_ABORT);
	transaction_clear(&r->transaction);
}

static void
transaction_begin(struct receiver *r, const struct command *command)
{
	struct transaction *t = &r->transaction;

	t->open = true;
	t->sender = command->path;
	t->envelope = (struct envelope){
	    .sender = &t->sender,
	    .size = command->size,
	    .prdr = command->prdr,
	    .eightbit = command->eightbit,
	};
	trace_count_init(&t->trace, r->options.hostname);
	emit(r, RECEIVER_MAIL);
}

static void
transaction_add(struct transaction *t, const struct path *path)
{
	size_t n = t->envelope.rcpts;

	t->rcpts = xreallocarray(t->rcpts, n + 1, sizeof(struct path *));
	t->accepted = xreallocarray(t->accepted, n + 1, sizeof(bool));
	t->rcpts[n] = xmalloc(sizeof(struct path));
	*t->rcpts[n] = *path;
	t->accepted[n] = false;
	t->envelope.rcpt = (const struct path *const *)t->rcpts;
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
		say_line(r, r->slots[i].line);
		free(r->slots[i].line);
	}
	r->slot_count = 0;
}

static void
slot_add(struct receiver *r, const struct status *status, size_t rcpt)
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

static void
answer_rcpt(struct receiver *r, size_t rcpt, const struct status *status)
{
	char line[STATUS_LINE_MAX];
	struct transaction *t = &r->transaction;

	for (size_t i = 0; i < r->slot_count; i++) {
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
static void
complain(struct receiver *r, const struct status *status)
{
	struct status enough;

	if (++r->errors < LIMIT_ERRORS) {
		slot_add(r, status, 0);
		return;
	}
	status_set(&enough, 421, "4.7.0", "Too many errors");
	slot_add(r, &enough, 0);
	close_down(r, RECEIVER_BROKEN);
}

static void
complain_order(struct receiver *r, const char *text)
{
	struct status status;

	status_set(&status, 503, "5.5.1", "%s", text);
	complain(r, &status);
}

/*
 * The text
 */

static void
text_begin(struct receiver *r, bool dots)
{
	r->transaction.text_begun = true;
	text_init(&r->transaction.text, dots);
	emit(r, RECEIVER_TEXT);
}

/* The engine itself refuses the message: nothing more of it goes on. */
static void
text_refuse(
    struct receiver *r, int code, const char *enhanced, const char *text)
{
	struct transaction *t = &r->transaction;

	if (t->refusal.code != 0)
		return;
	status_set(&t->refusal, code, enhanced, "%s", text);
	emit(r, RECEIVER_ABORT);
	emitted(r)->refusal = &t->refusal;
}

static void
text_take(struct receiver *r, const struct text_piece *piece)
{
	struct transaction *t = &r->transaction;

	t->octets += piece->len;
	if (t->refusal.code != 0 || piece->len == 0)
		return;
	trace_count_text(&t->trace, piece->data, piece->len);
	if (r->options.size_max != 0 && t->octets > r->options.size_max) {
		text_refuse(r, 552, "5.3.4", "Message too big");
		return;
	}
	emit(r, RECEIVER_BODY);
	emitted(r)->text = piece->data;
	emitted(r)->len = piece->len;
}

/* What can only be said of a whole message. */
static void
text_judge(struct receiver *r)
{
	struct transaction *t = &r->transaction;

	if (t->text.bare && r->options.newline == RECEIVER_REJECT)
		text_refuse(
		    r, 550, "5.5.2", "Lone CR, lone LF or NUL in the message");
	else if (t->trace.received >= LIMIT_RECEIVED)
		text_refuse(r, 554, "5.4.6", "Too many Received fields");
	else if (t->trace.own >= LIMIT_RECEIVED_OWN)
		text_refuse(r, 451, "4.4.6",
		    "Mail loop: this message came through here before");
}

static void
text_done(struct receiver *r)
{
	struct transaction *t = &r->transaction;

	transcript_octets(r->options.transcript, '<', t->octets);
	text_judge(r);
	r->progress++;
	if (t->refusal.code != 0) {
		r->state = STATE_COMMAND;
		say(r, &t->refusal);
		/* Cleared by the next step: the ABORT points into it. */
		t->text_begun = false;
		return;
	}
	t->outcomes = xcalloc(t->envelope.rcpts, sizeof *t->outcomes);
	t->outcomes_due = t->accepted_count;
	r->state = STATE_ANSWERS;
	emit(r, RECEIVER_DONE);
}

/* All outcomes are in: one reply, or with PRDR one each (draft-hall-prdr). */
static void
text_reply(struct receiver *r)
{
	struct transaction *t = &r->transaction;
	struct status *each = t->outcomes;
	size_t count = 0;

	for (size_t i = 0; i < t->envelope.rcpts; i++)
		if (t->accepted[i])
			each[count++] = each[i];
	if (t->envelope.prdr && count > 1) {
		reply(r, 353, "", "One reply for each recipient");
		for (size_t i = 0; i < count; i++)
			say(r, &each[i]);
		say(r, status_overall(each, count));
	} else {
		say(r, status_reduce(each, count));
	}
	r->state = STATE_COMMAND;
	transaction_clear(t);
}

static void
answer_text(struct receiver *r, size_t rcpt, const struct status *status)
{
	struct transaction *t = &r->transaction;

	assert(t->accepted[rcpt] && t->outcomes[rcpt].code == 0);
	assert(status->code != 0);
	t->outcomes[rcpt] = *status;
	if (--t->outcomes_due == 0)
		text_reply(r);
}

/*
 * The commands
 */

static void
proceed_ehlo(struct receiver *r, const struct command *command)
{
	char line[LIMIT_PEER_NAME + 32];

	transaction_abort(r);
	memcpy(r->peer_name, command->name, command->name_len);
	r->peer_name[command->name_len] = '\0';
	r->esmtp = command->verb == COMMAND_EHLO;
	if (!r->esmtp) {
		reply(r, 250, "", r->options.hostname);
		return;
	}
	snprintf(line, sizeof line, "250-%s", r->options.hostname);
	say_line(r, line);
	say_line(r, "250-PIPELINING");
	snprintf(line, sizeof line, "250-SIZE %llu",
	    (unsigned long long)r->options.size_max);
	say_line(r, line);
	say_line(r, "250-8BITMIME");
	say_line(r, "250-ENHANCEDSTATUSCODES");
	say_line(r, "250-CHUNKING");
	say_line(r, "250 PRDR");
	r->awaits_proof = true;
}

static void
proceed_mail(struct receiver *r, const struct command *command)
{
	uint64_t max = r->options.size_max;
	struct status status;

	if (r->peer_name[0] == '\0') {
		complain_order(r, "EHLO first");
	} else if (r->transaction.open) {
		complain_order(r, "A transaction is open already");
	} else if (max != 0 && command->size > max) {
		status_set(&status, 552, "5.3.4", "Message too big");
		tell_refusal(r, &status);
		say(r, &status);
	} else {
		transaction_begin(r, command);
		reply(r, 250, "2.1.0", "Ok");
	}
}

static void
proceed_rcpt(struct receiver *r, const struct command *command)
{
	struct transaction *t = &r->transaction;
	struct status status;

	if (!t->open) {
		complain_order(r, "MAIL first");
		return;
	}
	if (t->text_begun) {
		complain_order(r, "The text has begun");
		return;
	}
	/* Refused ones count as well, or their number had no limit. */
	if (t->envelope.rcpts == LIMIT_RCPTS) {
		status_set(&status, 452, "4.5.3", "Too many recipients");
		tell_refusal(r, &status);
		slot_add(r, &status, 0);
		return;
	}
	transaction_add(t, &command->path);
	struct path *path = t->rcpts[t->envelope.rcpts - 1];
	if (path_domain(path)[0] == '\0')
		path_complete(path, r->options.postmaster_domain);
	emit(r, RECEIVER_RCPT);
	emitted(r)->rcpt = t->envelope.rcpts - 1;
	slot_add(r, NULL, t->envelope.rcpts - 1);
}

/* RFC 5321 3.3: no text without a recipient. The transaction stays. */
static bool
text_may_begin(struct receiver *r, struct status *fault)
{
	const struct transaction *t = &r->transaction;

	status_set(fault, 503, "5.5.1", "%s",
	    !t->open ? "MAIL first" : "No valid recipients");
	return t->open && t->accepted_count > 0;
}

static void
proceed_data(struct receiver *r, const struct command *command)
{
	struct status fault;

	(void)command;
	if (r->transaction.text_begun) {
		complain_order(r, "BDAT has begun this text");
	} else if (!r->transaction.open) {
		complain_order(r, "MAIL first");
	} else if (text_may_begin(r, &fault)) {
		text_begin(r, true);
		reply(r, 354, "", "End data with <CR><LF>.<CR><LF>");
		r->awaits_proof = true;
		r->state = STATE_TEXT;
	} else {
		say(r, &fault);
	}
}

static void
proceed_bdat(struct receiver *r, const struct command *command)
{
	r->chunk_left = r->chunk_size = command->chunk;
	r->chunk_last = command->last;
	r->chunk_fault = (struct status){.code = 0};
	r->state = STATE_CHUNK;
	if (!text_may_begin(r, &r->chunk_fault))
		return; /* RFC 3030 2: swallow it, then say so */
	r->chunk_fault.code = 0;
	if (!r->transaction.text_begun)
		text_begin(r, false);
}

static void
proceed_rset(struct receiver *r, const struct command *command)
{
	(void)command;
	transaction_abort(r);
	reply(r, 250, "2.0.0", "Ok");
}

static void
proceed_noop(struct receiver *r, const struct command *command)
{
	(void)command;
	reply(r, 250, "2.0.0", "Ok");
}

static void
proceed_help(struct receiver *r, const struct command *command)
{
	(void)command;
	reply(r, 214, "2.0.0", "See RFC 5321");
}

static void
proceed_vrfy(struct receiver *r, const struct command *command)
{
	(void)command;
	reply(r, 252, "2.5.0", "Send mail, and see");
}

static void
proceed_quit(struct receiver *r, const struct command *command)
{
	(void)command;
	transaction_abort(r);
	reply(r, 221, "2.0.0", "Bye");
	close_down(r, RECEIVER_QUIT);
}

static void
proceed_unimplemented(struct receiver *r, const struct command *command)
{
	struct status status;

	(void)command;
	status_set(&status, 502, "5.5.1", "Command not implemented");
	complain(r, &status);
}

static void
proceed_unknown(struct receiver *r, const struct command *command)
{
	struct status status;

	(void)command;
	status_set(&status, 500, "5.5.1", "Command unknown");
	complain(r, &status);
}

static void (*const proceed[])(struct receiver *, const struct command *) = {
    [COMMAND_BDAT] = proceed_bdat,
    [COMMAND_DATA] = proceed_data,
    [COMMAND_EHLO] = proceed_ehlo,
    [COMMAND_HELO] = proceed_ehlo,
    [COMMAND_HELP] = proceed_help,
    [COMMAND_MAIL] = proceed_mail,
    [COMMAND_NOOP] = proceed_noop,
    [COMMAND_QUIT] = proceed_quit,
    [COMMAND_RCPT] = proceed_rcpt,
    [COMMAND_RSET] = proceed_rset,
    [COMMAND_VRFY] = proceed_vrfy,
    [COMMAND_UNIMPLEMENTED] = proceed_unimplemented,
    [COMMAND_UNKNOWN] = proceed_unknown,
};

/* A command that does not parse, in its place among the replies to RCPT. */
static void
malformed(struct receiver *r, const struct command *command,
    const struct status *fault)
{
	if (command->verb == COMMAND_MAIL || command->verb == COMMAND_RCPT)
		tell_refusal(r, fault);
	complain(r, fault);
	/* How many octets of a message follow is unknown: none of them may be
	 * taken for a command. */
	if (command->verb == COMMAND_BDAT)
		close_down(r, RECEIVER_BROKEN);
}

/* Asked to stop, the engine still takes the rest of a text that has begun. */
static bool
may_end(const struct receiver *r, enum command_verb verb)
{
	return verb == COMMAND_QUIT ||
	       (verb == COMMAND_BDAT && r->transaction.text_begun);
}

static void
run_command(struct receiver *r, const char *line, size_t len)
{
	struct command command;
	struct status fault;

	transcript_line(r->options.transcript, '<', line, len);
	r->progress++;
	r->line = line;
	r->line_len = len;
	bool good = command_parse(&command, line, len, &fault);
	if (r->stop.code != 0 && !may_end(r, command.verb)) {
		transaction_abort(r);
		say(r, &r->stop);
		close_down(r, RECEIVER_STOPPED);
	} else if (!good) {
		malformed(r, &command, &fault);
	} else {
		unsigned before = r->errors;
		proceed[command.verb](r, &command);
		/* Whether a BDAT made sense shows behind its octets. */
		if (r->errors == before && r->state != STATE_CHUNK)
			r->errors = 0;
	}
}

/*
 * The input
 */

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

/* Throws away the rest of a line that was too long. */
static bool
skip_line(struct receiver *r)
{
	const char *front = r->in + r->in_start;
	const char *end = find_line_end(front + 1, r->in + r->in_end);
	struct status status;

	if (end == NULL) {
		/* Keeps the last octet, which may be the CR. */
		r->in_start = r->in_end - (input_len(r) > 0);
		return false;
	}
	r->in_start = (size_t)(end + 2 - r->in);
	r->skipping = false;
	r->progress++;
	status_set(&status, 500, "5.5.2", "Line too long");
	complain(r, &status);
	return true;
}

/* One command line, if there is a whole one and its turn has come. */
static bool
step_command(struct receiver *r)
{
	const char *line = r->in + r->in_start;

	if (r->transaction.open && r->transaction.refusal.code != 0 &&
	    !r->transaction.text_begun)
		transaction_clear(&r->transaction);
	if (input_len(r) < 2)
		return false;
	if (r->skipping)
		return skip_line(r);
	const char *end = find_line_end(line + 1, r->in + r->in_end);
	size_t len = end != NULL ? (size_t)(end - line) : input_len(r);
	/* Without its end, the last octet may be the CR. */
	if (len + (end != NULL ? 2 : 1) > LIMIT_COMMAND) {
		r->skipping = true;
		return skip_line(r);
	}
	if (end == NULL)
		return false;
	/* Only RCPT may overtake answers to RCPT (RFC 2920 3.2). */
	if (r->slots_due > 0 &&
	    (r->slot_count >= LIMIT_RCPTS || r->stop.code != 0 ||
		command_verb(line, len) != COMMAND_RCPT))
		return false;
	r->in_start += len + 2;
	run_command(r, line, len);
	return true;
}

static bool
step_text(struct receiver *r)
{
	struct text_piece piece;
	struct transaction *t = &r->transaction;
	size_t used =
	    text_next(&t->text, r->in + r->in_start, input_len(r), &piece);

	if (used == 0 && piece.len == 0)
		return false;
	r->in_start += used;
	r->progress += used;
	text_take(r, &piece);
	if (t->text.state == TEXT_ENDED)
		text_done(r);
	return true;
}

static void
chunk_done(struct receiver *r)
{
	struct text_piece piece;
	struct transaction *t = &r->transaction;
	struct status status;

	r->state = STATE_COMMAND;
	if (r->chunk_fault.code != 0 && !t->open) {
		complain(r, &r->chunk_fault);
		return;
	}
	r->errors = 0;
	if (r->chunk_fault.code != 0) {
		say(r, &r->chunk_fault);
	} else if (r->chunk_last) {
		text_end(&t->text, &piece);
		text_take(r, &piece);
		text_done(r);
	} else if (t->refusal.code != 0) {
		say(r, &t->refusal);
	} else {
		status_set(&status, 250, "2.0.0", "%llu octets received",
		    (unsigned long long)r->chunk_size);
		say(r, &status);
	}
}

static bool
step_chunk(struct receiver *r)
{
	struct text_piece piece = {.len = 0};
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
		used = text_next(
		    &r->transaction.text, r->in + r->in_start, len, &piece);
	if (used == 0 && piece.len == 0)
		return false;
	r->in_start += used;
	r->chunk_left -= used;
	r->progress += used;
	text_take(r, &piece);
	return true;
}

/* EOF is no end of anything: what is open leaves no trace. */
static bool
step_eof(struct receiver *r)
{
	transaction_abort(r);
	close_down(r, RECEIVER_EOF);
	return true;
}

static bool
step_closed(struct receiver *r)
{
	if (r->closed_told || r->slots_due > 0)
		return false;
	transaction_abort(r);
	r->closed_told = true;
	emit(r, RECEIVER_CLOSE);
	emitted(r)->end = r->end;
	return true;
}

/* One step forward; false: nothing can be done now. */
static bool
step(struct receiver *r)
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
		if (!step(r))
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
	say(r, &greeting);
	return r;
}

void
receiver_free(struct receiver *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->slot_count; i++)
		free(r->slots[i].line);
	transaction_clear(&r->transaction);
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
		answer_text(r, rcpt, status);
	else
		answer_rcpt(r, rcpt, status);
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
receiver_hang_up(struct receiver *r)
{
	if (r->state == STATE_CLOSED)
		return;
	say(r, &r->stop);
	close_down(r, RECEIVER_STOPPED);
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

const struct envelope *
receiver_envelope(const struct receiver *r)
{
	return r->transaction.open ? &r->transaction.envelope : NULL;
}

bool
receiver_in_text(const struct receiver *r)
{
	return r->transaction.text_begun || r->state == STATE_CHUNK;
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
