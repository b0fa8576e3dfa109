/* SPDX-License-Identifier: ISC */
#include "agent/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "agent/call.h"
#include "agent/config.h"
#include "agent/history.h"
#include "agent/hold.h"
#include "agent/ledger.h"
#include "agent/lock.h"
#include "agent/log.h"
#include "agent/moment.h"
#include "agent/outlets.h"
#include "agent/privilege.h"
#include "agent/serve.h"
#include "agent/soft_bounce.h"
#include "agent/status_file.h"
#include "agent/tally.h"
#include "base/deadline.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/transcript.h"
#include "net/stream.h"
#include "protocol/customer.h"

enum {
	/* Some providers send one message a call, or only defer. */
	CALLS_MAX = 1000,
	FRUITLESS_MAX = 5,
	/* Reading a password, trying a local service: all have limits of
	 * their own below this one. */
	SETUP_MAX = 15 * 60 * 1000,
	SESSION_ID_SIZE = 17, /* 8 octets of chance in hexadecimal */
	EXPIRY_WARNING = 14 * 24 * 3600, /* seconds */
};

/* How one call, or one piece of the list of domains, went on. */
enum step {
	STEP_AGAIN, /* call again at once */
	STEP_NEXT, /* this piece is done */
	STEP_END, /* the session is over */
};

struct session {
	const struct config *config;
	const struct config_account *account;
	const struct session_options *options;
	struct session_result *result;
	struct history history;
	struct secret password, token;
	char fingerprint[CONFIG_FINGERPRINT_SIZE];
	struct transcript transcript;
	struct call *call;
	struct outlets *outlets;
	struct soft_bounce *soft_bounce;
	struct ledger *ledger;
	struct tally tally;
	uint64_t size_max;
	int64_t begun; /* clock_ms() */
	int64_t end; /* clock_ms() */
	int locks[2];
	char id[SESSION_ID_SIZE];
	size_t domains_refused, domains_asked;
	unsigned fruitless; /* calls in a row that brought deferrals alone */
	bool expiry_told;
};

/* Names of one ATRN. */
struct ask {
	char domains[CUSTOMER_DOMAINS_MAX + 1];
	const char *single; /* the domain, where it is asked by itself */
	bool list; /* more than one */
};

/* The first failure is the one that is reported. */
static void
fail(struct session *s, const struct error *err)
{
	if (s->result->error.class == ERROR_NONE)
		s->result->error = *err;
}

static bool
brought_mail(const struct session *s)
{
	return s->tally.finals > 0;
}

static void
count(struct session *s)
{
	struct session_result *result = s->result;

	result->messages = s->tally.messages;
	result->recipients = s->tally.recipients;
	result->bytes = s->tally.bytes;
	result->refused = s->tally.refused;
	result->deferred = tally_deferred(&s->tally);
	result->elapsed = clock_ms() - s->begun;
}

static void
tell_progress(void *context)
{
	struct session *s = context;

	count(s);
	if (s->options->progress != NULL)
		s->options->progress(s->options->progress_context, s->result);
}

/*
 * One call
 */

static void
watch_certificate(struct session *s, const struct call_result *call)
{
	time_t end = call->tls.not_after;
	char until[MOMENT_UTC_SIZE];

	if (s->expiry_told || !call->secured || end == -1 ||
	    end - time(NULL) > EXPIRY_WARNING)
		return;
	s->expiry_told = true;
	log_say(CONFIG_LOG_WARNING, s->account->name, "tls",
	    "the certificate of %s is valid until %s only",
	    s->account->provider.host,
	    moment_format_utc(until, (int64_t)end * 1000));
}

/* Whether the provider offers less than it once did. Where that is refused
 * the error says so. */
static void
watch_mechanism(struct session *s, const struct customer_outcome *outcome)
{
	if (outcome->downgraded_from == NULL && outcome->logged_in)
		history_auth_offered(&s->history, outcome->best_offered);
	if (outcome->downgraded_from != NULL &&
	    s->account->auth_downgrade == CONFIG_AUTH_DOWNGRADE_WARN)
		log_say(CONFIG_LOG_WARNING, s->account->name, "auth",
		    "%s was used, though %s can do %s: somebody on the way may"
		    " change what it offers",
		    outcome->mechanism, s->account->provider.host,
		    outcome->downgraded_from);
}

