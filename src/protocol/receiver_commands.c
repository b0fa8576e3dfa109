/* SPDX-License-Identifier: ISC */
#include "receiver_private.h"

#include <stdio.h>
#include <string.h>

#include "base/transcript.h"

static void
proceed_ehlo(struct receiver *r, const struct command *command)
{
	char line[LIMIT_PEER_NAME + 32];

	receiver_transaction_abort(r);
	memcpy(r->peer_name, command->name, command->name_len);
	r->peer_name[command->name_len] = '\0';
	r->esmtp = command->verb == COMMAND_EHLO;
	if (!r->esmtp) {
		receiver_reply(r, 250, "", r->options.hostname);
		return;
	}
	snprintf(line, sizeof line, "250-%s", r->options.hostname);
	receiver_say_line(r, line);
	receiver_say_line(r, "250-PIPELINING");
	snprintf(line, sizeof line, "250-SIZE %llu",
	    r->soft_size ? 0 : (unsigned long long)r->options.size_max);
	receiver_say_line(r, line);
	receiver_say_line(r, "250-8BITMIME");
	receiver_say_line(r, "250-ENHANCEDSTATUSCODES");
	receiver_say_line(r, "250-CHUNKING");
	receiver_say_line(r, "250-SMTPUTF8");
	if (r->options.dsn)
		receiver_say_line(r, "250-DSN");
	snprintf(line, sizeof line, "250-LIMITS RCPTMAX=%d", LIMIT_RCPTS);
	receiver_say_line(r, line);
	receiver_say_line(r, "250 PRDR");
	r->awaits_proof = true;
}

static void
proceed_mail(struct receiver *r, const struct command *command)
{
	uint64_t max = r->options.size_max;
	struct status status;

	if (r->peer_name[0] == '\0') {
		receiver_complain_order(r, "EHLO first");
	} else if (max != 0 && command->size > max) {
		receiver_size_status(r, &status);
		receiver_tell_refusal(r, &status);
		receiver_say(r, &status);
	} else {
		r->mail_refused = false;
		r->excused = 0;
		receiver_transaction_begin(r, command);
		receiver_reply(r, 250, "2.1.0", "Ok");
	}
}

static void
proceed_rcpt(struct receiver *r, const struct command *command)
{
	struct transaction *t = &r->transaction;
	struct status status;

	if (!t->open) {
		receiver_miss_mail(r);
		return;
	}
	if (t->content_begun) {
		receiver_complain_order(r, "The message data has begun");
		return;
	}
	/* Refused ones count as well, or their number had no limit. */
	if (t->envelope.rcpts == LIMIT_RCPTS) {
		status_set(&status, 452, "4.5.3", "Too many recipients");
		status.cause = CAUSE_RECIPIENTS;
		receiver_tell_refusal(r, &status);
		receiver_slot_add(r, &status, 0);
		return;
	}
	if (!command_path_allowed(command, t->envelope.smtputf8, &status)) {
		receiver_tell_refusal(r, &status);
		receiver_excuse(r, &status);
		return;
	}
	r->excused = 0;
	receiver_transaction_add(t, command);
	struct path *path = &t->rcpts[t->envelope.rcpts - 1]->path;
	if (path_domain(path)[0] == '\0')
		path_complete(path, r->options.postmaster_domain);
	receiver_emit(r, RECEIVER_RCPT);
	receiver_emitted(r)->rcpt = t->envelope.rcpts - 1;
	receiver_slot_add(r, NULL, t->envelope.rcpts - 1);
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
	if (r->transaction.content_begun) {
		receiver_complain_order(r, "BDAT has begun this message");
	} else if (!r->transaction.open) {
		receiver_miss_mail(r);
	} else if (text_may_begin(r, &fault)) {
		receiver_text_begin(r, true);
		receiver_reply(r, 354, "", "End data with <CR><LF>.<CR><LF>");
		r->awaits_proof = true;
		r->state = STATE_TEXT;
	} else {
		receiver_say(r, &fault);
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
	if (!r->transaction.content_begun)
		receiver_text_begin(r, false);
}

static void
proceed_rset(struct receiver *r, const struct command *command)
{
	(void)command;
	receiver_transaction_abort(r);
	receiver_reply(r, 250, "2.0.0", "Ok");
}

static void
proceed_noop(struct receiver *r, const struct command *command)
{
	(void)command;
	receiver_reply(r, 250, "2.0.0", "Ok");
}

static void
proceed_help(struct receiver *r, const struct command *command)
{
	(void)command;
	receiver_reply(r, 214, "2.0.0", "See RFC 5321");
}

static void
proceed_vrfy(struct receiver *r, const struct command *command)
{
	(void)command;
	receiver_reply(
	    r, 252, "2.5.0", "Cannot verify, but will accept the message");
}

static void
proceed_quit(struct receiver *r, const struct command *command)
{
	(void)command;
	receiver_transaction_abort(r);
	receiver_reply(r, 221, "2.0.0", "Bye");
	receiver_close_down(r, RECEIVER_QUIT);
}

static void
proceed_unimplemented(struct receiver *r, const struct command *command)
{
	struct status status;

	(void)command;
	status_set(&status, 502, "5.5.1", "Command not implemented");
	receiver_complain(r, &status);
}

static void
proceed_unknown(struct receiver *r, const struct command *command)
{
	struct status status;

	(void)command;
	status_set(&status, 500, "5.5.1", "Command unknown");
	receiver_complain(r, &status);
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
	if (command->verb == COMMAND_MAIL || command->verb == COMMAND_RCPT) {
		receiver_tell_refusal(r, fault);
		receiver_excuse(r, fault);
		return;
	}
	receiver_complain(r, fault);
	/* How many octets of a message follow is unknown: none of them may be
	 * taken for a command. */
	if (command->verb == COMMAND_BDAT)
		receiver_close_down(r, RECEIVER_BROKEN);
}

/* May stand in one group behind a MAIL (RFC 2920 3.1, RFC 3030 4.2). */
static bool
follows_mail(enum command_verb verb)
{
	return verb == COMMAND_RCPT || verb == COMMAND_DATA ||
	       verb == COMMAND_BDAT;
}

/* Asked to stop, the engine still takes the rest of a text that has begun. */
static bool
may_end(const struct receiver *r, enum command_verb verb)
{
	return verb == COMMAND_QUIT ||
	       (verb == COMMAND_BDAT && r->transaction.content_begun);
}

void
receiver_run_command(struct receiver *r, const char *line, size_t len)
{
	struct command *command = &r->command;
	struct status fault;

	transcript_line(r->options.transcript, '<', line, len);
	r->progress++;
	r->line = line;
	r->line_len = len;
	bool good = command_parse(command, line, len, &fault) &&
		    command_dsn_allowed(command, r->options.dsn, &fault);
	if (command->verb == COMMAND_MAIL)
		receiver_mail_comes(r);
	else if (!follows_mail(command->verb))
		r->mail_refused = false;
	if (r->stop.code != 0 && !may_end(r, command->verb)) {
		receiver_transaction_abort(r);
		receiver_say(r, &r->stop);
		receiver_close_down(r, RECEIVER_STOPPED);
	} else if (!good) {
		malformed(r, command, &fault);
	} else {
		unsigned before = r->errors;
		proceed[command->verb](r, command);
		/* Whether a BDAT made sense shows behind its octets. */
		if (r->errors == before && r->state != STATE_CHUNK)
			r->errors = 0;
	}
}
