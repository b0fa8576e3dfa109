/* SPDX-License-Identifier: ISC */
#include "ledger/ledger.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/digest.h"
#include "base/mem.h"
#include "ledger/ledger_file.h"
#include "ledger_private.h"

/* Records that wait for the next one that cannot. */
enum { PENDING_MAX = 4 * LEDGER_LINE_MAX };

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
	ledger_must(RAND_bytes(out, (int)len));
}

int64_t
ledger_now(const struct ledger *ledger)
{
	return ledger->options.now(ledger->options.context);
}

/* The first 16 digits of a UUID; 0 where there is none. */
static uint64_t
parse_boot_id(const char *text)
{
	char digits[17] = "";
	size_t len = 0;
	uint64_t number;

	for (; *text != '\0' && len < sizeof digits - 1; text++)
		if (isxdigit((unsigned char)*text))
			digits[len++] = *text;
	return digest_hex_number(digits, sizeof digits - 1, &number) ? number
								     : 0;
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

void
ledger_must(int ok)
{
	if (ok != 1) /* SHA-256 fails for want of memory only */
		mem_exhausted();
}

void
ledger_add_note(struct ledger *ledger, bool error, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	if (ledger->notes_len == LEDGER_NOTES_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ledger->notes[ledger->notes_len++] =
	    (struct ledger_note){.error = error, .text = xstrdup(text)};
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
	const struct ledger_note *note = &ledger->notes[ledger->notes_read++];
	*error = note->error;
	return note->text;
}

void
ledger_flush(struct ledger *ledger)
{
	struct ledger_store *store = ledger->store;

	/* What was put down is in the book, too. */
	if (buf_len(&ledger->pending) > 0 && ledger->failed.class == ERROR_NONE)
		(void)!(store->append(store, buf_data(&ledger->pending),
			    buf_len(&ledger->pending), &ledger->failed) &&
			store->tidy(store, ledger->book, &ledger->failed));
	buf_reset(&ledger->pending);
}

/* To be written with the next ledger_flush(). */
static void
put_reply(struct ledger *ledger, const struct ledger_record *record)
{
	if (ledger_record_write(&ledger->pending, record))
		return;
	ledger_flush(ledger);
	bool fits = ledger_record_write(&ledger->pending, record);
	assert(fits);
}

void
ledger_record(struct ledger *ledger, const struct ledger_record *record)
{
	put_reply(ledger, record);
	ledger_book_apply(ledger->book, record);
}

void
ledger_sync(struct ledger *ledger)
{
	if (ledger->options.sync && ledger->failed.class == ERROR_NONE)
		(void)!ledger->store->sync(ledger->store, &ledger->failed);
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
	ledger->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ledger->sha = EVP_MD_CTX_new();
	ledger_must(ledger->sha256 != NULL && ledger->sha != NULL);
	return ledger;
}

/* The user wants it tried again now; how often it was tried is kept. */
static void
forget_times(struct ledger *ledger)
{
	int64_t time = ledger_now(ledger);

	for (struct ledger_deferral *each = ledger->book->deferrals.oldest;
	     each != NULL; each = each->next) {
		if (each->until <= time)
			continue;
		each->until = time;
		struct ledger_record record = ledger_deferral_record(each);
		put_reply(ledger, &record);
	}
	ledger_flush(ledger);
}

static void
note_damage(struct ledger *ledger, const char *account,
    const struct ledger_damage *damage)
{
	if (damage->lines > 0)
		ledger_add_note(ledger, false,
		    "ledger %s: %zu damaged records were dropped; a message "
		    "may come twice",
		    account, damage->lines);
	if (damage->aside[0] != '\0')
		ledger_add_note(ledger, false,
		    "ledger %s: its format is unknown; it was renamed to %s, and "
		    "a new one is begun",
		    account, damage->aside);
	if (damage->compaction.class != ERROR_NONE)
		ledger_add_note(ledger, false, "%s", damage->compaction.text);
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

void
ledger_abort(struct ledger *ledger)
{
	struct ledger_transaction *mail = &ledger->mail;

	for (size_t i = 0; i < mail->rcpts; i++) {
		free(mail->rcpt[i].mailbox);
		free(mail->rcpt[i].late);
		free(mail->rcpt[i].said);
	}
	free(mail->rcpt);
	names_clear(&mail->mailboxes);
	*mail = (struct ledger_transaction){.rcpts = 0};
}

void
ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	ledger_abort(ledger);
	ledger_flush(ledger);
	buf_clear(&ledger->pending);
	ledger->store->close(ledger->store);
	ledger_book_free(ledger->book);
	clear_notes(ledger);
	EVP_MD_CTX_free(ledger->sha);
	EVP_MD_free(ledger->sha256);
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

uint64_t
ledger_progress(const struct ledger *ledger)
{
	return ledger->progress;
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
	ledger_abort(ledger);
	ledger_book_connect(ledger->book);
	ledger->proof = 0;
}

void
ledger_synchronised(struct ledger *ledger)
{
	ledger->proof = ledger->told;
}

/* As many as one record holds. */
static void
find_proven(const struct ledger *ledger, struct ledger_record *struck)
{
	struck->ids_len = 0;
	for (const struct ledger_outcome *each = ledger->book->told;
	     each != NULL && each->told_at <= ledger->proof &&
	     struck->ids_len < LEDGER_IDS_MAX;
	     each = each->by_rcpt)
		struck->ids[struck->ids_len++] = each->id;
}

void
ledger_arrived(struct ledger *ledger)
{
	if (ledger->proof == 0)
		return;
	struct ledger_record struck = {.type = LEDGER_STRUCK};
	do {
		find_proven(ledger, &struck);
		if (struck.ids_len > 0)
			ledger_record(ledger, &struck);
		ledger->progress += struck.ids_len;
	} while (struck.ids_len == LEDGER_IDS_MAX);
	ledger->proof = 0;
}
