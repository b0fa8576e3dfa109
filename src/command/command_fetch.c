/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/stop.h"
#include "command/account_args.h"
#include "command/command.h"
#include "command/fetch_row.h"
#include "config/config.h"
#include "record/history.h"
#include "record/history_json.h"
#include "record/hold.h"
#include "record/lock.h"
#include "record/status_file.h"
#include "run/publisher.h"
#include "run/workers.h"
#include "session/session.h"
#include "tell/log.h"
#include "tell/summary.h"

struct fetch {
	struct command_context *context;
	struct workers *pool;
	struct publisher publisher;
	struct fetch_job *jobs; /* count of them, in the order of the fetch */
	size_t count;
	struct fetch_job *row; /* those of them that may be started */
	bool named, json, live;
	bool line_shown; /* the live line is on the terminal */
	int status;
};

/* What is named, or all that are enabled. */
static void
add_jobs(struct fetch *fetch, const struct account_args *args)
{
	fetch->jobs = xcalloc(args->count, sizeof *fetch->jobs);
	fetch->named = args->named;
	fetch->json = args->json;
	for (size_t i = 0; i < args->count; i++)
		if (args->named || args->accounts[i]->enabled)
			fetch->jobs[fetch->count++] =
			    (struct fetch_job){.account = args->accounts[i]};
	fetch->row = fetch_row_make(fetch->jobs, fetch->count);
}

static void
hide_live_line(struct fetch *fetch)
{
	if (fetch->line_shown)
		fputs("\033[K", stdout);
	fetch->line_shown = false;
}

/* Of the only session, or of all that run. */
static void
show_live_line(struct fetch *fetch)
{
	struct session_result sum = {.messages = 0};
	const struct fetch_job *one = NULL;
	size_t running = 0;
	int64_t begun = INT64_MAX;
	char text[SUMMARY_SIZE];

	for (size_t i = 0; i < fetch->count; i++) {
		const struct fetch_job *job = &fetch->jobs[i];
		if (!job->running)
			continue;
		running++;
		one = job;
		if (job->begun < begun)
			begun = job->begun;
		sum.messages += job->so_far.messages;
		sum.bytes += job->so_far.bytes;
		sum.deferred += job->so_far.deferred;
		sum.refused += job->so_far.refused;
	}
	hide_live_line(fetch);
	if (running == 0)
		return;
	summary_progress(text, &sum, clock_ms() - begun);
	if (running == 1)
		printf("%s: %s", one->account->name, text);
	else
		printf("%zu sessions: %s", running, text);
	/* A line of a session's log begins where the live one does. */
	putchar('\r');
	fetch->line_shown = true;
	fflush(stdout);
}

static void
print_line(struct fetch *fetch, const char *account, const char *text)
{
	if (fetch->context->quiet)
		return;
	hide_live_line(fetch);
	printf("%s: %s\n", account, text);
	fflush(stdout);
}

static void
print_json(
    struct fetch *fetch, const char *account, const struct history *history)
{
	struct buf line;

	if (fetch->context->quiet)
		return;
	buf_init(&line, STATUS_FILE_MAX);
	if (history_json_format(account, history, &line))
		printf("%.*s\n", (int)buf_len(&line), buf_data(&line));
	fflush(stdout);
	buf_clear(&line);
}

static void
print_state(struct fetch *fetch, const char *account,
    const struct history *history, const char *in_words)
{
	if (fetch->json)
		print_json(fetch, account, history);
	else
		print_line(fetch, account, in_words);
}

/* In a moment a call may be made: that is near enough for cron. */
static bool
is_fetch_spaced(const struct history *history, int64_t now)
{
	return asking_memory_wait(&history->asking, now) >
	       history->asking.gap / 10;
}

/* The account is on hold, or its provider was asked a short time ago and wants
 * some time between calls; and nobody asked for it by its name. */
static bool
must_wait(struct fetch *fetch, const struct config_account *account)
{
	const struct config *config = fetch->context->config;
	int64_t now = clock_unix_ms();
	struct history history;
	struct error err;
	char text[SUMMARY_SIZE];

	/* The session reads it again, and warns. */
	bool known =
	    status_file_read(config->state_dir, account->name, &history, &err);
	history_provider_is(&history, account);
	bool held = known && hold_left(config, account, &history, now) > 0;
	bool spaced = known && !held && is_fetch_spaced(&history, now);
	if (held || spaced) {
		int status =
		    held ? history.hold_status : history.last.exit_status;
		print_state(fetch, account->name, &history,
		    held ? summary_hold(text, &history, now)
			 : summary_spaced(text, &history, now));
		if (held && !fetch->json)
			print_line(fetch, account->name,
			    summary_hold_advice(text, account, &history));
		if (held || history.last.outcome == SESSION_FAILED)
			fetch->status =
			    error_worse_status(fetch->status, status);
	}
	history_clear(&history);
	return held || spaced;
}

static void
print_result(struct fetch *fetch, const char *account,
    const struct session_result *result)
{
	struct history history;
	struct error err;
	char text[SUMMARY_SIZE];

	if (!fetch->json) {
		print_line(fetch, account, summary_result(text, result));
		return;
	}
	(void)!status_file_read(
	    fetch->context->config->state_dir, account, &history, &err);
	/* A session that found the account locked left no trace there. */
	history.last = *result;
	history.any = true;
	print_json(fetch, account, &history);
	history_clear(&history);
}

