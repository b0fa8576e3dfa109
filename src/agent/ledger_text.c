/* SPDX-License-Identifier: ISC */
/*
 * The ledger from the text on: was it here before, what became of it now, and
 * what the provider is told.
 */
#include "agent/ledger.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "agent/ledger_state.h"
#include "base/escape.h"

/* After a day or so of waits: somebody should look at the mailbox. */
enum { DEFERRED_TOO_OFTEN = 10 };

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

/* What it is told where the ledger knows, or somebody else's part is known. */
static void
set_recalled(const struct ledger *ledger, const struct ledger_entry *entry,
    struct ledger_rcpt *rcpt)
{
	const struct ledger_outcome *known = ledger_recall(ledger, entry, rcpt);

	if (known == NULL)
		status_set(&rcpt->outcome, 451, "4.3.0",
		    "others have this message already; try again");
	else if (known->refusal == NULL)
		status_set(
		    &rcpt->outcome, 250, "2.0.0", "taken when it came before");
	else
		rcpt->outcome = *known->refusal;
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
		known |= ledger_recall(ledger, entry, &mail->rcpt[i]) != NULL;
		wanted |= mail->rcpt[i].late == NULL;
	}
	if (!known)
		return wanted ? LEDGER_FINISH : LEDGER_ABORT;
	for (size_t i = 0; i < mail->rcpts; i++)
		if (mail->rcpt[i].accepted)
			set_recalled(ledger, entry, &mail->rcpt[i]);
	return LEDGER_ABORT;
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

/* Postpones the next download of a text that was given for nothing. */
static void
record_deferral(struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	const struct ledger_transaction *mail = &ledger->mail;
	struct ledger_record made = {.type = LEDGER_DEFERRED,
	    .size = mail->size,
	    .times = 1,
	    .reply = rcpt->outcome};

	if (mail->size == 0)
		return;
	const struct ledger_deferral *before = ledger_deferrals_find(
	    &ledger->book->deferrals, mail->sender, mail->size, rcpt->mailbox);
	if (before != NULL)
		made.times = before->times + 1;
	made.time = ledger_now(ledger) + deferral_time(made.times);
	memcpy(made.sender, mail->sender, sizeof made.sender);
	memcpy(made.rcpt, rcpt->mailbox, strlen(rcpt->mailbox));
	ledger_record(ledger, &made);
	if (made.times == DEFERRED_TOO_OFTEN + 1)
		note_deferral(ledger, &made);
}

/* A mailbox that was named twice has the message if one of both was taken. */
static bool
is_taken_too(
    const struct ledger_transaction *mail, const struct ledger_rcpt *rcpt)
{
	for (size_t i = 0; i < mail->rcpts; i++)
		if (status_class(&mail->rcpt[i].outcome) == 2 &&
		    strcmp(mail->rcpt[i].mailbox, rcpt->mailbox) == 0)
			return true;
	return false;
}

/* An outcome that did not count, or a mailbox named twice: the new one stands
 * for it. */
static void
strike_unreliable(struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	const struct ledger_outcome *outcome =
	    ledger_outcome_of(ledger, this_entry(ledger), rcpt);

	if (outcome != NULL)
		ledger_record(
		    ledger, &(struct ledger_record){.type = LEDGER_STRUCK,
				.ids = {outcome->id},
				.ids_len = 1});
}

static void
record_outcome(struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	const struct ledger_transaction *mail = &ledger->mail;
	bool refused = status_class(&rcpt->outcome) == 5;
	struct ledger_record made = {
	    .type = refused ? LEDGER_REFUSED : LEDGER_TAKEN,
	    .id = ledger->book->last_id + 1,
	    .time = ledger_now(ledger),
	    .boot = ledger->boot,
	    .size = mail->size};

	if (refused && is_taken_too(mail, rcpt))
		return;
	if (refused)
		made.reply = rcpt->outcome;
	memcpy(made.digest, mail->digest, sizeof made.digest);
	memcpy(made.sender, mail->sender, sizeof made.sender);
	memcpy(made.rcpt, rcpt->mailbox, strlen(rcpt->mailbox));
	strike_unreliable(ledger, rcpt);
	ledger_record(ledger, &made);
	ledger_flush(ledger);
}

void
ledger_outcome(struct ledger *ledger, size_t rcpt, const struct status *outcome)
{
	struct ledger_rcpt *given = &ledger->mail.rcpt[rcpt];

	given->outcome = *outcome;
	if (status_class(outcome) == 2 || status_class(outcome) == 5)
		record_outcome(ledger, given);
	else
		record_deferral(ledger, given);
}

/* Those that the delivery gave no outcome. */
static void
complete_outcomes(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;

	for (size_t i = 0; i < mail->rcpts; i++) {
		struct ledger_rcpt *each = &mail->rcpt[i];
		if (!each->accepted || each->outcome.code != 0)
			continue;
		if (each->late != NULL)
			ledger_outcome(ledger, i, each->late);
		else
			status_set(&each->outcome, 451, "4.3.0",
			    "the local delivery gave no answer");
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

/*
 * One reply for outcomes that differ: 451 to all. RFC 5321 4.4 asks for 250
 * and a bounce of our own; this way nothing is lost and nothing comes twice
 * either, and the provider, who knows its sender, writes the bounce.
 */
static void
tell_mixed(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;
	const struct ledger_entry *entry = this_entry(ledger);
	struct id_list due = {.ledger = ledger,
	    .record = {.type = LEDGER_DUE, .time = ledger_now(ledger)}};

	for (size_t i = 0; i < mail->rcpts; i++) {
		struct ledger_rcpt *each = &mail->rcpt[i];
		if (!each->accepted)
			continue;
		const struct ledger_outcome *outcome =
		    ledger_outcome_of(ledger, entry, each);
		if (outcome != NULL)
			add_id(&due, outcome->id);
		status_set(&each->outcome, 451, "4.3.0",
		    "it went differently for the recipients; try again");
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
		    each->accepted && (class == 2 || class == 5)
			? ledger_outcome_of(ledger, entry, each)
			: NULL;
		if (outcome == NULL)
			continue;
		outcome->told_on = ledger->book->connection;
		outcome->told_at = ++ledger->told;
		add_id(&told, outcome->id);
	}
	ledger_book_touch(ledger->book, entry);
	end_ids(&told);
}

static void
decide_replies(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;

	mail->decided = true;
	complete_outcomes(ledger);
	if (is_mixed(mail) && !mail->prdr)
		tell_mixed(ledger);
	else
		tell_each(ledger);
	ledger_sync(ledger);
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
