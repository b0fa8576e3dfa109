/* SPDX-License-Identifier: ISC */
#include "ledger/ledger_record.h"

#include <string.h>

#include "base/buf.h"
#include "base/decimal.h"
#include "base/digest.h"
#include "base/escape.h"
#include "base/text.h"

/* "xxxxxxxx " in front of each line */
enum { CHECKSUM_LEN = 8, PREFIX_LEN = CHECKSUM_LEN + 1 };
enum { BOOT_LEN = 16 };

/* What is left of a line that is taken to pieces. */
struct scan {
	char *rest;
	bool ok;
};

static const char *const names[] = {
    [LEDGER_BEGIN] = "odmr-ledger",
    [LEDGER_TAKEN] = "taken",
    [LEDGER_REFUSED] = "refused",
    [LEDGER_DUE] = "due",
    [LEDGER_TOLD] = "told",
    [LEDGER_STRUCK] = "struck",
    [LEDGER_DEFERRED] = "deferred",
};

/* Four bits at a time: every poll may read ten thousand lines. */
static uint32_t
checksum(const char *text, size_t len)
{
	static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8,
	    0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0,
	    0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)text[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* How many octets stand for themselves. */
static size_t
plain_len(const char *mailbox)
{
	size_t len = 0;

	while (escape_is_printable(mailbox[len]) && mailbox[len] != ' ' &&
	       mailbox[len] != '%' && mailbox[len] != '>')
		len++;
	return len;
}

/* A mailbox as one word: what would end it, and '%', as %HH. */
static bool
write_mailbox(struct buf *buf, const char *mailbox)
{
	bool ok = buf_append(buf, " <", 2);

	while (ok && *mailbox != '\0') {
		size_t plain = plain_len(mailbox);
		if (plain > 0)
			ok = buf_append(buf, mailbox, plain);
		else
			ok = buf_printf(buf, "%%%02x", (unsigned char)*mailbox);
		mailbox += plain > 0 ? plain : 1;
	}
	return ok && buf_append(buf, ">", 1);
}

static bool
write_number(struct buf *buf, uint64_t number)
{
	char digits[DECIMAL_SIZE];

	return buf_join(buf, TEXTS(" ", decimal_write(digits, number)));
}

/* Not before 1970. */
static bool
write_time(struct buf *buf, int64_t time)
{
	return write_number(buf, (uint64_t)time);
}

/* The text stands last: it may have spaces, and never a line end. */
static bool
write_reply(struct buf *buf, const struct status *reply)
{
	const char *enhanced =
	    reply->enhanced[0] != '\0' ? reply->enhanced : "-";

	return write_number(buf, (uint64_t)reply->code) &&
	       buf_join(buf, TEXTS(" ", enhanced, " ", reply->text));
}

static bool
write_outcome(struct buf *buf, const struct ledger_record *record)
{
	char boot[BOOT_LEN + 1], digest[2 * LEDGER_DIGEST + 1];

	digest_number_hex(boot, record->boot, BOOT_LEN);
	digest_hex(digest, record->digest, LEDGER_DIGEST);
	return write_number(buf, record->id) && write_time(buf, record->time) &&
	       buf_join(buf, TEXTS(" ", boot)) &&
	       write_number(buf, record->size) &&
	       buf_join(buf, TEXTS(" ", digest)) &&
	       write_mailbox(buf, record->sender) &&
	       write_mailbox(buf, record->rcpt);
}

static bool
write_ids(struct buf *buf, const struct ledger_record *record)
{
	bool ok = true;

	for (size_t i = 0; ok && i < record->ids_len; i++)
		ok = write_number(buf, record->ids[i]);
	return ok;
}

static bool
write_fields(struct buf *buf, const struct ledger_record *record)
{
	switch (record->type) {
	case LEDGER_BEGIN:
		return write_number(buf, record->version);
	case LEDGER_TAKEN:
		return write_outcome(buf, record);
	case LEDGER_REFUSED:
		return write_outcome(buf, record) &&
		       write_reply(buf, &record->reply);
	case LEDGER_DUE:
		return write_time(buf, record->time) && write_ids(buf, record);
	case LEDGER_TOLD:
	case LEDGER_STRUCK:
		return write_ids(buf, record);
	case LEDGER_DEFERRED:
		return write_time(buf, record->time) &&
		       write_number(buf, record->times) &&
		       write_number(buf, record->size) &&
		       write_mailbox(buf, record->sender) &&
		       write_mailbox(buf, record->rcpt) &&
		       write_reply(buf, &record->reply);
	}
	return false;
}

bool
ledger_record_write(struct buf *buf, const struct ledger_record *record)
{
	char sum[CHECKSUM_LEN + 1];
	struct buf line;

	buf_init(&line, LEDGER_LINE_MAX);
	bool ok = buf_join(&line, TEXTS(names[record->type])) &&
		  write_fields(&line, record);
	/* All or nothing: half a line would spoil the next one too. */
	size_t need = PREFIX_LEN + buf_len(&line) + 1;
	ok = ok && buf->max - buf_len(buf) >= need;
	digest_number_hex(
	    sum, checksum(buf_data(&line), buf_len(&line)), CHECKSUM_LEN);
	ok = ok && buf_join(buf, TEXTS(sum, " ")) &&
	     buf_append(buf, buf_data(&line), buf_len(&line)) &&
	     buf_append(buf, "\n", 1);
	buf_clear(&line);
	return ok;
}

/* The next word; "" and not ok where there is none. */
static const char *
scan_word(struct scan *scan)
{
	char *word = scan->rest, *end = strchr(word, ' ');

	scan->ok &= *word != '\0' && *word != ' ';
	if (end == NULL) {
		scan->rest = word + strlen(word);
		return word;
	}
	*end = '\0';
	scan->rest = end + 1;
	return word;
}

static uint64_t
scan_number(struct scan *scan)
{
	uint64_t number;

	scan->ok &= decimal_read(scan_word(scan), UINT64_MAX, &number);
	return number;
}

static int64_t
scan_time(struct scan *scan)
{
	uint64_t number = scan_number(scan);

	scan->ok &= number <= INT64_MAX / 2; /* sums of two do not overflow */
	return scan->ok ? (int64_t)number : 0;
}

/* The octet of two digits; -1 where they are not. */
static int
hex_octet(const char *text)
{
	uint64_t octet;

	return digest_hex_number(text, 2, &octet) ? (int)octet : -1;
}

static void
scan_digest(struct scan *scan, unsigned char digest[LEDGER_DIGEST])
{
	const char *word = scan_word(scan);

	scan->ok &= strlen(word) == (size_t)2 * LEDGER_DIGEST;
	for (size_t i = 0; scan->ok && i < LEDGER_DIGEST; i++) {
		int octet = hex_octet(word + 2 * i);
		scan->ok = octet >= 0;
		digest[i] = (unsigned char)octet;
	}
}

static void
scan_ledger_mailbox(struct scan *scan, char mailbox[ADDRESS_MAX + 1])
{
	const char *c = scan_word(scan);
	size_t len = 0;

	scan->ok &= *c == '<';
	for (c++; scan->ok && *c != '>'; c++) {
		int octet = (unsigned char)*c;
		if (*c == '%') {
			octet = hex_octet(c + 1);
			c += octet >= 0 ? 2 : 0;
		}
		scan->ok = octet > 0 && len < ADDRESS_MAX;
		if (scan->ok)
			mailbox[len++] = (char)octet;
	}
	scan->ok = scan->ok && c[1] == '\0';
	mailbox[len] = '\0';
}

static void
scan_reply(struct scan *scan, struct status *reply)
{
	uint64_t code = scan_number(scan);
	const char *enhanced = scan_word(scan);

	scan->ok &= code >= 200 && code <= 599 &&
		    strlen(enhanced) < STATUS_ENHANCED_MAX;
	if (!scan->ok)
		return;
	status_set(reply, (int)code, strcmp(enhanced, "-") == 0 ? "" : enhanced,
	    "%s", scan->rest);
	scan->rest += strlen(scan->rest);
}

static void
scan_ids(struct scan *scan, struct ledger_record *record)
{
	do {
		scan->ok &= record->ids_len < LEDGER_IDS_MAX;
		if (!scan->ok)
			return;
		record->ids[record->ids_len++] = scan_number(scan);
	} while (*scan->rest != '\0');
}

static uint64_t
scan_boot(struct scan *scan)
{
	const char *word = scan_word(scan);
	size_t digits = strlen(word);
	uint64_t boot = 0;

	scan->ok &=
	    digits <= sizeof boot * 2 && digest_hex_number(word, digits, &boot);
	return boot;
}

static void
scan_outcome(struct scan *scan, struct ledger_record *record)
{
	record->id = scan_number(scan);
	record->time = scan_time(scan);
	record->boot = scan_boot(scan);
	record->size = scan_number(scan);
	scan_digest(scan, record->digest);
	scan_ledger_mailbox(scan, record->sender);
	scan_ledger_mailbox(scan, record->rcpt);
}

static void
scan_deferred(struct scan *scan, struct ledger_record *record)
{
	record->time = scan_time(scan);
	record->times = scan_number(scan);
	record->size = scan_number(scan);
	scan_ledger_mailbox(scan, record->sender);
	scan_ledger_mailbox(scan, record->rcpt);
	scan_reply(scan, &record->reply);
}

static void
scan_fields(struct scan *scan, struct ledger_record *record)
{
	switch (record->type) {
	case LEDGER_BEGIN:
		record->version = (unsigned)scan_number(scan);
		/* What else a later version says there is its own business. */
		scan->rest += strlen(scan->rest);
		return;
	case LEDGER_TAKEN:
		scan_outcome(scan, record);
		return;
	case LEDGER_REFUSED:
		scan_outcome(scan, record);
		scan_reply(scan, &record->reply);
		return;
	case LEDGER_DUE:
		record->time = scan_time(scan);
		scan_ids(scan, record);
		return;
	case LEDGER_TOLD:
	case LEDGER_STRUCK:
		scan_ids(scan, record);
		return;
	case LEDGER_DEFERRED:
		scan_deferred(scan, record);
		return;
	}
}

static bool
checksum_holds(const char *line, size_t len)
{
	uint64_t given;

	return len > PREFIX_LEN && line[CHECKSUM_LEN] == ' ' &&
	       digest_hex_number(line, CHECKSUM_LEN, &given) &&
	       given == checksum(line + PREFIX_LEN, len - PREFIX_LEN);
}

bool
ledger_record_parse(struct ledger_record *record, const char *line, size_t len)
{
	char words[LEDGER_LINE_MAX + 1];
	struct scan scan = {.rest = words, .ok = true};
	size_t type = 0, types = sizeof names / sizeof *names;

	if (len > LEDGER_LINE_MAX || memchr(line, '\0', len) != NULL ||
	    !checksum_holds(line, len))
		return false;
	memcpy(words, line + PREFIX_LEN, len - PREFIX_LEN);
	words[len - PREFIX_LEN] = '\0';
	const char *name = scan_word(&scan);
	while (type < types && strcmp(name, names[type]) != 0)
		type++;
	if (type == types)
		return false;
	*record = (struct ledger_record){.type = (enum ledger_record_type)type};
	scan_fields(&scan, record);
	return scan.ok && *scan.rest == '\0';
}
