/* SPDX-License-Identifier: ISC */
#include "run/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/mem.h"
#include "base/privilege.h"
#include "base/stop.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "record/lock.h"
#include "run/task.h"
#include "run/wake.h"
#include "run/workers.h"
#include "tell/log.h"
#include "tell/notify.h"

/* No account can have this name. */
static const char lock_name[] = "run:";

enum { LOOK_MS = 1000 }; /* sessions last for seconds */

struct scheduler {
	const struct scheduler_options *options;
	struct workers *pool;
	struct task **tasks;
	size_t count;
	struct wake wake;
	int lock;
	int64_t watchdog; /* ms between two signs of life; 0: none */
	int64_t watchdog_next; /* clock_ms() */
	char status[TASK_DESCRIPTION_SIZE]; /* as systemd was told last */
};

static const char *
state_dir(const struct scheduler *scheduler)
{
	return (*scheduler->options->config)->state_dir;
}

static void
log_next(const struct task *task)
{
	char text[TIMESTAMP_UTC_SIZE];
	struct log_line line;

	log_begin(&line, CONFIG_LOG_INFO, task->name, "schedule");
	log_text(&line, "next",
	    task->next == SCHEDULE_NEVER
		? "never"
		: timestamp_format_utc(text, task->next));
	log_end(&line);
}

static void
add_task(struct scheduler *scheduler, const struct config_account *account)
{
	struct schedule_clock now = schedule_clock_now();
	struct task *task = task_new(state_dir(scheduler), account, &now);

	scheduler->tasks = xreallocarray(
	    scheduler->tasks, scheduler->count + 1, sizeof(struct task *));
	scheduler->tasks[scheduler->count++] = task;
	task_plan(task, &now);
	task_publish(task, state_dir(scheduler), &now);
	log_next(task);
}

static void
remove_task(struct scheduler *scheduler, size_t index)
{
	task_free(scheduler->tasks[index]);
	scheduler->tasks[index] = scheduler->tasks[--scheduler->count];
}

static struct task *
find_task(const struct scheduler *scheduler, const char *name)
{
	for (size_t i = 0; i < scheduler->count; i++)
		if (strcmp(scheduler->tasks[i]->name, name) == 0)
			return scheduler->tasks[i];
	return NULL;
}

/* A hold that is over by the new configuration is over at once. */
static void
plan_by_new(const struct scheduler *scheduler, struct task *task,
    const struct schedule_clock *now)
{
	bool was_held = task->hold_boot > now->boot;

	if (task_is_held(task, state_dir(scheduler), now))
		return;
	task_plan(task, now);
	if (was_held && schedule_holds(task->account, now->unix)) {
		task->next = now->unix;
		task->wake = now->boot;
	}
	log_next(task);
}

/* The tasks become those of the configuration; what runs goes on. */
static void
take_accounts(struct scheduler *scheduler)
{
	const struct config *config = *scheduler->options->config;
	struct schedule_clock now = schedule_clock_now();

	for (size_t i = scheduler->count; i-- > 0;) {
		struct task *task = scheduler->tasks[i];
		task->account = config_find_account(config, task->name);
		if (task->account != NULL && !task->account->enabled)
			task->account = NULL;
		if (task->account == NULL && !task->running) {
			remove_task(scheduler, i);
		} else if (task->account != NULL && !task->running &&
			   !task->forced) {
			plan_by_new(scheduler, task, &now);
		}
	}
	for (size_t i = 0; i < config->accounts_count; i++)
		if (config->accounts[i].enabled &&
		    find_task(scheduler, config->accounts[i].name) == NULL)
			add_task(scheduler, &config->accounts[i]);
}

static void
log_messages(const struct config *config)
{
	char text[CONFIG_MESSAGE_SIZE];

	for (size_t i = 0; i < config->messages_count; i++)
		log_say(config->messages[i].warning ? CONFIG_LOG_WARNING
						    : CONFIG_LOG_ERROR,
		    NULL, "reload", "%s",
		    config_message_format(
			config->path, &config->messages[i], text, sizeof text));
}

static void
reload(struct scheduler *scheduler)
{
	const struct scheduler_options *options = scheduler->options;

	notify_reloading();
	privilege_regain();
	struct config *config = config_load(options->config_path);
	privilege_resume();
	log_messages(config);
	bool usable = config->faults == 0;
	if (usable && strcmp(config->state_dir, state_dir(scheduler)) != 0) {
		log_say(CONFIG_LOG_ERROR, NULL, "reload",
		    "state_dir cannot change while the program runs");
		usable = false;
	}
	if (usable) {
		config_free(*options->config);
		*options->config = config;
		log_open(config->log, config->log_format, config->log_level);
		workers_set_max(scheduler->pool, (size_t)config->max_sessions);
		take_accounts(scheduler);
		process_stop_listening(scheduler->pool);
	} else {
		config_free(config);
	}
	log_say(CONFIG_LOG_INFO, NULL, "reload",
	    usable ? "the configuration was read again"
		   : "the configuration stays as it was");
	notify_send("READY=1");
}

