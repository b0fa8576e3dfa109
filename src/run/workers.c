/* SPDX-License-Identifier: ISC */
#include "run/workers.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/mem.h"
#include "base/stop.h"
#include "config/config.h"
#include "workers_private.h"

enum {
	HANG_MS = 60 * 1000, /* beyond all that a session may wait for */
	/* A message that ends within 10 s and an answer that is waited for
	 * 60 s; systemd kills after 90 s. */
	STOP_MS = 80 * 1000,
	/* What is run after a session has a minute of its own each. */
	FINISH_MS = 240 * 1000,
	/* For a process that publishes while all of us stop: what STOP_MS
	 * leaves of the time until systemd kills. */
	PUBLISH_STOP_MS = 8 * 1000,
};

struct workers *
workers_new(size_t max, worker_function *run)
{
	struct workers *pool = xcalloc(1, sizeof *pool);

	pool->run = run;
	pool->fds = array_room(
	    NULL, &pool->fds_size, WORKERS_FDS_MAX, sizeof *pool->fds);
	workers_set_max(pool, max);
	return pool;
}

void
workers_set_max(struct workers *pool, size_t max)
{
	pool->max = max;
}

static void
add_process(struct workers *pool, const struct process *process)
{
	pool->processes =
	    array_more(pool->processes, pool->count, sizeof *pool->processes);
	pool->processes[pool->count++] = *process;
	pool->fds = array_room(pool->fds, &pool->fds_size,
	    pool->count + WORKERS_FDS_MAX, sizeof *pool->fds);
}

void
workers_are_watched(struct workers *pool)
{
	pool->watched = true;
}

void
workers_keep_private(struct workers *pool, int fd)
{
	assert(pool->private_count < WORKERS_PRIVATE_MAX);
	pool->private[pool->private_count++] = fd;
}

void
workers_free(struct workers *pool)
{
	if (pool == NULL)
		return;
	assert(pool->count == 0);
	free(pool->processes);
	free(pool->fds);
	free(pool);
}

size_t
workers_running(const struct workers *pool)
{
	return pool->count - (pool->published == WORKERS_PUBLISHING);
}

bool
workers_full(const struct workers *pool)
{
	size_t busy = 0;

	for (size_t i = 0; i < pool->count; i++)
		busy += !pool->processes[i].listening &&
			!pool->processes[i].publishing;
	return busy >= pool->max;
}

bool
workers_is_at_provider(
    const struct workers *pool, const struct config_account *account)
{
	for (size_t i = 0; i < pool->count; i++) {
		const struct process *process = &pool->processes[i];
		/* Its locks are given back when its end is told. */
		if (!process->told && process->port == account->provider.port &&
		    strcmp(process->host, account->provider.host) == 0 &&
		    strcmp(process->user, config_login_user(account)) == 0)
			return true;
	}
	return false;
}

static void
close_parents_ends(const struct workers *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (pool->processes[i].fd >= 0)
			close(pool->processes[i].fd);
	for (size_t i = 0; i < pool->private_count; i++)
		close(pool->private[i]);
}

/* Forks; the pipe's end to read from, -1 where pipe or fork is refused. */
static int
start_child(
    struct workers *pool, struct worker_job *job, pid_t *pid, struct error *err)
{
	int ends[2];
	sigset_t before;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
		error_set_errno(err, ERROR_SYSTEM, errno,
		    "cannot make a pipe for a session");
		return -1;
	}
	job->pipe = ends[1];
	job->parent = getpid();
	job->watched = pool->watched;
	fflush(NULL); /* or the child would write it again */
	worker_block_signals(&before);
	*pid = fork();
	if (*pid == 0) {
		close_parents_ends(pool);
		close(ends[0]);
		worker_main(job);
	}
	int errnum = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	if (*pid > 0)
		return ends[0];
	close(ends[0]);
	error_set_errno(
	    err, ERROR_SYSTEM, errnum, "cannot start a process for a session");
	return -1;
}

/* What a session may wait for without a sign of life, beside the lock. One that
 * is killed behind a final dot has its message delivered twice. */
static int64_t
longest_silence(
    const struct config *config, const struct config_account *account)
{
	int64_t ms =
	    HANG_MS + account->connect_timeout + account->provider_timeout;

	for (size_t i = 0; i < config->deliveries_count; i++)
		ms += config_kinds[config->deliveries[i].kind].waits *
		      config->deliveries[i].timeout;
	return ms;
}

void
workers_start(struct workers *pool, struct config *config,
    const struct workers_order *order)
{
	const struct config_account *account = order->account;
	int64_t silence = longest_silence(config, account);
	struct worker_job job = {.run = pool->run,
	    .config = config,
	    .account = account,
	    .trace = order->trace,
	    .named = order->named,
	    .live = order->live};
	struct process process = {.pid = -1,
	    .tag = order->tag,
	    .account = xstrdup(account->name),
	    .state_dir = xstrdup(config->state_dir),
	    .host = xstrdup(account->provider.host),
	    .user = xstrdup(config_login_user(account)),
	    .port = account->provider.port,
	    .started = clock_unix_ms(),
	    .begun = clock_ms(),
	    .patience = account->session_timeout + silence};
	struct error err;

	assert(!workers_full(pool));
	process.ends = process.begun + process.patience;
	/* The wait for the lock, the session, and its last message each may
	 * take session_timeout. */
	process.latest = process.begun + 3 * account->session_timeout + silence;
	process.fd = start_child(pool, &job, &process.pid, &err);
	if (process.pid < 0) {
		process.refused = xmalloc(sizeof err);
		*process.refused = err;
	}
	add_process(pool, &process);
}

