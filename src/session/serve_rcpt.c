/* SPDX-License-Identifier: ISC */
#include "serve_private.h"

#include <assert.h>

#include "base/array.h"
#include "config/config.h"
#include "deliver/delivery.h"
#include "ledger/ledger.h"
#include "protocol/receiver.h"
#include "session/destinations.h"
#include "session/soft_bounce.h"
#include "session/tally.h"

const struct config_delivery *
serve_delivery_of(const struct serve *s, size_t rcpt)
{
	return destinations_find(s->options->destinations,
	    &receiver_envelope(s->receiver)->rcpt[rcpt]->path);
}

void
serve_soften(const struct serve *s, const struct config_delivery *delivery,
    struct status *status)
{
	if (soft_bounce_is_on(s->options->soft_bounce, delivery))
		status_soften(status);
}

/*
 * Recipients
 */

/* The relay guard: only domains that the account accepts. */
static bool
accepts(const struct serve *s, const struct path *rcpt, struct status *status)
{
	const struct config *config = s->options->config;
	const char *domain = path_domain(rcpt);

	if (config_accepts(s->options->account, domain))
		return true;
	for (size_t i = 0; i < config->accounts_count; i++) {
		if (!config_accepts(&config->accounts[i], domain))
			continue;
		status_set(status, 450, "4.7.1",
		    "This domain is fetched in a session of its own");
		status->cause = CAUSE_OTHER_ACCOUNT;
		return false;
	}
	status_set(status, 550, "5.7.1", "This domain is not accepted here");
	status->cause = CAUSE_DOMAIN;
	return false;
}

/* The last word on a recipient at RCPT. */
static void
tell_rcpt(struct serve *s, size_t rcpt, const struct status *status)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);

	if (status_class(status) != 2) {
		tally_told(s->options->tally, envelope, rcpt, status);
		serve_log_refusal(s, envelope, rcpt, status);
	}
	receiver_answer(s->receiver, rcpt, status);
}

/* The delivery was down before the call, or went away since: it is not tried
 * again in this session, or all other mail would wait behind its own. */
static bool
is_down(const struct serve *s, const struct config_delivery *delivery,
    struct status *status)
{
	if (delivery == NULL ||
	    destinations_is_there(s->options->destinations, delivery))
		return false;
	status_set(status, 451, "4.4.2", "Local delivery unavailable");
	status->cause = CAUSE_DELIVERY;
	return true;
}

/* What happened in this session tells that to ask again is of no use now. */
static bool
is_hopeless(const struct serve *s, size_t rcpt, struct status *status)
{
	const struct envelope *envelope = receiver_envelope(s->receiver);

	if (tally_is_stuck(s->options->tally, envelope, rcpt)) {
		status_set(status, 451, "4.3.0",
		    "Accepted before the connection broke; please send other"
		    " messages first");
		status->cause = CAUSE_CONNECTION;
		return true;
	}
	if (tally_is_unanswered(s->options->tally, envelope, rcpt)) {
		status_set(status, 451, "4.3.0",
		    "Local delivery did not answer for this recipient; please"
		    " send other messages first");
		status->cause = CAUSE_UNANSWERED;
		return true;
	}
	return false;
}

/* What is said without asking the delivery, or that it is to be asked. */
static enum ledger_admission
admit(struct serve *s, size_t rcpt, struct status *status)
{
	const struct path *path =
	    &receiver_envelope(s->receiver)->rcpt[rcpt]->path;
	const struct config_delivery *delivery = serve_delivery_of(s, rcpt);

	if (!accepts(s, path, status)) {
		serve_soften(s, NULL, status);
		serve_doubt(s, rcpt, status);
		return LEDGER_SAID;
	}
	if (is_down(s, delivery, status) || is_hopeless(s, rcpt, status))
		return LEDGER_SAID;
	bool writes = delivery != NULL && config_kinds[delivery->kind].writes;
	struct ledger_target target = {
	    .unsynced = writes && !delivery->sync, .caseless = writes};
	return ledger_rcpt(s->options->ledger, rcpt, path, &target, status);
}

void
serve_rcpt(struct serve *s, size_t rcpt)
{
	struct status status;

	s->replies = array_room(
	    s->replies, &s->replies_size, rcpt + 1, sizeof *s->replies);
	s->replies[rcpt] = (struct status){.code = 0};
	switch (admit(s, rcpt, &status)) {
	case LEDGER_ASK:
		s->delivery->ops->rcpt(s->delivery, rcpt);
		s->asked++;
		break;
	case LEDGER_SAID:
		tell_rcpt(s, rcpt, &status);
		break;
	case LEDGER_SAME: /* with the answer to the other */
		receiver_same_mailbox(s->receiver,
		    ledger_asked_as(s->options->ledger, rcpt), rcpt);
		break;
	}
}

void
serve_rcpt_answers(struct serve *s)
{
	struct deadline deadline =
	    deadline_in(SERVE_DELIVERY_MAX, SERVE_GRACE_TEXT);
	struct status status;
	size_t rcpt, same;

	s->delivery->ops->send(s->delivery, receiver_text_waits(s->receiver));
	while (
	    s->delivery->ops->answer(s->delivery, &rcpt, &status, &deadline)) {
		assert(s->replies != NULL && s->asked > 0);
		s->asked--;
		s->replies[rcpt] = status;
		s->taken += status_class(&status) == 2;
		serve_soften_reply(s, rcpt, &status);
		ledger_rcpt_answer(s->options->ledger, rcpt, &status);
		tell_rcpt(s, rcpt, &status);
		while (ledger_rcpt_same(s->options->ledger, rcpt, &same)) {
			s->replies[same] = s->replies[rcpt];
			tell_rcpt(s, same, &status);
		}
	}
	assert(s->asked == 0);
}