static void
handle_loss(struct fetch *fetch, const struct config_account *account,
    const struct session_result *result)
{
	log_say(
	    CONFIG_LOG_ERROR, account->name, "end", "%s", result->error.text);
	workers_follow(fetch->pool, fetch->context->config, account, result);
}

/* Another process has the account, and waits for its mail: that is what was
 * asked for. */
static bool
is_listened_to(struct fetch *fetch, const struct config_account *account)
{
	char text[SUMMARY_SIZE];
	struct history history;
	struct error err;

	bool listens = status_file_read(fetch->context->config->state_dir,
			   account->name, &history, &err) &&
		       history.listening != 0;
	if (listens)
		print_state(fetch, account->name, &history,
		    summary_listening(text, &history, clock_unix_ms()));
	history_clear(&history);
	return listens;
}

static void
handle_end(struct fetch *fetch, const struct config_account *account,
    const struct workers_event *event)
{
	if (event->result.error.class == ERROR_BUSY &&
	    is_listened_to(fetch, account))
		return;
	print_result(fetch, account->name, &event->result);
	if (event->lost)
		handle_loss(fetch, account, &event->result);
	fetch->status =
	    error_worse_status(fetch->status, event->result.exit_status);
}

static void
handle_event(struct fetch *fetch, const struct workers_event *event)
{
	struct fetch_job *job = event->tag;

	publisher_note(&fetch->publisher, event, job->so_far.listening);
	job->so_far = event->result;
	if (event->ended) {
		job->running = false;
		fetch_row_enter(&fetch->row, job->behind);
		handle_end(fetch, job->account, event);
	}
	if (fetch->live)
		show_live_line(fetch);
}

/* false: it must wait, and is over. */
static bool
start_job(struct fetch *fetch, struct fetch_job *job)
{
	struct command_context *context = fetch->context;
	struct workers_order order = {.account = job->account,
	    .trace = context->trace,
	    .named = fetch->named,
	    .live = fetch->live,
	    .tag = job};

	if (!fetch->named && must_wait(fetch, job->account))
		return false;
	job->running = true;
	job->begun = clock_ms();
	workers_start(fetch->pool, context->config, &order);
	return true;
}

/* What there is room for, and need not wait for the lock of its provider, or
 * may. */
static void
start_some(struct fetch *fetch, bool may_wait)
{
	const char *state_dir = fetch->context->config->state_dir;
	struct fetch_job **place = &fetch->row;

	while (*place != NULL && !workers_full(fetch->pool)) {
		struct fetch_job *job = *place;
		if (!may_wait &&
		    lock_provider_is_held(state_dir, job->account)) {
			place = &job->next;
			continue;
		}
		*place = job->next;
		if (!start_job(fetch, job))
			fetch_row_enter(place, job->behind);
	}
}

/* One that waits takes a place from the accounts of other providers. Where
 * nothing else is left its session waits, and says so if that is in vain. */
static void
start_jobs(struct fetch *fetch)
{
	start_some(fetch, false);
	if (workers_running(fetch->pool) == 0)
		start_some(fetch, true);
}

static void
fetch_all(struct fetch *fetch)
{
	struct workers_event event;
	struct config *config = fetch->context->config;
	bool stopped = false;

	for (;;) {
		if (!stopped)
			start_jobs(fetch);
		if (workers_running(fetch->pool) == 0 &&
		    (stopped || fetch->row == NULL) &&
		    publisher_finish(&fetch->publisher, config))
			break;
		int64_t until = publisher_run(&fetch->publisher, config);
		int fd = stopped ? -1 : stop_fd();
		switch (workers_wait(fetch->pool, until, &fd, 1, &event)) {
		case WORKERS_EVENT:
			handle_event(fetch, &event);
			break;
		case WORKERS_READY:
			stopped = true;
			workers_stop(fetch->pool);
			break;
		case WORKERS_OVER:
			break;
		}
	}
	if (fetch->row != NULL)
		fetch->status = error_worse_status(fetch->status, EX_TEMPFAIL);
}

static bool
is_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

/* Where the log goes to the same terminal, the live line and the summary say
 * what came, once; what went wrong is still told. */
static void
limit_log(const struct config *config)
{
	if (isatty(STDERR_FILENO) && config->log != CONFIG_LOG_SYSLOG &&
	    !log_is_on(CONFIG_LOG_DEBUG))
		log_open(config->log, config->log_format, CONFIG_LOG_WARNING);
}

int
command_fetch(struct command_context *context, int argc, char **argv)
{
	struct fetch fetch = {.context = context, .status = EX_OK};

	struct account_args args;

	if (!account_args_read(&args, context->config, "fetch", argc, argv))
		return EX_USAGE;
	add_jobs(&fetch, &args);
	if (fetch.count > 1)
		session_prepare(context->config);
	account_args_clear(&args);
	fetch.live = is_terminal() && !fetch.json && !context->quiet;
	if (fetch.live)
		limit_log(context->config);
	stop_install();
	fetch.pool =
	    workers_new((size_t)context->config->max_sessions, session_run);
	if (isatty(STDERR_FILENO))
		workers_are_watched(fetch.pool);
	publisher_init(&fetch.publisher, fetch.pool);
	fetch_all(&fetch);
	hide_live_line(&fetch);
	fflush(stdout);
	workers_free(fetch.pool);
	free(fetch.jobs);
	return fetch.status;
}
