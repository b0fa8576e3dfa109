/* SPDX-License-Identifier: ISC */
/*
 * The records that make a book.
 */
#include <string.h>

#include "ledger/ledger_book.h"

/* Collects ids and writes them as they fill a record. */
struct id_list {
	struct ledger_record record;
	bool (*write)(void *context, const struct ledger_record *record);
	void *context;
};

static bool
flush_ids(struct id_list *list)
{
	bool ok = list->record.ids_len == 0 ||
		  list->write(list->context, &list->record);

	list->record.ids_len = 0;
	return ok;
}

static bool
dump_id(struct id_list *list, uint64_t id)
{
	list->record.ids[list->record.ids_len++] = id;
	return list->record.ids_len < LEDGER_IDS_MAX || flush_ids(list);
}

static bool
write_flags(const struct ledger_entry *entry, struct id_list *list, bool told)
{
	list->record = (struct ledger_record){
	    .type = told ? LEDGER_TOLD : LEDGER_DUE, .time = entry->time};
	for (const struct ledger_outcome *each = entry->outcomes; each != NULL;
	     each = each->next)
		if (each->told == told && !dump_id(list, each->id))
			return false;
	return flush_ids(list);
}

static bool
write_outcomes(const struct ledger_entry *entry, struct id_list *list)
{
	for (const struct ledger_outcome *each = entry->outcomes; each != NULL;
	     each = each->next) {
		struct ledger_record record = {.type = LEDGER_TAKEN,
		    .id = each->id,
		    .time = entry->time,
		    .boot = each->boot};
		memcpy(record.digest, entry->digest, LEDGER_DIGEST);
		memcpy(record.sender, entry->sender, strlen(entry->sender));
		memcpy(record.rcpt, each->rcpt, strlen(each->rcpt));
		if (each->refusal != NULL) {
			record.type = LEDGER_REFUSED;
			record.reply = *each->refusal;
		}
		if (!list->write(list->context, &record))
			return false;
	}
	return true;
}

bool
ledger_book_records(const struct ledger_book *book,
    bool (*write)(void *context, const struct ledger_record *record),
    void *context)
{
	struct id_list list = {.write = write, .context = context};

	for (const struct ledger_entry *each = book->oldest; each != NULL;
	     each = each->newer) {
		if (!write_outcomes(each, &list) ||
		    (each->due && !write_flags(each, &list, false)) ||
		    !write_flags(each, &list, true))
			return false;
	}
	for (const struct ledger_deferral *each = book->deferrals.oldest;
	     each != NULL; each = each->next) {
		struct ledger_record record = ledger_deferral_record(each);
		if (!write(context, &record))
			return false;
	}
	return true;
}
