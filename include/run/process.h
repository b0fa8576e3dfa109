/*
 * process - sessions side by side, each in a process of its own.
 *
 * The parent does no network and no mail. A session that crashes, hangs or
 * cannot be started ends in a result like any other, which is then recorded
 * here; the other sessions do not notice. What a child writes is checked,
 * since it talked to the provider.
 */
#ifndef ODMR_RUN_PROCESS_H
#define ODMR_RUN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/child.h"

struct process_pool;

/* A session to be started. */
struct process_order {
	const struct config_account *account;
	bool trace, named; /* as in struct session_options */
	bool live; /* each message is to be an event */
	void *tag;
};

struct process_event {
	void *tag; /* of the order */
	bool ended; /* else the result is what there is so far */
	bool lost; /* the session could not tell its end, nor log it */
	struct session_result result;
};

enum process_wait_result {
	PROCESS_EVENT, /* something came of a session: event is filled in */
	PROCESS_READY, /* one of the caller's descriptors is readable */
	PROCESS_OVER, /* the time is over, or a process went after its event */
};

/* For at most max sessions at one time, and any number that only wait for new
 * mail of a provider that holds its reply. */
struct process_pool *process_pool_new(size_t max, child_function *run);
/* No process may be left. */
void process_pool_free(struct process_pool *pool);
/* Fewer than now run at first changes nothing of those. */
void process_set_max(struct process_pool *pool, size_t max);
/* fd is closed in each child: a lock, or what wakes the parent alone. */
void process_keep_private(struct process_pool *pool, int fd);
/* Processes that are left; one goes on a little after its session's end. */
size_t process_running(const struct process_pool *pool);
bool process_full(const struct process_pool *pool);

/*
 * A session of the same user at the same provider is under way: one of account
 * would only wait for its lock, and hold a place meanwhile. Where it does not,
 * another process may still have the lock.
 */
bool process_is_at_provider(
    const struct process_pool *pool, const struct config_account *account);
/*
 * Forks; the pool is not full. The child's run is given config and account,
 * which need not outlive this call. A fork that is refused becomes the event
 * of a session that failed (71).
 */
void process_start(struct process_pool *pool, struct config *config,
    const struct process_order *order);
/*
 * What follows a session (tell/followup), for one that was lost: to be called
 * with its event, in whose place it runs. Nothing more comes of it.
 */
void process_follow(struct process_pool *pool, struct config *config,
    const struct config_account *account, const struct session_result *lost);

/*
 * Waits until clock_ms() is until (INT64_MAX: for ever) for an event of a
 * session, or for the first of count descriptors, of which any may be -1.
 */
enum process_wait_result process_wait(struct process_pool *pool, int64_t until,
    const int *fds, size_t count, struct process_event *event);
/* SIGTERM to every session; each ends in an event still. */
void process_stop(struct process_pool *pool);
/* The same to those that only wait for new mail: they begin anew. */
void process_stop_listening(struct process_pool *pool);

#endif
