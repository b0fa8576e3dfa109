/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "protocol/reply.h"

static void
log_reply(struct buf *log, const struct reply *reply)
{
	log_number(log, "code", reply->status.code);
	log_text(log, reply->status.enhanced);
	log_text(log, reply->status.text);
	assert(reply->status.code >= 200 && reply->status.code <= 599);
	assert(reply->lines >= 1 && reply->lines <= REPLY_LINES_MAX);
	for (size_t i = 0; i < reply->lines; i++) {
		const char *line = reply_line(reply, i);
		for (const char *c = line; *c != '\0'; c++)
			assert((unsigned char)*c >= ' ' && *c != 0x7f);
		log_text(log, line);
		log_text(log, "\n");
	}
}

static void
run(const char *data, size_t size, size_t line_max, struct cuts cuts,
    struct buf *log)
{
	enum reply_result result = REPLY_MORE;
	struct reply reply;

	reply_init(&reply);
	reply.line_max = line_max;
	for (size_t at = 0; at < size && result != REPLY_BROKEN;) {
		size_t used, piece = cuts_next(&cuts, size - at);
		/* Of its own size, so that a read behind it is seen. */
		char *copy = malloc(piece);
		assert(copy != NULL);
		memcpy(copy, data + at, piece);
		result = reply_parse(&reply, copy, piece, &used);
		free(copy);
		assert(used <= piece);
		at += used;
		assert(result != REPLY_MORE || used == piece);
		if (result == REPLY_DONE) {
			assert(used > 0 && data[at - 1] == '\n');
			log_reply(log, &reply);
		}
	}
	log_number(log, "broken", result == REPLY_BROKEN);
	if (result == REPLY_BROKEN)
		assert(reply.why[0] != '\0');
	reply_clear(&reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;

	if (size < FUZZ_HEAD)
		return 0;
	const char *text = (const char *)data + FUZZ_HEAD;
	size_t line_max = (data[0] & 1) != 0   ? REPLY_AUTH_LINE_MAX
			  : (data[0] & 2) != 0 ? 64
					       : REPLY_LINE_MAX;
	buf_init(&whole, FUZZ_LOG_MAX);
	buf_init(&pieces, FUZZ_LOG_MAX);
	run(text, size - FUZZ_HEAD, line_max, cuts_from(0), &whole);
	run(text, size - FUZZ_HEAD, line_max, cuts_from(data[1]), &pieces);
	expect_same(&whole, &pieces);
	buf_clear(&whole);
	buf_clear(&pieces);
	return 0;
}
