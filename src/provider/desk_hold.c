/* SPDX-License-Identifier: ISC */
/*
 * ATRN: whose domains, the hold until Postfix connects, and the turned
 * connection.
 */
#include "desk_private.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/join.h"
#include "net/stream.h"
#include "provider/inner.h"
#include "provider/note.h"
#include "provider/place.h"
#include "provider/postfix.h"
#include "tell/log.h"

enum {
	/* For the gate, which waits for nobody, to answer. */
	GATE_MS = 60 * 1000,
	/* A turned connection without an octet: both sides have limits of five
	 * to ten minutes for their parts (RFC 5321 4.5.3.2). */
	SILENCE_MS = 10 * 60 * 1000,
	GRACE_MS = 3000, /* after SIGTERM */
	/* Domains, the first ones, for which Postfix cannot be asked: it is away.
	 * Each may take ten seconds. */
	FAILURES_MAX = 10,
	/* Before a turn, for which Postfix and the customer wait: after so long no
	 * further domain is asked for. Enough for hundreds of them; an account
	 * with more is asked for the rest in a call that is held for longer. */
	TURN_FLUSH_MS = 2000,
};

/*
 * When Postfix is asked, counted from when the place was given. Not at once: it
 * may have been refused a moment before, when nobody was here. Between its note
 * for the flush service and the end of that try the message is neither active
 * nor deferred for that service, and a flush then strikes the note out: no later
 * one knows the message, which waits for minutes. From now on nothing is
 * refused any more. Later ones are for a slow host; then no more: what comes in
 * while the customer is held is tried at once and needs no flush. To ask each
 * minute would wake an idle customer's process, and have a message that the
 * customer defers tried each minute.
 *
 * A connection that comes before the first of them was waiting for this call
 * (gate_mail.c), as it does in each call of a busy customer: what he deferred
 * must be asked for all the same, and is, before the turn. There is no reason to
 * wait then: Postfix has one connection for an account, so nothing is refused
 * while it waits here.
 */
static const int64_t flush_after[] = {500, 2000, 10 * 1000, 60 * 1000};

static bool
owns(const struct provider_account *account, const char *domain)
{
	for (size_t i = 0; i < account->domains.count; i++)
		if (strcmp(account->domains.items[i], domain) == 0)
			return true;
	return false;
}

static void
answer_held(struct desk *desk, int code, const char *enhanced, const char *text)
{
	struct status status;

	status_set(&status, code, enhanced, "%s", text);
	provider_answer(desk->engine, &status);
	desk->hold.count = 0;
}

/* The password was changed or removed since the login: whoever has the old one
 * would get the mail for as long as he asks for it. false: he is sent away. */
static bool
login_stands(struct desk *desk)
{
	if (verify_stands(desk->verify))
		return true;
	log_say(CONFIG_LOG_INFO, desk->account->name, "login-over",
	    "the password was changed, and %s has logged in with the old one",
	    desk->options->peer_addr);
	desk->hold.count = 0;
	desk_stop_with(
	    desk, "4.7.0", "has a new password for this user; log in again");
	return false;
}

/* Not while he is held: he would miss the mail that has come. */
static bool
login_is_fresh(struct desk *desk)
{
	if (!verify_is_old(desk->verify, clock_ms()))
		return true;
	log_say(CONFIG_LOG_INFO, desk->account->name, "login-over",
	    "Dovecot was asked about %s an hour ago: he must log in again",
	    desk->options->peer_addr);
	desk_stop_with(desk, "4.7.0", "wants a new login each hour");
	return false;
}

/* RFC 2645 5.2.1: a domain that is not his refuses them all. */
void
desk_on_atrn(struct desk *desk, const struct provider_event *event)
{
	const struct provider_account *account = desk->account;
	int64_t patience = desk->config->hold > desk->config->settle
			       ? desk->config->hold
			       : desk->config->settle;
	struct status status;

	if (!login_stands(desk) || !login_is_fresh(desk))
		return;
	for (size_t i = 0; i < event->domains_count; i++) {
		if (owns(account, event->domains[i]))
			continue;
		status_set(&status, 450, "4.7.1",
		    "%s is not a domain of this account", event->domains[i]);
		log_say(CONFIG_LOG_WARNING, account->name, "domain",
		    "the customer asks for %s, which is not a domain of his account",
		    event->domains[i]);
		provider_answer(desk->engine, &status);
		return;
	}
	desk->hold = (struct hold){
	    .domains = event->domains_count > 0 ? event->domains
						: account->domains.items,
	    .count = event->domains_count > 0 ? event->domains_count
					      : account->domains.count,
	    .end = deadline_in(patience, 0),
	};
	note_send(desk->options->gate, NOTE_ASKS, 0, -1);
}

