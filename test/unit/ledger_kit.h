/* Whole transactions with a ledger, for its tests. */
#ifndef ODMR_TEST_LEDGER_KIT_H
#define ODMR_TEST_LEDGER_KIT_H

#include <string.h>

#include "ledger/ledger.h"

/* A recipient: what the local side says, and what the provider is told. */
struct offered {
	const char *mailbox;
	int local_rcpt; /* at RCPT; 0: 250 */
	int local; /* after the text; 0: 250 */
	const char *enhanced; /* of local; NULL: 5.1.2 */
	bool unsynced, caseless;
	/* out */
	int told_rcpt, told; /* 0: nothing */
	char reply[600]; /* the same in full, of the last answer */
	bool asked; /* at RCPT */
	bool delivered; /* the local side gave an outcome */
};

struct offer {
	const char *sender, *text;
	uint64_t size;
	bool prdr;
};

static inline struct path
kit_path(const char *mailbox)
{
	struct path path = {.local_len = 0};
	const char *at = strrchr(mailbox, '@');

	strncpy(path.mailbox, mailbox, ADDRESS_MAX);
	path.local_len = at != NULL ? (size_t)(at - mailbox) : 0;
	return path;
}

static inline void
kit_offer_rcpt(struct ledger *ledger, struct offered *rcpt, size_t index)
{
	struct path path = kit_path(rcpt->mailbox);
	struct ledger_target target = {rcpt->unsynced, rcpt->caseless};
	struct status status;

	rcpt->told_rcpt = rcpt->told = 0;
	rcpt->delivered = false;
	rcpt->asked =
	    ledger_rcpt(ledger, index, &path, &target, &status) == LEDGER_ASK;
	if (rcpt->asked) {
		int code = rcpt->local_rcpt != 0 ? rcpt->local_rcpt : 250;
		status_set(&status, code, "", "local rcpt");
		ledger_rcpt_answer(ledger, index, &status);
	}
	rcpt->told_rcpt = status.code;
	status_format(&status, rcpt->reply, sizeof rcpt->reply);
}

/* MAIL to the end of the text, with the local side as the recipients say.
 * Returns how many were delivered or refused by it. */
static inline size_t
kit_offer(struct ledger *ledger, const struct offer *offer,
    struct offered *rcpts, size_t count)
{
	struct path sender = kit_path(offer->sender);
	size_t accepted = 0, outcomes = 0, rcpt;
	struct status status;

	ledger_mail(ledger, &sender, offer->size, offer->prdr);
	for (size_t i = 0; i < count; i++) {
		kit_offer_rcpt(ledger, &rcpts[i], i);
		accepted += rcpts[i].told_rcpt == 250;
	}
	if (accepted == 0) {
		ledger_abort(ledger);
		return 0;
	}
	ledger_text(ledger, offer->text, strlen(offer->text));
	if (ledger_judge(ledger) == LEDGER_FINISH)
		for (size_t i = 0; i < count; i++) {
			struct offered *each = &rcpts[i];
			if (each->told_rcpt != 250 || each->local_rcpt != 0 ||
			    !each->asked)
				continue;
			status_set(&status,
			    each->local != 0 ? each->local : 250,
			    each->enhanced != NULL ? each->enhanced : "5.1.2",
			    "local text");
			ledger_outcome(ledger, i, &status, false);
			each->delivered = true;
			outcomes++;
		}
	while (ledger_reply(ledger, &rcpt, &status)) {
		rcpts[rcpt].told = status.code;
		status_format(
		    &status, rcpts[rcpt].reply, sizeof rcpts[rcpt].reply);
	}
	return outcomes;
}

/* One recipient, taken: what the provider is told, after RCPT or the text. */
static inline int
kit_send(struct ledger *ledger, const char *text, const char *mailbox)
{
	struct offer offer = {.sender = "s@y.example", .text = text};
	struct offered rcpt = {.mailbox = mailbox};

	(void)kit_offer(ledger, &offer, &rcpt, 1);
	return rcpt.told != 0 ? rcpt.told : rcpt.told_rcpt;
}

/* The same; whether the local side got it. */
static inline bool
kit_delivers(struct ledger *ledger, const char *text, const char *mailbox)
{
	struct offer offer = {.sender = "s@y.example", .text = text};
	struct offered rcpt = {.mailbox = mailbox};

	return kit_offer(ledger, &offer, &rcpt, 1) == 1;
}

#endif
