/* SPDX-License-Identifier: ISC */
#include "tell/standing.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/timestamp.h"
#include "config/config.h"
#include "record/history.h"

const char *
standing_word(enum standing_grade grade)
{
	switch (grade) {
	case STANDING_GOOD:
		return "OK";
	case STANDING_WATCH:
		return "Watch";
	case STANDING_ACT:
		return "Act";
	case STANDING_OFF:
		return "Off";
	}
	return "";
}

static void judge(struct standing *standing, enum standing_grade grade,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
judge(struct standing *standing, enum standing_grade grade, const char *format,
    ...)
{
	va_list args;

	standing->grade = grade;
	va_start(args, format);
	vsnprintf(standing->sentence, STANDING_TEXT_SIZE, format, args);
	va_end(args);
}

static void note(struct standing *standing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct standing *standing, const char *format, ...)
{
	struct standing_note *new = &standing->notes[standing->notes_count];
	va_list args;

	assert(standing->notes_count < STANDING_NOTES_MAX);
	standing->notes_count++;
	new->advice[0] = '\0';
	va_start(args, format);
	vsnprintf(new->what, sizeof new->what, format, args);
	va_end(args);
}

static void advise(struct standing *standing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Of the last note. */
static void
advise(struct standing *standing, const char *format, ...)
{
	struct standing_note *last =
	    &standing->notes[standing->notes_count - 1];
	va_list args;

	va_start(args, format);
	vsnprintf(last->advice, sizeof last->advice, format, args);
	va_end(args);
}

static size_t
refused_domains(const struct history *history)
{
	size_t refused = 0;

	for (size_t i = 0; i < history->asking.domains_count; i++)
		refused += history->asking.domains[i].asked != 0;
	return refused;
}

/* Mail comes in; whether all of it does. */
static void
judge_mail(struct standing *standing, const struct history *history)
{
	if (history->last.outcome == SESSION_DEFERRED ||
	    history->deferrals.count > 0)
		judge(standing, STANDING_WATCH,
		    "Mail is fetched, but some of it is deferred.");
	else if (history->last.outcome == SESSION_REFUSED)
		judge(standing, STANDING_WATCH,
		    "Mail is fetched, but the last of it was refused.");
	else if (refused_domains(history) > 0)
		judge(standing, STANDING_WATCH,
		    "Mail is fetched, but not for every domain.");
	/* A router that forgets a wait for mail is none of that. */
	else if (history->untidy_in_a_row >
		 (history->holds ? HISTORY_UNTIDY_MAX : 0))
		judge(standing, STANDING_WATCH,
		    "The provider ends each connection without a word.");
	else if (history->holds)
		judge(standing, STANDING_GOOD,
		    "Mail comes as soon as the provider has it.");
	else
		judge(standing, STANDING_GOOD, "Mail is fetched.");
}

static void
judge_account(struct standing *standing, const struct config_account *account,
    const struct history *history, enum alarm alarm, int64_t now)
{
	char words[ALARM_TEXT_SIZE], plain[SUMMARY_SIZE];
	char clock[TIMESTAMP_WORDS_SIZE];

	if (!account->enabled)
		judge(standing, STANDING_OFF,
		    "The account is disabled: no mail is fetched.");
	else if (!history->any && history->listening == 0)
		judge(standing, STANDING_OFF, "There was no session yet.");
	else if (alarm != ALARM_NONE)
		judge(standing, STANDING_ACT, "Alarm: %s.",
		    summary_plain(plain,
			alarm_format(words, alarm, account, history, now)));
	else if (history_hold_left(history, now) > 0)
		judge(standing, STANDING_ACT,
		    "On hold: no mail is fetched until %s.",
		    timestamp_format_clock(clock, history->hold_until, now));
	else if (history->failures_in_a_row > 0 && history->listening == 0)
		judge(standing, STANDING_WATCH,
		    "The last session failed; it is tried again.");
	else
		judge_mail(standing, history);
}

static void
note_raised(struct standing *standing, const char *name, enum alarm alarm)
{
	switch (alarm) {
	case ALARM_NONE:
		return;
	case ALARM_FAILING:
		note(standing, "The provider drops mail that it has kept for"
			       " some days.");
		advise(standing,
		    "See the last error and the log, and run odmr-agent check"
		    " --connect %s.",
		    name);
		return;
	case ALARM_UNKNOWN:
		note(standing, "Their mail is deferred for four days, and then"
			       " returned to its senders.");
		advise(standing,
		    "See whether the local server has its list of users (LDAP,"
		    " a map, a file, a disk); the log has its reply (cause"
		    " vanished).");
		return;
	case ALARM_DOMAIN:
		note(standing, "Mail for that domain does not come.");
		advise(standing, "Ask the provider, or remove the domain from"
				 " the configuration.");
		return;
	case ALARM_DEFERRED:
		note(standing, "In the end the provider returns such mail to"
			       " its sender.");
		advise(standing,
		    "Run odmr-agent ledger %s to see who is deferred; the log"
		    " has the reason (event deferred).",
		    name);
		return;
	}
}

static void
note_failure(struct standing *standing, const struct config_account *account,
    const struct history *history, int64_t now)
{
	char text[SUMMARY_SIZE];

	if (account->enabled && history_hold_left(history, now) > 0) {
		note(standing, "The account is %s",
		    summary_hold(text, history, now));
		advise(standing, "%s",
		    summary_hold_advice(text, account, history));
	} else if (history->failures_in_a_row > 0 && history->listening == 0) {
		note(standing, "%u failed session%s: %s",
		    history->failures_in_a_row,
		    history->failures_in_a_row == 1 ? "" : "s in a row",
		    summary_plain(text, history->last_error));
		advise(standing,
		    "It is tried again by itself; where that does not help, run"
		    " odmr-agent check --connect %s.",
		    account->name);
	}
}

static void
note_mail(struct standing *standing, const char *name,
    const struct history *history, int64_t now)
{
	const struct history_deferral *longest =
	    history_deferrals_longest(&history->deferrals);
	bool one = history->deferrals.count == 1;
	char clock[TIMESTAMP_WORDS_SIZE];

	if (longest != NULL) {
		note(standing,
		    "Mail for %zu recipient%s is deferred; %s since %s.",
		    history->deferrals.count, one ? "" : "s",
		    one ? "it waits" : "the first of it waits",
		    timestamp_format_clock(clock, longest->since, now));
		advise(standing,
		    "The provider sends it again; odmr-agent ledger %s shows"
		    " who is deferred, and the log why.",
		    name);
	}
	one = history->ledger_due == 1;
	if (history->ledger_due > 0)
		note(standing,
		    "The provider will send %" PRIu64 " message%s again,"
		    " since it has not shown that it read our answer; whoever"
		    " has %s already gets no second copy.",
		    history->ledger_due, one ? "" : "s", one ? "it" : "them");
}

static void
note_domains(struct standing *standing, const struct history *history)
{
	size_t refused = refused_domains(history), shown = 0;
	char text[SUMMARY_SIZE], reply[SUMMARY_SIZE];

	for (size_t i = 0;
	     i < history->asking.domains_count && shown < STANDING_DOMAINS_MAX;
	     i++) {
		const struct asking_domain *domain =
		    &history->asking.domains[i];
		if (domain->asked == 0)
			continue;
		shown++;
		note(standing, "%s is refused: %s",
		    summary_plain(text, domain->name),
		    summary_plain(reply, domain->reply));
		advise(standing, "Ask the provider, or remove the domain.");
	}
	if (refused > shown) {
		note(
		    standing, "%zu more domains are refused.", refused - shown);
		advise(standing, "odmr-agent status names all of them.");
	}
}

void
standing_of(struct standing *standing, const struct config_account *account,
    const struct history *history, enum alarm alarm, int64_t now)
{
	standing->notes_count = 0;
	judge_account(standing, account, history, alarm, now);
	note_raised(standing, account->name, alarm);
	note_failure(standing, account, history, now);
	note_mail(standing, account->name, history, now);
	note_domains(standing, history);
}

int
standing_exit_status(const struct config_account *account,
    const struct history *history, enum alarm alarm, int64_t now)
{
	int status = EX_OK;

	if (!account->enabled || !history->any)
		return EX_OK;
	if (alarm != ALARM_NONE)
		status = EX_TEMPFAIL;
	if (history_hold_left(history, now) > 0)
		status = error_worse_status(status, history->hold_status);
	if (history->last_success == 0)
		status = error_worse_status(status, history->last.exit_status);
	return status;
}
