/* SPDX-License-Identifier: ISC */
#include "agent/child.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/after.h"
#include "agent/config.h"
#include "agent/privilege.h"
#include "agent/ping.h"
#include "base/deadline.h"
#include "base/stop.h"

enum {
	/* A terminal needs no more, and the parent sees that we live. */
	PROGRESS_MS = 200,
	/* The parent only ever waits for us; if it does not read, it is
	 * stopped or gone. */
	RESULT_WAIT_MS = 60 * 1000,
};

struct reporter {
	int pipe;
	int64_t reported; /* clock_ms() of the last record */
};

void
child_block_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, before);
}

/* false: the pipe is full or broken. */
static bool
report(int fd, bool ended, const struct session_result *result)
{
	struct child_record record;

	memset(&record, 0, sizeof record); /* no stray octets of ours */
	record.ended = ended;
	record.result = *result;
	return write(fd, &record, sizeof record) == (ssize_t)sizeof record;
}

static void
report_progress(void *context, const struct session_result *so_far)
{
	struct reporter *reporter = context;
	int64_t now = clock_ms();

	if (now - reporter->reported < PROGRESS_MS)
		return;
	reporter->reported = now;
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

void
child_follow_parent(void)
{
	/* A parent that was killed cannot pass on the next SIGTERM. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
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
	child_follow_parent();
	if (getppid() != parent)
		stop_request();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void
child_main(const struct child_job *job)
{
	struct reporter reporter = {.pipe = job->pipe};
	struct session_options options = {
	    .trace = job->trace,
	    .named = job->named,
	    .progress = report_progress,
	    .progress_context = &reporter,
	};
	struct session_result result = {.outcome = SESSION_FAILED};

	take_own_signals(job->parent);
	privilege_guard();
	config_wipe_secrets(job->config, job->account);
	ping_send_aside(
	    job->config->state_dir, job->account, PING_START, job->pipe);
	job->run(job->config, job->account, &options, &result);
	report_end(job->pipe, &result);
	after_session(job->config, job->account, &result);
	_exit(EX_OK);
}
