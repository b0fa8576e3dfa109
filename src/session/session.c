/* SPDX-License-Identifier: ISC */
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/digest.h"
#include "base/privilege.h"
#include "base/transcript.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "net/tls.h"
#include "record/history.h"
#include "record/hold.h"
#include "record/lock.h"
#include "record/status_file.h"
#include "session/call.h"
#include "session/destinations.h"
#include "session/serve.h"
#include "session/soft_bounce.h"
#include "session/tally.h"
#include "session_private.h"
#include "tell/log.h"

enum {
	/* Reading a password, trying a local service: all have limits of
	 * their own below this one. */
	SETUP_MAX = 15 * 60 * 1000,
};

/*
 * Set-up
 */

static bool
take_locks(struct session *s, struct error *err)
{
	const struct config_account *account = s->account;
	char name[LOCK_NAME_MAX];
	struct deadline deadline = deadline_in(account->session_timeout, 0);

	s->locks[0] =
	    lock_account(s->config->state_dir, account->name, NULL, err);
	if (s->locks[0] < 0)
		return false;
	lock_provider_name(name, account);
	s->locks[1] = lock_take(s->config->state_dir, name,
	    "another session with the same user at this provider has not ended",
	    &deadline, err);
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
	history_provider_is(&s->history, s->account);
	s->failed_before = s->history.failures_in_a_row;
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
	    .best_before = s->history.auth_best,
	    .transcript = &s->transcript,
	    .holds = s->history.holds,
	    .held = session_listen,
	    .held_context = s,
	    .reached = session_reach,
	    .reached_context = s,
	    .try_another = session_try_another,
	    .try_another_context = s,
	    .passed_over = session_pass_over,
	    .passed_over_context = s,
	};

	s->call = call_prepare(&options, &deadline, err);
	struct error other;
	if (!privilege_drop(&other)) {
		*err = other;
		return false;
	}
	privilege_follow_parent();
	if (s->call != NULL &&
	    !hold_fingerprint(s->config, s->account, call_password(s->call),
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
	s->destinations = destinations_new(
	    s->config, s->account, s->config->hostname, s->options->trace);
	s->soft_bounce = soft_bounce_new(s->config, s->account, &s->history);
	if (!destinations_probe(s->destinations, &s->size_max, &deadline, err))
		return false;
	if (max != 0 && (s->size_max == 0 || max < s->size_max))
		s->size_max = max;
	return true;
}

static void
begin_session(struct session *s)
{
	history_init(&s->history);
	transcript_init(&s->transcript, "provider", s->options->trace);
	s->begun = clock_ms();
	s->result->started = clock_unix_ms();
	digest_random(s->id, (SESSION_ID_SIZE - 1) / 2);
	log_session(s->id);
	log_say(
	    CONFIG_LOG_DEBUG, s->account->name, "start", "the session begins");
}

/*
 * The end
 */

static void
judge_session(struct session *s)
{
	struct session_result *result = s->result;

	session_count(s);
	result->ended = clock_unix_ms();
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

static void
finish_session(struct session *s)
{
	struct error err;

	judge_session(s);
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
	session_log_end(s);
	soft_bounce_free(s->soft_bounce);
	if (s->destinations != NULL)
		destinations_free(s->destinations);
	if (s->ledger != NULL)
		ledger_close(s->ledger);
	call_free(s->call);
	serve_log_left_out(&s->tally, s->account->name);
	log_session(NULL);
	tally_clear(&s->tally);
	transcript_clear(&s->transcript);
	history_clear(&s->history);
	for (int i = 0; i < 2; i++)
		if (s->locks[i] >= 0)
			close(s->locks[i]);
}

void
session_prepare(const struct config *config)
{
	for (size_t i = 0; i < config->accounts_count; i++) {
		if (config->accounts[i].tls != CONFIG_TLS_OFF) {
			tls_prepare();
			return;
		}
	}
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
	begin_session(&s);
	bool locked = take_locks(&s, &err);
	/* Also where there is only the first lock: a session that ends there is
	 * recorded, and nothing may be forgotten for it. Where there is none, it
	 * says whether who has it listens. */
	if (s.locks[0] >= 0 || err.class == ERROR_BUSY)
		read_history(&s);
	if (!locked) {
		session_fail(&s, &err);
	} else {
		/* The wait for the locks is no part of the session. */
		session_tell_progress(&s);
		s.end = clock_ms() + account->session_timeout;
		if (prepare_call(&s, &err) && prepare_local(&s, &err))
			session_ask(&s);
		else
			session_fail(&s, &err);
	}
	finish_session(&s);
}
