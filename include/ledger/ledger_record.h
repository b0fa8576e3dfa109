/*
 * ledger_record - one line of a ledger file: a checksum and what happened.
 *
 * The first line says the version. A line that was cut or scribbled on fails
 * its checksum and is dropped alone; the others keep their meaning, since each
 * stands for itself. The checksum is CRC-32 (IEEE 802.3): it guards against
 * accidents; nobody but the agent's user can write the file.
 */
#ifndef ODMR_LEDGER_LEDGER_RECORD_H
#define ODMR_LEDGER_LEDGER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"
#include "protocol/status.h"

struct buf;

enum {
	LEDGER_VERSION = 1,
	LEDGER_DIGEST = 32, /* octets of SHA-256 */
	/* Two mailboxes and a reply with each octet written as three. */
	LEDGER_LINE_MAX = 3 * (2 * ADDRESS_MAX + STATUS_TEXT_MAX) + 256,
	LEDGER_IDS_MAX = 64, /* of one record, so that its line stays short */
};

enum ledger_record_type {
	LEDGER_BEGIN, /* the first line: version */
	LEDGER_TAKEN, /* id, time, boot, size, digest, sender, rcpt */
	LEDGER_REFUSED, /* the same, and reply */
	LEDGER_DUE, /* time, ids: these were told 451 and come back */
	LEDGER_TOLD, /* ids: told with 2xx or 5xx */
	LEDGER_STRUCK, /* ids: the provider has proven that it knows */
	LEDGER_DEFERRED, /* time (until), times, size, sender, rcpt, reply */
};

struct ledger_record {
	enum ledger_record_type type;
	unsigned version;
	uint64_t id; /* of the outcome, never used again within the file */
	int64_t time; /* Unix seconds */
	uint64_t boot; /* the beginning of the boot id; 0: unknown */
	uint64_t size; /* SIZE= of MAIL, 0 where it had none */
	uint64_t times; /* that this recipient was deferred */
	unsigned char digest[LEDGER_DIGEST];
	char sender[ADDRESS_MAX + 1]; /* domain in lower case */
	char rcpt[ADDRESS_MAX + 1];
	struct status reply;
	uint64_t ids[LEDGER_IDS_MAX];
	size_t ids_len;
};

/* Adds the line with its LF; false where buf is full. */
bool ledger_record_write(struct buf *buf, const struct ledger_record *record)
    __attribute__((warn_unused_result));
/* line: len octets, without the LF. false where it is not a whole and
 * well-formed record. */
bool ledger_record_parse(struct ledger_record *record, const char *line,
    size_t len) __attribute__((warn_unused_result));

#endif
