/* SPDX-License-Identifier: ISC */
#include "session_private.h"

#include <string.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/stop.h"
#include "ledger/ledger.h"
#include "protocol/customer.h"
#include "record/status_file.h"
#include "session/asking.h"
#include "session/call.h"
#include "session/patience.h"
#include "session/serve.h"
#include "tell/log.h"

enum {
	/* Some providers send one message a call, or only defer. */
	CALLS_MAX = 1000,
	/* In a row, with the same deferrals again: other mail may come next. */
	FRUITLESS_MAX = 4,
	/* Exim lets go of its locks a moment after a connection; whoever calls
	 * in that moment is told that there is no mail (behind one that it
	 * dropped), or it turns and sends nothing (behind any). A login over a
	 * slow network takes seconds of its own. */
	DROP_MS = 5 * 1000,
	DROP_WAIT_MS = 3 * 1000,
};

/* How one call, or one piece of the list of domains, went on. */
enum step {
	STEP_AGAIN, /* call again at once */
	STEP_LATER, /* call again a little later */
	STEP_NEXT, /* this piece is done */
	STEP_END, /* the session is over */
};

/* Where things stood before a call. */
struct before {
	uint64_t progress, answers;
};

void
session_fail(struct session *s, const struct error *err)
{
	if (s->result->error.class == ERROR_NONE)
		s->result->error = *err;
}

static bool
brought_mail(const struct session *s)
{
	return s->tally.finals > 0;
}

void
session_count(struct session *s)
{
	struct session_result *result = s->result;

	result->messages = s->tally.messages;
	result->recipients = s->tally.recipients;
	result->bytes = s->tally.bytes;
	result->refused = s->tally.refused;
	result->deferred = tally_deferred(&s->tally);
	result->elapsed = clock_ms() - s->begun;
}

void
session_tell_progress(struct session *s)
{
	session_count(s);
	if (s->options->progress != NULL)
		s->options->progress(s->options->progress_context, s->result);
}

static void
tell_progress(void *context)
{
	session_tell_progress(context);
}

/* What the provider has now that it had not before: an answer that it has
 * heard already moves nothing. */
static uint64_t
progress_of(const struct session *s)
{
	return s->tally.news + ledger_progress(s->ledger);
}

static uint64_t
answers_of(const struct session *s)
{
	return s->tally.finals + s->tally.deferrals;
}

/*
 * A turned connection
 */

/* No mail, as far as one can tell; a little later that may be known better. */
static enum step
no_mail(struct session *s, bool doubtful)
{
	bool just_now = s->mail_end != 0 && clock_ms() - s->mail_end <= DROP_MS;

	s->mail_end = 0;
	return just_now && doubtful ? STEP_LATER : STEP_NEXT;
}

/* The connection ended before the first MAIL. */
static enum step
nothing_came(
    struct session *s, const struct serve_result *served, int64_t waited)
{
	if (served->end != RECEIVER_QUIT)
		session_note_untidy(s, false);
	/* Who holds turns for mail; this one would be called without end. */
	if (waited < HISTORY_HELD_MS)
		s->history.holds = false;
	/* Why did it turn, when it has nothing to send? */
	return no_mail(s, true);
}

/* A failure on the turned connection. What mail came before it stays. */
static enum step
failed_turned(
    struct session *s, const struct serve_result *served, bool progress)
{
	bool silent_before = s->silent;

	s->silent = served->silent;
	if (served->error.class == ERROR_LOCAL ||
	    served->error.class == ERROR_STOPPED ||
	    served->error.class == ERROR_PROTOCOL) {
		session_fail(s, &served->error);
		return STEP_END;
	}
	log_say(CONFIG_LOG_WARNING, s->account->name, "lost", "%s",
	    served->error.text);
	/* Both sides waited for each other: the next call begins anew. */
	if (progress || (served->silent && !silent_before))
		return STEP_AGAIN;
	if (!brought_mail(s))
		session_fail(s, &served->error);
	return STEP_END;
}

