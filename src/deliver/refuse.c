/* SPDX-License-Identifier: ISC */
#include "deliver/refuse.h"

#include "protocol/address.h"
#include "protocol/dsn.h"
#include "protocol/envelope.h"
#include "protocol/sender.h"
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

static bool
needs_smtputf8(const struct envelope *envelope, size_t rcpt)
{
	return !path_is_ascii(envelope->sender) ||
	       !path_is_ascii(&envelope->rcpt[rcpt]->path);
}

static void
set_international(
    const struct envelope *envelope, size_t rcpt, struct status *status)
{
	if (path_is_ascii(&envelope->rcpt[rcpt]->path))
		status_set(status, 553, "5.6.7",
		    "The local server accepts no sender beyond ASCII");
	else
		status_set(status, 550, "5.6.7",
		    "The local server accepts no recipient beyond ASCII");
	status->cause = CAUSE_ADDRESS;
}

static bool
needs_dsn(const struct envelope *envelope, size_t rcpt)
{
	const char *notify = envelope->rcpt[rcpt]->notify;

	return notify != NULL && dsn_wants_success(notify);
}

/* The provider reports itself, once we offer no DSN. */
static void
set_unreported(struct status *status)
{
	status_set(status, 451, "4.3.3",
	    "The local server offers no DSN any more; please send again");
	status->cause = CAUSE_DSN;
}

bool
refuse_is_able(
    const struct sender *sender, const struct envelope *envelope, size_t rcpt)
{
	return !sender_is_open(sender) ||
	       ((sender_takes_smtputf8(sender) ||
		    !needs_smtputf8(envelope, rcpt)) &&
		   (sender_takes_dsn(sender) || !needs_dsn(envelope, rcpt)));
}

void
refuse_rcpt(const struct sender *sender, const struct envelope *envelope,
    size_t rcpt, struct status *status)
{
	if (!sender_takes_smtputf8(sender) && needs_smtputf8(envelope, rcpt))
		set_international(envelope, rcpt, status);
	else if (!sender_takes_dsn(sender) && needs_dsn(envelope, rcpt))
		set_unreported(status);
	else
		set_surplus(status);
}
