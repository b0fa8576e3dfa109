/* SPDX-License-Identifier: ISC */
#include "run/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "record/history.h"
#include "record/hold.h"
#include "record/lock.h"
#include "record/status_file.h"
#include "tell/log.h"

/* Who is fetched in a moment need not read so in a file first. */
enum { PUBLISH_MS = 10 * 1000, PUBLISH_START_MS = 60 * 1000 };

static uint32_t
new_random(void)
{
	uint32_t random = 0;

	/* Only spreads calls: without it all have the same delay. */
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = (uint32_t)getpid() * UINT32_C(2654435761);
	return random;
}

static bool
read_task_history(const struct task *task, const struct config *config,
    struct history *history)
{
	struct error err;

	bool read =
	    status_file_read(config->state_dir, task->name, history, &err);
	history_provider_is(history, task->account);
	if (read)
		return true;
	log_say(CONFIG_LOG_WARNING, task->name, "state", "%s", err.text);
	return false;
}

/* A hold that is known already goes on by the clock that nobody sets. */
static void
take_hold(struct task *task, const struct config *config,
    const struct history *history, const struct schedule_clock *now)
{
	bool known =
	    task->hold_boot > 0 && task->hold_until == history->hold_until;

	task->hold_until = history->hold_until;
	if (known && task->hold_boot > now->boot) {
		if (hold_is_obsolete(config, task->account, history))
			task->hold_boot = 0;
		return;
	}
	int64_t left =
	    known ? 0 : hold_left(config, task->account, history, now->unix);
	task->hold_boot = left > 0 ? now->boot + left : 0;
}

/* The provider wants some time between calls. */
static void
take_spacing(struct task *task, const struct history *history,
    const struct schedule_clock *now)
{
	int64_t wait = asking_memory_wait(&history->asking, now->unix);

	task->spaced_boot = wait > 0 ? now->boot + wait : 0;
}

struct task *
task_new(const struct config *config, const struct config_account *account,
    const struct schedule_clock *now)
{
	struct task *task = xcalloc(1, sizeof *task);
	struct history history;

	task->name = xstrdup(account->name);
	task->account = account;
	task->starting = true;
	task->begun.boot = -1;
	task->random = new_random();
	if (read_task_history(task, config, &history)) {
		task->begun.unix = history.last.started;
		take_hold(task, config, &history, now);
		take_spacing(task, &history, now);
	}
	history_clear(&history);
	return task;
}

void
task_free(struct task *task)
{
	if (task != NULL)
		free(task->name);
	free(task);
}

/* On the wall clock as it is set now; a time to come was another clock's. */
static int64_t
on_wall(const struct schedule_clock *moment, const struct schedule_clock *now)
{
	if (moment->boot >= 0)
		return schedule_moment(now, moment->boot);
	return moment->unix < now->unix ? moment->unix : now->unix;
}

/* When to see whether a hold was ended by somebody: as often as the account
 * would be fetched. */
static int64_t
next_look(const struct task *task, const struct schedule_clock *now)
{
	struct schedule_input input = {
	    .begun = now->unix, .ended = now->unix, .random = task->random};

	return schedule_next(task->account, &input, now->unix);
}

void
task_plan(struct task *task, const struct schedule_clock *now)
{
	struct schedule_input input = {
	    .starting = task->starting,
	    .begun = on_wall(&task->begun, now),
	    .ended = on_wall(&task->ended, now),
	    .failed = task->failed,
	    .failures_in_a_row = task->failures_in_a_row,
	    .more = task->more,
	    .listens = task->listens,
	    .pauses = task->pauses,
	    .random = task->random,
	};
	bool held = task->hold_boot > now->boot;

	if (held)
		input.hold_until = schedule_moment(now, task->hold_boot);
	if (task->spaced_boot > now->boot)
		input.not_before = schedule_moment(now, task->spaced_boot);
	task->next = schedule_next(task->account, &input, now->unix);
	int64_t wake = task->next;
	if (held) {
		int64_t look = next_look(task, now);
		if (look < wake)
			wake = look;
	}
	task->wake =
	    wake == SCHEDULE_NEVER ? INT64_MAX : now->boot + (wake - now->unix);
}

