/* SPDX-License-Identifier: ISC */
#include "tell/followup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/mem.h"
#include "base/privilege.h"
#include "base/stop.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "record/history.h"
#include "record/lock.h"
#include "record/result.h"
#include "record/status_file.h"
#include "tell/alarm.h"
#include "tell/hook.h"
#include "tell/log.h"
#include "tell/ping.h"
#include "tell/summary.h"

enum {
	/* Whoever only looks is done by then; a session comes here itself. */
	LOCK_MS = 5 * 1000,
};

static void
run_after_mail_command(
    const struct config_account *account, const struct session_result *result)
{
	struct hook_env env;

	if (account->after_mail_command.count == 0 || result->messages == 0)
		return;
	char *messages = xasprintf("%" PRIu64, result->messages);
	hook_env_begin(&env, account->name);
	hook_env_add(&env, "ODMR_MESSAGES", messages);
	(void)hook_run(account->name, "after_mail_command",
	    account->after_mail_command.items, &env);
	hook_env_clear(&env);
	free(messages);
}

/* false: it failed. */
static bool
run_alarm_command(const struct config_account *account,
    const struct history *history, const char *why, const char *last_error)
{
	const char *const argv[] = {
	    "/bin/sh", "-c", account->alarm_command, NULL};
	char success[TIMESTAMP_UTC_SIZE] = "";
	struct hook_env env;

	if (account->alarm_command == NULL)
		return true;
	if (history->last_success != 0)
		timestamp_format_utc(success, history->last_success);
	hook_env_begin(&env, account->name);
	hook_env_add(&env, "ODMR_ALARM", why);
	hook_env_add(&env, "ODMR_LAST_SUCCESS", success);
	hook_env_add(&env, "ODMR_LAST_ERROR", last_error);
	bool heard = hook_run(account->name, "alarm_command", argv, &env);
	hook_env_clear(&env);
	return heard;
}

/* When an alarm was raised that the status file has no room for. */
static void
set_lock_time(int lock, int64_t when)
{
	struct timespec time = {.tv_sec = (time_t)(when / 1000)};
	struct timespec both[] = {time, time};

	(void)futimens(lock, both);
}

/*
 * The disk with the status file is full, which may be the very cause. The time
 * of the lock has room on most file systems; where it has not, an alarm at each
 * session is better than none at all.
 */
static bool
note_alarm_at_lock(int lock, int64_t now)
{
	struct stat st;

	int64_t since = fstat(lock, &st) == 0
			    ? now - (int64_t)st.st_mtim.tv_sec * 1000
			    : ALARM_EVERY_MS;
	if (since >= 0 && since < ALARM_EVERY_MS)
		return false;
	set_lock_time(lock, now);
	return true;
}

/* With the lock held: false: it was raised already. */
static bool
note_alarm_in_file(const struct config *config,
    const struct config_account *account, enum alarm alarm, int lock,
    int64_t now)
{
	struct history history;
	struct error err;

	bool read =
	    status_file_read(config->state_dir, account->name, &history, &err);
	bool raise = read && alarm_is_due(alarm, account, &history, now);
	history_alarms_note(&history.alarms, alarm_name(alarm), now, false);
	if (raise && !status_file_write(
			 config->state_dir, account->name, &history, &err))
		raise = note_alarm_at_lock(lock, now);
	history_clear(&history);
	return raise;
}

/*
 * Another process fetches the account, and raises what is due itself. But one
 * that was halted does not, and no session comes about while it has the lock.
 */
static bool
note_alarm_of_busy(const struct config *config,
    const struct config_account *account, enum alarm alarm, int64_t now)
{
	struct error ignored;

	if (alarm != ALARM_FAILING)
		return false;
	int lock = lock_open(config->state_dir, account->name, &ignored);
	bool raise = lock >= 0 && note_alarm_at_lock(lock, now);
	if (lock >= 0)
		close(lock);
	return raise;
}

/* Notes that the alarm is raised; false: it need not be, or not now. */
static bool
note_alarm(const struct config *config, const struct config_account *account,
    enum alarm alarm, int64_t now)
{
	struct deadline deadline = deadline_in(LOCK_MS, 0);
	struct error err;
	int lock =
	    lock_account(config->state_dir, account->name, &deadline, &err);

	if (lock < 0 && err.class == ERROR_BUSY)
		return note_alarm_of_busy(config, account, alarm, now);
	/* What cannot be locked, as on a disk that has become read-only, fails
	 * each session. */
	if (lock < 0)
		return err.class == ERROR_LOCAL;
	bool raise = note_alarm_in_file(config, account, alarm, lock, now);
	close(lock);
	return raise;
}

/* Nobody heard of it: what keeps mail away may keep the command's word, too. */
static void
note_unheard(const struct config *config, const struct config_account *account,
    enum alarm alarm)
{
	struct deadline deadline = deadline_in(LOCK_MS, 0);
	int64_t now = clock_unix_ms();
	struct history history;
	struct error err;
	int lock =
	    lock_account(config->state_dir, account->name, &deadline, &err);

