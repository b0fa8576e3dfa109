/* SPDX-License-Identifier: ISC */
#include "agent/ledger.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "agent/ledger_book.h"
#include "agent/ledger_file.h"
#include "base/buf.h"
#include "base/escape.h"
#include "base/mem.h"

enum {
	SALT = 16, /* octets */
	/* Records that wait for the next one that cannot. */
	PENDING_MAX = 4 * LEDGER_LINE_MAX,
	DEFER_FIRST = 15 * 60, /* seconds */
	DEFER_LONGEST = 4 * 3600,
	DEFERRED_TOO_OFTEN = 10,
	NOTES_MAX = 16, /* more of them would say nothing new */
};

/* A recipient of the transaction. */
struct rcpt {
	char *mailbox; /* domain in lower case; NULL: not let in */
	bool unsynced; /* its delivery may lose mail in a power cut */
	bool accepted; /* told 2xx at RCPT */
	struct status *late; /* refused at RCPT, to be told after the text */
	struct status outcome; /* what it is told; code 0: not known yet */
};

struct transaction {
	char sender[ADDRESS_MAX + 1];
	uint64_t size;
	bool prdr, soft;
	unsigned char salt[SALT];
	unsigned char group[LEDGER_DIGEST]; /* of those that are let in */
	size_t let_in;
	struct rcpt *rcpt;
	size_t rcpts;
	char last; /* octet of the text */
	unsigned char digest[LEDGER_DIGEST];
	bool decided; /* the answers are made up */
	size_t told; /* recipients that ledger_reply() has passed */
};

struct note {
	bool error;
	char *text;
};

struct ledger {
	struct ledger_options options;
	uint64_t boot;
	struct ledger_book *book;
	struct ledger_store *store;
	struct buf pending;
	struct error failed;
	EVP_MD_CTX *sha; /* of the text */
	struct transaction mail;
	/* Final answers are counted; those up to proof were told before a
	 * reply that the provider waits for. 0: there is no such reply. */
	uint64_t told, proof;
	struct note notes[NOTES_MAX];
	size_t notes_len, notes_read;
};

static int64_t
system_time(void *context)
{
	(void)context;
	return time(NULL);
}

static void
system_random(void *context, void *out, size_t len)
{
	(void)context;
	/* Up to 256 octets come whole once the kernel has any. */
	if (getrandom(out, len, 0) != (ssize_t)len)
		abort();
}

static int64_t
now(const struct ledger *ledger)
{
	return ledger->options.now(ledger->options.context);
}

/* The first 16 digits of a UUID; 0 where there is none. */
static uint64_t
parse_boot_id(const char *text)
{
	char digits[17] = "";
	size_t len = 0;

	for (; *text != '\0' && len < sizeof digits - 1; text++)
		if (isxdigit((unsigned char)*text))
			digits[len++] = *text;
	return strtoull(digits, NULL, 16);
}