bool
task_is_held(struct task *task, const struct config *config,
    const struct schedule_clock *now)
{
	struct history history;

	if (read_task_history(task, config, &history))
		take_hold(task, config, &history, now);
	else
		task->hold_boot = 0;
	history_clear(&history);
	bool held = task->hold_boot > now->boot;
	if (held)
		task_plan(task, now);
	return held;
}

void
task_begin(struct task *task, const struct schedule_clock *now)
{
	task->running = true;
	task->forced = false;
	task->starting = false;
	task->begun = *now;
}

/* Whoever found the account locked or was stopped did not fail. */
static enum error_class
failure_of(const struct session_result *result)
{
	if (result->outcome != SESSION_FAILED ||
	    result->error.class == ERROR_BUSY ||
	    result->error.class == ERROR_STOPPED)
		return ERROR_NONE;
	return result->error.class;
}

void
task_end(struct task *task, const struct config *config,
    const struct session_result *result, const struct schedule_clock *now)
{
	struct history history;

	task->running = false;
	task->listening = 0;
	task->pauses = history_asks_for_pause(result);
	task->ended = *now;
	task->more = result->more;
	task->failed = failure_of(result);
	task->random = new_random();
	if (task->account == NULL)
		return;
	if (read_task_history(task, config, &history)) {
		task->failures_in_a_row = history.failures_in_a_row;
		task->listens = history.holds;
		take_hold(task, config, &history, now);
		take_spacing(task, &history, now);
	} else if (task->failed == ERROR_NONE) {
		task->failures_in_a_row = 0;
	} else {
		task->failures_in_a_row++;
	}
	history_clear(&history);
	task_plan(task, now);
	task_publish(task, config, now);
}

void
task_publish(const struct task *task, const struct config *config,
    const struct schedule_clock *now)
{
	int64_t next = task->next == SCHEDULE_NEVER ? 0 : task->next;
	int64_t soon = task->starting ? PUBLISH_START_MS : PUBLISH_MS;
	struct history history;
	struct error err;

	if (next != 0 && next - now->unix < soon)
		return;
	int lock = lock_account(config->state_dir, task->name, NULL, &err);
	if (lock < 0)
		return;
	if (status_file_read(config->state_dir, task->name, &history, &err)) {
		history.next = next;
		if (!status_file_write(
			config->state_dir, task->name, &history, &err))
			log_say(CONFIG_LOG_WARNING, task->name, "state", "%s",
			    err.text);
	}
	history_clear(&history);
	close(lock);
}

void
task_describe(struct task *const *tasks, size_t tasks_count,
    char out[static TASK_DESCRIPTION_SIZE])
{
	const struct task *running = NULL, *next = NULL;
	char clock[TIMESTAMP_WORDS_SIZE];
	size_t count = 0, listening = 0, used = 0;

	for (size_t i = 0; i < tasks_count; i++) {
		const struct task *task = tasks[i];
		if (task->running && task->listening != 0) {
			listening++;
		} else if (task->running) {
			running = task;
			count++;
		} else if (next == NULL || task->next < next->next) {
			next = task;
		}
	}
	out[0] = '\0';
	if (count == 1)
		snprintf(
		    out, TASK_DESCRIPTION_SIZE, "fetching %s; ", running->name);
	else if (count > 1)
		snprintf(out, TASK_DESCRIPTION_SIZE, "fetching %zu accounts; ",
		    count);
	used = strlen(out);
	if (listening > 0)
		used +=
		    (size_t)snprintf(out + used, TASK_DESCRIPTION_SIZE - used,
			"listening for %zu account%s; ", listening,
			listening == 1 ? "" : "s");
	if (next == NULL || next->next == SCHEDULE_NEVER)
		snprintf(out + used, TASK_DESCRIPTION_SIZE - used,
		    "nothing is scheduled");
	else
		snprintf(out + used, TASK_DESCRIPTION_SIZE - used,
		    "next: %s at %s", next->name,
		    timestamp_format_clock(clock, next->next, clock_unix_ms()));
}