	if (lock < 0)
		return;
	if (status_file_read(
		config->state_dir, account->name, &history, &err)) {
		history_alarms_note(
		    &history.alarms, alarm_name(alarm), now, true);
		if (!status_file_write(
			config->state_dir, account->name, &history, &err)) {
			set_lock_time(
			    lock, now - (ALARM_EVERY_MS - ALARM_AGAIN_MS));
			log_say(CONFIG_LOG_WARNING, account->name, "status",
			    "%s", err.text);
		}
	}
	history_clear(&history);
	close(lock);
}

/* Another process waits for new mail, or has it now. One that was halted in that
 * wait has said the same, but no session takes so long. */
static bool
is_listening(const struct config_account *account,
    const struct history *history, int64_t now)
{
	return history->listening != 0 &&
	       now - history->listening <=
		   account->provider_timeout + account->session_timeout;
}

/* A session may have ended well, and the file not know of it; or another process
 * waits for new mail now. */
static bool
is_contradicted(enum alarm alarm, const struct config_account *account,
    const struct history *history, const struct session_result *result,
    int64_t now)
{
	if (result->error.class == ERROR_BUSY &&
	    is_listening(account, history, now))
		return true;
	return alarm == ALARM_FAILING && result->outcome != SESSION_FAILED &&
	       !result->untidy && !result->unanswered;
}

/*
 * Where the folder with all that is known cannot be used, as where its disk is
 * not mounted or it belongs to somebody else, no session comes about, and since
 * when nobody can say. That is not to be waited for.
 */
static bool
is_blind(const struct config *config, const struct config_account *account,
    const struct history *history, const struct session_result *result)
{
	struct error err;

	if (history->any || result->outcome != SESSION_FAILED)
		return false;
	int lock = lock_account(config->state_dir, account->name, NULL, &err);
	if (lock >= 0)
		close(lock);
	return lock < 0 && err.class == ERROR_LOCAL;
}

/* alarm: ALARM_NONE where it cannot be noted. */
static void
tell_alarm(const struct config *config, const struct config_account *account,
    const struct history *history, enum alarm alarm, const char *why,
    const struct session_result *result)
{
	char last[SUMMARY_SIZE];

	/* It may not have been written. */
	summary_plain(last, result->outcome == SESSION_FAILED
				? result->error.text
				: history->last_error);
	log_say(CONFIG_LOG_ERROR, account->name, "alarm", "%s%s%s", why,
	    last[0] != '\0' ? "; last error: " : "", last);
	if (!run_alarm_command(account, history, why, last) &&
	    alarm != ALARM_NONE)
		note_unheard(config, account, alarm);
}

/* Each that stands, by itself. true: no session succeeds; the others are old. */
static bool
raise_alarms(const struct config *config, const struct config_account *account,
    const struct history *history, const struct session_result *result)
{
	int64_t now = clock_unix_ms();
	char why[ALARM_TEXT_SIZE];

	for (enum alarm each = ALARM_FAILING; each <= ALARM_LAST; each++) {
		if (!alarm_stands(each, account, history, now) ||
		    is_contradicted(each, account, history, result, now))
			continue;
		if (alarm_is_due(each, account, history, now) &&
		    note_alarm(config, account, each, now))
			tell_alarm(config, account, history, each,
			    alarm_format(why, each, account, history, now),
			    result);
		if (each == ALARM_FAILING)
			return true;
	}
	return false;
}

static bool
raise_what_is_due(const struct config *config,
    const struct config_account *account, const struct session_result *result,
    bool watched)
{
	struct history history;
	bool failing = false;
	struct error err;

	if (status_file_read(config->state_dir, account->name, &history, &err))
		failing = raise_alarms(config, account, &history, result);
	if (!watched && is_blind(config, account, &history, result))
		tell_alarm(config, account, &history, ALARM_NONE,
		    "no session is possible, and nobody can say since when,"
		    " because state_dir cannot be used",
		    result);
	history_clear(&history);
	return failing;
}

/* A session that failed early may have kept root; nothing is done with that. */
static bool
is_followed(const struct session_result *result)
{
	struct error err;

	return result->error.class != ERROR_STOPPED && privilege_drop(&err);
}

bool
followup_alarm(const struct config *config,
    const struct config_account *account, const struct session_result *result,
    bool watched)
{
	/* Whoever is to stop has no time for alarm_command. */
	return account->enabled && !stop_requested() && is_followed(result) &&
	       raise_what_is_due(config, account, result, watched);
}

void
followup_session(const struct config_account *account,
    const struct session_result *result, bool failing)
{
	/* Another process fetches the account, and does all this. */
	if (result->error.class == ERROR_BUSY || !is_followed(result))
		return;
	ping_send(account, result->outcome == SESSION_FAILED || failing
			       ? PING_FAIL
			       : PING_SUCCESS);
	run_after_mail_command(account, result);
}
