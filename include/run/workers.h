/*
 * workers - sessions side by side, each in a process of its own.
 *
 * The parent does no network and no mail. A session that crashes, hangs or
 * cannot be started ends in a result like any other, which is then recorded
 * here; the other sessions do not notice. What a child writes is checked,
 * since it talked to the provider.
 */
#ifndef ODMR_RUN_WORKERS_H
#define ODMR_RUN_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/worker.h"

struct workers;

/* A session to be started. */
struct workers_order {
	const struct config_account *account;
	bool trace, named; /* as in struct session_options */
	bool live; /* each message is to be an event */
	void *tag;
};

struct workers_event {
	void *tag; /* of the order */
	bool ended; /* else the result is what there is so far */
	bool lost; /* the session could not tell its end, nor log it */
	struct session_result result;
};

enum workers_wait_result {
	WORKERS_EVENT, /* something came of a session: event is filled in */
	WORKERS_READY, /* one of the caller's descriptors is readable */
	WORKERS_OVER, /* the time is over, or a process went after its event */
};

/* What became of the last process of workers_publish(). */
enum workers_published {
	WORKERS_PUBLISHED, /* the files are written, or there was none yet */
	WORKERS_PUBLISHING, /* it is under way */
	WORKERS_NOT_PUBLISHED, /* it failed, and said so unless quiet */
	WORKERS_PUBLISHER_LOST, /* it could not tell: it died, or hung */
};

/* For at most max sessions at one time, and any number that only wait for new
 * mail of a provider that holds its reply. */
struct workers *workers_new(size_t max, worker_function *run);
/* No process may be left. */
void workers_free(struct workers *pool);
/* Fewer than now run at first changes nothing of those. */
void workers_set_max(struct workers *pool, size_t max);
/* Whoever started us sees on a terminal what fails. */
void workers_are_watched(struct workers *pool);
/* fd is closed in each child: a lock, or what wakes the parent alone. */
void workers_keep_private(struct workers *pool, int fd);
/* Processes of sessions that are left; one goes on a little after its session's
 * end. */
size_t workers_running(const struct workers *pool);
bool workers_full(const struct workers *pool);

/*
 * A session of the same user at the same provider is under way: one of account
 * would only wait for its lock, and hold a place meanwhile. Where it does not,
 * another process may still have the lock.
 */
bool workers_is_at_provider(
    const struct workers *pool, const struct config_account *account);
/*
 * Forks; the pool is not full. The child's run is given config and account,
 * which need not outlive this call. A fork that is refused becomes the event
 * of a session that failed (71).
 */
void workers_start(struct workers *pool, struct config *config,
    const struct workers_order *order);
/*
 * What follows a session (tell/followup), for one that was lost: to be called
 * with its event, in whose place it runs, be the pool full or not. It is full
 * where max has become less, or who only listened is busy. Nothing more comes of
 * it.
 */
void workers_follow(struct workers *pool, struct config *config,
    const struct config_account *account, const struct session_result *lost);

/*
 * Writes the files about all accounts (tell/publish) in a process of its own,
 * which takes no place and which no signal stops; quiet: nothing is logged. None
 * may be under way. WORKERS_OVER comes of its end.
 */
void workers_publish(struct workers *pool, struct config *config, bool quiet);
enum workers_published workers_published(const struct workers *pool);

/*
 * Waits until clock_ms() is until (INT64_MAX: for ever) for an event of a
 * session, or for the first of count descriptors, of which any may be -1.
 */
enum workers_wait_result workers_wait(struct workers *pool, int64_t until,
    const int *fds, size_t count, struct workers_event *event);
/* SIGTERM to every session; each ends in an event still. */
void workers_stop(struct workers *pool);
/*
 * The same to those that only wait for new mail, or will: they begin anew. A
 * session that is under way goes on until it only waits.
 */
void workers_stop_listening(struct workers *pool);

#endif
