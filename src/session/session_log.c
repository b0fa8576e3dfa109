/* SPDX-License-Identifier: ISC */
#include "session_private.h"

#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "net/stream.h"
#include "session/call.h"
#include "tell/log.h"

enum { EXPIRY_WARNING = 14 * 24 * 3600 /* seconds */ };

static int64_t
end_in_ms(time_t end)
{
	return end > 0 ? (int64_t)end * 1000 : 0;
}

/* For alerts. A resumed session may not say how long the provider's is good. */
static void
remember_certificates(struct session *s, const struct call_result *call)
{
	const struct config_account *account = s->account;

	if (!call->secured && account->tls != CONFIG_TLS_OFF)
		return;
	s->history.own_certificate_end =
	    call->secured ? end_in_ms(call->tls.own_not_after) : 0;
	if (!call->secured || account->tls_pins.count > 0)
		s->history.certificate_end = 0; /* only the pin decides */
	else if (call->tls.not_after != -1)
		s->history.certificate_end = end_in_ms(call->tls.not_after);
}

static void
watch_certificate(struct session *s, const struct call_result *call)
{
	time_t end = call->tls.not_after;
	char until[TIMESTAMP_UTC_SIZE];

	if (s->expiry_told || !call->secured || end == -1 ||
	    end - time(NULL) > EXPIRY_WARNING)
		return;
	s->expiry_told = true;
	log_say(CONFIG_LOG_WARNING, s->account->name, "tls",
	    "the certificate of %s is valid until %s only",
	    s->account->provider.host,
	    timestamp_format_utc(until, (int64_t)end * 1000));
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
		    "logged in with %s although %s has offered %s before:"
		    " possible man in the middle",
		    outcome->mechanism, s->account->provider.host,
		    outcome->downgraded_from);
}

void
session_log_call(struct session *s, const struct call_result *call)
{
	struct log_line line;
	const struct customer_outcome *outcome = &call->outcome;

	remember_certificates(s, call);
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

/* Several that accept and say nothing would pass for a session that hangs: the
 * parent counts one connection and one reply (workers.c, longest_silence()). */
bool
session_try_another(void *context)
{
	struct session *s = context;

	session_tell_progress(s);
	return clock_ms() < s->end;
}

void
session_pass_over(void *context, const char *address, const struct error *why)
{
	struct session *s = context;

	log_say(CONFIG_LOG_WARNING, s->account->name, "other-address",
	    "%s could not be used at the address %s: %s; another address of it"
	    " is tried",
	    s->account->provider.host, address, why->text);
	session_tell_progress(s);
}

void
session_note_untidy(struct session *s, bool quiet)
{
	if (s->tally.finals > 0)
		return;
	s->result->untidy = true;
	/* Of some it is known that they do so with nothing to send. */
	quiet |= s->history.untidy_proven > 0;
	log_say(quiet ? CONFIG_LOG_DEBUG : CONFIG_LOG_WARNING, s->account->name,
	    "untidy",
	    "the provider ended the connection without QUIT, and sent no mail");
}

static enum config_log_level
end_level(const struct session *s)
{
	const struct session_result *result = s->result;

	if (result->outcome == SESSION_NO_MAIL)
		return CONFIG_LOG_DEBUG;
	/* Another process does what was asked for. */
	if (result->error.class == ERROR_BUSY && s->history.listening != 0)
		return CONFIG_LOG_DEBUG;
	if (result->outcome != SESSION_FAILED)
		return CONFIG_LOG_INFO;
	return result->exit_status == EX_TEMPFAIL ? CONFIG_LOG_WARNING
						  : CONFIG_LOG_ERROR;
}

/* The end of what the log has warned of. */
static void
log_recovered(const struct session *s)
{
	if (s->failed_before == 0 || s->result->outcome == SESSION_FAILED ||
	    s->history.last_success != s->result->ended)
		return;
	log_say(CONFIG_LOG_INFO, s->account->name, "recovered",
	    "the account works again, after %u failed session%s",
	    s->failed_before, s->failed_before == 1 ? "" : "s in a row");
}

void
session_log_end(const struct session *s)
{
	const struct session_result *result = s->result;
	struct log_line line;

	log_begin(&line, end_level(s), s->account->name,
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
	log_end(&line);
	log_recovered(s);
}
