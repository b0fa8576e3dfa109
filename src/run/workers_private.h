/*
 * workers_private - what the sources of run/workers share.
 *
 * workers.c starts processes and waits for them, workers_end.c takes one off
 * and says what became of it.
 */
#ifndef ODMR_RUN_WORKERS_PRIVATE_H
#define ODMR_RUN_WORKERS_PRIVATE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "run/workers.h"

enum {
	WORKERS_FDS_MAX = 8, /* descriptors that the caller waits for */
	WORKERS_PRIVATE_MAX = 8, /* those that a child must not keep */
};

struct process {
	pid_t pid; /* -1: the fork was refused */
	int fd;
	void *tag;
	char *account;
	char *state_dir;
	char *host, *user; /* of the provider: one call at a time */
	uint16_t port;
	int64_t started; /* Unix time in ms */
	int64_t begun; /* clock_ms() */
	int64_t ends; /* clock_ms() by which it must be heard of */
	int64_t patience; /* ms that each sign of life gives it */
	int64_t latest; /* clock_ms() that no sign of life goes beyond */
	bool stopping;
	bool told; /* its session's end */
	bool publishing; /* it has no session, and takes no place */
	bool listening; /* it waits for new mail, and takes no place */
	bool outdated; /* it is stopped as soon as it listens */
	bool hung;
	bool garbled; /* it wrote what no session writes */
	struct error *refused; /* with pid -1 */
};

struct workers {
	worker_function *run;
	size_t max, count;
	bool watched;
	struct process *processes; /* count of them */
	struct pollfd *fds;
	size_t fds_size;
	int private[WORKERS_PRIVATE_MAX];
	size_t private_count;
	enum workers_published published;
};

/* Takes the process off the pool; true: its session's end was not told yet,
 * and is now. */
bool workers_remove(
    struct workers *pool, size_t index, struct workers_event *event);

#endif
