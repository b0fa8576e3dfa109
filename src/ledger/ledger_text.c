/* SPDX-License-Identifier: ISC */
/*
 * The ledger from the text on: was it here before, what became of it now, and
 * what the provider is told.
 */
#include "ledger/ledger.h"
#include "ledger_private.h"

#include <openssl/evp.h>
#include <string.h>

void
ledger_text(struct ledger *ledger, const char *text, size_t len)
{
	if (len == 0)
		return;
	ledger_must(EVP_DigestUpdate(ledger->sha, text, len));
	ledger->mail.last = text[len - 1];
}

/* BDAT may leave out the last line end, DATA cannot: both get the same digest. */
static void
end_text(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;

	if (mail->last != '\0' && mail->last != '\n')
		ledger_must(EVP_DigestUpdate(ledger->sha, "\r\n", 2));
	ledger_must(EVP_DigestFinal_ex(ledger->sha, mail->digest, NULL));
}

static struct ledger_entry *
this_entry(const struct ledger *ledger)
{
	return ledger_book_entry(
	    ledger->book, ledger->mail.digest, ledger->mail.sender);
}

static void
strike(struct ledger *ledger, uint64_t id)
{
	ledger_record(
	    ledger, &(struct ledger_record){
			.type = LEDGER_STRUCK, .ids = {id}, .ids_len = 1});
}

/* A refusal, an outcome that did not count, or a mailbox named twice: what is
 * said now stands for it. */
static void
strike_former(struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	const struct ledger_outcome *outcome =
	    ledger_outcome_of(ledger, this_entry(ledger), rcpt);

	if (outcome != NULL)
		strike(ledger, outcome->id);
}

/* boot: when it was delivered. */
static void
put_outcome(
    struct ledger *ledger, const struct ledger_rcpt *rcpt, uint64_t boot)
{
	const struct ledger_transaction *mail = &ledger->mail;
	bool refused = status_class(&rcpt->outcome) == 5;
	struct ledger_record made = {
	    .type = refused ? LEDGER_REFUSED : LEDGER_TAKEN,
	    .id = ledger->book->last_id + 1,
	    .time = ledger_now(ledger),
	    .boot = boot,
	    .size = mail->size};

	if (refused)
		made.reply = rcpt->outcome;
	memcpy(made.digest, mail->digest, sizeof made.digest);
	memcpy(made.sender, mail->sender, strlen(mail->sender));
	memcpy(made.rcpt, rcpt->mailbox, strlen(rcpt->mailbox));
	ledger_record(ledger, &made);
}

static void
record_outcome(struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	bool refused = status_class(&rcpt->outcome) == 5;
	const struct ledger_outcome *former =
	    ledger_outcome_of(ledger, this_entry(ledger), rcpt);

	/* A refusal that is only repeated moves nothing. */
	if (former == NULL || (former->refusal != NULL) != refused)
		ledger->progress++;
	strike_former(ledger, rcpt);
	put_outcome(ledger, rcpt, ledger->boot);
}

/*
 * Whoever sends a message still may do so for longer than is kept what does not
 * come any more. What is new is there before the old one goes.
 */
static void
renew_outcome(struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	const struct ledger_outcome *former =
	    ledger_outcome_of(ledger, this_entry(ledger), rcpt);
	uint64_t id = former->id;

	put_outcome(ledger, rcpt, former->boot);
	strike(ledger, id);
}

/* What it is told where somebody has the message already. */
static void
set_recalled(struct ledger *ledger, const struct ledger_entry *entry,
    struct ledger_rcpt *rcpt)
{
	if (ledger_has_it(ledger, entry, rcpt)) {
		status_set(&rcpt->outcome, 250, "2.0.0",
		    "Accepted when it was sent before");
		if (rcpt->same_as == LEDGER_ITSELF)
			renew_outcome(ledger, rcpt);
	} else {
		status_set(&rcpt->outcome, 451, "4.3.0",
		    "Other recipients have this message already; please send"
		    " again");
		rcpt->outcome.cause = CAUSE_RECALLED;
	}
}

