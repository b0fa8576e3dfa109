/* SPDX-License-Identifier: ISC */
#include "workers_private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "record/history.h"
#include "record/status_file.h"

/* After its pipe ended there is nothing that it could still do for us. */
static int
reap_worker(const struct process *process)
{
	int status = 0;

	kill(process->pid, SIGKILL);
	while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void
explain_loss(const struct process *process, int status, struct error *err)
{
	if (process->hung)
		error_set(
		    err, ERROR_INTERNAL, "the session hung and was ended");
	else if (process->garbled)
		error_set(err, ERROR_INTERNAL,
		    "the session reported an invalid result");
	else if (WIFSIGNALED(status))
		error_set(err, ERROR_INTERNAL,
		    "the session died of signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == error_exit_status(ERROR_SYSTEM))
		error_set(err, ERROR_SYSTEM,
		    "the session ran out of memory or descriptors");
	else
		error_set(err, ERROR_INTERNAL,
		    "the session ended with status %d and reported no result",
		    WEXITSTATUS(status));
}

/* What a session that told no result would have written itself. */
static void
record_loss(const struct process *process, struct session_result *result)
{
	struct history history;
	struct error err;

	(void)!status_file_read(
	    process->state_dir, process->account, &history, &err);
	history_add(&history, result);
	if (!status_file_write(
		process->state_dir, process->account, &history, &err))
		error_prefix(&result->error, "%s", err.text);
	history_clear(&history);
}

static enum workers_published
judge_publisher(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_PUBLISHED)
		return WORKERS_PUBLISHED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_NOT_PUBLISHED)
		return WORKERS_NOT_PUBLISHED;
	return WORKERS_PUBLISHER_LOST;
}

bool
workers_remove(struct workers *pool, size_t index, struct workers_event *event)
{
	struct process process = pool->processes[index];
	int status = 0;

	pool->processes[index] = pool->processes[--pool->count];
	if (process.pid > 0) {
		close(process.fd);
		status = reap_worker(&process);
	}
	if (process.publishing)
		pool->published = judge_publisher(status);
	if (!process.told) {
		struct session_result *result = &event->result;
		*event = (struct workers_event){
		    .tag = process.tag, .ended = true, .lost = true};
		result->outcome = SESSION_FAILED;
		result->started = process.started;
		result->ended = clock_unix_ms();
		result->elapsed = clock_ms() - process.begun;
		if (process.pid > 0)
			explain_loss(&process, status, &result->error);
		else
			result->error = *process.refused;
		result->exit_status = error_exit_status(result->error.class);
		record_loss(&process, result);
	}
	free(process.account);
	free(process.state_dir);
	free(process.host);
	free(process.user);
	free(process.refused);
	return !process.told;
}
