/* SPDX-License-Identifier: ISC */
#include "ledger/ledger_list.h"

#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "base/escape.h"
#include "base/timestamp.h"
#include "ledger/ledger_book.h"
#include "ledger/ledger_file.h"

enum {
	DIGEST_SHOWN = 6, /* octets, enough to tell entries apart */
	ESCAPED_SIZE = 4 * ADDRESS_MAX + 16,
};

/* "<MAILBOX>", safe for a terminal. */
static void
print_mailbox(FILE *out, const char *key, const char *mailbox)
{
	char escaped[ESCAPED_SIZE];

	fprintf(out, "%s=<%s>", key,
	    escape_text(escaped, sizeof escaped, mailbox, strlen(mailbox)));
}

/* The text is printable ASCII in any case. */
static void
print_reply(FILE *out, const struct status *reply)
{
	char line[STATUS_LINE_MAX];

	fprintf(out, " reply=\"%s\"", status_format(reply, line, sizeof line));
}

static void
print_outcome(FILE *out, const struct ledger_outcome *outcome)
{
	fputs("    ", out);
	print_mailbox(out, "to", outcome->rcpt);
	fputs(outcome->refusal == NULL ? " delivered" : " refused", out);
	if (outcome->told)
		fputs(", reported", out);
	if (outcome->refusal != NULL)
		print_reply(out, outcome->refusal);
	fputc('\n', out);
}

static void
print_entry(FILE *out, const struct ledger_entry *entry, int64_t now)
{
	char hex[2 * DIGEST_SHOWN + 1];
	char age[TIMESTAMP_WORDS_SIZE];

	fputs("  ", out);
	print_mailbox(out, "from", entry->sender);
	fprintf(out, " digest=%s, %s old%s\n",
	    digest_hex(hex, entry->digest, DIGEST_SHOWN),
	    timestamp_format_span(age, (now - entry->time) * 1000),
	    entry->due ? ", due" : "");
	for (const struct ledger_outcome *each = entry->outcomes; each != NULL;
	     each = each->next)
		print_outcome(out, each);
}

static void
print_deferral(FILE *out, const struct ledger_deferral *deferral, int64_t now)
{
	char left[TIMESTAMP_WORDS_SIZE];

	fputs("  deferred ", out);
	print_mailbox(out, "from", deferral->sender);
	print_mailbox(out, " to", deferral->rcpt);
	fprintf(out, " size=%" PRIu64 " times=%" PRIu64 " for %s",
	    deferral->size, deferral->times,
	    timestamp_format_span(left, (deferral->until - now) * 1000));
	print_reply(out, &deferral->reply);
	fputc('\n', out);
}

bool
ledger_list_print(FILE *out, const char *state_dir, const char *account,
    int64_t now, int64_t keep, struct error *err)
{
	struct ledger_book *book = ledger_book_new();
	bool ok = ledger_file_read(state_dir, account, book, err);

	if (ok) {
		(void)ledger_book_expire(book, now, keep);
		fprintf(out, "%s: %zu %s, %zu due\n", account, book->entries,
		    book->entries == 1 ? "entry" : "entries", book->due);
		for (const struct ledger_entry *each = book->oldest;
		     each != NULL; each = each->newer)
			print_entry(out, each, now);
		for (const struct ledger_deferral *each =
			 book->deferrals.oldest;
		     each != NULL; each = each->next)
			if (each->until > now)
				print_deferral(out, each, now);
	}
	ledger_book_free(book);
	return ok;
}