static void
log_call(struct session *s, const struct call_result *call)
{
	struct log_line line;
	const struct customer_outcome *outcome = &call->outcome;

	watch_certificate(s, call);
	watch_mechanism(s, outcome);
	if (!log_is_on(CONFIG_LOG_DEBUG))
		return;
	if (call->stream != NULL) {
		log_begin(
		    &line, CONFIG_LOG_DEBUG, s->account->name, "connected");
		log_text(&line, "address", call->address);
		log_end(&line);
	}
	if (call->secured) {
		log_begin(&line, CONFIG_LOG_DEBUG, s->account->name, "tls");
		log_text(&line, "version", call->tls.version);
		log_text(&line, "cipher", call->tls.cipher);
		log_text(&line, "resumed", call->tls.resumed ? "yes" : "no");
		log_escaped(&line, "subject", call->tls.subject);
		log_end(&line);
	}
	if (outcome->mechanism != NULL) {
		log_begin(&line, CONFIG_LOG_DEBUG, s->account->name, "auth");
		log_text(&line, "mechanism", outcome->mechanism);
		log_text(&line, "binding", outcome->binding);
		log_end(&line);
	}
	if (outcome->result == CUSTOMER_TURNED)
		log_say(CONFIG_LOG_DEBUG, s->account->name, "turned",
		    "the provider sends now");
}

/* The line ended before the first MAIL: no mail, as far as one can tell. */
static enum step
nothing_came(struct session *s, const struct serve_result *served)
{
	if (served->end == RECEIVER_QUIT)
		return STEP_NEXT;
	if (!brought_mail(s)) {
		s->result->untidy = true;
		log_say(CONFIG_LOG_WARNING, s->account->name, "untidy",
		    "the provider ended the line without QUIT, and sent no"
		    " mail");
	}
	return STEP_NEXT;
}

/* A failure on the turned connection. What mail came before it stays. */
static enum step
failed_turned(struct session *s, const struct serve_result *served, bool final)
{
	if (served->error.class == ERROR_LOCAL ||
	    served->error.class == ERROR_STOPPED ||
	    served->error.class == ERROR_PROTOCOL) {
		fail(s, &served->error);
		return STEP_END;
	}
	log_say(CONFIG_LOG_WARNING, s->account->name, "lost", "%s",
	    served->error.text);
	if (final)
		return STEP_AGAIN;
	if (!brought_mail(s))
		fail(s, &served->error);
	return STEP_END;
}

/* Whether to call again after a turned connection. */
static enum step
after_turn(struct session *s, const struct serve_result *served,
    const struct tally *before)
{
	bool final = s->tally.finals > before->finals;
	bool deferred = s->tally.deferrals > before->deferrals;

	if (served->error.class != ERROR_NONE)
		return failed_turned(s, served, final);
	if (!served->mail_seen)
		return nothing_came(s, served);
	if (!s->account->drain && served->end == RECEIVER_QUIT)
		return STEP_NEXT;
	if (final) {
		s->fruitless = 0;
		return STEP_AGAIN;
	}
	if (deferred && ++s->fruitless < FRUITLESS_MAX)
		return STEP_AGAIN;
	return STEP_NEXT;
}

static enum step
serve_call(struct session *s, struct call_result *call)
{
	const struct tally before = s->tally;
	struct serve_result served;
	struct serve_options options = {
	    .config = s->config,
	    .account = s->account,
	    .outlets = s->outlets,
	    .ledger = s->ledger,
	    .tally = &s->tally,
	    .stream = call->stream,
	    .hostname = call->hostname,
	    .peer_addr = call->address,
	    .session_id = s->id,
	    .size_max = s->size_max,
	    .session_end = s->end,
	    .soft_bounce = s->soft_bounce,
	    .early = buf_data(&call->early),
	    .early_len = buf_len(&call->early),
	    .transcript = &s->transcript,
	    .progress = tell_progress,
	    .progress_context = s,
	};

	serve_run(&options, &served);
	if (served.end == RECEIVER_BROKEN)
		error_set(&served.error, ERROR_PROTOCOL,
		    "the provider said what makes no sense, and was told so");
	return after_turn(s, &served, &before);
}