/* On hold or not, but for those that run already; a wait for new mail may be on
 * a connection that died with the old network, and begins anew. */
static void
fetch_everything(struct scheduler *scheduler)
{
	struct schedule_clock now = schedule_clock_now();

	process_stop_listening(scheduler->pool);
	for (size_t i = 0; i < scheduler->count; i++) {
		struct task *task = scheduler->tasks[i];
		if (task->running || task->account == NULL)
			continue;
		task->forced = true;
		/* Who waits already does not lose his turn. */
		if (task->wake > now.boot)
			task->wake = now.boot;
	}
}

/* Windows and `at` times are elsewhere now. */
static void
plan_anew(struct scheduler *scheduler)
{
	struct schedule_clock now = schedule_clock_now();

	tzset();
	log_say(CONFIG_LOG_INFO, NULL, "schedule", "the clock was set");
	for (size_t i = 0; i < scheduler->count; i++) {
		struct task *task = scheduler->tasks[i];
		if (task->running || task->forced || task->account == NULL)
			continue;
		task_plan(task, &now);
		task_publish(task, state_dir(scheduler), &now);
		log_next(task);
	}
}

/* It is to be started, but for a free place. */
static bool
is_due(const struct scheduler *scheduler, const struct task *task, int64_t boot)
{
	return !task->running && task->account != NULL && task->wake <= boot &&
	       task->look <= boot &&
	       !workers_is_at_provider(scheduler->pool, task->account);
}

/*
 * The one that waits longest, of those that are due; NULL: none is. Accounts of
 * one provider take turns by this: whoever had its session waits from its end.
 */
static struct task *
find_due(const struct scheduler *scheduler, int64_t boot)
{
	struct task *due = NULL;

	for (size_t i = 0; i < scheduler->count; i++) {
		struct task *task = scheduler->tasks[i];
		if ((due == NULL || task->wake < due->wake) &&
		    is_due(scheduler, task, boot))
			due = task;
	}
	return due;
}

/* By another process, a `fetch` say: nothing tells when it ends. */
static bool
is_locked(const struct scheduler *scheduler, const struct task *task)
{
	const struct config_account *account = task->account;

	return lock_provider_is_held(state_dir(scheduler),
	    account->provider.host, account->provider.port,
	    account->user != NULL ? account->user : "");
}

static void
start_due(struct scheduler *scheduler)
{
	const struct scheduler_options *options = scheduler->options;
	struct schedule_clock now = schedule_clock_now();

	while (!workers_full(scheduler->pool)) {
		struct task *task = find_due(scheduler, now.boot);
		if (task == NULL)
			return;
		bool forced = task->forced;
		if (!forced && task_is_held(task, state_dir(scheduler), &now))
			continue;
		if (is_locked(scheduler, task)) {
			task->look = now.boot + LOOK_MS;
			continue;
		}
		task_begin(task, &now);
		struct workers_order order = {.account = task->account,
		    .trace = options->trace,
		    .named = forced,
		    .tag = task};
		workers_start(scheduler->pool, *options->config, &order);
	}
}

/* When to look at a task; those that wait for a session to end are looked at
 * then. */
static int64_t
look_at(
    const struct scheduler *scheduler, const struct task *task, int64_t boot)
{
	if (task->running || task->account == NULL)
		return INT64_MAX;
	if (task->wake > boot)
		return task->wake;
	if (workers_full(scheduler->pool) ||
	    workers_is_at_provider(scheduler->pool, task->account))
		return INT64_MAX;
	return task->look > boot ? task->look : boot;
}

static void
set_timer(struct scheduler *scheduler)
{
	int64_t boot = schedule_clock_now().boot, next = INT64_MAX;

	for (size_t i = 0; i < scheduler->count; i++) {
		int64_t look = look_at(scheduler, scheduler->tasks[i], boot);
		if (look < next)
			next = look;
	}
	wake_set_timer(&scheduler->wake, next);
}

