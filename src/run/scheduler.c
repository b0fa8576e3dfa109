/* SPDX-License-Identifier: ISC */
#include "run/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/stop.h"
#include "config/config.h"
#include "record/lock.h"
#include "run/task.h"
#include "run/wake.h"
#include "run/workers.h"
#include "scheduler_private.h"
#include "tell/log.h"
#include "tell/notify.h"

/* No account can have this name. */
static const char lock_name[] = "run:";

enum {
	LOOK_MS = 1000, /* sessions last for seconds */
	/* The wait for a lock, the session, and its last message each may take
	 * session_timeout. */
	SESSIONS = 3,
};

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

/*
 * Another process has the lock, a `fetch` say: nothing tells when it ends. One
 * that was halted never does; a session that finds it so raises the alarm, and
 * begins when all that a session may take is over.
 */
static bool
must_look_again(
    const struct scheduler *scheduler, struct task *task, int64_t boot)
{
	const struct config_account *account = task->account;
	bool held = lock_provider_is_held(
	    scheduler_config(scheduler)->state_dir, account);

	if (held && task->locked == 0)
		task->locked = boot;
	if (held && boot - task->locked < SESSIONS * account->session_timeout) {
		task->look = boot + LOOK_MS;
		return true;
	}
	task->locked = 0;
	return false;
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
		if (!forced &&
		    task_is_held(task, scheduler_config(scheduler), &now))
			continue;
		if (must_look_again(scheduler, task, now.boot))
			continue;
		task_begin(task, &now);
		struct workers_order order = {.account = task->account,
		    .trace = options->trace,
		    .named = forced,
		    .tag = task};
		workers_start(
		    scheduler->pool, scheduler_config(scheduler), &order);
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
handle_session_event(
    struct scheduler *scheduler, const struct workers_event *event)
{
	struct schedule_clock now = schedule_clock_now();
	struct task *task = event->tag;

	publisher_note(&scheduler->publisher, event, task->listening);
	task->listening = event->result.listening;
	if (!event->ended)
		return;
	if (event->lost)
		log_say(CONFIG_LOG_ERROR, task->name, "end", "%s",
		    event->result.error.text);
	task_end(task, scheduler_config(scheduler), &event->result, &now);
	if (event->lost && task->account != NULL)
		workers_follow(scheduler->pool, scheduler_config(scheduler),
		    task->account, &event->result);
	if (task->account != NULL) {
		scheduler_log_next(task);
		return;
	}
	for (size_t i = 0; i < scheduler->count; i++) {
		if (scheduler->tasks[i] == task) {
			scheduler_remove_task(scheduler, i);
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
	notify_alive();
}

static void
handle_wake(struct scheduler *scheduler)
{
	struct wake_reasons reasons;

	wake_read(&scheduler->wake, &reasons);
	if (reasons.reload)
		scheduler_reload(scheduler);
	if (reasons.clock)
		scheduler_plan_anew(scheduler);
	if (reasons.fetch)
		scheduler_fetch_all(scheduler);
}

static void
wait_once(struct scheduler *scheduler, bool stopping)
{
	struct workers_event event;
	int64_t until =
	    publisher_run(&scheduler->publisher, scheduler_config(scheduler));
	size_t count = stopping ? 0 : WAKE_FDS;

	if (scheduler->watchdog > 0 && scheduler->watchdog_next < until)
		until = scheduler->watchdog_next;

	switch (workers_wait(
	    scheduler->pool, until, scheduler->wake.fds, count, &event)) {
	case WORKERS_EVENT:
		handle_session_event(scheduler, &event);
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
run_until_stopped(struct scheduler *scheduler)
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
	while (workers_running(scheduler->pool) > 0 ||
	       !publisher_finish(
		   &scheduler->publisher, scheduler_config(scheduler)))
		wait_once(scheduler, true);
}

static bool
take_lock(struct scheduler *scheduler, struct error *err)
{
	const char *state_dir = scheduler_config(scheduler)->state_dir;
	char holder[ERROR_TEXT_MAX];

	snprintf(holder, sizeof holder,
	    "another `odmr-agent run` uses state_dir %s; stop it first",
	    state_dir);
	scheduler->lock = lock_take(state_dir, lock_name, holder, NULL, err);
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
close_scheduler(struct scheduler *scheduler)
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

	scheduler.pool = workers_new(
	    (size_t)scheduler_config(&scheduler)->max_sessions, options->run);
	publisher_init(&scheduler.publisher, scheduler.pool);
	if (take_lock(&scheduler, &err) && wake_open(&scheduler.wake, &err)) {
		hide_from_sessions(&scheduler);
		scheduler_take_accounts(&scheduler);
		run_until_stopped(&scheduler);
	} else {
		log_say(CONFIG_LOG_ERROR, NULL, "start", "%s", err.text);
		status = error_exit_status(err.class);
	}
	close_scheduler(&scheduler);
	return status;
}