void
workers_follow(struct workers *pool, struct config *config,
    const struct config_account *account, const struct session_result *lost)
{
	struct worker_job job = {
	    .config = config, .account = account, .lost = lost};
	struct process process = {.told = true, .begun = clock_ms()};
	struct error ignored; /* the loss itself was told */

	if (stop_requested())
		return;
	process.latest = process.ends = process.begun + FINISH_MS;
	process.fd = start_child(pool, &job, &process.pid, &ignored);
	if (process.pid > 0)
		add_process(pool, &process);
}

void
workers_publish(struct workers *pool, struct config *config, bool quiet)
{
	struct worker_job job = {
	    .config = config, .publish = true, .quiet = quiet};
	struct process process = {
	    .told = true, .publishing = true, .begun = clock_ms()};
	struct error err;

	assert(pool->published != WORKERS_PUBLISHING);
	process.latest = process.ends =
	    process.begun + (stop_requested() ? PUBLISH_STOP_MS : FINISH_MS);
	process.fd = start_child(pool, &job, &process.pid, &err);
	pool->published =
	    process.pid > 0 ? WORKERS_PUBLISHING : WORKERS_PUBLISHER_LOST;
	if (process.pid > 0)
		add_process(pool, &process);
}

enum workers_published
workers_published(const struct workers *pool)
{
	return pool->published;
}

/* A sign of life moves the time by which the next one must come. */
static void
hear(struct process *process, bool told)
{
	int64_t now = clock_ms();

	process->told = told;
	if (told && !process->stopping)
		process->latest = now + FINISH_MS;
	process->ends = process->latest;
	if (!told && now + process->patience < process->latest)
		process->ends = now + process->patience;
}

static void
stop_one(struct process *process)
{
	int64_t latest = clock_ms() + STOP_MS;

	if (process->pid < 0)
		return;
	kill(process->pid, SIGTERM);
	process->stopping = true;
	if (process->latest > latest)
		process->latest = latest;
	if (process->ends > latest)
		process->ends = latest;
}

/* true: there was a record. */
static bool
read_record(struct process *process, struct workers_event *event, bool *gone)
{
	struct worker_record record;
	ssize_t got = read(process->fd, &record, sizeof record);

	*gone = false;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got != (ssize_t)sizeof record || !worker_record_is_sound(&record) ||
	    process->told) {
		*gone = true;
		process->garbled = got > 0;
		return false;
	}
	hear(process, record.ended);
	process->listening = !record.ended && record.result.listening != 0;
	if (process->listening && process->outdated)
		stop_one(process);
	*event = (struct workers_event){.tag = process->tag,
	    .ended = record.ended,
	    .result = record.result};
	return true;
}

/* Ends those that hang; when the next one would. */
static int64_t
end_hung(struct workers *pool)
{
	int64_t now = clock_ms(), next = INT64_MAX;

	for (size_t i = 0; i < pool->count; i++) {
		struct process *process = &pool->processes[i];
		if (process->pid < 0 || process->hung)
			continue;
		if (process->ends <= now) {
			process->hung = true;
			kill(process->pid, SIGKILL);
		} else if (process->ends < next) {
			next = process->ends;
		}
	}
	return next;
}

/* An event that waits for no descriptor: a fork that was refused. */
static bool
find_unforked(struct workers *pool, struct workers_event *event)
{
	for (size_t i = 0; i < pool->count; i++)
		if (pool->processes[i].pid < 0)
			return workers_remove(pool, i, event);
	return false;
}

static bool
find_event(struct workers *pool, struct workers_event *event)
{
	/* From the end, since the last one takes the place of one removed. */
	for (size_t i = pool->count; i-- > 0;) {
		bool gone;
		if (pool->fds[i].revents == 0)
			continue;
		if (read_record(&pool->processes[i], event, &gone))
			return true;
		if (gone && workers_remove(pool, i, event))
			return true;
	}
	return false;
}

static int
poll_all(struct workers *pool, int64_t until, const int *fds, size_t count)
{
	int64_t left = until == INT64_MAX ? INT_MAX : until - clock_ms();

	for (size_t i = 0; i < pool->count; i++)
		pool->fds[i] = (struct pollfd){
		    .fd = pool->processes[i].fd, .events = POLLIN};
	for (size_t i = 0; i < count; i++)
		pool->fds[pool->count + i] =
		    (struct pollfd){.fd = fds[i], .events = POLLIN};
	if (left < 0)
		left = 0;
	return poll(pool->fds, (nfds_t)(pool->count + count),
	    left > INT_MAX ? INT_MAX : (int)left);
}

static bool
any_ready(const struct pollfd *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i].revents != 0)
			return true;
	return false;
}

enum workers_wait_result
workers_wait(struct workers *pool, int64_t until, const int *fds, size_t count,
    struct workers_event *event)
{
	assert(count <= WORKERS_FDS_MAX);
	for (;;) {
		size_t before = pool->count;
		if (find_unforked(pool, event))
			return WORKERS_EVENT;
		int64_t hang = end_hung(pool);
		int ready =
		    poll_all(pool, hang < until ? hang : until, fds, count);
		/* The caller's come first: a SIGTERM waits for nobody. */
		if (ready > 0 && any_ready(pool->fds + pool->count, count))
			return WORKERS_READY;
		if (ready > 0 && find_event(pool, event))
			return WORKERS_EVENT;
		/* There may be nothing left to wait for. */
		if (pool->count < before || clock_ms() >= until)
			return WORKERS_OVER;
	}
}

void
workers_stop(struct workers *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		stop_one(&pool->processes[i]);
}

void
workers_stop_listening(struct workers *pool)
{
	for (size_t i = 0; i < pool->count; i++) {
		struct process *process = &pool->processes[i];
		process->outdated = true;
		if (process->listening && !process->stopping)
			stop_one(process);
	}
}
