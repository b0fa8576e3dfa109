/* SPDX-License-Identifier: ISC */
#include "deliver/complaint.h"

#include "protocol/meaning.h"
#include "protocol/sender.h"
#include "protocol/status.h"

/*
 * 55x with words about our host may be one mailbox's, a list for the house
 * alone, and a syntax that it does not like one address'. Login, TLS, order of
 * commands and "no mail here" are no message's.
 */
static enum complaint_weight
weigh(const struct sender_complaint *heard)
{
	int code = heard->reply.code;

	if (heard->meaning != MEANING_ESTRANGED)
		return COMPLAINT_SET_UP;
	return code / 10 == 55 || code == 500 || code == 501 || code == 504
		   ? COMPLAINT_HOST
		   : COMPLAINT_ALL;
}

void
complaint_begin(struct complaint *complaint)
{
	complaint->counted = false;
}

/* The first of the heaviest is what somebody should hear. */
void
complaint_hear(struct complaint *complaint, struct sender *sender)
{
	struct sender_complaint heard;
	char reply[STATUS_LINE_MAX];

	if (!sender_complains(sender, &heard))
		return;
	enum complaint_weight weight = weigh(&heard);
	if (weight == COMPLAINT_HOST && !complaint->counted) {
		complaint->counted = true;
		/* What ends the session is told as its end, too. */
		if (++complaint->messages == COMPLAINT_MESSAGES_MAX)
			complaint->weight = COMPLAINT_NONE;
	}
	if (weight <= complaint->weight)
		return;
	complaint->weight = weight;
	error_set(&complaint->error, ERROR_LOCAL,
	    "the local server answered %s with: %s; %s", heard.step,
	    status_format(&heard.reply, reply, sizeof reply),
	    meaning_advice(&heard.reply, heard.meaning));
}

void
complaint_lost(struct complaint *complaint, const struct error *why)
{
	/* Where a signal ended it, there is nothing to mend. */
	if (why->class == ERROR_LOCAL)
		complaint->error = *why;
}

/*
 * Whoever has accepted others in this session does accept us, and a session
 * that ended at the first message that is refused so would end there each time:
 * it is the one that has waited longest.
 */
bool
complaint_is_estranged(const struct complaint *complaint)
{
	return complaint->weight == COMPLAINT_ALL ||
	       (complaint->weight == COMPLAINT_HOST && !complaint->welcome &&
		   complaint->messages >= COMPLAINT_MESSAGES_MAX);
}

bool
complaint_take(struct complaint *complaint, struct error *out)
{
	if (complaint->error.class == ERROR_NONE)
		return false;
	*out = complaint->error;
	complaint->error.class = ERROR_NONE;
	return true;
}
