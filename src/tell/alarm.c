/* SPDX-License-Identifier: ISC */
#include "tell/alarm.h"

#include <stdio.h>
#include <string.h>

#include "base/timestamp.h"
#include "config/config.h"
#include "record/history.h"
#include "schedule/schedule.h"

#define HOUR (INT64_C(3600) * 1000)

static int64_t
failing_since(const struct history *history)
{
	/* An account that never worked counts from its first session. */
	return history->last_success != 0 ? history->last_success
					  : history->since;
}

static int64_t
deferred_since(const struct history_deferrals *deferrals)
{
	const struct history_deferral *longest =
	    history_deferrals_longest(deferrals);

	return longest != NULL ? longest->since : 0;
}

static bool
is_over(const struct config_account *account, int64_t since, int64_t now)
{
	return since != 0 && account->alarm_after > 0 &&
	       schedule_due_time(account, since, now, account->alarm_after) >=
		   account->alarm_after;
}

/*
 * Whoever had mail is unknown now, and few others have mail: a list of users is
 * lost. That cannot wait for alarm_after, since these refusals are believed one
 * day; an hour, seen twice, is no map that is just being made anew.
 */
static bool
is_lost(const struct config_account *account, const struct history *history,
    int64_t now)
{
	struct history_unknown unknown;
	int64_t after =
	    account->alarm_after < HOUR ? account->alarm_after : HOUR;

	history_known_count(&history->known, now, &unknown);
	return after > 0 && unknown.refused > 0 &&
	       history_unknown_is_loss(&unknown) &&
	       schedule_due_time(account, unknown.since, unknown.last, after) >=
		   after;
}

static bool
is_domain_over(const struct config_account *account,
    const struct history *history, int64_t now)
{
	const struct asking_domain *domain =
	    asking_memory_longest(&history->asking);

	return domain != NULL && is_over(account, domain->since, now);
}

/* Until its last 4xx, not until now: whether it waits still nobody knows. */
static bool
is_deferral_over(
    const struct config_account *account, const struct history *history)
{
	const struct history_deferral *deferral =
	    history_deferrals_longest(&history->deferrals);

	return deferral != NULL &&
	       is_over(account, deferral->since, deferral->last);
}

bool
alarm_stands(enum alarm alarm, const struct config_account *account,
    const struct history *history, int64_t now)
{
	if (!history->any)
		return false;
	switch (alarm) {
	case ALARM_NONE:
		break;
	case ALARM_FAILING:
		return is_over(account, failing_since(history), now);
	case ALARM_UNKNOWN:
		return is_lost(account, history, now);
	case ALARM_DOMAIN:
		return is_domain_over(account, history, now);
	case ALARM_DEFERRED:
		return is_deferral_over(account, history);
	}
	return false;
}

enum alarm
alarm_of(const struct config_account *account, const struct history *history,
    int64_t now)
{
	for (enum alarm each = ALARM_FAILING; each <= ALARM_LAST; each++)
		if (alarm_stands(each, account, history, now))
			return each;
	return ALARM_NONE;
}

const char *
alarm_name(enum alarm alarm)
{
	switch (alarm) {
	case ALARM_NONE:
		break;
	case ALARM_FAILING:
		return "failing";
	case ALARM_UNKNOWN:
		return "unknown";
	case ALARM_DOMAIN:
		return "domain";
	case ALARM_DEFERRED:
		return "deferred";
	}
	return NULL;
}

static int64_t
since_of(enum alarm alarm, const struct history *history, int64_t now)
{
	struct history_unknown unknown;
	const struct asking_domain *domain =
	    asking_memory_longest(&history->asking);

	switch (alarm) {
	case ALARM_NONE:
		break;
	case ALARM_FAILING:
		return failing_since(history);
	case ALARM_UNKNOWN:
		history_known_count(&history->known, now, &unknown);
		return unknown.since;
	case ALARM_DOMAIN:
		return domain != NULL ? domain->since : 0;
	case ALARM_DEFERRED:
		return deferred_since(&history->deferrals);
	}
	return 0;
}

