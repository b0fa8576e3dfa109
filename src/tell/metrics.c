/* SPDX-License-Identifier: ISC */
#include "tell/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "record/expected.h"
#include "record/history.h"
#include "record/status_file.h"
#include "tell/alarm.h"
#include "tell/public_file.h"

/* What is one number of an account each. */
enum family {
	LAST_SUCCESS,
	LAST_ATTEMPT,
	LAST_MAIL,
	ALARM,
	ENABLED,
	FAILURES,
	HOLD_UNTIL,
	NEXT_SESSION,
	DEFERRED_NOW,
	DEFERRAL,
	LEDGER_DUE,
	MESSAGES,
	BYTES,
	DEFERRED,
	REFUSED,
	SESSION_SECONDS,
	FAMILIES,
};

/* What is told of an account. */
struct sample {
	const char *account;
	int64_t values[FAMILIES];
	int64_t certificate_ends[2]; /* the provider's and ours, ms; 0: none */
	uint64_t sessions[HISTORY_OUTCOMES];
};

static const struct {
	const char *name, *type, *help;
} families[FAMILIES] = {
    [LAST_SUCCESS] = {"last_success_timestamp_seconds", "gauge",
	"End of the last session that succeeded; 0: none."},
    [LAST_ATTEMPT] = {"last_attempt_timestamp_seconds", "gauge",
	"Start of the last session; 0: none."},
    [LAST_MAIL] = {"last_mail_timestamp_seconds", "gauge",
	"End of the last session that brought mail; 0: none."},
    [ALARM] = {"alarm", "gauge",
	"1 where no mail came through for longer than alarm_after."},
    [ENABLED] = {"enabled", "gauge", "0 where the account is disabled."},
    [FAILURES] = {"failures_in_a_row", "gauge",
	"Sessions that failed since the last success."},
    [HOLD_UNTIL] = {"hold_until_timestamp_seconds", "gauge",
	"End of the hold; 0: none."},
    [NEXT_SESSION] = {"next_session_timestamp_seconds", "gauge",
	"When the next session should begin; 0: the agent does not plan it."},
    [DEFERRED_NOW] = {"deferred_recipients", "gauge",
	"Recipients of messages that wait for a final answer."},
    [DEFERRAL] = {"deferral_seconds", "gauge",
	"Longest time between the first deferral of a message and its last."},
    [LEDGER_DUE] = {"ledger_due_messages", "gauge",
	"Messages that the provider will send again."},
    [MESSAGES] = {"messages_total", "counter", "Messages delivered."},
    [BYTES] = {"message_bytes_total", "counter",
	"Octets of messages delivered."},
    [DEFERRED] = {"deferred_total", "counter", "Recipients deferred."},
    [REFUSED] = {"refused_total", "counter", "Recipients refused for good."},
    [SESSION_SECONDS] = {"session_seconds_total", "counter",
	"Time spent in sessions."},
};

static bool
add_head(struct buf *out, const char *name, const char *type, const char *help)
{
	return buf_printf(out,
	    "# HELP odmr_agent_%s %s\n# TYPE odmr_agent_%s %s\n", name, help,
	    name, type);
}

/* Those that are there, and whose end counts. */
static bool
add_certificates(struct buf *out, const struct sample *samples, size_t count)
{
	static const char name[] = "certificate_end_timestamp_seconds";
	bool fits =
	    add_head(out, name, "gauge", "Until when a certificate is valid.");

	for (size_t i = 0; i < 2 * count; i++) {
		const struct sample *sample = &samples[i / 2];
		int64_t end = sample->certificate_ends[i % 2];
		if (end != 0)
			fits &= buf_printf(out,
			    "odmr_agent_%s{account=\"%s\",certificate=\"%s\"}"
			    " %" PRId64 "\n",
			    name, sample->account,
			    i % 2 == 1 ? "own" : "provider", end / 1000);
	}
	return fits;
}

