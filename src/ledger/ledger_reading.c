/* SPDX-License-Identifier: ISC */
#include "ledger/ledger_reading.h"

#include <string.h>

#include "ledger/ledger_book.h"

static void
take_ledger_line(struct ledger_reading *reading)
{
	struct ledger_record record;

	if (reading->len == 0)
		return;
	bool first = reading->lines++ == 0;
	if (reading->len > sizeof reading->line ||
	    !ledger_record_parse(&record, reading->line, reading->len))
		reading->bad++;
	else if (first && record.type == LEDGER_BEGIN)
		reading->foreign = record.version != LEDGER_VERSION;
	else
		ledger_book_apply(reading->book, &record);
	reading->len = 0;
}

static void
take_piece(struct ledger_reading *reading, const char *piece, size_t len)
{
	if (reading->len + len <= sizeof reading->line)
		memcpy(reading->line + reading->len, piece, len);
	reading->len += len;
}

void
ledger_reading_take(
    struct ledger_reading *reading, const char *octets, size_t len)
{
	while (len > 0 && !reading->foreign) {
		const char *end = memchr(octets, '\n', len);
		size_t piece = end != NULL ? (size_t)(end - octets) : len;

		take_piece(reading, octets, piece);
		if (end == NULL)
			return;
		take_ledger_line(reading);
		octets += piece + 1;
		len -= piece + 1;
	}
}

void
ledger_reading_end(struct ledger_reading *reading)
{
	reading->torn = reading->len > 0;
	if (reading->torn && !reading->foreign)
		take_ledger_line(reading);
}
