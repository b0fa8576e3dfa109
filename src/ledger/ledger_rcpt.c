/* SPDX-License-Identifier: ISC */
/*
 * The ledger up to the text: who may be in one transaction with whom.
 */
#include "ledger/ledger.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/array.h"
#include "base/mem.h"
#include "ledger_private.h"

/* One spelling of a mailbox: the domain is compared without case, the local
 * part as the delivery does it (RFC 5321 2.4). */
static void
spell(char out[ADDRESS_MAX + 1], const struct path *path, bool caseless)
{
	size_t from = caseless ? 0 : path->local_len;

	for (size_t i = 0; i <= ADDRESS_MAX; i++) {
		char c = path->mailbox[i];
		bool upper = i >= from && c >= 'A' && c <= 'Z';
		out[i] = (char)(upper ? c + ('a' - 'A') : c);
		if (c == '\0')
			return;
	}
}

void
ledger_mail(
    struct ledger *ledger, const struct path *sender, uint64_t size, bool prdr)
{
	struct ledger_transaction *mail = &ledger->mail;

	ledger_abort(ledger);
	spell(mail->sender, sender, false);
	mail->size = size;
	mail->prdr = prdr;
	if (ledger->book->due > 0)
		ledger->options.random(
		    ledger->options.context, mail->salt, LEDGER_SALT);
	ledger_must(EVP_DigestInit_ex(ledger->sha, ledger->sha256, NULL));
}

struct ledger_outcome *
ledger_outcome_of(const struct ledger *ledger, const struct ledger_entry *entry,
    const struct ledger_rcpt *rcpt)
{
	if (entry == NULL)
		return NULL;
	return ledger_book_outcome(ledger->book, entry, rcpt->mailbox);
}

const struct ledger_outcome *
ledger_recall(const struct ledger *ledger, const struct ledger_entry *entry,
    const struct ledger_rcpt *rcpt)
{
	const struct ledger_outcome *outcome =
	    ledger_outcome_of(ledger, entry, rcpt);

	if (outcome != NULL && rcpt->unsynced &&
	    (ledger->boot == 0 || outcome->boot != ledger->boot))
		return NULL;
	return outcome;
}

bool
ledger_has_it(const struct ledger *ledger, const struct ledger_entry *entry,
    const struct ledger_rcpt *rcpt)
{
	const struct ledger_outcome *known = ledger_recall(ledger, entry, rcpt);

	return known != NULL && known->refusal == NULL;
}

/*
 * The recipient's group, hashed with the salt: what each due entry of this
 * sender says of it. false where no entry of the sender is due.
 */
static bool
find_group(const struct ledger *ledger, const struct ledger_rcpt *rcpt,
    unsigned char group[LEDGER_DIGEST])
{
	const struct ledger_transaction *mail = &ledger->mail;
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	bool any = false;

	ledger_must(sha != NULL);
	ledger_must(EVP_DigestInit_ex(sha, ledger->sha256, NULL));
	ledger_must(EVP_DigestUpdate(sha, mail->salt, LEDGER_SALT));
	for (const struct ledger_entry *each = ledger->book->oldest_due;
	     each != NULL; each = each->newer_due) {
		if (strcmp(each->sender, mail->sender) != 0)
			continue;
		const struct ledger_outcome *known =
		    ledger_recall(ledger, each, rcpt);
		const char *says = known == NULL            ? "nothing"
				   : known->refusal == NULL ? "taken"
							    : "refused";
		ledger_must(EVP_DigestUpdate(sha, says, strlen(says) + 1));
		any = true;
	}
	ledger_must(EVP_DigestFinal_ex(sha, group, NULL));
	EVP_MD_CTX_free(sha);
	return any;
}

/*
 * Only recipients of one group share a transaction, so that it can get one
 * reply. Which group that is, is left to chance: were it the first
 * recipient's, all others would wait behind one that is deferred for ever.
 */
static bool
may_enter(struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	struct ledger_transaction *mail = &ledger->mail;
	unsigned char group[LEDGER_DIGEST];

	if (ledger->book->due == 0 || !find_group(ledger, rcpt, group))
		return true;
	if (mail->let_in > 0)
		return memcmp(group, mail->group, sizeof group) == 0;
	memcpy(mail->group, group, sizeof group);
	return (group[0] & 1) != 0;
}

static struct ledger_rcpt *
add_rcpt(struct ledger_transaction *mail, size_t rcpt)
{
	assert(rcpt >= mail->rcpts);
	/* Those between were refused without us. */
	while (mail->rcpts <= rcpt) {
		mail->rcpt =
		    array_more(mail->rcpt, mail->rcpts, sizeof *mail->rcpt);
		mail->rcpt[mail->rcpts++] =
		    (struct ledger_rcpt){.same_as = LEDGER_ITSELF};
	}
	return &mail->rcpt[rcpt];
}

