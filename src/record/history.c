/* SPDX-License-Identifier: ISC */
#include "record/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "protocol/sasl.h"
#include "schedule/retry.h"

void
history_init(struct history *history)
{
	*history = (struct history){.any = false};
}

void
history_clear(struct history *history)
{
	free(history->proven);
	history_deferrals_clear(&history->deferrals);
	history_known_clear(&history->known);
	asking_memory_clear(&history->asking);
	history_init(history);
}

const char *
history_outcome_name(enum session_outcome outcome)
{
	switch (outcome) {
	case SESSION_MAIL:
		return "mail";
	case SESSION_NO_MAIL:
		return "no-mail";
	case SESSION_DEFERRED:
		return "deferred";
	case SESSION_REFUSED:
		return "refused";
	case SESSION_FAILED:
		return "failed";
	}
	return "failed";
}

uint64_t
history_messages_today(const struct history *history, int64_t now)
{
	const struct history_day *today =
	    history_days_find(&history->days, history_days_date(now));

	return today != NULL ? today->messages : 0;
}

static void
add_day(struct history_days *days, const struct session_result *result)
{
	struct history_day counts = {
	    .day = history_days_date(result->ended),
	    .sessions = 1,
	    .failed = result->outcome == SESSION_FAILED &&
		      result->error.class != ERROR_STOPPED,
	    .messages = result->messages,
	    .recipients = result->recipients,
	    .bytes = result->bytes,
	    .deferred = result->deferred,
	    .refused = result->refused,
	};

	history_days_add(days, &counts);
}

static void
add_totals(struct history_total *total, const struct session_result *result)
{
	total->sessions[result->outcome]++;
	total->messages += result->messages;
	total->recipients += result->recipients;
	total->bytes += result->bytes;
	total->deferred += result->deferred;
	total->refused += result->refused;
	total->elapsed += result->elapsed;
}

/* The provider sent mail after it had ended sessions untidily for at least
 * half as long as now. */
static bool
is_usual(const struct history *history, int64_t now)
{
	return history->untidy_proven > 0 &&
	       now - history->untidy_since <= 2 * history->untidy_proven;
}

static void
end_untidy(struct history *history, const struct session_result *result)
{
	int64_t lasted = result->started - history->untidy_since;

	if (history->untidy_since != 0 && result->mail_seen &&
	    lasted > history->untidy_proven)
		history->untidy_proven = lasted;
	history->untidy_since = 0;
	history->untidy_in_a_row = 0;
}

static void
judge_untidy(struct history *history, struct session_result *result)
{
	if (result->unanswered && !result->mail_seen)
		return;
	/* "No mail" alone proves nothing: what was cut may have expired. */
	if (result->mail_seen ||
	    (result->outcome != SESSION_FAILED && !result->untidy)) {
		end_untidy(history, result);
		return;
	}
	if (result->outcome == SESSION_FAILED)
		return;
	if (history->untidy_since == 0)
		history->untidy_since = result->started;
	if (++history->untidy_in_a_row < HISTORY_UNTIDY_MAX ||
	    result->ended - history->untidy_since < HISTORY_UNTIDY_MS ||
	    is_usual(history, result->ended) || history->total.messages == 0)
		return;
	result->outcome = SESSION_FAILED;
	error_set(&result->error, ERROR_AGAIN,
	    "the provider ended the connection before the first message, "
	    "%u sessions in a row",
	    history->untidy_in_a_row);
	result->exit_status = error_exit_status(result->error.class);
}

static void
end_hold(struct history *history)
{
	history->hold_until = 0;
	history->hold_reason[0] = '\0';
	history->hold_fingerprint[0] = '\0';
	history->hold_class = ERROR_NONE;
	history->hold_status = EX_OK;
	history->holds_in_a_row = 0;
}

/*
 * Before the login, and before TLS above all, it may be anybody who spoke, such
 * as a middlebox of a network that the host has left since: that is not
 * remembered for long.
 */
static bool
is_by_anybody(const struct session_result *result)
{
	return !result->reached && (result->error.class == ERROR_UNABLE ||
				       result->error.class == ERROR_PROTOCOL);
}

/* A domain that was not asked for yet must not wait for others; but where no
 * login succeeded nothing is known of any, and the next one would be asked for
 * with the same password. */
static bool
waits_for_others(const struct session_result *result)
{
	return result->more &&
	       (result->reached || result->error.class != ERROR_AUTH) &&
	       !is_by_anybody(result);
}

static void
begin_hold(struct history *history, const struct session_result *result)
{
	bool counts = !is_by_anybody(result);
	int64_t length = retry_hold(
	    result->error.class, counts ? history->holds_in_a_row + 1 : 1);

	/* No mail must wait for one message that the provider cannot send in
	 * order. */
	if (length == 0 || waits_for_others(result) || result->messages > 0)
		return;
	history->holds_in_a_row += counts;
	history->hold_until = result->ended + length;
	history->hold_class = result->error.class;
	history->hold_status = result->exit_status;
	history->hold_fingerprint[0] = '\0';
	memcpy(history->hold_reason, result->error.text,
	    sizeof history->hold_reason);
}