/* A domain, or a list of them, was refused with 450. */
static void
note_refusal(struct session *s, const struct ask *ask,
    const struct customer_outcome *outcome)
{
	char reply[STATUS_LINE_MAX];

	if (ask->list)
		history_list_refused(&s->history);
	if (ask->single == NULL)
		return;
	s->domains_refused++;
	status_format(&outcome->reply, reply, sizeof reply);
	history_domain_refused(&s->history, ask->single, moment_now(), reply);
	log_say(CONFIG_LOG_WARNING, s->account->name, "domain",
	    "the provider refuses %s: %s", ask->single, reply);
}

static enum step
failed_call(struct session *s, const struct ask *ask,
    const struct customer_outcome *outcome, bool first)
{
	if (outcome->error.class == ERROR_STOPPED) {
		fail(s, &outcome->error);
		return STEP_END;
	}
	if (outcome->refused_450 && first) {
		note_refusal(s, ask, outcome);
		if (ask->single != NULL)
			return STEP_NEXT;
	}
	/* What a further call meets makes no failure of what went well. */
	if (!first || brought_mail(s)) {
		log_say(CONFIG_LOG_DEBUG, s->account->name, "no-more", "%s",
		    outcome->error.text);
		return outcome->refused_450 ? STEP_NEXT : STEP_END;
	}
	fail(s, &outcome->error);
	return outcome->refused_450 ? STEP_NEXT : STEP_END;
}

static enum step
call_and_serve(struct session *s, const struct ask *ask, bool first)
{
	struct call_result call;
	enum step step = STEP_NEXT;

	s->result->calls++;
	call_run(s->call, ask->domains[0] != '\0' ? ask->domains : NULL, &call);
	transcript_flush(&s->transcript);
	s->result->reached |= call.outcome.logged_in;
	log_call(s, &call);
	if (call.outcome.result == CUSTOMER_FAILED)
		step = failed_call(s, ask, &call.outcome, first);
	else if (ask->single != NULL)
		history_domain_served(&s->history, ask->single);
	if (call.outcome.result == CUSTOMER_TURNED)
		step = serve_call(s, &call);
	call_result_clear(&call);
	return step;
}

/* Calls for these domains until the provider has nothing more. */
static enum step
drain(struct session *s, const struct ask *ask)
{
	enum step step = STEP_AGAIN;

	s->domains_asked++;
	s->fruitless = 0;
	for (bool first = true; step == STEP_AGAIN; first = false) {
		if (s->result->calls == CALLS_MAX || clock_ms() >= s->end) {
			s->result->more = true;
			return STEP_END;
		}
		step = call_and_serve(s, ask, first);
		if (step != STEP_END && stop_requested()) {
			struct error err;
			error_set(&err, ERROR_STOPPED, "stopped by a signal");
			fail(s, &err);
			return STEP_END;
		}
	}
	return step;
}

/*
 * The list of domains
 */

static enum step
ask_single(struct session *s, const char *domain)
{
	struct ask ask = {.single = domain};

	snprintf(ask.domains, sizeof ask.domains, "%s", domain);
	return drain(s, &ask);
}

/* Each by itself: after a 450 to a list, or what was refused before. */
static enum step
ask_each(struct session *s, bool all)
{
	const struct config_texts *domains = &s->account->domains;
	enum step step = STEP_NEXT;

	for (size_t i = 0; i < domains->count && step != STEP_END; i++) {
		const char *domain = domains->items[i];
		bool refused = history_find_domain(&s->history, domain) != NULL;
		if ((all || refused) &&
		    history_domain_due(&s->history, domain, moment_now()))
			step = ask_single(s, domain);
	}
	return step;
}

/* The domains that are not refused, as many at a time as one line takes. */
static enum step
ask_lists(struct session *s)
{
	const struct config_texts *domains = &s->account->domains;
	const char **names = xcalloc(domains->count, sizeof *names);
	size_t count = 0, at = 0;
	enum step step = STEP_NEXT;

	for (size_t i = 0; i < domains->count; i++)
		if (history_find_domain(&s->history, domains->items[i]) == NULL)
			names[count++] = domains->items[i];
	while (at < count && step != STEP_END) {
		struct ask ask = {.single = NULL};
		size_t some =
		    customer_join_domains(ask.domains, names + at, count - at);
		ask.list = some > 1;
		at += some;
		step = drain(s, &ask);
	}
	free(names);
	return step;
}

