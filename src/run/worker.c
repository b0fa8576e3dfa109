/* SPDX-License-Identifier: ISC */
#include "run/worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/privilege.h"
#include "base/stop.h"
#include "config/config.h"
#include "tell/followup.h"
#include "tell/log.h"
#include "tell/online.h"
#include "tell/ping.h"
#include "tell/publish.h"

enum {
	/* A terminal needs no more. */
	LIVE_MS = 200,
	/* For the parent to see that we live, seldom enough to let it sleep. */
	ALIVE_MS = 10 * 1000,
	/* The parent only ever waits for us; if it does not read, it is
	 * stopped or gone. */
	RESULT_WAIT_MS = 60 * 1000,
};

struct reporter {
	int pipe;
	bool live;
	int64_t reported; /* clock_ms() of the last record */
	uint64_t outcomes; /* as they stood then */
	int64_t listening; /* likewise */
	struct online online;
};

void
worker_block_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, before);
}

bool
worker_record_is_sound(const struct worker_record *record)
{
	const struct session_result *result = &record->result;

	return (unsigned)result->outcome <= SESSION_FAILED &&
	       (unsigned)result->error.class <= ERROR_CONFIG &&
	       memchr(result->error.text, '\0', sizeof result->error.text) !=
		   NULL &&
	       result->exit_status >= 0 && result->exit_status < 128;
}

/* false: the pipe is full or broken. */
static bool
report(int fd, bool ended, const struct session_result *result)
{
	struct worker_record record;

	memset(&record, 0, sizeof record); /* no stray octets of ours */
	record.ended = ended;
	record.result = *result;
	return write(fd, &record, sizeof record) == (ssize_t)sizeof record;
}

static void
summary_progress(void *context, const struct session_result *so_far)
{
	struct reporter *reporter = context;
	uint64_t outcomes =
	    so_far->messages + so_far->deferred + so_far->refused;
	int64_t now = clock_ms();
	int64_t due =
	    reporter->reported + (reporter->live ? LIVE_MS : ALIVE_MS);

	if (so_far->reached)
		online_start(&reporter->online);
	if (now < due && so_far->listening == reporter->listening &&
	    !(reporter->live && outcomes != reporter->outcomes))
		return;
	reporter->reported = now;
	reporter->outcomes = outcomes;
	reporter->listening = so_far->listening;
	(void)report(reporter->pipe, false, so_far);
}

static void
report_end(int fd, const struct session_result *result)
{
	struct deadline deadline = deadline_in(RESULT_WAIT_MS, RESULT_WAIT_MS);

	while (!report(fd, true, result) && errno == EAGAIN)
		if (deadline_wait(&deadline, fd, POLLOUT) != DEADLINE_READY)
			return;
}

static void
take_own_signals(pid_t parent)
{
	sigset_t none;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	/* Both speak to the parent, even where the whole group gets them. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	stop_install();
	privilege_follow_parent();
	if (getppid() != parent)
		stop_request();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Signals stay blocked: it is over in a moment, and whoever stops all of us wants
 * to find the last state there. */
static noreturn void
publish_main(const struct worker_job *job)
{
	struct error err;
	bool done = false;

	stop_install(); /* that the parent is stopped shortens no wait */
	privilege_guard();
	config_wipe_secrets(job->config, NULL);
	if (privilege_drop(&err))
		done = publish_files(job->config, job->quiet);
	else if (!job->quiet)
		log_say(CONFIG_LOG_WARNING, NULL, "publish", "%s", err.text);
	_exit(done ? WORKER_PUBLISHED : WORKER_NOT_PUBLISHED);
}

void
worker_main(const struct worker_job *job)
{
	struct reporter reporter = {.pipe = job->pipe, .live = job->live};
	struct session_options options = {
	    .trace = job->trace,
	    .named = job->named,
	    .progress = summary_progress,
	    .progress_context = &reporter,
	};
	struct session_result result = {.outcome = SESSION_FAILED};

	if (job->publish)
		publish_main(job);
	take_own_signals(job->parent);
	privilege_guard();
	config_wipe_secrets(job->config, job->account);
	if (job->lost != NULL) {
		bool failing = followup_alarm(
		    job->config, job->account, job->lost, job->watched);
		followup_session(job->account, job->lost, failing);
		_exit(EX_OK);
	}
	pid_t ping = ping_send_aside(job->account, PING_START, job->pipe);
	online_prepare(&reporter.online, job->account, job->pipe);
	job->run(job->config, job->account, &options, &result);
	/* A sign of life, since it may take a minute. */
	if (job->account->alarm_command != NULL)
		(void)report(job->pipe, false, &result);
	bool failing =
	    followup_alarm(job->config, job->account, &result, job->watched);
	report_end(job->pipe, &result);
	ping_wait(ping);
	followup_session(job->account, &result, failing);
	online_wait(&reporter.online);
	_exit(EX_OK);
}
