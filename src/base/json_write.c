/* SPDX-License-Identifier: ISC */
#include "base/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/timestamp.h"
#include "base/utf8.h"

static void
put_octets(struct json_writer *json, const char *text, size_t len)
{
	if (!json->cut && !buf_append(json->out, text, len))
		json->cut = true;
}

/* Octets up to the next that cannot stand in a string as it is. */
static size_t
plain_length(const unsigned char *text)
{
	size_t len = 0;

	while (text[len] >= 0x20 && text[len] < 0x7f && text[len] != '"' &&
	       text[len] != '\\')
		len++;
	return len;
}

static void
put_escaped(struct json_writer *json, uint32_t point)
{
	char out[16];
	int len;

	if (point == '"' || point == '\\')
		len = snprintf(out, sizeof out, "\\%c", (char)point);
	else if (point < 0x10000)
		len = snprintf(out, sizeof out, "\\u%04" PRIx32, point);
	else
		len = snprintf(out, sizeof out, "\\u%04" PRIx32 "\\u%04" PRIx32,
		    0xd800 + ((point - 0x10000) >> 10),
		    0xdc00 + ((point - 0x10000) & 0x3ff));
	put_octets(json, out, (size_t)len);
}

static void
put_text(struct json_writer *json, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	const unsigned char *end = at + strlen(text);

	put_octets(json, "\"", 1);
	for (;;) {
		size_t plain = plain_length(at);
		put_octets(json, (const char *)at, plain);
		at += plain;
		if (at == end)
			break;
		uint32_t point;
		size_t used = utf8_decode(at, (size_t)(end - at), &point);
		put_escaped(json, used > 0 ? point : 0xfffd);
		at += used > 0 ? used : 1;
	}
	put_octets(json, "\"", 1);
}

static void
put_key(struct json_writer *json, const char *key)
{
	if (json->comma)
		put_octets(json, ",", 1);
	json->comma = true;
	if (key != NULL) {
		put_text(json, key);
		put_octets(json, ":", 1);
	}
}

void
json_begin(struct json_writer *json, struct buf *out)
{
	*json = (struct json_writer){.out = out};
}

void
json_open(struct json_writer *json, const char *key, char bracket)
{
	put_key(json, key);
	put_octets(json, &bracket, 1);
	json->comma = false;
}

void
json_close(struct json_writer *json, char bracket)
{
	put_octets(json, &bracket, 1);
	json->comma = true;
}

void
json_text(struct json_writer *json, const char *key, const char *text)
{
	put_key(json, key);
	if (text == NULL)
		put_octets(json, "null", 4);
	else
		put_text(json, text);
}

void
json_number(struct json_writer *json, const char *key, int64_t value)
{
	char out[24];

	put_key(json, key);
	int len = snprintf(out, sizeof out, "%" PRId64, value);
	put_octets(json, out, (size_t)len);
}

void
json_count(struct json_writer *json, const char *key, uint64_t count)
{
	json_number(json, key, count > INT64_MAX ? INT64_MAX : (int64_t)count);
}

void
json_seconds(struct json_writer *json, const char *key, int64_t ms)
{
	char out[32];

	put_key(json, key);
	if (ms < 0)
		ms = 0;
	int len = snprintf(
	    out, sizeof out, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
	put_octets(json, out, (size_t)len);
}

void
json_bool(struct json_writer *json, const char *key, bool value)
{
	put_key(json, key);
	if (value)
		put_octets(json, "true", 4);
	else
		put_octets(json, "false", 5);
}

void
json_time(struct json_writer *json, const char *key, int64_t ms)
{
	char out[TIMESTAMP_UTC_SIZE];

	json_text(json, key, ms == 0 ? NULL : timestamp_format_utc(out, ms));
}

void
json_id(struct json_writer *json, const char *key, uint64_t id)
{
	char out[DIGEST_NUMBER_DIGITS + 1];

	json_text(json, key, digest_number_hex(out, id, DIGEST_NUMBER_DIGITS));
}
