/* SPDX-License-Identifier: ISC */
#include "deliver/complaint.h"

#include "protocol/meaning.h"
#include "protocol/sender.h"
#include "protocol/status.h"

/* The first that ends all, or else the first, is what somebody should hear. */
void
complaint_hear(struct complaint *complaint, struct sender *sender)
{
	struct sender_complaint heard;
	char reply[STATUS_LINE_MAX];

	if (!sender_complains(sender, &heard))
		return;
	bool ends_all = heard.meaning == MEANING_ESTRANGED;
	if (complaint->estranged != 0 || (complaint->made && !ends_all))
		return;
	complaint->estranged = ends_all ? heard.reply.code : 0;
	complaint->made = true;
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
 * 55x with words about our host may be one mailbox's, a list for the house
 * alone: a service that has accepted others in this session does accept us.
 */
bool
complaint_is_estranged(const struct complaint *complaint)
{
	return complaint->estranged != 0 &&
	       !(complaint->estranged / 10 == 55 && complaint->welcome);
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
