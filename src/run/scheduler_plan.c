/* SPDX-License-Identifier: ISC */
#include "scheduler_private.h"

#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/privilege.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "run/workers.h"
#include "tell/log.h"
#include "tell/notify.h"

struct config *
scheduler_config(const struct scheduler *scheduler)
{
	return *scheduler->options->config;
}

void
scheduler_log_next(const struct task *task)
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
	struct task *task =
	    task_new(scheduler_config(scheduler), account, &now);

	scheduler->tasks = array_more(
	    scheduler->tasks, scheduler->count, sizeof(struct task *));
	scheduler->tasks[scheduler->count++] = task;
	task_plan(task, &now);
	task_publish(task, scheduler_config(scheduler), &now);
	scheduler_log_next(task);
}

void
scheduler_remove_task(struct scheduler *scheduler, size_t index)
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

	if (task_is_held(task, scheduler_config(scheduler), now))
		return;
	task_plan(task, now);
	if (was_held && schedule_holds(task->account, now->unix)) {
		task->next = now->unix;
		task->wake = now->boot;
	}
	scheduler_log_next(task);
}

void
scheduler_take_accounts(struct scheduler *scheduler)
{
	const struct config *config = scheduler_config(scheduler);
	struct schedule_clock now = schedule_clock_now();

	for (size_t i = scheduler->count; i-- > 0;) {
		struct task *task = scheduler->tasks[i];
		task->account = config_find_account(config, task->name);
		if (task->account != NULL && !task->account->enabled)
			task->account = NULL;
		if (task->account == NULL && !task->running) {
			scheduler_remove_task(scheduler, i);
		} else if (task->account != NULL && !task->running &&
			   !task->forced) {
			plan_by_new(scheduler, task, &now);
		}
	}
	for (size_t i = 0; i < config->accounts_count; i++)
		if (config->accounts[i].enabled &&
		    find_task(scheduler, config->accounts[i].name) == NULL)
			add_task(scheduler, &config->accounts[i]);
	/* What an agent that was killed left unsaid is said as well. */
	publisher_change(&scheduler->publisher);
}

static void
log_messages(const struct config *config)
{
	char text[CONFIG_MESSAGE_SIZE];

	for (size_t i = 0; i < config->messages_count; i++) {
		const struct config_message *message = &config->messages[i];
		log_say(config_message_level(message), NULL, "reload", "%s",
		    config_message_format(
			config->path, message, text, sizeof text));
	}
}

void
scheduler_reload(struct scheduler *scheduler)
{
	const struct scheduler_options *options = scheduler->options;

	notify_reloading();
	privilege_regain();
	struct config *config = config_load(options->config_path);
	privilege_resume();
	log_messages(config);
	bool usable = config->faults == 0;
	if (usable && strcmp(config->state_dir,
			  scheduler_config(scheduler)->state_dir) != 0) {
		log_say(CONFIG_LOG_ERROR, NULL, "reload",
		    "state_dir has changed; restart the program for that");
		usable = false;
	}
	if (usable) {
		config_free(*options->config);
		*options->config = config;
		log_open(config->log, config->log_format, config->log_level);
		workers_set_max(scheduler->pool, (size_t)config->max_sessions);
		scheduler_take_accounts(scheduler);
		workers_stop_listening(scheduler->pool);
	} else {
		config_free(config);
	}
	log_say(CONFIG_LOG_INFO, NULL, "reload",
	    usable ? "the configuration was read again"
		   : "the configuration stays as it was");
	notify_send("READY=1");
}

void
scheduler_plan_anew(struct scheduler *scheduler)
{
	struct schedule_clock now = schedule_clock_now();

	tzset();
	log_say(CONFIG_LOG_INFO, NULL, "schedule", "the clock was set");
	for (size_t i = 0; i < scheduler->count; i++) {
		struct task *task = scheduler->tasks[i];
		if (task->running || task->forced || task->account == NULL)
			continue;
		task_plan(task, &now);
		task_publish(task, scheduler_config(scheduler), &now);
		scheduler_log_next(task);
	}
	publisher_change(&scheduler->publisher);
}

void
scheduler_fetch_all(struct scheduler *scheduler)
{
	struct schedule_clock now = schedule_clock_now();

	workers_stop_listening(scheduler->pool);
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