static void
ask_all(struct session *s)
{
	struct ask any = {.single = NULL};

	if (s->account->domains.count == 0) {
		drain(s, &any);
	} else if (s->history.ask_each) {
		if (ask_each(s, true) != STEP_END)
			history_list_asked(&s->history);
	} else if (ask_lists(s) != STEP_END) {
		ask_each(s, false);
	}
	if (s->domains_refused == s->domains_asked && !brought_mail(s) &&
	    s->account->domains.count > 0) {
		struct error err;
		error_set(&err, ERROR_REFUSED,
		    "the provider refuses every domain: no right to them, or"
		    " asked too often");
		fail(s, &err);
	}
}

/*
 * Set-up
 */

static bool
take_locks(struct session *s, struct error *err)
{
	const struct config_account *account = s->account;
	char name[LOCK_NAME_MAX];
	struct deadline deadline = deadline_in(account->session_timeout, 0);

	s->locks[0] = lock_take(s->config->state_dir, account->name, NULL, err);
	if (s->locks[0] < 0)
		return false;
	lock_provider_name(name, account->provider.host, account->provider.port,
	    account->user != NULL ? account->user : "");
	s->locks[1] = lock_take(s->config->state_dir, name, &deadline, err);
	return s->locks[1] >= 0;
}

static void
read_history(struct session *s)
{
	struct error err;

	if (!status_file_read(
		s->config->state_dir, s->account->name, &s->history, &err))
		log_say(CONFIG_LOG_WARNING, s->account->name, "status", "%s",
		    err.text);
	history_auth_at(&s->history, s->account->provider.host);
	s->tally.kept = &s->history.deferrals;
}

/* The last steps that may need root; afterwards there is none. */
static bool
prepare_call(struct session *s, struct error *err)
{
	struct deadline deadline = deadline_in(SETUP_MAX, 0);
	struct call_options options = {
	    .config = s->config,
	    .account = s->account,
	    .password = &s->password,
	    .token = &s->token,
	    .best_before = s->history.auth_best,
	    .refuse_downgrade =
		s->account->auth_downgrade == CONFIG_AUTH_DOWNGRADE_REFUSE,
	    .transcript = &s->transcript,
	};

	privilege_regain();
	if (config_read_secret(s->account, &s->password, &deadline, err) &&
	    config_read_token(s->account, &s->token, &deadline, err))
		s->call = call_new(&options, err);
	struct error other;
	if (!privilege_drop(&other)) {
		*err = other;
		return false;
	}
	privilege_follow_parent();
	if (s->call != NULL &&
	    !hold_fingerprint(s->config->state_dir, s->account, &s->password,
		s->fingerprint, &other))
		log_say(CONFIG_LOG_WARNING, s->account->name, "status", "%s",
		    other.text);
	return s->call != NULL;
}

static bool
prepare_local(struct session *s, struct error *err)
{
	struct deadline deadline = deadline_in(SETUP_MAX, 0);
	struct ledger_options ledger = {
	    .keep = s->config->ledger_keep / 1000,
	    .sync = s->config->ledger_sync,
	    .forget_times = s->options->named,
	};
	uint64_t max = s->config->max_message_size;
	const char *note;
	bool error;

	s->ledger =
	    ledger_open(s->config->state_dir, s->account->name, &ledger, err);
	if (s->ledger == NULL)
		return false;
	while ((note = ledger_note(s->ledger, &error)) != NULL)
		log_say(error ? CONFIG_LOG_ERROR : CONFIG_LOG_WARNING,
		    s->account->name, "ledger", "%s", note);
	s->outlets = outlets_new(
	    s->config, s->account, s->config->hostname, s->options->trace);
	s->soft_bounce = soft_bounce_new(s->config, s->account, &s->history);
	if (!outlets_probe(s->outlets, &s->size_max, &deadline, err))
		return false;
	if (max != 0 && (s->size_max == 0 || max < s->size_max))
		s->size_max = max;
	return true;
}

static void
begin(struct session *s)
{
	unsigned char octets[(SESSION_ID_SIZE - 1) / 2];

	history_init(&s->history);
	transcript_init(&s->transcript, "provider", s->options->trace);
	s->begun = clock_ms();
	s->result->started = moment_now();
	if (getentropy(octets, sizeof octets) != 0)
		memset(octets, 0, sizeof octets);
	for (size_t i = 0; i < sizeof octets; i++)
		snprintf(s->id + 2 * i, 3, "%02x", octets[i]);
	log_say(
	    CONFIG_LOG_DEBUG, s->account->name, "start", "session %s", s->id);
}

