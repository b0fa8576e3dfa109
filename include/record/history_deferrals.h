/*
 * history_deferrals - which recipients of an account are deferred, since when.
 *
 * Providers wait for hours between tries, and most sessions in between bring
 * nothing: that a session deferred nobody says nothing of a mailbox that is
 * full. So each recipient of a message is kept, by a digest, until it gets a
 * final answer, or is not offered for longer than any provider waits. Plain
 * data; times are ms of Unix time.
 */
#ifndef ODMR_RECORD_HISTORY_DEFERRALS_H
#define ODMR_RECORD_HISTORY_DEFERRALS_H

#include <stddef.h>
#include <stdint.h>

struct config_account;

/* ms. Providers try again after minutes to eight hours, some once a day: two days
 * without a try are the end. */
#define HISTORY_LONGEST_WAIT (INT64_C(48) * 3600 * 1000)

enum {
	/* 30 KB of the status file. New ones beyond are not kept: whatever
	 * defers so much has the older ones to tell of it. */
	HISTORY_DEFERRALS_MAX = 400,
};

struct history_deferral {
	uint64_t id; /* of sender, size and recipient (session/tally) */
	int64_t since, last; /* the first and the last 4xx */
};

/* Begins zeroed. */
struct history_deferrals {
	struct history_deferral *list;
	size_t count;
};

void history_deferrals_clear(struct history_deferrals *deferrals);
/* It was told 4xx. */
void history_deferrals_told(
    struct history_deferrals *deferrals, uint64_t id, int64_t now);
/* It was told 2xx or 5xx. */
void history_deferrals_end(struct history_deferrals *deferrals, uint64_t id);
/* As a status file has it; a second one of an id counts for nothing. */
void history_deferrals_restore(struct history_deferrals *deferrals,
    const struct history_deferral *deferral);
/* After a session that went through: forgets those that were not offered for
 * longer than any provider waits. */
void history_deferrals_forget(struct history_deferrals *deferrals,
    const struct config_account *account, int64_t now);
/*
 * The one with the longest time from its first 4xx to its last, NULL where
 * there is none. The time since its last proves nothing: the provider may have
 * given it up.
 */
const struct history_deferral *history_deferrals_longest(
    const struct history_deferrals *deferrals);

#endif
