/* SPDX-License-Identifier: ISC */
#include "base/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/descriptor.h"

enum {
	/* How often to look where the system has no pidfd (Linux before 5.3,
	 * or a container that forbids it). */
	LOOK_MS = 20,
	/* What SIGKILL takes to work, where a disk hangs or the child has
	 * become another user; then it is left behind. */
	KILL_MS = 5000,
	/* A grace that no stop request cuts short. */
	NO_STOP_MS = 24 * 60 * 60 * 1000,
};

/* What posix_spawn() is told. */
struct plan {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* false: errno says why. */
static bool
succeeded(int errnum)
{
	errno = errnum;
	return errnum == 0;
}

/* Also where it cannot be told. */
static bool
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool has = fd >= 0 || errno != ENXIO;

	close_fd(&fd);
	return has;
}

static bool
plan_attributes(posix_spawnattr_t *attributes)
{
	/*
	 * Without a terminal nobody waits at one, and only another session has
	 * none then. With one scheduling group a session (autogroup) it costs a
	 * seventh of the start and end of a small program.
	 */
	const short apart =
	    has_terminal() ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
	const short flags =
	    apart | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	return succeeded(posix_spawnattr_setflags(attributes, flags)) &&
	       succeeded(posix_spawnattr_setsigdefault(attributes, &all)) &&
	       succeeded(posix_spawnattr_setsigmask(attributes, &none));
}

/* Our end does not block; errno says why it failed. */
static bool
make_pipe(struct spawn_pipe *into)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	into->fd = ends[0];
	into->theirs = ends[1];
	return true;
}

static bool
plan_null(struct plan *plan, int as)
{
	return succeeded(posix_spawn_file_actions_addopen(
	    &plan->actions, as, "/dev/null", O_RDWR, 0));
}

static bool
plan_descriptor(struct plan *plan, int fd, int as)
{
	return succeeded(
	    posix_spawn_file_actions_adddup2(&plan->actions, fd, as));
}

static bool
plan_output(struct plan *plan, struct spawn_pipe *from, int as)
{
	if (from->buf == NULL)
		return plan_null(plan, as);
	return make_pipe(from) && plan_descriptor(plan, from->theirs, as);
}

static bool
plan_start(struct plan *plan, struct spawn *spawn, int input)
{
	struct spawn_pipe *output = &spawn->pipes[0];
	struct spawn_pipe *errors = &spawn->pipes[1];
	bool joined = output->buf != NULL && errors->buf == output->buf;

	return plan_attributes(&plan->attributes) &&
	       succeeded(
		   posix_spawn_file_actions_addchdir_np(&plan->actions, "/")) &&
	       (input < 0 ? plan_null(plan, STDIN_FILENO)
			  : plan_descriptor(plan, input, STDIN_FILENO)) &&
	       plan_output(plan, output, STDOUT_FILENO) &&
	       (joined ? plan_descriptor(plan, STDOUT_FILENO, STDERR_FILENO)
		       : plan_output(plan, errors, STDERR_FILENO));
}

/*
 * What posix_spawn() has no word for is set here for as long. It shares memory
 * with the child until the program is loaded, where fork() would copy the page
 * tables of libcurl and libcrypto, which costs as much as many a program.
 */
static bool
start_planned(
    const struct plan *plan, const struct spawn_options *options, pid_t *pid)
{
	/* It takes what it only reads as char *const. */
	union {
		const char *const *given;
		char *const *taken;
	} argv = {options->argv}, env = {options->env};

	descriptor_close_on_exec(STDERR_FILENO + 1);
	mode_t before = umask(S_IRWXG | S_IRWXO);
	int errnum = posix_spawn(pid, argv.taken[0], &plan->actions,
	    &plan->attributes, argv.taken, env.taken);
	umask(before);
	return succeeded(errnum);
}

void
spawn_start(struct spawn *spawn, const struct spawn_options *options)
{
	struct plan plan;

	assert(options->input < 0 || options->input > STDERR_FILENO);
	*spawn = (struct spawn){
	    .pid = -1,
	    .pidfd = -1,
	    .pipes = {{-1, -1, options->output}, {-1, -1, options->errors}},
	};
	posix_spawn_file_actions_init(&plan.actions);
	posix_spawnattr_init(&plan.attributes);
	pid_t pid;
	if (plan_start(&plan, spawn, options->input) &&
	    start_planned(&plan, options, &pid)) {
		spawn->pid = pid;
		spawn->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	} else
		spawn->errnum = errno;
	posix_spawn_file_actions_destroy(&plan.actions);
	posix_spawnattr_destroy(&plan.attributes);
}

