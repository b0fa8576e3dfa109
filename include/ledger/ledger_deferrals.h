/*
 * ledger_deferrals - recipients that were deferred at the end of a text.
 *
 * A recipient is known by sender, SIZE= and mailbox, which RCPT can tell before
 * the text is downloaded again. Bounded: the oldest is forgotten first, which
 * costs one more download.
 */
#ifndef ODMR_LEDGER_LEDGER_DEFERRALS_H
#define ODMR_LEDGER_LEDGER_DEFERRALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/ledger_record.h"

/* One that is dropped costs no more than a download. */
enum { LEDGER_DEFERRALS_MAX = 1000 };

struct ledger_deferral {
	struct ledger_deferral *next; /* the newer one */
	uint64_t size;
	uint64_t times; /* in a row */
	int64_t until; /* it gets reply at RCPT; Unix seconds */
	/* Of the running program alone: the connection that it was deferred on,
	 * 0: on none. Whoever looks like it there is another message. */
	uint64_t connection;
	bool all_session; /* it gets reply until the session ends */
	bool lets_in; /* in this session, whoever looks like it */
	struct status reply;
	char *sender, *rcpt;
};

struct ledger_deferrals {
	struct ledger_deferral *oldest;
	size_t count;
};

/* NULL where there is none. */
struct ledger_deferral *ledger_deferrals_find(
    const struct ledger_deferrals *deferrals, const char *sender, uint64_t size,
    const char *rcpt);
/* Takes in a LEDGER_DEFERRED, in the place of an older one. */
void ledger_deferrals_put(
    struct ledger_deferrals *deferrals, const struct ledger_record *record);
void ledger_deferrals_remove(struct ledger_deferrals *deferrals,
    const char *sender, uint64_t size, const char *rcpt);
/* Forgets what was until a time before the given one. */
void ledger_deferrals_expire(struct ledger_deferrals *deferrals, int64_t time);
void ledger_deferrals_clear(struct ledger_deferrals *deferrals);

/* The record that makes it. */
struct ledger_record ledger_deferral_record(
    const struct ledger_deferral *deferral);

#endif