/*
 * The end
 */

static void
judge(struct session *s)
{
	struct session_result *result = s->result;

	count(s);
	result->ended = moment_now();
	if (result->error.class != ERROR_NONE) {
		result->outcome = SESSION_FAILED;
		result->exit_status = error_exit_status(result->error.class);
	} else if (result->deferred > 0) {
		result->outcome = SESSION_DEFERRED;
		result->exit_status = EX_TEMPFAIL;
	} else if (result->messages > 0) {
		result->outcome = SESSION_MAIL;
		result->exit_status = EX_OK;
	} else if (result->refused > 0) {
		result->outcome = SESSION_REFUSED;
		result->exit_status = EX_NOUSER;
	} else {
		result->outcome = SESSION_NO_MAIL;
		result->exit_status = EX_OK;
	}
}

static enum config_log_level
end_level(const struct session_result *result)
{
	if (result->outcome == SESSION_NO_MAIL)
		return CONFIG_LOG_DEBUG;
	if (result->outcome != SESSION_FAILED)
		return CONFIG_LOG_INFO;
	return result->exit_status == EX_TEMPFAIL ? CONFIG_LOG_WARNING
						  : CONFIG_LOG_ERROR;
}

static void
log_session_end(const struct session *s)
{
	const struct session_result *result = s->result;
	struct log_line line;

	log_begin(&line, end_level(result), s->account->name,
	    result->outcome == SESSION_NO_MAIL ? "no-mail" : "end");
	if (result->outcome == SESSION_FAILED)
		log_sentence(&line, "%s", result->error.text);
	log_text(&line, "result", history_outcome_name(result->outcome));
	log_number(&line, "exit_status", (uint64_t)result->exit_status);
	log_number(&line, "calls", result->calls);
	log_number(&line, "messages", result->messages);
	log_number(&line, "recipients", result->recipients);
	log_number(&line, "bytes", result->bytes);
	log_number(&line, "deferred", result->deferred);
	log_number(&line, "refused", result->refused);
	log_ms(&line, "seconds", result->elapsed);
	log_text(&line, "session", s->id);
	log_end(&line);
}

static void
finish(struct session *s)
{
	struct error err;

	judge(s);
	if (s->ledger != NULL) {
		s->history.ledger_entries = ledger_entries(s->ledger);
		s->history.ledger_due = ledger_due(s->ledger);
	}
	if (s->result->outcome != SESSION_FAILED)
		history_deferrals_forget(
		    &s->history.deferrals, s->account, s->result->ended);
	if (s->soft_bounce != NULL)
		soft_bounce_record(s->soft_bounce, &s->history);
	if (s->locks[0] >= 0 &&
	    !status_file_record(s->config->state_dir, s->account->name,
		&s->history, s->result, s->fingerprint, &err))
		log_say(CONFIG_LOG_WARNING, s->account->name, "status", "%s",
		    err.text);
	log_session_end(s);
	soft_bounce_free(s->soft_bounce);
	if (s->outlets != NULL)
		outlets_free(s->outlets);
	if (s->ledger != NULL)
		ledger_close(s->ledger);
	call_free(s->call);
	secret_clear(&s->password);
	secret_clear(&s->token);
	serve_log_left_out(&s->tally, s->account->name, s->id);
	tally_clear(&s->tally);
	transcript_clear(&s->transcript);
	history_clear(&s->history);
	for (int i = 0; i < 2; i++)
		if (s->locks[i] >= 0)
			close(s->locks[i]);
}

void
session_run(const struct config *config, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	struct session s = {
	    .config = config,
	    .account = account,
	    .options = options,
	    .result = result,
	    .locks = {-1, -1},
	};
	struct error err;

	*result = (struct session_result){.outcome = SESSION_FAILED};
	begin(&s);
	if (!take_locks(&s, &err)) {
		fail(&s, &err);
	} else {
		/* The wait for the locks is no part of the session. */
		tell_progress(&s);
		s.end = clock_ms() + account->session_timeout;
		read_history(&s);
		if (prepare_call(&s, &err) && prepare_local(&s, &err))
			ask_all(&s);
		else
			fail(&s, &err);
	}
	finish(&s);
}