/* One read; what is beyond the maximum is dropped. false: nothing is there. */
static bool
read_pipe(struct spawn_pipe *from)
{
	char dropped[4096];
	size_t room;
	char *into = buf_room(from->buf, from->buf->max, &room);

	ssize_t n = read(from->fd, into != NULL ? into : dropped,
	    into != NULL ? room : sizeof dropped);
	if (n > 0 && into != NULL)
		buf_filled(from->buf, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_fd(&from->fd);
	return n > 0;
}

static bool
reap_program(const struct spawn *spawn, int *status)
{
	pid_t pid = waitpid(spawn->pid, status, WNOHANG);

	/* ECHILD: somebody else reaped it, or SIGCHLD is ignored. */
	assert(pid >= 0);
	return pid == spawn->pid;
}

/* Until it has ended or written, or the time is up. */
static void
await_news(struct spawn *spawn, const struct deadline *deadline)
{
	const struct deadline look = deadline_in(LOOK_MS, deadline->grace);
	const struct deadline until =
	    spawn->pidfd >= 0 ? *deadline : deadline_min(*deadline, look);
	/* The last is for the stop request. */
	struct pollfd fds[4] = {{.fd = spawn->pidfd, .events = POLLIN}};

	for (int i = 0; i < 2; i++)
		fds[1 + i] =
		    (struct pollfd){.fd = spawn->pipes[i].fd, .events = POLLIN};
	deadline_poll(&until, fds, 3);
	for (int i = 0; i < 2; i++)
		if (spawn->pipes[i].fd >= 0)
			read_pipe(&spawn->pipes[i]);
}

/* false: it has not ended by the deadline. */
static bool
await_end(struct spawn *spawn, const struct deadline *deadline, int *status)
{
	bool ended;

	while (!(ended = reap_program(spawn, status)) &&
	       deadline_left(deadline) > 0)
		await_news(spawn, deadline);
	return ended;
}

/* The group, and the child itself in case it has not made its group yet. */
static void
kill_all(const struct spawn *spawn)
{
	kill(-spawn->pid, SIGKILL);
	kill(spawn->pid, SIGKILL);
}

static struct spawn_result
result_of(int status)
{
	if (WIFSIGNALED(status))
		return (struct spawn_result){SPAWN_SIGNALLED, WTERMSIG(status)};
	return (struct spawn_result){SPAWN_EXITED, WEXITSTATUS(status)};
}

static struct spawn_result
await_result(struct spawn *spawn, const struct deadline *deadline)
{
	int status = 0;

	if (spawn->pid < 0)
		return (struct spawn_result){SPAWN_NOT_STARTED, spawn->errnum};
	if (await_end(spawn, deadline, &status))
		return result_of(status);
	enum spawn_end late =
	    deadline->at > clock_ms() ? SPAWN_STOPPED : SPAWN_TIMED_OUT;
	kill_all(spawn);
	struct deadline killed = deadline_in(KILL_MS, NO_STOP_MS);
	/* It may have ended by itself at the last moment. */
	if (await_end(spawn, &killed, &status) && WIFEXITED(status))
		return result_of(status);
	return (struct spawn_result){late, 0};
}

void
spawn_wait(struct spawn *spawn, const struct deadline *deadline,
    struct spawn_result *result)
{
	*result = await_result(spawn, deadline);
	for (int i = 0; i < 2; i++) {
		struct spawn_pipe *from = &spawn->pipes[i];
		/* What it wrote last; a grandchild may write for ever. */
		while (from->fd >= 0 && buf_len(from->buf) < from->buf->max &&
		       read_pipe(from))
			;
		close_fd(&from->fd);
		close_fd(&from->theirs);
	}
	close_fd(&spawn->pidfd);
}

void
spawn_run(const struct spawn_options *options, const struct deadline *deadline,
    struct spawn_result *result)
{
	struct spawn spawn;

	spawn_start(&spawn, options);
	spawn_wait(&spawn, deadline, result);
}

char *
spawn_describe(
    const struct spawn_result *result, char out[SPAWN_DESCRIPTION_MAX])
{
	const size_t size = SPAWN_DESCRIPTION_MAX;

	switch (result->end) {
	case SPAWN_EXITED:
		snprintf(out, size, "exited with status %d", result->code);
		break;
	case SPAWN_SIGNALLED:
		snprintf(out, size, "died of signal %d (%s)", result->code,
		    strsignal(result->code));
		break;
	case SPAWN_NOT_STARTED:
		snprintf(out, size, "could not be started: %s",
		    strerror(result->code));
		break;
	case SPAWN_TIMED_OUT:
		snprintf(out, size, "took too long and was killed");
		break;
	case SPAWN_STOPPED:
		snprintf(out, size, "was killed because the agent has to stop");
		break;
	}
	return out;
}
