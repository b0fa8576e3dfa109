/*
 * ledger_links - the lists and buckets that hold a ledger's book together.
 *
 * Each of them finds, adds or takes out in a time that does not grow with the
 * book or the entry, so that neither reading a file nor a session costs the
 * square of what a provider made it hold.
 */
#ifndef ODMR_LEDGER_LEDGER_LINKS_H
#define ODMR_LEDGER_LEDGER_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/ledger_book.h"

/* The newest entry; the caller gives it an outcome at once. */
struct ledger_entry *ledger_links_add_entry(
    struct ledger_book *book, const unsigned char *digest, const char *sender);
/* With all its outcomes. */
void ledger_links_remove_entry(
    struct ledger_book *book, struct ledger_entry *entry);
/* Moves it to the newest place. */
void ledger_links_touch(struct ledger_book *book, struct ledger_entry *entry);
/* The one that was set last is the newest of those that are due. */
void ledger_links_set_due(
    struct ledger_book *book, struct ledger_entry *entry, bool due);

/* These three give NULL where there is none. */
struct ledger_entry *ledger_links_by_digest(const struct ledger_book *book,
    const unsigned char *digest, const char *sender);
struct ledger_outcome *ledger_links_by_rcpt(const struct ledger_book *book,
    const struct ledger_entry *entry, const char *rcpt);
struct ledger_outcome *ledger_links_by_id(
    const struct ledger_book *book, uint64_t id);
/* refusal is copied; NULL: it was taken. */
struct ledger_outcome *ledger_links_add_outcome(struct ledger_book *book,
    struct ledger_entry *entry, const char *rcpt, uint64_t id,
    const struct status *refusal);
/* An entry that is left empty goes too. */
void ledger_links_remove_outcome(
    struct ledger_book *book, struct ledger_outcome *outcome);
/* told: with 2xx or 5xx. An entry is due no longer once all are. */
void ledger_links_set_told(
    struct ledger_book *book, struct ledger_outcome *outcome, bool told);

/* The outcome was told on this connection: it goes from the bucket of its
 * recipient to the end of the list of those; and back. */
void ledger_links_tell(
    struct ledger_book *book, struct ledger_outcome *outcome, uint64_t told_at);
void ledger_links_untell(
    struct ledger_book *book, struct ledger_outcome *outcome);

#endif
