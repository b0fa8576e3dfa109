/* SPDX-License-Identifier: ISC */
#include "deliver/refuse.h"

#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/status.h"

bool
refuse_relay(const struct path *rcpt, struct status *status)
{
	if (path_is_plain(rcpt))
		return false;
	status_set(status, 553, "5.1.3",
	    "This kind of local part is not accepted here");
	status->cause = CAUSE_ADDRESS;
	return true;
}

bool
refuse_needs_smtputf8(const struct envelope *envelope, size_t rcpt)
{
	return !path_is_ascii(envelope->sender) ||
	       !path_is_ascii(envelope->rcpt[rcpt]);
}

void
refuse_international(
    const struct envelope *envelope, size_t rcpt, struct status *status)
{
	if (path_is_ascii(envelope->rcpt[rcpt]))
		status_set(status, 553, "5.6.7",
		    "The local server accepts no sender beyond ASCII");
	else
		status_set(status, 550, "5.6.7",
		    "The local server accepts no recipient beyond ASCII");
	status->cause = CAUSE_ADDRESS;
}