static void
handle_event(struct scheduler *scheduler, const struct workers_event *event)
{
	struct schedule_clock now = schedule_clock_now();
	struct task *task = event->tag;

	task->listening = event->result.listening;
	if (!event->ended)
		return;
	if (event->lost)
		log_say(CONFIG_LOG_ERROR, task->name, "end", "%s",
		    event->result.error.text);
	task_end(task, state_dir(scheduler), &event->result, &now);
	if (event->lost && task->account != NULL)
		workers_follow(scheduler->pool, *scheduler->options->config,
		    task->account, &event->result);
	if (task->account != NULL) {
		log_next(task);
		return;
	}
	for (size_t i = 0; i < scheduler->count; i++) {
		if (scheduler->tasks[i] == task) {
			remove_task(scheduler, i);
			return;
		}
	}
}

static void
tell_status(struct scheduler *scheduler)
{
	char text[TASK_DESCRIPTION_SIZE];

	task_describe(scheduler->tasks, scheduler->count, text);
	if (strcmp(text, scheduler->status) == 0)
		return;
	memcpy(scheduler->status, text, sizeof text);
	notify_status(text);
}

static void
feed_watchdog(struct scheduler *scheduler)
{
	if (scheduler->watchdog == 0 || clock_ms() < scheduler->watchdog_next)
		return;
	scheduler->watchdog_next = clock_ms() + scheduler->watchdog;
	notify_send("WATCHDOG=1");
}

static void
handle_wake(struct scheduler *scheduler)
{
	struct wake_reasons reasons;

	wake_read(&scheduler->wake, &reasons);
	if (reasons.reload)
		reload(scheduler);
	if (reasons.clock)
		plan_anew(scheduler);
	if (reasons.fetch)
		fetch_everything(scheduler);
}

static void
wait_once(struct scheduler *scheduler, bool stopping)
{
	struct workers_event event;
	int64_t until =
	    scheduler->watchdog > 0 ? scheduler->watchdog_next : INT64_MAX;
	size_t count = stopping ? 0 : WAKE_FDS;

	switch (workers_wait(
	    scheduler->pool, until, scheduler->wake.fds, count, &event)) {
	case WORKERS_EVENT:
		handle_event(scheduler, &event);
		break;
	case WORKERS_READY:
		if (!stop_requested())
			handle_wake(scheduler);
		break;
	case WORKERS_OVER:
		break;
	}
	feed_watchdog(scheduler);
}

static void
serve(struct scheduler *scheduler)
{
	notify_send("READY=1");
	while (!stop_requested()) {
		start_due(scheduler);
		set_timer(scheduler);
		tell_status(scheduler);
		wait_once(scheduler, false);
	}
	notify_send("STOPPING=1");
	size_t running = workers_running(scheduler->pool);
	log_say(CONFIG_LOG_INFO, NULL, "stop", "waiting for %zu session%s",
	    running, running == 1 ? "" : "s");
	workers_stop(scheduler->pool);
	while (workers_running(scheduler->pool) > 0)
		wait_once(scheduler, true);
}

static bool
take_lock(struct scheduler *scheduler, struct error *err)
{
	scheduler->lock = lock_take(state_dir(scheduler), lock_name, NULL, err);
	if (scheduler->lock < 0 && err->class == ERROR_BUSY)
		error_set(err, ERROR_BUSY,
		    "another odmr-agent run uses the state folder %s",
		    state_dir(scheduler));
	return scheduler->lock >= 0;
}

/* The descriptor of base/stop is replaced there; the others are ours. */
static void
hide_from_sessions(struct scheduler *scheduler)
{
	workers_keep_private(scheduler->pool, scheduler->lock);
	for (size_t i = 0; i < WAKE_FDS; i++)
		if (i != WAKE_STOP)
			workers_keep_private(
			    scheduler->pool, scheduler->wake.fds[i]);
}

static void
close_all(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->count; i++)
		task_free(scheduler->tasks[i]);
	free(scheduler->tasks);
	wake_close(&scheduler->wake);
	if (scheduler->lock >= 0)
		close(scheduler->lock);
	workers_free(scheduler->pool);
}

int
scheduler_run(const struct scheduler_options *options)
{
	struct scheduler scheduler = {.options = options,
	    .wake.fds = {-1, -1, -1, -1},
	    .lock = -1,
	    .watchdog = notify_watchdog()};
	struct error err;
	int status = EX_OK;

	scheduler.pool =
	    workers_new((size_t)(*options->config)->max_sessions, options->run);
	if (take_lock(&scheduler, &err) && wake_open(&scheduler.wake, &err)) {
		hide_from_sessions(&scheduler);
		take_accounts(&scheduler);
		serve(&scheduler);
	} else {
		log_say(CONFIG_LOG_ERROR, NULL, "start", "%s", err.text);
		status = error_exit_status(err.class);
	}
	close_all(&scheduler);
	return status;
}