static uint64_t
system_boot_id(void)
{
	char text[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (file == NULL)
		return 0;
	bool ok = fgets(text, sizeof text, file) != NULL;
	fclose(file);
	return ok ? parse_boot_id(text) : 0;
}

/* A digest that cannot be made is a lack of memory: end as base/mem does. */
static void
must(int ok)
{
	if (ok != 1)
		abort();
}

static void __attribute__((format(printf, 3, 4)))
add_note(struct ledger *ledger, bool error, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	if (ledger->notes_len == NOTES_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ledger->notes[ledger->notes_len++] =
	    (struct note){.error = error, .text = xstrdup(text)};
}

static void
clear_notes(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->notes_len; i++)
		free(ledger->notes[i].text);
	ledger->notes_len = ledger->notes_read = 0;
}

const char *
ledger_note(struct ledger *ledger, bool *error)
{
	if (ledger->notes_read == ledger->notes_len) {
		clear_notes(ledger);
		return NULL;
	}
	const struct note *note = &ledger->notes[ledger->notes_read++];
	*error = note->error;
	return note->text;
}

/* Writes what is pending. After a failure nothing is written any more. */
static void
flush(struct ledger *ledger)
{
	if (buf_len(&ledger->pending) > 0 && ledger->failed.class == ERROR_NONE)
		(void)!ledger->store->append(ledger->store,
		    buf_data(&ledger->pending), buf_len(&ledger->pending),
		    &ledger->failed);
	buf_reset(&ledger->pending);
}

/* To be written with the next flush(). */
static void
put(struct ledger *ledger, const struct ledger_record *record)
{
	if (ledger_record_write(&ledger->pending, record))
		return;
	flush(ledger);
	bool fits = ledger_record_write(&ledger->pending, record);
	assert(fits);
}

static void
record(struct ledger *ledger, const struct ledger_record *record)
{
	put(ledger, record);
	ledger_book_apply(ledger->book, record);
}

struct ledger *
ledger_new(struct ledger_book *book, struct ledger_store *store,
    const struct ledger_options *options)
{
	struct ledger *ledger = xcalloc(1, sizeof *ledger);

	ledger->options = *options;
	if (options->now == NULL)
		ledger->options.now = system_time;
	if (options->random == NULL)
		ledger->options.random = system_random;
	ledger->boot = options->boot_id != NULL
			   ? parse_boot_id(options->boot_id)
			   : system_boot_id();
	ledger->book = book;
	ledger->book->connection = 1; /* 0 is that of no outcome */
	ledger->store = store;
	buf_init(&ledger->pending, PENDING_MAX);
	ledger->sha = EVP_MD_CTX_new();
	must(ledger->sha != NULL);
	return ledger;
}

/* The user wants it tried again now; how often it was tried is kept. */
static void
forget_times(struct ledger *ledger)
{
	int64_t time = now(ledger);

	for (struct ledger_deferral *each = ledger->book->deferrals;
	     each != NULL; each = each->next) {
		struct ledger_record record = {.type = LEDGER_DEFERRED,
		    .time = time,
		    .times = each->times,
		    .size = each->size,
		    .reply = each->reply};
		if (each->until <= time)
			continue;
		each->until = time;
		memcpy(record.sender, each->sender, strlen(each->sender));
		memcpy(record.rcpt, each->rcpt, strlen(each->rcpt));
		put(ledger, &record);
	}
	flush(ledger);
}

static void
note_damage(struct ledger *ledger, const char *account,
    const struct ledger_damage *damage)
{
	if (damage->lines > 0)
		add_note(ledger, false,
		    "ledger %s: %zu damaged records were dropped; a message "
		    "may come twice",
		    account, damage->lines);
	if (damage->aside[0] != '\0')
		add_note(ledger, false,
		    "ledger %s: its format is unknown; it is kept as %s and "
		    "begun anew",
		    account, damage->aside);
	if (damage->compaction.class != ERROR_NONE)
		add_note(ledger, false, "%s", damage->compaction.text);
}

struct ledger *
ledger_open(const char *state_dir, const char *account,
    const struct ledger_options *options, struct error *err)
{
	struct ledger_book *book = ledger_book_new();
	struct ledger_damage damage;
	int64_t time = (options->now != NULL ? options->now : system_time)(
	    options->context);
	struct ledger_store *store = ledger_file_open(
	    state_dir, account, book, time, options->keep, &damage, err);

	if (store == NULL) {
		ledger_book_free(book);
		return NULL;
	}
	struct ledger *ledger = ledger_new(book, store, options);
	note_damage(ledger, account, &damage);
	if (options->forget_times)
		forget_times(ledger);
	return ledger;
}

static void
end_transaction(struct ledger *ledger)
{
	struct transaction *mail = &ledger->mail;

	for (size_t i = 0; i < mail->rcpts; i++) {
		free(mail->rcpt[i].mailbox);
		free(mail->rcpt[i].late);
	}
	free(mail->rcpt);
	*mail = (struct transaction){.rcpts = 0};
}

void
ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	end_transaction(ledger);
	flush(ledger);
	buf_clear(&ledger->pending);
	ledger->store->close(ledger->store);
	ledger_book_free(ledger->book);
	clear_notes(ledger);
	EVP_MD_CTX_free(ledger->sha);
	free(ledger);
}

bool
ledger_failed(const struct ledger *ledger, struct error *err)
{
	if (ledger->failed.class == ERROR_NONE)
		return false;
	*err = ledger->failed;
	return true;
}

size_t
ledger_entries(const struct ledger *ledger)
{
	return ledger->book->entries;
}

