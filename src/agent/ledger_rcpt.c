/* SPDX-License-Identifier: ISC */
/*
 * The ledger up to the text: who may be in one transaction with whom.
 */
#include "agent/ledger.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "agent/ledger_state.h"
#include "base/mem.h"

/* One spelling of a mailbox: the domain is compared without case, the local
 * part as it is (RFC 5321 2.4). */
static void
spell(char out[ADDRESS_MAX + 1], const struct path *path)
{
	for (size_t i = 0; i <= ADDRESS_MAX; i++) {
		char c = path->mailbox[i];
		bool upper = i > path->local_len && c >= 'A' && c <= 'Z';
		out[i] = (char)(upper ? c + ('a' - 'A') : c);
		if (c == '\0')
			return;
	}
}

void
ledger_mail(struct ledger *ledger, const struct path *sender, uint64_t size,
    bool prdr, bool soft)
{
	struct ledger_transaction *mail = &ledger->mail;

	ledger_abort(ledger);
	spell(mail->sender, sender);
	mail->size = size;
	mail->prdr = prdr;
	mail->soft = soft;
	if (ledger->book->due > 0)
		ledger->options.random(
		    ledger->options.context, mail->salt, LEDGER_SALT);
	ledger_must(EVP_DigestInit_ex(ledger->sha, EVP_sha256(), NULL));
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

	if (outcome == NULL)
		return NULL;
	if (rcpt->unsynced &&
	    (ledger->boot == 0 || outcome->boot != ledger->boot))
		return NULL;
	return ledger->mail.soft && outcome->refusal != NULL ? NULL : outcome;
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
	ledger_must(EVP_DigestInit_ex(sha, EVP_sha256(), NULL));
	ledger_must(EVP_DigestUpdate(sha, mail->salt, LEDGER_SALT));
	for (const struct ledger_entry *each = ledger->book->oldest;
	     each != NULL; each = each->newer) {
		if (!each->due || strcmp(each->sender, mail->sender) != 0)
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

/* The stored 4xx of a recipient that was deferred a short time ago. */
static const struct status *
put_off(const struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	const struct ledger_transaction *mail = &ledger->mail;

	if (mail->size == 0)
		return NULL;
	const struct ledger_deferral *deferral = ledger_deferrals_find(
	    &ledger->book->deferrals, mail->sender, mail->size, rcpt->mailbox);
	if (deferral == NULL)
		return NULL;
	/* More than the longest: the clock was set back. */
	int64_t left = deferral->until - ledger_now(ledger);
	return left > 0 && left <= LEDGER_DEFER_LONGEST ? &deferral->reply
							: NULL;
}

static struct ledger_rcpt *
add_rcpt(struct ledger_transaction *mail, size_t rcpt)
{
	assert(rcpt >= mail->rcpts);
	mail->rcpt = xreallocarray(mail->rcpt, rcpt + 1, sizeof *mail->rcpt);
	memset(mail->rcpt + mail->rcpts, 0,
	    (rcpt + 1 - mail->rcpts) * sizeof *mail->rcpt);
	mail->rcpts = rcpt + 1;
	return &mail->rcpt[rcpt];
}

bool
ledger_rcpt(struct ledger *ledger, size_t rcpt, const struct path *path,
    bool unsynced, struct status *answer)
{
	struct ledger_rcpt *added = add_rcpt(&ledger->mail, rcpt);
	char mailbox[ADDRESS_MAX + 1];

	spell(mailbox, path);
	added->mailbox = xstrdup(mailbox);
	added->unsynced = unsynced;
	const struct status *stored = put_off(ledger, added);
	if (stored != NULL)
		*answer = *stored;
	else if (!may_enter(ledger, added))
		status_set(answer, 452, "4.5.3",
		    "this recipient in a transaction of its own, please");
	else {
		ledger->mail.let_in++;
		return true;
	}
	return false;
}

static bool
may_have_it(const struct ledger *ledger, const struct ledger_rcpt *rcpt)
{
	for (const struct ledger_entry *each = ledger->book->oldest;
	     each != NULL; each = each->newer) {
		if (strcmp(each->sender, ledger->mail.sender) != 0)
			continue;
		const struct ledger_outcome *known =
		    ledger_recall(ledger, each, rcpt);
		if (known != NULL && known->refusal == NULL)
			return true;
	}
	return false;
}

void
ledger_rcpt_answer(struct ledger *ledger, size_t rcpt, struct status *answer)
{
	struct ledger_rcpt *answered = &ledger->mail.rcpt[rcpt];

	if (status_class(answer) != 2 && may_have_it(ledger, answered)) {
		answered->late = xmalloc(sizeof *answered->late);
		*answered->late = *answer;
		status_set(answer, 250, "2.1.5", "ok");
	}
	answered->accepted = status_class(answer) == 2;
	if (!answered->accepted)
		ledger->mail.let_in--;
}