/*
 * Exim bounces a recipient with 452 at RCPT when the text then gets 5xx for the
 * others: 452 means "in a further transaction" to it, and until then he shares
 * the fate of this one (RFC 5321 4.5.3.1.10). 451 has him deferred at once.
 */
static void
avoid_452(struct status *answer)
{
	if (answer->code == 452)
		answer->code = 451;
}

/* The first of this transaction with the same mailbox, or NULL. */
static const struct ledger_rcpt *
find_same(const struct ledger_transaction *mail, const struct ledger_rcpt *rcpt)
{
	size_t first;

	if (!names_find(&mail->mailboxes, rcpt->mailbox, &first))
		return NULL;
	return &mail->rcpt[first];
}

static enum ledger_admission
join_same(struct ledger_transaction *mail, struct ledger_rcpt *rcpt,
    const struct ledger_rcpt *same, struct status *answer)
{
	rcpt->same_as = (size_t)(same - mail->rcpt);
	rcpt->asked = same->asked;
	rcpt->accepted = same->accepted;
	mail->same_waits += rcpt->asked;
	if (rcpt->asked)
		return LEDGER_SAME;
	if (same->accepted)
		status_set(answer, 250, "2.1.5", "ok");
	else
		*answer = *same->said;
	return LEDGER_SAID;
}

static struct status *
copy_status(const struct status *status)
{
	struct status *copy = xmalloc(sizeof *copy);

	*copy = *status;
	return copy;
}

/* Whoever the delivery said something of hears that, and nothing of groups. */
static void
keep_out(struct ledger *ledger, const struct ledger_rcpt *rcpt,
    struct status *answer)
{
	const struct status *said = ledger_last_deferral(ledger, rcpt);

	if (said != NULL) {
		*answer = *said;
	} else {
		ledger->mail.kept_out++;
		status_set(answer, 451, "4.5.3",
		    "Please send this recipient in a separate transaction");
	}
	answer->cause = CAUSE_GROUP;
}

enum ledger_admission
ledger_rcpt(struct ledger *ledger, size_t rcpt, const struct path *path,
    const struct ledger_target *target, struct status *answer)
{
	struct ledger_transaction *mail = &ledger->mail;
	struct ledger_rcpt *added = add_rcpt(mail, rcpt);
	char mailbox[ADDRESS_MAX + 1];

	spell(mailbox, path, target->caseless);
	added->mailbox = xstrdup(mailbox);
	added->unsynced = target->unsynced;
	const struct ledger_rcpt *same = find_same(mail, added);
	if (same != NULL)
		return join_same(mail, added, same, answer);
	names_add(&mail->mailboxes, added->mailbox, rcpt);
	bool put_off = ledger_put_off(ledger, added, answer);
	if (!put_off && may_enter(ledger, added)) {
		mail->let_in++;
		added->asked = true;
		return LEDGER_ASK;
	}
	if (!put_off)
		keep_out(ledger, added, answer);
	avoid_452(answer);
	added->said = copy_status(answer);
	return LEDGER_SAID;
}

static bool
may_have_it(const struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	for (const struct ledger_entry *each = ledger->book->oldest;
	     each != NULL; each = each->newer)
		if (strcmp(each->sender, ledger->mail.sender) == 0 &&
		    ledger_has_it(ledger, each, rcpt))
			return true;
	return false;
}

void
ledger_rcpt_answer(struct ledger *ledger, size_t rcpt, struct status *answer)
{
	struct ledger_rcpt *answered = &ledger->mail.rcpt[rcpt];

	answered->asked = false;
	if (status_class(answer) != 2 && may_have_it(ledger, answered)) {
		answered->late = copy_status(answer);
		status_set(answer, 250, "2.1.5", "ok");
	}
	avoid_452(answer);
	answered->accepted = status_class(answer) == 2;
	if (answered->accepted)
		return;
	answered->said = copy_status(answer);
	ledger->mail.let_in--;
}

bool
ledger_rcpt_same(struct ledger *ledger, size_t rcpt, size_t *same)
{
	struct ledger_transaction *mail = &ledger->mail;

	for (size_t i = rcpt + 1; mail->same_waits > 0 && i < mail->rcpts;
	     i++) {
		struct ledger_rcpt *each = &mail->rcpt[i];
		if (!each->asked || each->same_as != rcpt)
			continue;
		each->asked = false;
		each->accepted = mail->rcpt[rcpt].accepted;
		mail->same_waits--;
		*same = i;
		return true;
	}
	return false;
}