/* Whether to call again after a turned connection. */
static enum step
after_turn(struct session *s, const struct serve_result *served,
    const struct before *before, int64_t waited)
{
	bool progress = progress_of(s) > before->progress;
	bool answered = answers_of(s) > before->answers;

	if (s->silent)
		patience_learn(&s->history.asking, progress);
	if (progress)
		s->fruitless = 0;
	if (served->error.class != ERROR_NONE)
		return failed_turned(s, served, progress);
	s->silent = false;
	if (!served->mail_seen)
		return nothing_came(s, served, waited);
	s->result->mail_seen = true;
	/* Where the provider holds, the next call waits for new mail, and is a
	 * session of its own: what follows a session follows this mail now. */
	if (s->history.holds ||
	    (!s->account->drain && served->end == RECEIVER_QUIT))
		return STEP_NEXT;
	if (progress)
		return STEP_AGAIN;
	if (answered && ++s->fruitless < FRUITLESS_MAX)
		return STEP_AGAIN;
	return STEP_NEXT;
}

static enum step
serve_call(struct session *s, struct call_result *call)
{
	const struct before before = {
	    .progress = progress_of(s),
	    .answers = answers_of(s),
	};
	struct serve_result served;
	struct serve_options options = {
	    .config = s->config,
	    .account = s->account,
	    .destinations = s->destinations,
	    .ledger = s->ledger,
	    .tally = &s->tally,
	    .stream = call->stream,
	    .hostname = call->hostname,
	    .peer_addr = call->address,
	    .session_id = s->id,
	    .size_max = s->size_max,
	    .session_end = s->end,
	    .silence = patience_between(
		&s->history.asking, s->account->provider_timeout),
	    .soft_bounce = s->soft_bounce,
	    .known = &s->history.known,
	    .early = buf_data(&call->early),
	    .early_len = buf_len(&call->early),
	    .transcript = &s->transcript,
	    .progress = tell_progress,
	    .progress_context = s,
	};

	serve_run(&options, &served);
	if (served.end == RECEIVER_BROKEN)
		error_set(&served.error, ERROR_PROTOCOL,
		    "the provider sent too many invalid commands; the session"
		    " was ended");
	if (served.mail_seen) {
		s->mail_end = clock_ms();
		s->dropped = served.end != RECEIVER_QUIT;
	}
	return after_turn(s, &served, &before, call->waited);
}

/*
 * One call
 */

static enum asking_answer
answer_of(const struct customer_outcome *outcome)
{
	if (outcome->result != CUSTOMER_FAILED)
		return ASKING_SERVED;
	if (outcome->refused_450)
		return ASKING_REFUSED;
	return outcome_is_about_domains(outcome) ? ASKING_REJECTED
						 : ASKING_NO_ANSWER;
}

static void
note_answer(struct session *s, const struct customer_outcome *outcome,
    enum asking_answer answer)
{
	char reply[STATUS_LINE_MAX];
	const char *domain;

	/* Without a greeting nothing new is known of the provider. */
	if (outcome->logged_in)
		s->history.asking.indivisible = outcome->exim;
	status_format(&outcome->reply, reply, sizeof reply);
	asking_answer(s->asking, answer, clock_unix_ms(), reply);
	while ((domain = asking_new_refusal(s->asking)) != NULL)
		log_say(CONFIG_LOG_WARNING, s->account->name, "domain",
		    "the provider refuses %s: %s", domain,
		    asking_memory_find(&s->history.asking, domain)->reply);
}

/*
 * Nobody failed: the wait for mail ended with the connection or by a signal. But
 * without a reply nobody knows whether mail could have come: the provider may
 * have died of ATRN, or a proxy cuts what takes a minute. A long wait is worth no
 * word, since routers forget; the alarm hears of it where no reply ever comes.
 */
static enum step
let_go(
    struct session *s, const struct customer_outcome *outcome, int64_t waited)
{
	s->left = s->result->unanswered = stop_requested();
	if (!s->left)
		session_note_untidy(s, waited >= HISTORY_HELD_MS);
	log_say(CONFIG_LOG_DEBUG, s->account->name, "listening", "%s",
	    outcome->error.text);
	return STEP_END;
}

static enum step
failed_call(struct session *s, const struct customer_outcome *outcome,
    enum asking_answer answer, bool first)
{
	if (outcome->error.class == ERROR_STOPPED) {
		session_fail(s, &outcome->error);
		return STEP_END;
	}
	log_say(CONFIG_LOG_DEBUG, s->account->name, "no-more", "%s",
	    outcome->error.text);
	if (answer != ASKING_NO_ANSWER) {
		if (s->refusal.class == ERROR_NONE)
			s->refusal = outcome->error;
		if (s->history.asking.indivisible &&
		    s->account->domains.count > 1)
			log_say(CONFIG_LOG_ERROR, s->account->name, "domain",
			    "the provider refuses the list of domains, and none"
			    " is asked for by itself, because Exim would lose"
			    " recipients: take the domain that is no longer"
			    " yours out of `domains`, or ask the provider");
		return STEP_NEXT;
	}
	/* What a further call meets makes no failure of what went well. */
	if (first && !brought_mail(s))
		session_fail(s, &outcome->error);
	return STEP_END;
}

