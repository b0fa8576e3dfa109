/* SPDX-License-Identifier: ISC */
#include "base/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/descriptor.h"

enum {
	EXIT_NOT_STARTED = 127, /* as the shell has it */
	/* How often to look where the system has no pidfd (Linux before 5.3,
	 * or a container that forbids it). */
	LOOK_MS = 20,
	/* What SIGKILL takes to work, where a disk hangs or the child has
	 * become another user; then it is left behind. */
	KILL_MS = 5000,
	/* A grace that no stop request cuts short. */
	NO_STOP_MS = 24 * 60 * 60 * 1000,
};

/* What the child needs, made ready before the fork: between fork and exec only
 * async-signal-safe functions may run, since libcurl may have threads. */
struct plan {
	const struct spawn_options *options;
	int fds[3]; /* to become descriptors 0 to 2, all above 2 */
	int failure;
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
default_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL); /* KILL and STOP refuse */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Leaves 0 to 2 and, until exec, the pipe for its failure. */
static bool
arrange_descriptors(const struct plan *plan)
{
	const int failure = STDERR_FILENO + 1;

	for (int i = 0; i < 3; i++)
		if (dup2(plan->fds[i], i) < 0)
			return false;
	if (plan->failure != failure &&
	    dup3(plan->failure, failure, O_CLOEXEC) < 0)
		return false;
	descriptor_close(failure + 1, INT_MAX);
	return true;
}

static void
run_child(const struct plan *plan)
{
	/* Not only a group: without a terminal nobody waits at one. */
	setsid();
	umask(S_IRWXG | S_IRWXO);
	int failure = plan->failure;
	if (chdir("/") == 0 && arrange_descriptors(plan)) {
		failure = STDERR_FILENO + 1;
		default_signals();
		/* execve() takes what it only reads as char *const. */
		union {
			const char *const *given;
			char *const *taken;
		} argv = {plan->options->argv}, env = {plan->options->env};
		execve(argv.taken[0], argv.taken, env.taken);
	}
	int errnum = errno;
	ssize_t ignored = write(failure, &errnum, sizeof errnum);
	(void)ignored;
	_exit(EXIT_NOT_STARTED);
}

/* The child's end, or -1; the other end does not block. */
static int
make_pipe(int *ours)
{
	int ends[2];

	*ours = -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*ours = ends[0];
	return ends[1];
}

static int
dup_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static bool
make_plan(struct spawn *spawn, struct plan *plan)
{
	const struct spawn_options *options = plan->options;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	plan->failure = make_pipe(&spawn->failure);
	plan->fds[0] = dup_fd(options->input < 0 ? null : options->input);
	plan->fds[1] = options->output == NULL ? dup_fd(null)
					       : make_pipe(&spawn->pipes[0].fd);
	if (options->errors == NULL)
		plan->fds[2] = dup_fd(null);
	else if (options->errors == options->output)
		plan->fds[2] = dup_fd(plan->fds[1]);
	else
		plan->fds[2] = make_pipe(&spawn->pipes[1].fd);
	spawn->errnum = errno; /* holds where one of them failed */
	close_fd(&null);
	return plan->failure > STDERR_FILENO && plan->fds[0] >= 0 &&
	       plan->fds[1] >= 0 && plan->fds[2] >= 0;
}

/* No signal handler of ours may run in the child: it would write to the
 * wake-up pipe that both share. */
static pid_t
fork_without_signals(void)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void
spawn_start(struct spawn *spawn, const struct spawn_options *options)
{
	struct plan plan = {.options = options};

	assert(options->input < 0 || options->input > STDERR_FILENO);
	*spawn = (struct spawn){
	    .pid = -1,
	    .pidfd = -1,
	    .pipes = {{-1, options->output}, {-1, options->errors}},
	};
	if (make_plan(spawn, &plan)) {
		spawn->pid = fork_without_signals();
		if (spawn->pid == 0)
			run_child(&plan);
		spawn->errnum = errno;
	}
	if (spawn->pid > 0)
		spawn->pidfd = (int)syscall(SYS_pidfd_open, spawn->pid, 0);
	for (int i = 0; i < 3; i++)
		close_fd(&plan.fds[i]);
	close_fd(&plan.failure);
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
watch(int set, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool
reap_program(const struct spawn *spawn, int *status)
{
	pid_t pid = waitpid(spawn->pid, status, WNOHANG);

	/* ECHILD: somebody else reaped it, or SIGCHLD is ignored. */
	assert(pid >= 0);
	return pid == spawn->pid;
}

/* false: it has not ended by the deadline. */
static bool
await_end(struct spawn *spawn, const struct deadline *deadline, int *status)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	bool told = watch(set, spawn->pidfd);
	bool ended;

	for (int i = 0; i < 2; i++)
		if (spawn->pipes[i].fd >= 0 && !watch(set, spawn->pipes[i].fd))
			told = false;
	while (!(ended = reap_program(spawn, status)) &&
	       deadline_left(deadline) > 0) {
		struct deadline look = deadline_in(LOOK_MS, deadline->grace);
		look = told ? *deadline : deadline_min(*deadline, look);
		deadline_wait(&look, set, POLLIN);
		for (int i = 0; i < 2; i++)
			if (spawn->pipes[i].fd >= 0)
				read_pipe(&spawn->pipes[i]);
	}
	close_fd(&set);
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
result_of(const struct spawn *spawn, int status)
{
	int errnum;

	if (WIFSIGNALED(status))
		return (struct spawn_result){SPAWN_SIGNALLED, WTERMSIG(status)};
	if (read(spawn->failure, &errnum, sizeof errnum) == sizeof errnum)
		return (struct spawn_result){SPAWN_NOT_STARTED, errnum};
	return (struct spawn_result){SPAWN_EXITED, WEXITSTATUS(status)};
}

static struct spawn_result
await_result(struct spawn *spawn, const struct deadline *deadline)
{
	int status = 0;

	if (spawn->pid < 0)
		return (struct spawn_result){SPAWN_NOT_STARTED, spawn->errnum};
	if (await_end(spawn, deadline, &status))
		return result_of(spawn, status);
	enum spawn_end late =
	    deadline->at > clock_ms() ? SPAWN_STOPPED : SPAWN_TIMED_OUT;
	kill_all(spawn);
	struct deadline killed = deadline_in(KILL_MS, NO_STOP_MS);
	/* It may have ended by itself at the last moment. */
	if (await_end(spawn, &killed, &status) && WIFEXITED(status))
		return result_of(spawn, status);
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
	}
	close_fd(&spawn->pidfd);
	close_fd(&spawn->failure);
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