bool
desk_is_holding(const struct desk *desk)
{
	return desk->hold.count > 0;
}

int64_t
desk_next_flush(const struct desk *desk)
{
	const struct hold *hold = &desk->hold;
	size_t rounds = sizeof flush_after / sizeof flush_after[0];

	if (hold->begun == 0)
		return -1;
	if (hold->next > 0 && hold->next < hold->count)
		return hold->begun;
	if (hold->flushes < rounds)
		return hold->begun + flush_after[hold->flushes];
	return -1;
}

bool
desk_may_end_hold(const struct desk *desk)
{
	const struct hold *hold = &desk->hold;

	return deadline_left(&hold->end) == 0 &&
	       (hold->begun == 0 || hold->flushes > 0);
}

/* One domain that Postfix does not know yet, new in the configuration, must not
 * keep the mail of the others away. false: there is no use in going on. */
static bool
bear_failure(struct desk *desk, const struct error *err)
{
	struct hold *hold = &desk->hold;

	log_say(CONFIG_LOG_ERROR, desk->account->name, "flush", "%s: %s",
	    hold->domains[hold->next], err->text);
	hold->failed = true;
	hold->failures++;
	return hold->asked ||
	       (hold->failures < hold->count && hold->failures < FAILURES_MAX);
}

/* What Postfix has deferred comes in this call as well, behind what it is about to
 * send. Where it cannot be asked, that one is not kept away. */
static void
flush_before_turn(struct desk *desk)
{
	struct deadline deadline = deadline_in(TURN_FLUSH_MS, 0);
	struct hold *hold = &desk->hold;
	struct error err;

	if (hold->flushes > 0)
		return;
	while (hold->next < hold->count && deadline_left(&deadline) > 0) {
		if (!postfix_flush(
			desk->config, hold->domains[hold->next], &err) &&
		    (err.class == ERROR_STOPPED || !bear_failure(desk, &err)))
			return;
		hold->next++;
	}
}

static void
turn(struct desk *desk, int postfix)
{
	if (desk_is_holding(desk) && desk->postfix < 0 &&
	    inner_is_gone(postfix)) {
		/* The place is turned for the gate; it is held again. */
		close(postfix);
		note_send(desk->options->gate, NOTE_ASKS, 0, -1);
		return;
	}
	if (!desk_is_holding(desk) || desk->postfix >= 0 ||
	    !login_stands(desk)) {
		inner_refuse(postfix, desk->config->hostname,
		    "the customer has just gone");
		return;
	}
	flush_before_turn(desk);
	desk->postfix = postfix;
	answer_held(
	    desk, 250, "2.0.0", "You have mail; the connection is turned");
}

/* A note of the gate. */
static void
take_note(struct desk *desk, const struct note *note, int fd)
{
	if (note->type == NOTE_CONNECTION && fd >= 0) {
		turn(desk, fd);
	} else if (note->type == NOTE_HOLDS && desk_is_holding(desk)) {
		/* Asked for once, Postfix need not be asked again. */
		if (desk->hold.begun == 0)
			desk->hold.begun = clock_ms();
	} else if (note->type == NOTE_REPLACED) {
		desk->hold.count = 0;
		desk_stop_with(
		    desk, "4.3.2", "has a newer call of this account");
	}
}

/* Gives the place back. The gate may have sent a connection just now, so its
 * word is awaited: then nothing is left to be answered. */
static void
leave_place(struct desk *desk)
{
	struct deadline deadline = deadline_in(GATE_MS, GRACE_MS);
	struct note note;
	int fd = -1;

	note_send(desk->options->gate, NOTE_LEAVES, 0, -1);
	while (desk_is_holding(desk)) {
		switch (note_receive(desk->options->gate, &note, &fd)) {
		case NOTE_GONE:
			return;
		case NOTE_NONE:
			if (deadline_wait(&deadline, desk->options->gate,
				POLLIN) != DEADLINE_READY)
				return;
			continue;
		case NOTE_READ:
			break;
		}
		if (note.type == NOTE_LEFT)
			return;
		take_note(desk, &note, fd);
		/* It was no connection any more, and the place is ours again. */
		if (note.type == NOTE_CONNECTION && desk_is_holding(desk))
			note_send(desk->options->gate, NOTE_LEAVES, 0, -1);
	}
}

