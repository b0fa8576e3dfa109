/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "protocol/content.h"

/* Returns how many octets were taken. */
static size_t
run(const char *data, size_t size, struct content *text, struct cuts cuts,
    struct buf *out)
{
	size_t at = 0;

	while (at < size && text->state != CONTENT_ENDED) {
		size_t piece = cuts_next(&cuts, size - at), done = 0;
		struct content_piece given;
		char *copy = malloc(piece);
		assert(copy != NULL);
		memcpy(copy, data + at, piece);
		for (;;) {
			size_t used = content_next(
			    text, copy + done, piece - done, &given);
			assert(used <= piece - done);
			log_add(out, given.data, given.len);
			done += used;
			if (used == 0 && given.len == 0)
				break;
		}
		free(copy);
		assert(done == piece || text->state == CONTENT_ENDED);
		at += done;
	}
	return at;
}

/*
 * The same by the plainest of means, octet by octet with a look ahead. Stops
 * where what follows is not known yet.
 */
static size_t
reference(
    const char *data, size_t size, bool dots, struct buf *out, bool *ended)
{
	bool start = true; /* behind a CRLF */
	size_t at = 0;

	*ended = false;
	while (at < size) {
		size_t left = size - at;
		bool crlf = left > 1 && memcmp(data + at, "\r\n", 2) == 0;
		if (dots && start && data[at] == '.') {
			if (left > 2 && memcmp(data + at, ".\r\n", 3) == 0) {
				*ended = true;
				return at + 3;
			}
			if (left == 1 || (left == 2 && data[at + 1] == '\r'))
				return at;
			at++;
			start = false;
			/* The dot is gone, but this octet is no first one. */
			continue;
		}
		if (data[at] == '\r' && left == 1)
			return at;
		start = crlf;
		if (crlf || data[at] == '\n')
			log_add(out, "\r\n", 2);
		else if (data[at] == '\r' || data[at] == '\0')
			log_add(out, " ", 1);
		else
			log_add(out, data + at, 1);
		at += crlf ? 2 : 1;
	}
	return at;
}

/* Nothing in it can be read as a line end but a line end. */
static void
check_lines(const struct buf *out)
{
	const char *data = buf_data(out);
	size_t len = buf_len(out);

	for (size_t i = 0; i < len; i++) {
		assert(data[i] != '\0');
		assert(data[i] != '\r' || (i + 1 < len && data[i + 1] == '\n'));
		assert(data[i] != '\n' || (i > 0 && data[i - 1] == '\r'));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces, plain;
	struct content text, cut;
	bool ended;

	if (size < FUZZ_HEAD)
		return 0;
	const char *in = (const char *)data + FUZZ_HEAD;
	size -= FUZZ_HEAD;
	content_init(&text, (data[0] & 1) != 0);
	content_init(&cut, (data[0] & 1) != 0);
	buf_init(&whole, FUZZ_LOG_MAX);
	buf_init(&pieces, FUZZ_LOG_MAX);
	buf_init(&plain, FUZZ_LOG_MAX);
	size_t taken = run(in, size, &text, cuts_from(0), &whole);
	assert(run(in, size, &cut, cuts_from(data[1]), &pieces) == taken);
	expect_same(&whole, &pieces);
	assert(text.state == cut.state && text.bare == cut.bare);
	reference(in, size, text.dots, &plain, &ended);
	expect_same(&whole, &plain);
	assert(ended == (text.state == CONTENT_ENDED));
	if (!text.dots) {
		struct content_piece last;
		content_end(&text, &last);
		/* A line that has its end gets no other. */
		assert(size == 0 || in[size - 1] != '\n' || last.len == 0);
		log_add(&whole, last.data, last.len);
		size_t len = buf_len(&whole);
		assert(len == 0 ||
		       memcmp(buf_data(&whole) + len - 2, "\r\n", 2) == 0);
	}
	check_lines(&whole);
	buf_clear(&whole);
	buf_clear(&pieces);
	buf_clear(&plain);
	return 0;
}
