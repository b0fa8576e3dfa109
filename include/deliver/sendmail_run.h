/*
 * sendmail_run - one run of the sendmail program, and what its end means.
 *
 * The program gets the spooled message as standard input. Whether it was read
 * to its end shows in the offset of the descriptor, which both share.
 */
#ifndef ODMR_DELIVER_SENDMAIL_RUN_H
#define ODMR_DELIVER_SENDMAIL_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/spawn.h"
#include "protocol/status.h"

/* Embedded. command is borrowed. */
struct sendmail_run {
	const char *const *command; /* path and arguments, NULL at the end */
	int input; /* the message; the program moves its offset */
	uint64_t size; /* octets of it */
	struct spawn spawn;
	struct deadline until;
	struct buf output;
	size_t count; /* recipients */
};

enum sendmail_run_end {
	SENDMAIL_RUN_SUCCEEDED,
	SENDMAIL_RUN_FAILED, /* perhaps because of one of its recipients */
	SENDMAIL_RUN_UNREAD, /* said 0, and left some of the message unread */
	SENDMAIL_RUN_HINDERED, /* it did not start, or had to stop with us */
};

void sendmail_run_init(struct sendmail_run *run, const char *const *command);
void sendmail_run_clear(struct sendmail_run *run);
/* Starts it for so many recipients; until bounds the run. The sender "" is the
 * null reverse path. input and size must have been set; input stands at 0, and
 * is borrowed until the wait is over. */
void sendmail_run_start(struct sendmail_run *run, const char *sender,
    const char *const *rcpts, size_t count, const struct deadline *until);
/* Waits for its end, at most to the deadline. outcome is that of each of its
 * recipients; *gone: the program could not be started. */
enum sendmail_run_end sendmail_run_wait(struct sendmail_run *run,
    const struct deadline *deadline, struct status *outcome, bool *gone);
/* After SENDMAIL_RUN_UNREAD: what to mend, for the log. Errors: ERROR_LOCAL. */
void sendmail_run_explain(const struct sendmail_run *run, struct error *err);

#endif