/* The time of a hold is over. */
void
desk_end_hold(struct desk *desk)
{
	leave_place(desk);
	if (!desk_is_holding(desk))
		return;
	if (desk->hold.failed)
		answer_held(
		    desk, 451, "4.3.0", "The mail system is not available");
	else if (desk->hold.begun == 0)
		answer_held(desk, 451, "4.3.2",
		    "Another call of this account is being served");
	else
		answer_held(desk, 453, "4.3.0", "You have no mail");
}

/* Where Postfix could not be asked, the customer shall try again later, and not
 * hear "no mail" (RFC 2645 5.2.1). */
void
desk_flush_one(struct desk *desk)
{
	struct hold *hold = &desk->hold;
	struct error err;

	if (hold->next == hold->count)
		hold->next = 0;
	if (postfix_flush(desk->config, hold->domains[hold->next], &err)) {
		hold->asked = true;
	} else if (err.class == ERROR_STOPPED) {
		return; /* the loop says so */
	} else if (!bear_failure(desk, &err)) {
		desk_end_hold(desk);
		return;
	}
	if (++hold->next < hold->count)
		return;
	/* However long that took, Postfix has its time to connect. */
	struct deadline settle = deadline_in(desk->config->settle, 0);
	if (hold->flushes++ == 0 && settle.at > hold->end.at)
		hold->end = settle;
}

void
desk_on_note(struct desk *desk)
{
	struct note note;
	int fd;

	switch (note_receive(desk->options->gate, &note, &fd)) {
	case NOTE_NONE:
		return;
	case NOTE_GONE:
		desk_stop(desk);
		return;
	case NOTE_READ:
		take_note(desk, &note, fd);
	}
}

/*
 * Turned
 */

static void
note_held_moved(void *context, int side, uint64_t octets)
{
	struct place *place = context;

	atomic_store(&place->heard, clock_ms());
	atomic_fetch_add(
	    side == 0 ? &place->from_customer : &place->to_customer, octets);
}

/* A turned connection outlives a reload, unless its account does not. */
static const char *
cause_of_stop(const struct desk *desk)
{
	return atomic_load(&desk->options->place->end) == PLACE_REMOVED
		   ? "the account was removed from the configuration"
		   : "this program is being stopped";
}

static void
log_end_of_turn(const struct desk *desk, const struct join_result *result)
{
	static const char late[] =
	    "; the customer did not reply in the time a stop leaves";
	static const char *const ends[] = {
	    [JOIN_FIRST_ENDED] = "the customer ended it",
	    [JOIN_SECOND_ENDED] = "Postfix ended it",
	    [JOIN_SILENT] = "nothing came from either side for too long",
	    [JOIN_INTERRUPTED] = "a newer call of the account replaced it",
	    [JOIN_STOPPED] = "",
	    [JOIN_CUT] = late,
	    [JOIN_ENDLESS] = "the customer's reply had no end",
	};
	bool stopped = result->end == JOIN_STOPPED || result->end == JOIN_CUT;
	struct log_line line;

	log_begin(&line, CONFIG_LOG_INFO, desk->account->name, "turn-end");
	if (result->end == JOIN_FAILED)
		log_sentence(&line, "%s: %s",
		    result->failed_side == 0 ? "the customer" : "Postfix",
		    result->error.text);
	else
		log_sentence(&line, "%s%s", stopped ? cause_of_stop(desk) : "",
		    ends[result->end]);
	log_number(&line, "to_customer", result->octets[1]);
	log_number(&line, "from_customer", result->octets[0]);
	log_end(&line);
}

void
desk_pass_mail_on(struct desk *desk)
{
	struct stream *postfix = stream_new(desk->postfix);
	struct join_options options = {
	    .sides = {desk->stream, postfix},
	    .silence = SILENCE_MS,
	    .stop_grace = DESK_REPLY_MS,
	    .interrupt = desk->options->gate,
	    .moved = note_held_moved,
	    .context = desk->options->place,
	};
	struct join_result result;

	log_say(CONFIG_LOG_DEBUG, desk->account->name, "turned", "%s",
	    desk->options->peer_addr);
	join_run(&options, &result);
	log_end_of_turn(desk, &result);
	struct deadline finish = desk_last_wait();
	stream_finish(postfix, &finish);
	stream_free(postfix);
}