/* However the session ended: mail came, or the login that was refused is not. */
static bool
disproves_hold(
    const struct history *history, const struct session_result *result)
{
	return result->messages > 0 ||
	       (result->reached && history->hold_class == ERROR_AUTH &&
		   result->error.class != ERROR_AUTH);
}

static void
add_failure(struct history *history, const struct session_result *result)
{
	if (disproves_hold(history, result))
		end_hold(history);
	if (result->error.class == ERROR_STOPPED)
		return;
	history->failures_in_a_row++;
	history->last_failure = result->ended;
	memcpy(history->last_error, result->error.text,
	    sizeof history->last_error);
	begin_hold(history, result);
}

/* That the provider lets us in is no proof that mail could come. */
static bool
is_success(const struct history *history, const struct session_result *result)
{
	if (result->mail_seen)
		return true;
	return !result->unanswered && (history->untidy_in_a_row == 0 ||
					  is_usual(history, result->ended));
}

static void
add_success(struct history *history, const struct session_result *result)
{
	history->failures_in_a_row = 0;
	if (is_success(history, result))
		history->last_success = result->ended;
	end_hold(history);
}

void
history_add(struct history *history, struct session_result *result)
{
	if (result->outcome == SESSION_FAILED &&
	    result->error.class == ERROR_BUSY)
		return;
	judge_untidy(history, result);
	if (result->outcome == SESSION_FAILED)
		add_failure(history, result);
	else
		add_success(history, result);
	if (result->messages > 0)
		history->last_mail = result->ended;
	add_totals(&history->total, result);
	add_day(&history->days, result);
	history->last = *result;
	history->listening = 0;
	if (history->since == 0)
		history->since = result->started;
	history->any = true;
}

bool
history_asks_for_pause(const struct session_result *result)
{
	return result->outcome == SESSION_DEFERRED ||
	       (result->untidy && result->elapsed < HISTORY_HELD_MS);
}

static void
settle(int64_t *time, int64_t now)
{
	*time = clock_settled(*time, now);
}

void
history_settle_times(struct history *history, int64_t now)
{
	if (now < CLOCK_PLAUSIBLE)
		return;
	settle(&history->last.started, now);
	settle(&history->last.ended, now);
	settle(&history->since, now);
	settle(&history->last_success, now);
	settle(&history->untidy_since, now);
	settle(&history->last_mail, now);
	settle(&history->last_failure, now);
	settle(&history->listening, now);
	for (size_t i = 0; i < history->deferrals.count; i++) {
		settle(&history->deferrals.list[i].since, now);
		settle(&history->deferrals.list[i].last, now);
	}
	for (size_t i = 0; i < history->known.count; i++) {
		settle(&history->known.list[i].delivered, now);
		settle(&history->known.list[i].refused, now);
		settle(&history->known.list[i].refused_last, now);
	}
	history_days_settle(&history->days, now);
	asking_memory_settle_times(&history->asking, now);
	history_alarms_settle(&history->alarms, now);
}

int64_t
history_hold_left(const struct history *history, int64_t now)
{
	int64_t left = history->hold_until - now;

	return left > 0 && left <= RETRY_HOLD_MAX ? left : 0;
}

bool
history_is_proven(const struct history *history, uint64_t delivery)
{
	for (size_t i = 0; i < history->proven_count; i++)
		if (history->proven[i] == delivery)
			return true;
	return false;
}

void
history_add_proven(struct history *history, uint64_t delivery)
{
	if (history->proven_count == HISTORY_PROVEN_MAX ||
	    history_is_proven(history, delivery))
		return;
	history->proven = array_more(
	    history->proven, history->proven_count, sizeof *history->proven);
	history->proven[history->proven_count++] = delivery;
}

void
history_forget_proven(struct history *history)
{
	history->proven_count = 0;
}

void
history_auth_at(struct history *history, const char *host)
{
	if (strcmp(history->auth_host, host) == 0)
		return;
	history->auth_best[0] = '\0';
	snprintf(history->auth_host, sizeof history->auth_host, "%s", host);
}

/* By what a customer is told apart there. */
static uint64_t
digest_provider(const struct config_account *account)
{
	const char *user = config_login_user(account);
	const char *certificate =
	    account->tls_cert_file != NULL ? account->tls_cert_file : "";
	char *text = xasprintf("%s\n%u\n%s\n%s", account->provider.host,
	    account->provider.port, user, certificate);

	uint64_t first = digest_number(text, strlen(text));
	free(text);
	return first;
}

void
history_provider_is(
    struct history *history, const struct config_account *account)
{
	uint64_t provider = digest_provider(account);

	history_auth_at(history, account->provider.host);
	/* Files of 0.1 do not say whose it is. */
	if (history->provider != 0 && history->provider != provider) {
		asking_memory_clear(&history->asking);
		history->holds = false;
		history->untidy_in_a_row = 0;
		history->untidy_since = history->untidy_proven = 0;
	}
	history->provider = provider;
}

void
history_auth_offered(struct history *history, const char *mechanism)
{
	char *best = history->auth_best;

	/* `auth` may narrow what we could use: that is not unlearnt. */
	if (best[0] == '\0' || sasl_rank(mechanism) < sasl_rank(best))
		snprintf(best, sizeof history->auth_best, "%s", mechanism);
}
