/*
 * publisher - when the files about all accounts are written (tell/publish).
 *
 * Each of them costs the more the more accounts there are, so that one writing
 * serves all sessions that end in the meantime: a second after the first change,
 * and never for more than a small part of the time. The last change is written
 * whatever becomes of the sessions. Where nothing changes nobody is woken and
 * nothing is written.
 */
#ifndef ODMR_RUN_PUBLISHER_H
#define ODMR_RUN_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct workers;
struct workers_event;

struct publisher {
	struct workers *pool;
	int64_t due; /* clock_ms(); INT64_MAX: nothing has changed */
	int64_t not_before; /* likewise, for what the last one has cost */
	int64_t begun; /* likewise: the process under way, or the last one */
	int64_t told; /* likewise: the last failure that was logged; 0: none */
	bool busy; /* a process is under way, as far as we know */
	bool quiet; /* it logs nothing */
	bool last; /* no other one follows it */
};

void publisher_init(struct publisher *publisher, struct workers *pool);
/* The configuration, or what a status file says, is not what it was. */
void publisher_change(struct publisher *publisher);
/* The same, where this event of a session means so; listening: as it was before
 * (struct session_result). */
void publisher_note(struct publisher *publisher,
    const struct workers_event *event, int64_t listening);
/*
 * Starts a process where one is due. Until what clock_ms() the caller may wait
 * for events of the pool before it comes here again; INT64_MAX: for ever.
 */
int64_t publisher_run(struct publisher *publisher, struct config *config);
/*
 * When no session is left: what has changed is written at once. true: that is
 * done, or has failed; else to be called again after workers_wait().
 */
bool publisher_finish(struct publisher *publisher, struct config *config);

#endif
