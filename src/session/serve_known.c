/* SPDX-License-Identifier: ISC */
#include "serve_private.h"

#include "base/clock.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/meaning.h"
#include "protocol/receiver.h"
#include "protocol/status.h"
#include "record/history_known.h"
#include "session/soft_bounce.h"

static uint64_t
id_of(const struct serve *s, size_t rcpt)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);

	return history_known_id(envelope->rcpt[rcpt]->path.mailbox);
}

/* The delivery does not know the recipient, or we do not know the domain any more,
 * as after a slip in the configuration. */
static bool
speaks_of_nobody(const struct status *status)
{
	return meaning_is_unknown(status) || status->cause == CAUSE_DOMAIN;
}

void
serve_doubt(const struct serve *s, size_t rcpt, struct status *status)
{
	char reply[STATUS_LINE_MAX];
	int64_t until;

	if (s->options->known == NULL || !speaks_of_nobody(status) ||
	    !soft_bounce_doubts(s->options->soft_bounce) ||
	    !history_known_refused(
		s->options->known, id_of(s, rcpt), clock_unix_ms(), &until))
		return;
	status_format(status, reply, sizeof reply);
	/* X.1: the ledger takes it for a word on the recipient, so that no text
	 * is downloaded in each session. */
	status_set(status, 451, "4.1.1",
	    "Had mail before and is unknown now; please send again: %s", reply);
	status->cause = CAUSE_VANISHED;
	status->until = until / 1000;
}

void
serve_soften_reply(const struct serve *s, size_t rcpt, struct status *status)
{
	serve_soften(s, serve_delivery_of(s, rcpt), status);
	serve_doubt(s, rcpt, status);
}

void
serve_delivered(const struct serve *s, size_t rcpt)
{
	soft_bounce_accepted(
	    s->options->soft_bounce, serve_delivery_of(s, rcpt));
	if (s->options->known != NULL)
		history_known_delivered(
		    s->options->known, id_of(s, rcpt), clock_unix_ms());
}
