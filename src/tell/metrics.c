/* SPDX-License-Identifier: ISC */
#include "tell/metrics.h"

#include <inttypes.h>
#include <limits.h>
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

/* What is told of an account. */
struct sample {
	const char *account;
	int64_t last_success, last_attempt, last_mail; /* ms; 0: never */
	int64_t hold_until, next, deferral; /* ms; 0: none */
	int64_t certificate_end, own_certificate_end; /* likewise */
	uint64_t failures, deferred, ledger_due;
	bool enabled, alarm;
	struct history_total total;
};

static int64_t
get_last_success(const struct sample *sample)
{
	return sample->last_success / 1000;
}

static int64_t
get_last_attempt(const struct sample *sample)
{
	return sample->last_attempt / 1000;
}

static int64_t
get_last_mail(const struct sample *sample)
{
	return sample->last_mail / 1000;
}

static int64_t
get_alarm(const struct sample *sample)
{
	return sample->alarm;
}

static int64_t
get_enabled(const struct sample *sample)
{
	return sample->enabled;
}

static int64_t
get_failures(const struct sample *sample)
{
	return (int64_t)sample->failures;
}

static int64_t
get_hold_until(const struct sample *sample)
{
	return sample->hold_until / 1000;
}

static int64_t
get_next(const struct sample *sample)
{
	return sample->next / 1000;
}

static int64_t
get_waiting(const struct sample *sample)
{
	return (int64_t)sample->deferred;
}

static int64_t
get_deferral(const struct sample *sample)
{
	return sample->deferral / 1000;
}

static int64_t
get_ledger_due(const struct sample *sample)
{
	return (int64_t)sample->ledger_due;
}

static int64_t
get_messages(const struct sample *sample)
{
	return (int64_t)sample->total.messages;
}

static int64_t
get_bytes(const struct sample *sample)
{
	return (int64_t)sample->total.bytes;
}

static int64_t
get_deferred(const struct sample *sample)
{
	return (int64_t)sample->total.deferred;
}

static int64_t
get_refused(const struct sample *sample)
{
	return (int64_t)sample->total.refused;
}

static int64_t
get_seconds(const struct sample *sample)
{
	return sample->total.elapsed / 1000;
}

static const struct {
	const char *name, *type, *help;
	int64_t (*get)(const struct sample *sample);
} families[] = {
    {"last_success_timestamp_seconds", "gauge",
	"End of the last session that succeeded; 0: none.", get_last_success},
    {"last_attempt_timestamp_seconds", "gauge",
	"Start of the last session; 0: none.", get_last_attempt},
    {"last_mail_timestamp_seconds", "gauge",
	"End of the last session that brought mail; 0: none.", get_last_mail},
    {"alarm", "gauge",
	"1 where no mail came through for longer than alarm_after.", get_alarm},
    {"enabled", "gauge", "0 where the account is disabled.", get_enabled},
    {"failures_in_a_row", "gauge",
	"Sessions that failed since the last success.", get_failures},
    {"hold_until_timestamp_seconds", "gauge", "End of the hold; 0: none.",
	get_hold_until},
    {"next_session_timestamp_seconds", "gauge",
	"When the next session should begin; 0: the agent does not plan it.",
	get_next},
    {"deferred_recipients", "gauge",
	"Recipients of messages that wait for a final answer.", get_waiting},
    {"deferral_seconds", "gauge",
	"Longest time between the first deferral of a message and its last.",
	get_deferral},
    {"ledger_due_messages", "gauge",
	"Messages that the provider will send again.", get_ledger_due},
    {"messages_total", "counter", "Messages delivered.", get_messages},
    {"message_bytes_total", "counter", "Octets of messages delivered.",
	get_bytes},
    {"deferred_total", "counter", "Recipients deferred.", get_deferred},
    {"refused_total", "counter", "Recipients refused for good.", get_refused},
    {"session_seconds_total", "counter", "Time spent in sessions.",
	get_seconds},
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
		bool own = i % 2 == 1;
		int64_t end =
		    own ? sample->own_certificate_end : sample->certificate_end;
		if (end != 0)
			fits =
			    fits && buf_printf(out,
					"odmr_agent_%s{account=\"%s\","
					"certificate=\"%s\"} %" PRId64 "\n",
					name, sample->account,
					own ? "own" : "provider", end / 1000);
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
			fits =
			    fits &&
			    buf_printf(out,
				"odmr_agent_sessions_total{account=\"%s\","
				"result=\"%s\"} %" PRIu64 "\n",
				samples[i].account,
				history_outcome_name((enum session_outcome)r),
				samples[i].total.sessions[r]);
	return fits;
}

/* Names of accounts need no quoting in a label. */
static bool
format_sample(struct buf *out, const struct sample *samples, size_t count)
{
	bool fits = true;

	for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
		fits = fits && add_head(out, families[f].name, families[f].type,
				   families[f].help);
		for (size_t i = 0; i < count; i++)
			fits =
			    fits &&
			    buf_printf(out,
				"odmr_agent_%s{account=\"%s\"} %" PRId64 "\n",
				families[f].name, samples[i].account,
				families[f].get(&samples[i]));
	}
	return fits && add_certificates(out, samples, count) &&
	       add_sessions(out, samples, count);
}

static void
take_sample(struct sample *sample, const struct config *config,
    const struct config_account *account, int64_t now)
{
	struct history history;
	struct error ignored; /* the session that wrote it has warned */

	(void)!status_file_read(
	    config->state_dir, account->name, &history, &ignored);
	const struct history_deferral *longest =
	    history_deferrals_longest(&history.deferrals);
	*sample = (struct sample){
	    .account = account->name,
	    .last_success = history.last_success,
	    .last_attempt = history.last.started,
	    .last_mail = history.last_mail,
	    .hold_until =
		history_hold_left(&history, now) > 0 ? history.hold_until : 0,
	    .next = expected_next(account, &history, now),
	    .deferral = longest != NULL ? longest->last - longest->since : 0,
	    .certificate_end = history.certificate_end,
	    .own_certificate_end = history.own_certificate_end,
	    .failures = history.failures_in_a_row,
	    .deferred = history.deferrals.count,
	    .ledger_due = history.ledger_due,
	    .enabled = account->enabled,
	    .alarm = account->enabled &&
		     alarm_of(account, &history, now) != ALARM_NONE,
	    .total = history.total,
	};
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
	bool fits = format_sample(text, samples, count);
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