size_t
ledger_due(const struct ledger *ledger)
{
	return ledger->book->due;
}

void
ledger_connection_begin(struct ledger *ledger)
{
	end_transaction(ledger);
	ledger->book->connection++;
	ledger->proof = 0;
}

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
	struct transaction *mail = &ledger->mail;

	end_transaction(ledger);
	spell(mail->sender, sender);
	mail->size = size;
	mail->prdr = prdr;
	mail->soft = soft;
	if (ledger->book->due > 0)
		ledger->options.random(
		    ledger->options.context, mail->salt, SALT);
	must(EVP_DigestInit_ex(ledger->sha, EVP_sha256(), NULL));
}

static struct ledger_outcome *
find_outcome(const struct ledger *ledger, const struct ledger_entry *entry,
    const struct rcpt *rcpt)
{
	if (entry == NULL)
		return NULL;
	return ledger_book_outcome(ledger->book, entry, rcpt->mailbox);
}

/* What the entry, if there is one, says of a recipient, as far as that can be
 * relied upon; NULL: nothing. */
static const struct ledger_outcome *
recall(const struct ledger *ledger, const struct ledger_entry *entry,
    const struct rcpt *rcpt)
{
	const struct ledger_outcome *outcome =
	    find_outcome(ledger, entry, rcpt);

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
find_group(const struct ledger *ledger, const struct rcpt *rcpt,
    unsigned char group[LEDGER_DIGEST])
{
	const struct transaction *mail = &ledger->mail;
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	bool any = false;

	must(sha != NULL);
	must(EVP_DigestInit_ex(sha, EVP_sha256(), NULL));
	must(EVP_DigestUpdate(sha, mail->salt, SALT));
	for (const struct ledger_entry *each = ledger->book->oldest;
	     each != NULL; each = each->newer) {
		if (!each->due || strcmp(each->sender, mail->sender) != 0)
			continue;
		const struct ledger_outcome *known = recall(ledger, each, rcpt);
		const char *says = known == NULL            ? "nothing"
				   : known->refusal == NULL ? "taken"
							    : "refused";
		must(EVP_DigestUpdate(sha, says, strlen(says) + 1));
		any = true;
	}
	must(EVP_DigestFinal_ex(sha, group, NULL));
	EVP_MD_CTX_free(sha);
	return any;
}

/*
 * Only recipients of one group share a transaction, so that it can get one
 * reply. Which group that is, is left to chance: were it the first
 * recipient's, all others would wait behind one that is deferred for ever.
 */
static bool
may_enter(struct ledger *ledger, const struct rcpt *rcpt)
{
	struct transaction *mail = &ledger->mail;
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
put_off(const struct ledger *ledger, const struct rcpt *rcpt)
{
	const struct transaction *mail = &ledger->mail;

	if (mail->size == 0)
		return NULL;
	const struct ledger_deferral *deferral = ledger_book_deferral(
	    ledger->book, mail->sender, mail->size, rcpt->mailbox);
	if (deferral == NULL)
		return NULL;
	/* More than the longest: the clock was set back. */
	int64_t left = deferral->until - now(ledger);
	return left > 0 && left <= DEFER_LONGEST ? &deferral->reply : NULL;
}

static struct rcpt *
add_rcpt(struct transaction *mail, size_t rcpt)
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
	struct rcpt *added = add_rcpt(&ledger->mail, rcpt);
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
may_have_it(const struct ledger *ledger, const struct rcpt *rcpt)
{
	for (const struct ledger_entry *each = ledger->book->oldest;
	     each != NULL; each = each->newer) {
		if (strcmp(each->sender, ledger->mail.sender) != 0)
			continue;
		const struct ledger_outcome *known = recall(ledger, each, rcpt);
		if (known != NULL && known->refusal == NULL)
			return true;
	}
	return false;
}

void
ledger_rcpt_answer(struct ledger *ledger, size_t rcpt, struct status *answer)
{
	struct rcpt *answered = &ledger->mail.rcpt[rcpt];

	if (status_class(answer) != 2 && may_have_it(ledger, answered)) {
		answered->late = xmalloc(sizeof *answered->late);
		*answered->late = *answer;
		status_set(answer, 250, "2.1.5", "ok");
	}
	answered->accepted = status_class(answer) == 2;
	if (!answered->accepted)
		ledger->mail.let_in--;
}

void
ledger_text(struct ledger *ledger, const char *text, size_t len)
{
	if (len == 0)
		return;
	must(EVP_DigestUpdate(ledger->sha, text, len));
	ledger->mail.last = text[len - 1];
}

/* BDAT may leave out the last line end, DATA cannot: both get the same digest. */
static void
end_text(struct ledger *ledger)
{
	struct transaction *mail = &ledger->mail;

	if (mail->last != '\0' && mail->last != '\n')
		must(EVP_DigestUpdate(ledger->sha, "\r\n", 2));
	must(EVP_DigestFinal_ex(ledger->sha, mail->digest, NULL));
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
    struct rcpt *rcpt)
{
	const struct ledger_outcome *known = recall(ledger, entry, rcpt);

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
	struct transaction *mail = &ledger->mail;
	bool known = false, wanted = false;

	end_text(ledger);
	const struct ledger_entry *entry = this_entry(ledger);
	for (size_t i = 0; i < mail->rcpts; i++) {
		if (!mail->rcpt[i].accepted)
			continue;
		known |= recall(ledger, entry, &mail->rcpt[i]) != NULL;
		wanted |= mail->rcpt[i].late == NULL;
	}
	if (!known)
		return wanted ? LEDGER_FINISH : LEDGER_ABORT;
	for (size_t i = 0; i < mail->rcpts; i++)
		if (mail->rcpt[i].accepted)
			set_recalled(ledger, entry, &mail->rcpt[i]);
	return LEDGER_ABORT;
}

/* Postpones the next download of a text that was given for nothing. */
static void
record_deferral(struct ledger *ledger, const struct rcpt *rcpt)
{
	const struct transaction *mail = &ledger->mail;
	char sender[ADDRESS_MAX * 4 + 1], mailbox[ADDRESS_MAX * 4 + 1];

	if (mail->size == 0)
		return;
	const struct ledger_deferral *before = ledger_book_deferral(
	    ledger->book, mail->sender, mail->size, rcpt->mailbox);
	struct ledger_record made = {.type = LEDGER_DEFERRED,
	    .size = mail->size,
	    .times = before != NULL ? before->times + 1 : 1,
	    .reply = rcpt->outcome};
	int64_t wait = DEFER_FIRST;
	for (uint64_t i = 1; i < made.times && wait < DEFER_LONGEST; i++)
		wait *= 2;
	if (wait > DEFER_LONGEST)
		wait = DEFER_LONGEST;
	made.time = now(ledger) + wait;
	memcpy(made.sender, mail->sender, sizeof made.sender);
	memcpy(made.rcpt, rcpt->mailbox, strlen(rcpt->mailbox));
	record(ledger, &made);
	if (made.times == DEFERRED_TOO_OFTEN + 1)
		add_note(ledger, true,
		    "a message from <%s> of %" PRIu64
		    " octets was deferred %d times for <%s>: %d %s %s",
		    escape_text(sender, sizeof sender, mail->sender,
			strlen(mail->sender)),
		    mail->size, DEFERRED_TOO_OFTEN + 1,
		    escape_text(mailbox, sizeof mailbox, rcpt->mailbox,
			strlen(rcpt->mailbox)),
		    rcpt->outcome.code, rcpt->outcome.enhanced,
		    rcpt->outcome.text);
}

/* A mailbox that was named twice has the message if one of both was taken. */
static bool
is_taken_too(const struct transaction *mail, const struct rcpt *rcpt)
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
strike_unreliable(struct ledger *ledger, const struct rcpt *rcpt)
{
	const struct ledger_outcome *outcome =
	    find_outcome(ledger, this_entry(ledger), rcpt);

	if (outcome != NULL)
		record(ledger, &(struct ledger_record){.type = LEDGER_STRUCK,
				   .ids = {outcome->id},
				   .ids_len = 1});
}

static void
record_outcome(struct ledger *ledger, const struct rcpt *rcpt)
{
	const struct transaction *mail = &ledger->mail;
	bool refused = status_class(&rcpt->outcome) == 5;
	struct ledger_record made = {
	    .type = refused ? LEDGER_REFUSED : LEDGER_TAKEN,
	    .id = ledger->book->last_id + 1,
	    .time = now(ledger),
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
	record(ledger, &made);
	flush(ledger);
}

void
ledger_outcome(struct ledger *ledger, size_t rcpt, const struct status *outcome)
{
	struct rcpt *given = &ledger->mail.rcpt[rcpt];

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
	struct transaction *mail = &ledger->mail;

	for (size_t i = 0; i < mail->rcpts; i++) {
		struct rcpt *each = &mail->rcpt[i];
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
is_mixed(const struct transaction *mail)
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
		record(list->ledger, &list->record);
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
	struct transaction *mail = &ledger->mail;
	const struct ledger_entry *entry = this_entry(ledger);
	struct id_list due = {.ledger = ledger,
	    .record = {.type = LEDGER_DUE, .time = now(ledger)}};

	for (size_t i = 0; i < mail->rcpts; i++) {
		struct rcpt *each = &mail->rcpt[i];
		if (!each->accepted)
			continue;
		const struct ledger_outcome *outcome =
		    find_outcome(ledger, entry, each);
		if (outcome != NULL)
			add_id(&due, outcome->id);
		status_set(&each->outcome, 451, "4.3.0",
		    "it went differently for the recipients; try again");
	}
	end_ids(&due);
	flush(ledger);
}

static void
tell_each(struct ledger *ledger)
{
	struct transaction *mail = &ledger->mail;
	struct ledger_entry *entry = this_entry(ledger);
	struct id_list told = {
	    .ledger = ledger, .record = {.type = LEDGER_TOLD}};

	if (entry == NULL)
		return;
	for (size_t i = 0; i < mail->rcpts; i++) {
		const struct rcpt *each = &mail->rcpt[i];
		int class = status_class(&each->outcome);
		struct ledger_outcome *outcome =
		    each->accepted && (class == 2 || class == 5)
			? find_outcome(ledger, entry, each)
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
	struct transaction *mail = &ledger->mail;

	mail->decided = true;
	complete_outcomes(ledger);
	if (is_mixed(mail) && !mail->prdr)
		tell_mixed(ledger);
	else
		tell_each(ledger);
	if (ledger->options.sync && ledger->failed.class == ERROR_NONE)
		(void)!ledger->store->sync(ledger->store, &ledger->failed);
}

bool
ledger_reply(struct ledger *ledger, size_t *rcpt, struct status *answer)
{
	struct transaction *mail = &ledger->mail;

	if (!mail->decided)
		decide_replies(ledger);
	while (mail->told < mail->rcpts && !mail->rcpt[mail->told].accepted)
		mail->told++;
	if (mail->told == mail->rcpts) {
		end_transaction(ledger);
		return false;
	}
	*rcpt = mail->told;
	*answer = mail->rcpt[mail->told++].outcome;
	return true;
}

void
ledger_abort(struct ledger *ledger)
{
	end_transaction(ledger);
}

void
ledger_synchronised(struct ledger *ledger)
{
	ledger->proof = ledger->told;
}

static bool
is_proven(const struct ledger *ledger, const struct ledger_outcome *outcome)
{
	return outcome->told_on == ledger->book->connection &&
	       outcome->told_at <= ledger->proof;
}

/* As many as one record holds; what changed on this connection is newest. */
static void
find_proven(const struct ledger *ledger, struct ledger_record *struck)
{
	uint64_t connection = ledger->book->connection;

	struck->ids_len = 0;
	for (const struct ledger_entry *entry = ledger->book->newest;
	     entry != NULL && entry->changed_on == connection;
	     entry = entry->older)
		for (const struct ledger_outcome *each = entry->outcomes;
		     each != NULL; each = each->next) {
			if (struck->ids_len == LEDGER_IDS_MAX)
				return;
			if (is_proven(ledger, each))
				struck->ids[struck->ids_len++] = each->id;
		}
}

void
ledger_arrived(struct ledger *ledger)
{
	struct ledger_record struck = {.type = LEDGER_STRUCK};

	if (ledger->proof == 0)
		return;
	do {
		find_proven(ledger, &struck);
		if (struck.ids_len > 0)
			record(ledger, &struck);
	} while (struck.ids_len == LEDGER_IDS_MAX);
	ledger->proof = 0;
}
