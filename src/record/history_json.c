/* SPDX-License-Identifier: ISC */
#include "record/history_json.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "record/asking_json.h"
#include "record/history.h"
#include "record/history_days_json.h"
#include "record/history_known_json.h"

static const char *const class_names[] = {
    [ERROR_NONE] = "none",
    [ERROR_USAGE] = "usage",
    [ERROR_UNABLE] = "unable",
    [ERROR_INTERNAL] = "internal",
    [ERROR_SYSTEM] = "system",
    [ERROR_AGAIN] = "again",
    [ERROR_LOCAL] = "local",
    [ERROR_BUSY] = "busy",
    [ERROR_STOPPED] = "stopped",
    [ERROR_PROTOCOL] = "protocol",
    [ERROR_CERTIFICATE] = "certificate",
    [ERROR_REFUSED] = "refused",
    [ERROR_AUTH] = "auth",
    [ERROR_SECRET] = "secret",
    [ERROR_CONFIG] = "config",
};
enum { CLASSES = sizeof class_names / sizeof *class_names };

static const char *class_name(enum error_class class)
{
	return (size_t) class < CLASSES ? class_names[class] : "internal";
}

static bool
class_named(const char *name, enum error_class *class)
{
	for (size_t i = 0; i < CLASSES; i++) {
		*class = (enum error_class)i;
		if (strcmp(class_names[i], name) == 0)
			return true;
	}
	return false;
}

static bool
outcome_of(const char *name, enum session_outcome *outcome)
{
	for (int i = 0; i < HISTORY_OUTCOMES; i++) {
		*outcome = (enum session_outcome)i;
		if (strcmp(history_outcome_name(*outcome), name) == 0)
			return true;
	}
	return false;
}

/* "" is null: most of these are not there most of the time. */
static void
write_text_member(struct json_writer *json, const char *key, const char *text)
{
	json_text(json, key, text[0] != '\0' ? text : NULL);
}

static void
write_last(struct json_writer *json, const struct session_result *last)
{
	json_text(json, "result", history_outcome_name(last->outcome));
	json_number(json, "exit_status", last->exit_status);
	write_text_member(json, "error", last->error.text);
	json_text(json, "error_class", class_name(last->error.class));
	json_time(json, "started", last->started);
	json_time(json, "ended", last->ended);
	json_seconds(json, "seconds", last->elapsed);
	json_count(json, "calls", last->calls);
	json_count(json, "messages", last->messages);
	json_count(json, "recipients", last->recipients);
	json_count(json, "bytes", last->bytes);
	json_count(json, "deferred", last->deferred);
	json_count(json, "refused", last->refused);
	json_bool(json, "more", last->more);
	json_bool(json, "mail_seen", last->mail_seen);
	json_bool(json, "untidy", last->untidy);
	json_bool(json, "reached", last->reached);
}

static void
write_hold(struct json_writer *json, const struct history *history)
{
	json_time(json, "hold_until", history->hold_until);
	write_text_member(json, "hold_reason", history->hold_reason);
	json_text(json, "hold_class", class_name(history->hold_class));
	json_number(json, "hold_status", history->hold_status);
	write_text_member(json, "hold_fingerprint", history->hold_fingerprint);
}

static void
write_deferrals(
    struct json_writer *json, const struct history_deferrals *deferrals)
{
	const struct history_deferral *longest =
	    history_deferrals_longest(deferrals);

