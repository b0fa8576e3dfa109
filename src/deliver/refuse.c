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

static void
set_surplus(struct status *status)
{
	status_set(status, 452, "4.5.3", "Too many recipients");
	status->cause = CAUSE_RECIPIENTS;
}

bool
refuse_needs_smtputf8(const struct envelope *envelope, size_t rcpt)
{
	return !path_is_ascii(envelope->sender) ||
	       !path_is_ascii(envelope->rcpt[rcpt]);
}

static void
set_international(
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

void
refuse_rcpt(const struct envelope *envelope, size_t rcpt, bool smtputf8,
    struct status *status)
{
	if (!smtputf8 && refuse_needs_smtputf8(envelope, rcpt))
		set_international(envelope, rcpt, status);
	else
		set_surplus(status);
}