enum ledger_verdict
ledger_judge(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;
	bool known = false, wanted = false;

	end_text(ledger);
	const struct ledger_entry *entry = this_entry(ledger);
	for (size_t i = 0; i < mail->rcpts; i++) {
		if (!mail->rcpt[i].accepted)
			continue;
		known |= ledger_has_it(ledger, entry, &mail->rcpt[i]);
		wanted |= mail->rcpt[i].late == NULL &&
			  mail->rcpt[i].same_as == LEDGER_ITSELF;
	}
	if (!known)
		return wanted ? LEDGER_FINISH : LEDGER_ABORT;
	for (size_t i = 0; i < mail->rcpts; i++)
		if (mail->rcpt[i].accepted)
			set_recalled(ledger, entry, &mail->rcpt[i]);
	return LEDGER_ABORT;
}

/* Whoever was refused before, and is deferred now, is no longer refused. */
static void
defer(struct ledger *ledger, const struct ledger_rcpt *rcpt, bool lasts)
{
	const struct ledger_outcome *former =
	    ledger_outcome_of(ledger, this_entry(ledger), rcpt);

	if (former != NULL && former->refusal != NULL)
		strike_former(ledger, rcpt);
	ledger_remember_deferral(ledger, rcpt, lasts);
}

void
ledger_outcome(struct ledger *ledger, size_t rcpt, const struct status *outcome,
    bool joined)
{
	struct ledger_rcpt *given = &ledger->mail.rcpt[rcpt];

	given->outcome = *outcome;
	if (status_class(outcome) == 2 || status_class(outcome) == 5)
		record_outcome(ledger, given);
	else
		defer(ledger, given, ledger_concerns_rcpt(outcome));
	if (!joined)
		ledger_flush(ledger);
}

static void
set_silent(struct status *outcome)
{
	status_set(outcome, 451, "4.3.0", "Local delivery did not answer");
	outcome->cause = CAUSE_DELIVERY;
}

/* Those that the delivery gave no outcome; who is the same as another comes
 * behind him. */
static void
complete_outcomes(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;

	for (size_t i = 0; i < mail->rcpts; i++) {
		struct ledger_rcpt *each = &mail->rcpt[i];
		if (!each->accepted || each->outcome.code != 0)
			continue;
		if (each->same_as != LEDGER_ITSELF)
			each->outcome = mail->rcpt[each->same_as].outcome;
		else if (each->late != NULL)
			ledger_outcome(ledger, i, each->late, false);
		else
			set_silent(&each->outcome);
	}
}

static bool
is_mixed(const struct ledger_transaction *mail)
{
	int class = 0;

	for (size_t i = 0; i < mail->rcpts; i++) {
		if (!mail->rcpt[i].accepted)
			continue;
		int each = status_class(&mail->rcpt[i].outcome);
		if (class != 0 && each != class)
			return true;
		class = each;
	}
	return false;
}

/* One reply of 5xx would be read by all that are in the transaction. */
static bool
all_refused(const struct ledger_transaction *mail)
{
	for (size_t i = 0; i < mail->rcpts; i++)
		if (mail->rcpt[i].accepted &&
		    status_class(&mail->rcpt[i].outcome) != 5)
			return false;
	return true;
}

/* Ids on the way into records of one type. */
struct id_list {
	struct ledger *ledger;
	struct ledger_record record;
};

static void
end_ids(struct id_list *list)
{
	if (list->record.ids_len > 0)
		ledger_record(list->ledger, &list->record);
	list->record.ids_len = 0;
}

static void
add_id(struct id_list *list, uint64_t id)
{
	list->record.ids[list->record.ids_len++] = id;
	if (list->record.ids_len == LEDGER_IDS_MAX)
		end_ids(list);
}