	json_time(json, "deferred_since", longest != NULL ? longest->since : 0);
	json_open(json, "deferrals", '[');
	for (size_t i = 0; i < deferrals->count; i++) {
		const struct history_deferral *each = &deferrals->list[i];
		json_open(json, NULL, '{');
		json_id(json, "id", each->id);
		json_time(json, "since", each->since);
		json_time(json, "last", each->last);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void
write_proven(struct json_writer *json, const struct history *history)
{
	json_open(json, "proven_deliveries", '[');
	for (size_t i = 0; i < history->proven_count; i++) {
		json_id(json, NULL, history->proven[i]);
	}
	json_close(json, ']');
}

static void
write_provider(struct json_writer *json, const struct history *history)
{
	if (history->provider != 0)
		json_id(json, "provider", history->provider);
	else
		json_text(json, "provider", NULL);
}

static void
write_total(struct json_writer *json, const struct history_total *total)
{
	json_open(json, "total", '{');
	json_open(json, "sessions", '{');
	for (int i = 0; i < HISTORY_OUTCOMES; i++)
		json_count(json, history_outcome_name((enum session_outcome)i),
		    total->sessions[i]);
	json_close(json, '}');
	json_count(json, "messages", total->messages);
	json_count(json, "recipients", total->recipients);
	json_count(json, "bytes", total->bytes);
	json_count(json, "deferred", total->deferred);
	json_count(json, "refused", total->refused);
	json_seconds(json, "seconds", total->elapsed);
	json_close(json, '}');
}

static void
begin_account(struct json_writer *json, const char *account,
    const struct history *history, struct buf *out)
{
	json_begin(json, out);
	json_open(json, NULL, '{');
	json_number(json, "version", HISTORY_JSON_VERSION);
	json_text(json, "account", account);
	if (history->any)
		write_last(json, &history->last);
	json_time(json, "since", history->since);
	json_count(json, "failures_in_a_row", history->failures_in_a_row);
	json_count(json, "untidy_in_a_row", history->untidy_in_a_row);
	json_time(json, "untidy_since", history->untidy_since);
	json_seconds(json, "untidy_proven", history->untidy_proven);
	json_bool(json, "holds", history->holds);
	json_time(json, "listening_since", history->listening);
	json_count(json, "holds_in_a_row", history->holds_in_a_row);
	json_time(json, "last_success", history->last_success);
	json_time(json, "last_mail", history->last_mail);
	json_time(json, "last_failure", history->last_failure);
	write_text_member(json, "last_error", history->last_error);
	write_hold(json, history);
	json_time(json, "next", history->next);
	write_deferrals(json, &history->deferrals);
	history_known_json_write(json, &history->known);
	history_alarms_write(json, &history->alarms);
	json_count(json, "ledger_entries", history->ledger_entries);
	json_count(json, "ledger_due", history->ledger_due);
	write_text_member(json, "auth_best", history->auth_best);
	write_text_member(json, "auth_host", history->auth_host);
	json_time(json, "certificate_end", history->certificate_end);
	json_time(json, "own_certificate_end", history->own_certificate_end);
	write_provider(json, history);
	asking_json_write(json, &history->asking);
	write_proven(json, history);
	history_days_json_write(json, &history->days);
	write_total(json, &history->total);
}

bool
history_json_format(
    const char *account, const struct history *history, struct buf *out)
{
	struct json_writer json;

	begin_account(&json, account, history, out);
	json_close(&json, '}');
	return !json.cut;
}

bool
history_json_report(const char *account, const struct history *history,
    bool enabled, const char *alarm, struct buf *out)
{
	struct json_writer json;

	begin_account(&json, account, history, out);
	json_bool(&json, "enabled", enabled);
	json_text(&json, "alarm", alarm);
	json_close(&json, '}');
	return !json.cut;
}

static unsigned
read_unsigned(const struct json_value *object, const char *key)
{
	uint64_t count = json_get_count(object, key);

	return count > UINT_MAX ? UINT_MAX : (unsigned)count;
}

static int
read_exit_status(const struct json_value *object, const char *key)
{
	int64_t status = json_get_number(object, key, 0);

	return status > 0 && status < 128 ? (int)status : 0;
}

/* An octet that was no UTF-8 has become three: a text that does not fit any
 * more is cut between characters. */
static void
read_text(
    const struct json_value *object, const char *key, char *out, size_t size)
{
	const char *text = json_get_text(object, key, "");
	size_t len = strlen(text);

	if (len >= size) {
		len = size - 1;
		while (len > 0 && (text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out, text, len);
	out[len] = '\0';
}

static bool
read_last(const struct json_value *root, struct history *history)
{
	struct session_result *last = &history->last;
	const char *result = json_get_text(root, "result", NULL);

	if (result == NULL)
		return true;
	if (!outcome_of(result, &last->outcome) ||
	    !class_named(
		json_get_text(root, "error_class", ""), &last->error.class))
		return false;
	history->any = true;
	read_text(root, "error", last->error.text, sizeof last->error.text);
	last->exit_status = read_exit_status(root, "exit_status");
	last->started = json_get_time(root, "started");
	last->ended = json_get_time(root, "ended");
	last->elapsed = json_get_seconds(root, "seconds", 0);
	last->calls = read_unsigned(root, "calls");
	last->messages = json_get_count(root, "messages");
	last->recipients = json_get_count(root, "recipients");
	last->bytes = json_get_count(root, "bytes");
	last->deferred = json_get_count(root, "deferred");
	last->refused = json_get_count(root, "refused");
	last->more = json_get_bool(root, "more", false);
	last->mail_seen = json_get_bool(root, "mail_seen", false);
	last->untidy = json_get_bool(root, "untidy", false);
	last->reached = json_get_bool(root, "reached", false);
	return true;
}

static bool
read_hold(const struct json_value *root, struct history *history)
{
	history->hold_until = json_get_time(root, "hold_until");
	history->hold_status = read_exit_status(root, "hold_status");
	read_text(root, "hold_reason", history->hold_reason,
	    sizeof history->hold_reason);
	read_text(root, "hold_fingerprint", history->hold_fingerprint,
	    sizeof history->hold_fingerprint);
	return class_named(
	    json_get_text(root, "hold_class", "none"), &history->hold_class);
}

static void
read_deferrals(
    const struct json_value *root, struct history_deferrals *deferrals)
{
	const struct json_value *list = json_member(root, "deferrals");

	if (list == NULL || list->type != JSON_ARRAY)
		return;
	for (const struct json_value *v = list->child; v != NULL; v = v->next) {
		struct history_deferral deferral = {
		    .since = json_get_time(v, "since"),
		    .last = json_get_time(v, "last"),
		};
		if (json_read_id(json_member(v, "id"), &deferral.id) &&
		    deferral.since != 0 && deferral.last != 0)
			history_deferrals_restore(deferrals, &deferral);
	}
}

static void
read_proven(const struct json_value *root, struct history *history)
{
	const struct json_value *list = json_member(root, "proven_deliveries");
	uint64_t id;

	if (list == NULL || list->type != JSON_ARRAY)
		return;
	for (const struct json_value *v = list->child; v != NULL; v = v->next)
		if (json_read_id(v, &id))
			history_add_proven(history, id);
}

static void
read_total(const struct json_value *root, struct history_total *total)
{
	const struct json_value *object = json_member(root, "total");
	const struct json_value *sessions = json_member(object, "sessions");

	for (int i = 0; i < HISTORY_OUTCOMES; i++)
		total->sessions[i] = json_get_count(
		    sessions, history_outcome_name((enum session_outcome)i));
	total->messages = json_get_count(object, "messages");
	total->recipients = json_get_count(object, "recipients");
	total->bytes = json_get_count(object, "bytes");
	total->deferred = json_get_count(object, "deferred");
	total->refused = json_get_count(object, "refused");
	total->elapsed = json_get_seconds(object, "seconds", 0);
}

static bool
read_members(const struct json_value *root, struct history *history)
{
	if (!read_last(root, history) || !read_hold(root, history))
		return false;
	history->since = json_get_time(root, "since");
	history->failures_in_a_row = read_unsigned(root, "failures_in_a_row");
	history->untidy_in_a_row = read_unsigned(root, "untidy_in_a_row");
	history->untidy_since = json_get_time(root, "untidy_since");
	history->untidy_proven = json_get_seconds(root, "untidy_proven", 0);
	history->holds = json_get_bool(root, "holds", false);
	history->listening = json_get_time(root, "listening_since");
	history->holds_in_a_row = read_unsigned(root, "holds_in_a_row");
	history->last_success = json_get_time(root, "last_success");
	history->last_mail = json_get_time(root, "last_mail");
	history->last_failure = json_get_time(root, "last_failure");
	read_text(root, "last_error", history->last_error,
	    sizeof history->last_error);
	history->next = json_get_time(root, "next");
	read_deferrals(root, &history->deferrals);
	history_known_json_read(root, &history->known);
	history_alarms_read(root, &history->alarms);
	history->ledger_entries = json_get_count(root, "ledger_entries");
	history->ledger_due = json_get_count(root, "ledger_due");
	read_text(
	    root, "auth_best", history->auth_best, sizeof history->auth_best);
	read_text(
	    root, "auth_host", history->auth_host, sizeof history->auth_host);
	history->certificate_end = json_get_time(root, "certificate_end");
	history->own_certificate_end =
	    json_get_time(root, "own_certificate_end");
	if (!json_read_id(json_member(root, "provider"), &history->provider))
		history->provider = 0;
	asking_json_read(root, &history->asking);
	read_proven(root, history);
	history_days_json_read(root, &history->days);
	read_total(root, &history->total);
	return true;
}

bool
history_json_parse(
    const char *account, const char *text, size_t len, struct history *history)
{
	history_init(history);
	struct json *json = json_parse(text, len);
	if (json == NULL)
		return false;
	const struct json_value *root = json_root(json);
	bool taken =
	    json_get_number(root, "version", 0) == HISTORY_JSON_VERSION &&
	    strcmp(json_get_text(root, "account", ""), account) == 0 &&
	    read_members(root, history);
	json_free(json);
	if (!taken)
		history_clear(history);
	return taken;
}