/* A domain for which it was no alarm yet when the last one was raised. */
static bool
is_another_domain(const struct config_account *account,
    const struct history *history, int64_t raised, int64_t now)
{
	const struct asking_memory *memory = &history->asking;

	for (size_t i = 0; i < memory->domains_count; i++)
		if (is_over(account, memory->domains[i].since, now) &&
		    !is_over(account, memory->domains[i].since, raised))
			return true;
	return false;
}

bool
alarm_is_due(enum alarm alarm, const struct config_account *account,
    const struct history *history, int64_t now)
{
	const struct history_alarm *last =
	    history_alarms_find(&history->alarms, alarm_name(alarm));

	/* A clock that was set back does not silence it. */
	if (last == NULL || last->raised == 0 || now < last->raised)
		return true;
	return now - last->raised >=
		   (last->unheard ? ALARM_AGAIN_MS : ALARM_EVERY_MS) ||
	       since_of(alarm, history, now) > last->raised ||
	       (alarm == ALARM_DOMAIN &&
		   is_another_domain(account, history, last->raised, now));
}

static void
format_failing(char out[static ALARM_TEXT_SIZE], const struct history *history,
    int64_t now)
{
	char clock[TIMESTAMP_WORDS_SIZE];

	timestamp_format_clock(clock, failing_since(history), now);
	if (history->untidy_in_a_row > 0)
		snprintf(out, ALARM_TEXT_SIZE,
		    "since %s the provider has ended each connection without"
		    " QUIT and sent no mail",
		    clock);
	else
		snprintf(out, ALARM_TEXT_SIZE,
		    "no session has succeeded since %s", clock);
}

/* All for which it is an alarm, as far as there is room; the longest first. */
static void
format_domain(char out[static ALARM_TEXT_SIZE],
    const struct config_account *account, const struct history *history,
    int64_t now)
{
	const struct asking_memory *memory = &history->asking;
	const struct asking_domain *longest = asking_memory_longest(memory);
	char clock[TIMESTAMP_WORDS_SIZE];
	size_t used;

	if (longest == NULL)
		return;
	used = (size_t)snprintf(out, ALARM_TEXT_SIZE,
	    "the provider has not served %s since %s", longest->name,
	    timestamp_format_clock(clock, longest->since, now));
	for (size_t i = 0; i < memory->domains_count; i++) {
		const struct asking_domain *each = &memory->domains[i];
		if (each != longest && is_over(account, each->since, now) &&
		    used < ALARM_TEXT_SIZE)
			used += (size_t)snprintf(out + used,
			    ALARM_TEXT_SIZE - used, ", nor %s since %s",
			    each->name,
			    timestamp_format_clock(clock, each->since, now));
	}
	if (longest->reply != NULL && used < ALARM_TEXT_SIZE)
		snprintf(out + used, ALARM_TEXT_SIZE - used, ": %.200s",
		    longest->reply);
}

static void
format_unknown(char out[static ALARM_TEXT_SIZE], const struct history *history,
    int64_t now)
{
	struct history_unknown unknown;
	char clock[TIMESTAMP_WORDS_SIZE];

	history_known_count(&history->known, now, &unknown);
	snprintf(out, ALARM_TEXT_SIZE,
	    "since %s the local side has refused %zu recipient%s as unknown who"
	    " had mail before, and it accepts mail for %zu others: is its list"
	    " of users lost?",
	    timestamp_format_clock(clock, unknown.since, now), unknown.refused,
	    unknown.refused == 1 ? "" : "s", unknown.delivered);
}

char *
alarm_format(char out[static ALARM_TEXT_SIZE], enum alarm alarm,
    const struct config_account *account, const struct history *history,
    int64_t now)
{
	char clock[TIMESTAMP_WORDS_SIZE];

	out[0] = '\0';
	switch (alarm) {
	case ALARM_NONE:
		break;
	case ALARM_FAILING:
		format_failing(out, history, now);
		break;
	case ALARM_UNKNOWN:
		format_unknown(out, history, now);
		break;
	case ALARM_DOMAIN:
		format_domain(out, account, history, now);
		break;
	case ALARM_DEFERRED:
		snprintf(out, ALARM_TEXT_SIZE,
		    "mail has been deferred again and again since %s",
		    timestamp_format_clock(
			clock, deferred_since(&history->deferrals), now));
		break;
	}
	return out;
}
