/* SPDX-License-Identifier: ISC */
/*
 * Lines of a ledger file, each given the checksum that the fuzzer could not
 * find; one that begins with '!' is taken as it is. Whatever they are: a book
 * that is written and read again is the same book, and its counts are right.
 */
#include "fuzz.h"

#include "ledger/ledger.h"
#include "ledger/ledger_book.h"
#include "ledger/ledger_record.h"

static uint32_t
checksum(const char *text, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static bool
append_record(void *lines, const struct ledger_record *record)
{
	bool fits = ledger_record_write(lines, record);

	assert(fits);
	return true;
}

/* What was understood can be written, and is understood in the same way. */
static void
check_record(const struct ledger_record *record)
{
	struct ledger_record again;
	struct buf line;

	buf_init(&line, LEDGER_LINE_MAX);
	append_record(&line, record);
	bool ok =
	    ledger_record_parse(&again, buf_data(&line), buf_len(&line) - 1);
	assert(ok);
	assert(again.type == record->type && again.id == record->id &&
	       again.time == record->time && again.size == record->size &&
	       again.ids_len == record->ids_len &&
	       strcmp(again.sender, record->sender) == 0 &&
	       strcmp(again.rcpt, record->rcpt) == 0 &&
	       strcmp(again.reply.text, record->reply.text) == 0);
	buf_clear(&line);
}

static void
take_line(struct ledger_book *book, const char *line, size_t len)
{
	struct ledger_record record;
	struct buf full;

	buf_init(&full, FUZZ_LOG_MAX);
	if (len > 0 && line[0] != '!') {
		bool fits = buf_printf(&full, "%08x ", checksum(line, len));
		assert(fits);
		log_add(&full, line, len);
	} else if (len > 0) {
		log_add(&full, line + 1, len - 1);
	}
	if (ledger_record_parse(&record, buf_data(&full), buf_len(&full))) {
		check_record(&record);
		ledger_book_apply(book, &record);
	}
	buf_clear(&full);
}

static void
check_due(const struct ledger_book *book)
{
	size_t due = 0;

	for (const struct ledger_entry *entry = book->oldest_due; entry != NULL;
	     entry = entry->newer_due) {
		assert(entry->due);
		due++;
	}
	assert(due == book->due && due <= LEDGER_DUE_MAX);
}

static void
check_counts(const struct ledger_book *book)
{
	size_t entries = 0, outcomes = 0, due = 0;

	for (const struct ledger_entry *entry = book->oldest; entry != NULL;
	     entry = entry->newer) {
		size_t untold = 0, before = outcomes;
		entries++;
		due += entry->due;
		for (const struct ledger_outcome *each = entry->outcomes;
		     each != NULL; each = each->next) {
			assert(each->entry == entry);
			assert(each->next != NULL || each == entry->last);
			assert(ledger_book_outcome(book, entry, each->rcpt) !=
			       NULL);
			assert(each->id <= book->last_id);
			outcomes++;
			untold += !each->told;
		}
		assert(outcomes > before && untold == entry->untold);
		assert(!entry->due || untold > 0);
	}
	assert(entries == book->entries && outcomes == book->outcomes);
	assert(due == book->due);
	assert((book->octets == 0) == (outcomes == 0));
	check_due(book);
	assert(book->deferrals.count <= LEDGER_DEFERRALS_MAX);
}

static void
take_lines(struct ledger_book *book, const char *at, size_t len)
{
	const char *end = at + len;

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		if (line_end == NULL)
			line_end = end;
		take_line(book, at, (size_t)(line_end - at));
		at = line_end + 1;
	}
	check_counts(book);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger_book *book = ledger_book_new();
	struct ledger_book *again = ledger_book_new();
	struct ledger_record record;
	struct buf whole, pieces;

	take_lines(book, (const char *)data, size);
	buf_init(&whole, FUZZ_LOG_MAX);
	buf_init(&pieces, FUZZ_LOG_MAX);
	bool ok = ledger_book_records(book, append_record, &whole);
	assert(ok);
	const char *at = buf_data(&whole), *end = at + buf_len(&whole);
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		ok = ledger_record_parse(&record, at, (size_t)(line_end - at));
		assert(ok);
		ledger_book_apply(again, &record);
		at = line_end + 1;
	}
	check_counts(again);
	ok = ledger_book_records(again, append_record, &pieces);
	assert(ok);
	expect_same(&whole, &pieces);
	(void)ledger_book_expire(book, 1800000000, 86400);
	check_counts(book);
	buf_clear(&whole);
	buf_clear(&pieces);
	ledger_book_free(book);
	ledger_book_free(again);
	return 0;
}