/* The recipients come again, in groups. */
static void
tell_all_to_come_again(
    struct ledger *ledger, enum cause cause, const char *text)
{
	struct ledger_transaction *mail = &ledger->mail;
	const struct ledger_entry *entry = this_entry(ledger);
	struct id_list due = {.ledger = ledger,
	    .record = {.type = LEDGER_DUE, .time = ledger_now(ledger)}};
	struct status why;

	status_set_text(&why, 451, "4.3.0", text);
	why.cause = cause;
	for (size_t i = 0; i < mail->rcpts; i++) {
		struct ledger_rcpt *each = &mail->rcpt[i];
		if (!each->accepted)
			continue;
		each->outcome = why;
		const struct ledger_outcome *outcome =
		    each->same_as == LEDGER_ITSELF
			? ledger_outcome_of(ledger, entry, each)
			: NULL;
		if (outcome != NULL)
			add_id(&due, outcome->id);
	}
	end_ids(&due);
	ledger_flush(ledger);
}

static void
tell_each(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;
	struct ledger_entry *entry = this_entry(ledger);
	struct id_list told = {
	    .ledger = ledger, .record = {.type = LEDGER_TOLD}};

	if (entry == NULL)
		return;
	for (size_t i = 0; i < mail->rcpts; i++) {
		const struct ledger_rcpt *each = &mail->rcpt[i];
		int class = status_class(&each->outcome);
		struct ledger_outcome *outcome =
		    each->accepted && each->same_as == LEDGER_ITSELF &&
			    (class == 2 || class == 5)
			? ledger_outcome_of(ledger, entry, each)
			: NULL;
		if (outcome == NULL)
			continue;
		ledger_book_tell(ledger->book, outcome, ++ledger->told);
		add_id(&told, outcome->id);
	}
	end_ids(&told);
}

static void
decide_replies(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;

	mail->decided = true;
	complete_outcomes(ledger);
	/* RFC 5321 4.4 asks for 250 and a bounce of our own; this way nothing
	 * is lost and nothing comes twice either, and the provider, who knows
	 * its sender, writes the bounce. */
	if (is_mixed(mail) && !mail->prdr)
		tell_all_to_come_again(ledger, CAUSE_MIXED,
		    "Recipients had different outcomes; please send again");
	/* No sender can bounce those with it that were kept out for the sake of
	 * the ledger. In the end nobody is: they hear of the text, or that they
	 * are deferred. */
	else if (mail->kept_out > 0 && all_refused(mail))
		tell_all_to_come_again(ledger, CAUSE_OTHERS_FIRST,
		    "Refused, but other recipients come first; please send"
		    " again");
	else
		tell_each(ledger);
	ledger_sync(ledger);
}

size_t
ledger_asked_as(const struct ledger *ledger, size_t rcpt)
{
	const struct ledger_transaction *mail = &ledger->mail;

	if (rcpt >= mail->rcpts || mail->rcpt[rcpt].same_as == LEDGER_ITSELF)
		return rcpt;
	return mail->rcpt[rcpt].same_as;
}

void
ledger_defer(struct ledger *ledger, const struct status *reply)
{
	struct ledger_transaction *mail = &ledger->mail;

	for (size_t i = 0; i < mail->rcpts; i++) {
		struct ledger_rcpt *each = &mail->rcpt[i];
		if (!each->accepted || each->same_as != LEDGER_ITSELF)
			continue;
		each->outcome = *reply;
		ledger_remember_deferral(ledger, each, true);
	}
	ledger_flush(ledger);
	ledger_abort(ledger);
}

bool
ledger_reply(struct ledger *ledger, size_t *rcpt, struct status *answer)
{
	struct ledger_transaction *mail = &ledger->mail;

	if (!mail->decided)
		decide_replies(ledger);
	while (mail->told < mail->rcpts && !mail->rcpt[mail->told].accepted)
		mail->told++;
	if (mail->told == mail->rcpts) {
		ledger_abort(ledger);
		return false;
	}
	*rcpt = mail->told;
	*answer = mail->rcpt[mail->told++].outcome;
	return true;
}
