/*
 * scheduler_private - what the sources of run/scheduler share.
 *
 * scheduler.c starts what is due and waits, scheduler_plan.c has what changes
 * the plan: the configuration, the clock, an administrator's signal.
 */
#ifndef ODMR_RUN_SCHEDULER_PRIVATE_H
#define ODMR_RUN_SCHEDULER_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "run/publisher.h"
#include "run/scheduler.h"
#include "run/task.h"
#include "run/wake.h"

struct config;
struct workers;

struct scheduler {
	const struct scheduler_options *options;
	struct workers *pool;
	struct publisher publisher;
	struct task **tasks;
	size_t count;
	struct wake wake;
	int lock;
	int64_t watchdog; /* ms between two signs of life; 0: none */
	int64_t watchdog_next; /* clock_ms() */
	char status[TASK_DESCRIPTION_SIZE]; /* as systemd was told last */
};

/* The one that counts now: a reload puts another in its place. */
struct config *scheduler_config(const struct scheduler *scheduler);
void scheduler_log_next(const struct task *task);
void scheduler_remove_task(struct scheduler *scheduler, size_t index);
/* The tasks become those of the configuration; what runs goes on. */
void scheduler_take_accounts(struct scheduler *scheduler);
/* Reads the configuration again, which counts where it has no errors. */
void scheduler_reload(struct scheduler *scheduler);
/* On hold or not, except those that run already. */
void scheduler_fetch_all(struct scheduler *scheduler);
/* The clock was set: windows and `at` times are elsewhere now. */
void scheduler_plan_anew(struct scheduler *scheduler);

#endif
