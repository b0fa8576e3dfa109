/* SPDX-License-Identifier: ISC */
/*
 * Recipients that were deferred at the end of a text: put off at RCPT for a
 * while, so that the text is not downloaded for nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "ledger_private.h"

enum {
	/* After a day or so of waits: somebody should look at the mailbox. */
	DEFERRED_TOO_OFTEN = 10,
	/* Each so many-th session puts off nobody who looks like this one: where
	 * a provider sends one message a call, another of this sender and size
	 * would else wait behind one that is deferred each time, until it is
	 * too old. */
	SESSION_LETS_IN = 4,
};

static struct ledger_deferral *
find_put_off(const struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	const struct ledger_transaction *mail = &ledger->mail;

	return ledger_deferrals_find(
	    &ledger->book->deferrals, mail->sender, mail->size, rcpt->mailbox);
}

bool
ledger_put_off(const struct ledger *ledger, const struct ledger_rcpt *rcpt,
    struct status *reply)
{
	const struct ledger_deferral *deferral = find_put_off(ledger, rcpt);

	if (deferral == NULL || deferral->lets_in ||
	    deferral->connection == ledger->book->connection)
		return false;
	/* More than the longest: the clock was set back. */
	int64_t left = deferral->until - ledger_now(ledger);
	bool waits = left > 0 && left <= LEDGER_DEFER_LONGEST;
	if (!waits && !deferral->all_session)
		return false;
	*reply = deferral->reply;
	reply->cause =
	    waits ? CAUSE_DEFERRED_BEFORE : CAUSE_DEFERRED_IN_SESSION;
	reply->until = waits ? deferral->until : 0;
	return true;
}

const struct status *
ledger_last_deferral(
    const struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	const struct ledger_deferral *deferral = find_put_off(ledger, rcpt);

	return deferral != NULL ? &deferral->reply : NULL;
}

static void
note_deferral(struct ledger *ledger, const struct ledger_record *deferral)
{
	char sender[ADDRESS_MAX * 4 + 1], rcpt[ADDRESS_MAX * 4 + 1];
	char reply[STATUS_LINE_MAX];

	escape_text(
	    sender, sizeof sender, deferral->sender, strlen(deferral->sender));
	escape_text(rcpt, sizeof rcpt, deferral->rcpt, strlen(deferral->rcpt));
	ledger_add_note(ledger, true,
	    "a message from <%s> of %" PRIu64 " octets was deferred %" PRIu64
	    " times for <%s>: %s",
	    sender, deferral->size, deferral->times, rcpt,
	    status_format(&deferral->reply, reply, sizeof reply));
}

static int64_t
deferral_time(uint64_t times)
{
	int64_t wait = LEDGER_DEFER_FIRST;

	for (; times > 1 && wait < LEDGER_DEFER_LONGEST; times--)
		wait *= 2;
	return wait < LEDGER_DEFER_LONGEST ? wait : LEDGER_DEFER_LONGEST;
}

bool
ledger_concerns_rcpt(const struct status *reply)
{
	/* It may have been delivered: the later it is sent again, the fewer
	 * copies there are. */
	if (reply->cause == CAUSE_UNANSWERED)
		return true;
	if (reply->code == 421)
		return false;
	/* 451 alone is "local error in processing" (RFC 5321 4.2.2). */
	if (reply->enhanced[0] == '\0')
		return reply->code != 451;
	/* "System incorrectly configured": nobody has mended that in the next
	 * session, and other mail may well be accepted. */
	if (strcmp(reply->enhanced, "4.3.5") == 0)
		return true;
	/* Of the mail system and of the way to it (RFC 3463 3.4, 3.5). */
	return strncmp(reply->enhanced, "4.3.", 4) != 0 &&
	       strncmp(reply->enhanced, "4.4.", 4) != 0;
}

/*
 * The times in a row, with this one. What no mailbox is guilty of must not
 * prolong its later waits, nor may another message of the same connection.
 */
static uint64_t
count_times(const struct ledger *ledger, const struct ledger_deferral *before,
    bool counts)
{
	uint64_t times = before != NULL ? before->times : 0;
	bool same_call =
	    before != NULL && before->connection == ledger->book->connection;

	return counts && (times == 0 || !same_call) ? times + 1 : times;
}

void
ledger_remember_deferral(
    struct ledger *ledger, const struct ledger_rcpt *rcpt, bool lasts)
{
	const struct ledger_transaction *mail = &ledger->mail;
	const struct ledger_deferral *before = find_put_off(ledger, rcpt);
	uint64_t times_before = before != NULL ? before->times : 0;
	bool sized = mail->size > 0, counts = lasts || !sized;
	struct ledger_record made = {.type = LEDGER_DEFERRED,
	    .time = ledger_now(ledger),
	    .size = mail->size,
	    .times = count_times(ledger, before, counts),
	    .reply = rcpt->outcome};

	/* Without a size it may be any message of the sender. */
	if (lasts && sized)
		made.time += deferral_time(made.times);
	memcpy(made.sender, mail->sender, sizeof made.sender);
	memcpy(made.rcpt, rcpt->mailbox, strlen(rcpt->mailbox));
	ledger_record(ledger, &made);
	struct ledger_deferral *kept = find_put_off(ledger, rcpt);
	kept->connection = ledger->book->connection;
	kept->all_session = !lasts || !sized;
	kept->lets_in = counts && made.times % SESSION_LETS_IN == 0;
	if (lasts && sized && made.times > times_before &&
	    made.times == DEFERRED_TOO_OFTEN + 1)
		note_deferral(ledger, &made);
}
