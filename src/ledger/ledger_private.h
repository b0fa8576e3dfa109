/*
 * ledger_private - what a ledger knows while it runs.
 *
 * For the modules that are the ledger: ledger (its life, proof of receipt),
 * ledger_rcpt (up to the text), ledger_text (from there to the answers) and
 * ledger_put_off (recipients that were deferred).
 */
#ifndef ODMR_LEDGER_LEDGER_PRIVATE_H
#define ODMR_LEDGER_LEDGER_PRIVATE_H

#include <openssl/types.h>

#include "base/buf.h"
#include "base/names.h"
#include "ledger/ledger.h"
#include "ledger/ledger_book.h"

enum {
	LEDGER_SALT = 16, /* octets */
	LEDGER_NOTES_MAX = 16, /* more of them would say nothing new */
	/* Seconds until a text that was given for nothing is downloaded again;
	 * doubled each time. A provider keeps mail for days. */
	LEDGER_DEFER_FIRST = 15 * 60,
	LEDGER_DEFER_LONGEST = 4 * 3600,
};

#define LEDGER_ITSELF SIZE_MAX

/* A recipient of the transaction. */
struct ledger_rcpt {
	/* Domain in lower case; NULL: the ledger was not asked. */
	char *mailbox;
	bool unsynced; /* its delivery may lose mail in a power cut */
	bool asked; /* the delivery has not answered yet */
	bool accepted; /* told 2xx at RCPT */
	struct status *said; /* the other answer at RCPT */
	/* The recipient that named the same mailbox first, and stands for all
	 * its names; LEDGER_ITSELF: it is this one. */
	size_t same_as;
	struct status *late; /* refused at RCPT, to be told after the text */
	struct status outcome; /* what it is told; code 0: not known yet */
};

struct ledger_transaction {
	char sender[ADDRESS_MAX + 1];
	uint64_t size;
	bool prdr;
	unsigned char salt[LEDGER_SALT];
	unsigned char group[LEDGER_DIGEST]; /* of those that are let in */
	size_t let_in;
	/* By their group, and the delivery never deferred them. */
	size_t kept_out;
	size_t same_waits; /* that wait for the answer to another */
	struct ledger_rcpt *rcpt;
	size_t rcpts;
	struct names mailboxes; /* to the first recipient of each */
	char last; /* octet of the text */
	unsigned char digest[LEDGER_DIGEST];
	bool decided; /* the answers are made up */
	size_t told; /* recipients that ledger_reply() has passed */
};

struct ledger_note {
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
	EVP_MD *sha256; /* looked up once: OpenSSL takes 2,000 instructions */
	EVP_MD_CTX *sha; /* of the text */
	struct ledger_transaction mail;
	/* Final answers are counted; those up to proof were told before a
	 * reply that the provider waits for. 0: there is no such reply. */
	uint64_t told, proof;
	uint64_t progress; /* outcomes made, and proven to be known */
	struct ledger_note notes[LEDGER_NOTES_MAX];
	size_t notes_len, notes_read;
};

int64_t ledger_now(const struct ledger *ledger);
/* What OpenSSL returned is 1; else memory is short, and the program ends, as
 * base/mem would end it. */
void ledger_must(int ok);
void ledger_add_note(struct ledger *ledger, bool error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes it so in the book, and puts it down to be written. */
void ledger_record(struct ledger *ledger, const struct ledger_record *record);
/* Writes what was put down. After a failure nothing is written any more. */
void ledger_flush(struct ledger *ledger);
/* Has what was written on disk, where the configuration asks for it. */
void ledger_sync(struct ledger *ledger);

/*
 * What the entry, which may be NULL, has of a recipient: _outcome_of() as it
 * stands, _recall() only as far as it can be relied upon. NULL: nothing.
 */
struct ledger_outcome *ledger_outcome_of(const struct ledger *ledger,
    const struct ledger_entry *entry, const struct ledger_rcpt *rcpt);
const struct ledger_outcome *ledger_recall(const struct ledger *ledger,
    const struct ledger_entry *entry, const struct ledger_rcpt *rcpt);
/* Whether a recipient is deferred without being asked, and the reply: what the
 * delivery said before, with cause and time. */
bool ledger_put_off(const struct ledger *ledger, const struct ledger_rcpt *rcpt,
    struct status *reply);
/* What the delivery said when it deferred him last, a message of this sender
 * and size; NULL where it never did. */
const struct status *ledger_last_deferral(
    const struct ledger *ledger, const struct ledger_rcpt *rcpt);
/* The reply is about the recipient, and not about a host, a program or a way
 * that is out of order, which may be mended at any time. */
bool ledger_concerns_rcpt(const struct status *reply);
/* He was deferred with his outcome: for this session, and where it lasts and
 * the message can be told by its size, longer each time. */
void ledger_remember_deferral(
    struct ledger *ledger, const struct ledger_rcpt *rcpt, bool lasts);
/* That it was taken for the recipient. This alone keeps a text from being given
 * again: whoever was refused is asked again, his mailbox may be mended. */
bool ledger_has_it(const struct ledger *ledger,
    const struct ledger_entry *entry, const struct ledger_rcpt *rcpt);

#endif