void
session_reach(void *context)
{
	struct session *s = context;

	s->result->reached = true;
	session_tell_progress(s);
}

bool
session_listen(void *context)
{
	struct session *s = context;
	struct error err;

	log_say(s->history.holds ? CONFIG_LOG_DEBUG : CONFIG_LOG_INFO,
	    s->account->name, "listening",
	    "the provider holds its reply to ATRN until it has mail");
	s->history.holds = true;
	s->history.listening = s->result->listening = clock_unix_ms();
	if (!status_file_write(
		s->config->state_dir, s->account->name, &s->history, &err))
		log_say(CONFIG_LOG_WARNING, s->account->name, "status", "%s",
		    err.text);
	session_tell_progress(s);
	return !brought_mail(s);
}

/* A provider that says "no mail" at once does not hold. */
static void
note_hold(struct session *s, const struct call_result *call)
{
	if (call->outcome.result == CUSTOMER_NO_MAIL &&
	    call->waited < HISTORY_HELD_MS)
		s->history.holds = false;
	if (s->result->listening == 0)
		return;
	s->history.listening = s->result->listening = 0;
	session_tell_progress(s);
}

static enum step
call_provider(struct session *s, const char *domains, bool first)
{
	struct call_result call;
	enum step step = STEP_NEXT;

	s->result->calls++;
	call_run(s->call, domains[0] != '\0' ? domains : NULL, &call);
	transcript_flush(&s->transcript);
	session_log_call(s, &call);
	enum asking_answer answer = answer_of(&call.outcome);
	note_answer(s, &call.outcome, answer);
	note_hold(s, &call);
	if (call.let_go)
		step = let_go(s, &call.outcome, call.waited);
	else if (call.outcome.result == CUSTOMER_FAILED)
		step = failed_call(s, &call.outcome, answer, first);
	if (call.outcome.result == CUSTOMER_TURNED)
		step = serve_call(s, &call);
	else if (call.outcome.result == CUSTOMER_NO_MAIL)
		step = no_mail(s, s->dropped);
	call_result_clear(&call);
	return step;
}

static bool
is_stopped(struct session *s)
{
	struct error err;

	if (!stop_requested() || s->left)
		return false;
	error_set(&err, ERROR_STOPPED, "stopped by a signal");
	session_fail(s, &err);
	return true;
}

static bool
has_time(struct session *s)
{
	if (s->result->calls < CALLS_MAX && clock_ms() < s->end)
		return true;
	s->result->more = true;
	return false;
}

static void
wait_a_little(void)
{
	struct deadline deadline = deadline_in(DROP_WAIT_MS, 0);

	(void)deadline_wait(&deadline, -1, 0);
}

/* Calls for these domains until the provider has nothing more. */
static enum step
drain(struct session *s, const char *domains)
{
	enum step step = STEP_AGAIN;
	bool first = true;

	s->fruitless = 0;
	s->mail_end = 0;
	while (step == STEP_AGAIN || step == STEP_LATER) {
		if (!first && !asking_again(s->asking))
			return STEP_NEXT;
		if (step == STEP_LATER)
			wait_a_little();
		if (!has_time(s)) {
			if (first)
				asking_unasked(s->asking);
			return STEP_END;
		}
		if (!is_stopped(s))
			step = call_provider(s, domains, first);
		first = false;
		if (step != STEP_END && is_stopped(s))
			return STEP_END;
	}
	return step;
}

void
session_ask(struct session *s)
{
	const struct config_texts *list = &s->account->domains;
	struct asking_options options = {
	    .names = (const char *const *)list->items,
	    .count = list->count,
	    .memory = &s->history.asking,
	    .named = s->options->named,
	    .now = clock_unix_ms(),
	};
	char domains[CUSTOMER_DOMAINS_MAX + 1];
	enum step step = STEP_NEXT;

	s->asking = asking_new(&options);
	while (step != STEP_END && asking_next(s->asking, domains))
		step = drain(s, domains);
	asking_end(s->asking, clock_unix_ms());
	s->result->more |= asking_has_more(s->asking);
	if (!asking_was_served(s->asking) && s->refusal.class != ERROR_NONE)
		session_fail(s, &s->refusal);
	asking_free(s->asking);
	s->asking = NULL;
}