static bool
add_sessions(struct buf *out, const struct sample *samples, size_t count)
{
	bool fits = add_head(
	    out, "sessions_total", "counter", "Sessions by their result.");

	for (size_t i = 0; i < count; i++)
		for (int r = 0; r < HISTORY_OUTCOMES; r++)
			fits &= buf_printf(out,
			    "odmr_agent_sessions_total{account=\"%s\","
			    "result=\"%s\"} %" PRIu64 "\n",
			    samples[i].account,
			    history_outcome_name((enum session_outcome)r),
			    samples[i].sessions[r]);
	return fits;
}

/* Names of accounts need no quoting in a label. */
static bool
format_samples(struct buf *out, const struct sample *samples, size_t count)
{
	bool fits = true;

	for (size_t f = 0; f < FAMILIES; f++) {
		fits &= add_head(
		    out, families[f].name, families[f].type, families[f].help);
		for (size_t i = 0; i < count; i++)
			fits &= buf_printf(out,
			    "odmr_agent_%s{account=\"%s\"} %" PRId64 "\n",
			    families[f].name, samples[i].account,
			    samples[i].values[f]);
	}
	return add_certificates(out, samples, count) &&
	       add_sessions(out, samples, count) && fits;
}

static void
take_sample(struct sample *sample, const struct config *config,
    const struct config_account *account, int64_t now)
{
	struct history history;
	struct error ignored; /* the session that wrote it has warned */
	const struct history_total *total = &history.total;

	(void)!status_file_read(
	    config->state_dir, account->name, &history, &ignored);
	const struct history_deferral *longest =
	    history_deferrals_longest(&history.deferrals);
	*sample = (struct sample){
	    .account = account->name,
	    .values =
		{
		    [LAST_SUCCESS] = history.last_success / 1000,
		    [LAST_ATTEMPT] = history.last.started / 1000,
		    [LAST_MAIL] = history.last_mail / 1000,
		    [ALARM] = account->enabled &&
			      alarm_of(account, &history, now) != ALARM_NONE,
		    [ENABLED] = account->enabled,
		    [FAILURES] = history.failures_in_a_row,
		    [HOLD_UNTIL] = history_hold_left(&history, now) > 0
				       ? history.hold_until / 1000
				       : 0,
		    [NEXT_SESSION] =
			expected_next(account, &history, now) / 1000,
		    [DEFERRED_NOW] = (int64_t)history.deferrals.count,
		    [DEFERRAL] = longest != NULL
				     ? (longest->last - longest->since) / 1000
				     : 0,
		    [LEDGER_DUE] = (int64_t)history.ledger_due,
		    [MESSAGES] = (int64_t)total->messages,
		    [BYTES] = (int64_t)total->bytes,
		    [DEFERRED] = (int64_t)total->deferred,
		    [REFUSED] = (int64_t)total->refused,
		    [SESSION_SECONDS] = total->elapsed / 1000,
		},
	    .certificate_ends = {history.certificate_end,
		history.own_certificate_end},
	};
	memcpy(sample->sessions, total->sessions, sizeof sample->sessions);
	history_clear(&history);
}

static bool
format_metrics(const struct config *config, struct buf *text)
{
	size_t count = config->accounts_count;
	struct sample *samples = xcalloc(count, sizeof *samples);

	for (size_t i = 0; i < count; i++)
		take_sample(
		    &samples[i], config, &config->accounts[i], clock_unix_ms());
	bool fits = format_samples(text, samples, count);
	free(samples);
	return fits;
}

bool
metrics_write(const struct config *config, struct error *err)
{
	static const struct public_file file = {
	    .lock_name = "metrics:",
	    .holder = "another process of odmr-agent is writing metrics_file"
		      " now",
	    .too_large = "too many metrics",
	    .format = format_metrics,
	};

	return public_file_write(&file, config, config->metrics_file, err);
}
