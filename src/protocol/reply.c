/* SPDX-License-Identifier: ISC */
#include "protocol/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/escape.h"
#include "base/secret.h"
#include "base/transcript.h"

enum { CODE_LEN = 3 };

void
reply_init(struct reply *reply)
{
	*reply = (struct reply){.line_max = REPLY_LINE_MAX};
	buf_init(&reply->texts, REPLY_MAX);
	buf_init(&reply->line, REPLY_AUTH_LINE_MAX);
}

void
reply_clear(struct reply *reply)
{
	buf_clear(&reply->texts);
	buf_clear(&reply->line);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
set_why(struct reply *reply)
{
	char shown[REPLY_WHY_MAX - 64];

	escape_text(
	    shown, sizeof shown, buf_data(&reply->line), buf_len(&reply->line));
	snprintf(reply->why, sizeof reply->why, "%s: %s", reply->clause, shown);
}

static enum reply_result
break_off(struct reply *reply, const char *clause)
{
	reply->broken = true;
	reply->clause = clause;
	set_why(reply);
	return REPLY_BROKEN;
}

/* Octets of "5.1.1" at text where it has that class (RFC 2034 4), else 0. */
static size_t
enhanced_len(const char *text, int class)
{
	size_t at = 1;

	if (text[0] != '0' + class)
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (text[at++] != '.')
			return 0;
		while (digits < 4 && is_digit(text[at + digits]))
			digits++;
		if (digits == 0 || digits > 3)
			return 0;
		at += digits;
	}
	return text[at] == ' ' || text[at] == '\0' ? at : 0;
}

/* Joins the texts of all lines; the first enhanced code stands for all. */
static void
set_status(struct reply *reply)
{
	struct status *status = &reply->status;
	const char *text = buf_data(&reply->texts);

	status_set_text(status, reply->code, "", "");
	for (size_t i = 0; i < reply->lines; i++, text += strlen(text) + 1) {
		size_t skip = enhanced_len(text, reply->code / 100);

		if (skip > 0 && status->enhanced[0] == '\0') {
			memcpy(status->enhanced, text, skip);
			status->enhanced[skip] = '\0';
		}
		if (skip > 0 && text[skip] == ' ')
			skip++;
		if (text[skip] != '\0' && status->text[0] != '\0')
			status_add_text(status, " ");
		status_add_text(status, text + skip);
	}
}

static enum reply_result
finish_reply(struct reply *reply)
{
	reply->lines = reply->count;
	reply->done = true;
	set_status(reply);
	return REPLY_DONE;
}

/* A code of RFC 5321 4.2; 1yz is not used by SMTP. 0: there is none. */
static int
parse_code(const char *line, size_t len)
{
	uint64_t code;

	if (len < CODE_LEN || line[0] < '2' || line[0] > '5' ||
	    decimal_digits(line, CODE_LEN, &code) < CODE_LEN)
		return 0;
	if (len > CODE_LEN && line[CODE_LEN] != ' ' && line[CODE_LEN] != '-')
		return 0;
	return (int)code;
}

/* Keeps the text of a line as a string without control characters; a tab
 * stands between words as a blank does. */
static bool
keep_text(struct reply *reply, const char *text, size_t len)
{
	size_t room;
	char *to;

	if (len + 1 > reply->texts.max - buf_len(&reply->texts))
		return false;
	to = buf_room(&reply->texts, len + 1, &room);
	assert(to != NULL && room == len + 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		to[i] = c == '\t' ? ' ' : c < ' ' || c == 0x7f ? '?' : text[i];
	}
	to[len] = '\0';
	buf_filled(&reply->texts, len + 1);
	return true;
}

/*
 * The line is whole, its end included. LF alone ends one as well, as it does
 * for other clients: some servers write it, and nothing else can be meant.
 */
static enum reply_result
take_line(struct reply *reply)
{
	const char *line = buf_data(&reply->line);
	size_t len = buf_len(&reply->line);

	len -= len >= 2 && line[len - 2] == '\r' ? 2 : 1;
	int code = parse_code(line, len);
	if (code == 0)
		return break_off(reply, "a line without a reply code");
	/* RFC 5321 4.2.1: the same on every line. */
	if (reply->count > 0 && code != reply->code)
		return break_off(reply, "two codes in one reply");
	reply->code = code;
	bool last = len == CODE_LEN || line[CODE_LEN] == ' ';
	size_t skip = len > CODE_LEN ? CODE_LEN + 1 : CODE_LEN;
	if (reply->count == REPLY_LINES_MAX ||
	    !keep_text(reply, line + skip, len - skip))
		return break_off(reply, "a reply that does not end");
	reply->count++;
	buf_reset(&reply->line);
	return last ? finish_reply(reply) : REPLY_MORE;
}

/* Adds a piece of a line, as far as the limit lets it. */
static bool
add_line(struct reply *reply, const char *data, size_t len)
{
	size_t left = reply->line_max - buf_len(&reply->line);
	size_t take = len < left ? len : left;
	bool added = buf_append(&reply->line, data, take);

	assert(added);
	return take == len;
}

static void
begin_reply(struct reply *reply)
{
	reply->done = false;
	reply->code = 0;
	reply->count = reply->lines = 0;
	reply->status = (struct status){.code = 0};
	buf_reset(&reply->texts);
}

enum reply_result
reply_parse(struct reply *reply, const char *data, size_t len, size_t *used)
{
	enum reply_result result = REPLY_MORE;

	assert(reply->line_max <= REPLY_AUTH_LINE_MAX);
	*used = 0;
	if (reply->broken)
		return REPLY_BROKEN;
	while (result == REPLY_MORE && *used < len) {
		const char *rest = data + *used;
		const char *end = memchr(rest, '\n', len - *used);
		size_t take =
		    end != NULL ? (size_t)(end - rest) + 1 : len - *used;

		if (reply->done)
			begin_reply(reply);
		*used += take;
		if (!add_line(reply, rest, take))
			return break_off(reply, "a line that is too long");
		if (end != NULL)
			result = take_line(reply);
	}
	return result;
}

const char *
reply_line(const struct reply *reply, size_t index)
{
	const char *text = buf_data(&reply->texts);

	assert(index < reply->lines);
	for (; index > 0; index--)
		text += strlen(text) + 1;
	return text;
}

static void
hide_in(struct buf *buf, const struct secret *secret)
{
	if (buf_len(buf) > 0)
		secret_hide(secret, buf->data + buf->start, buf_len(buf));
}

void
reply_hide(struct reply *reply, const struct secret *secret)
{
	hide_in(&reply->texts, secret);
	hide_in(&reply->line, secret);
	if (reply->broken)
		set_why(reply);
	else if (reply->done)
		set_status(reply);
}

void
reply_trace(const struct reply *reply, struct transcript *transcript)
{
	if (!transcript->on)
		return;
	char line[REPLY_LINE_MAX];
	if (reply->broken)
		transcript_line(
		    transcript, '<', reply->why, strlen(reply->why));
	for (size_t i = 0; i < reply->lines; i++) {
		/* A challenge and a dictionary may give the password away. */
		int len = snprintf(line, sizeof line, "%d%c%s",
		    reply->status.code, i + 1 < reply->lines ? '-' : ' ',
		    reply->status.code == 334 ? "***" : reply_line(reply, i));
		size_t fits = (size_t)len < sizeof line - 1 ? (size_t)len
							    : sizeof line - 1;
		transcript_line(transcript, '<', line, fits);
	}
}
