/* SPDX-License-Identifier: ISC */
/*
 * Whatever a local service says: every recipient has one answer, every accepted
 * one has one result, and nobody is told of success without a 2xx that came
 * behind the final dot. Lines fed whole and octet by octet come to the same.
 *
 * The first octet of the input picks LMTP or SMTP, the rest is what the service
 * says; it is fed a line at a time, whenever the sender wants input.
 */
#include "protocol/envelope.h"
#include "protocol/sender.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/transcript.h"

enum { RCPTS = 3, MESSAGES = 2 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct feeder {
	struct sender *sender;
	const char *next;
	size_t left;
	size_t piece;
	bool smtp;
	bool dot; /* given */
	size_t positive; /* lines of 2xx since the dot */
	size_t successes; /* results of 2xx */
	char told[8192];
	size_t told_len;
};

static void
tell(struct feeder *feeder, char kind, size_t rcpt, const struct status *status)
{
	char line[600];

	assert(status->code >= 200 && status->code <= 599);
	assert(status->code != 421);
	status_format(status, line, sizeof line);
	int n = snprintf(feeder->told + feeder->told_len,
	    sizeof feeder->told - feeder->told_len, "%c%zu %s\n", kind, rcpt,
	    line);
	assert(n > 0 && (size_t)n < sizeof feeder->told - feeder->told_len);
	feeder->told_len += (size_t)n;
}

static void
drain(struct feeder *feeder)
{
	size_t len;

	for (sender_output(feeder->sender, &len); len > 0;
	     sender_output(feeder->sender, &len))
		sender_written(feeder->sender, len);
}

/* One line more, or the end. */
static void
feed(struct feeder *feeder)
{
	const char *end = memchr(feeder->next, '\n', feeder->left);
	size_t line =
	    end == NULL ? feeder->left : (size_t)(end - feeder->next) + 1;

	drain(feeder);
	if (line == 0) {
		sender_eof(feeder->sender);
		return;
	}
	if (feeder->dot && feeder->next[0] == '2')
		feeder->positive++;
	feeder->left -= line;
	while (line > 0 && !sender_is_over(feeder->sender)) {
		size_t room;
		char *to = sender_room(feeder->sender, &room);
		size_t n = line < feeder->piece ? line : feeder->piece;
		n = n < room ? n : room;
		assert(n > 0);
		memcpy(to, feeder->next, n);
		sender_filled(feeder->sender, n);
		feeder->next += n;
		line -= n;
	}
	feeder->next += line;
}

static void
take_answers(struct feeder *feeder)
{
	struct status status;
	size_t rcpt, answers = 0;

	while (sender_owes_answers(feeder->sender)) {
		if (!sender_answer(feeder->sender, &rcpt, &status)) {
			feed(feeder);
			continue;
		}
		assert(rcpt == answers++);
		tell(feeder, 'A', rcpt, &status);
	}
	assert(answers == RCPTS);
}

static void
give_text(struct feeder *feeder)
{
	static const char text[] = "x\r\n.\r\n";

	while (sender_awaits_go(feeder->sender))
		feed(feeder);
	feeder->positive = feeder->successes = 0;
	feeder->dot = sender_takes_text(feeder->sender);
	assert(sender_text(feeder->sender, text, sizeof text - 1) ==
	       sizeof text - 1);
	sender_dot(feeder->sender);
	drain(feeder);
}

static void
take_results(struct feeder *feeder)
{
	struct status status;
	size_t rcpt;

	while (sender_owes_results(feeder->sender)) {
		if (!sender_result(feeder->sender, &rcpt, &status)) {
			feed(feeder);
			continue;
		}
		assert(rcpt < RCPTS);
		tell(feeder, 'R', rcpt, &status);
		feeder->successes += status_class(&status) == 2 ? 1 : 0;
	}
	if (feeder->smtp)
		assert(feeder->successes == 0 || feeder->positive > 0);
	else
		assert(feeder->successes <= feeder->positive);
	assert(feeder->dot || feeder->successes == 0);
}

static void
play(struct feeder *feeder)
{
	static const struct recipient rcpt = {.path.mailbox = "a@b.example",
	    .notify = "SUCCESS,DELAY",
	    .orcpt = "rfc822;a+2Bb@b.example"};

	while (
	    !sender_is_open(feeder->sender) && !sender_is_over(feeder->sender))
		feed(feeder);
	for (int message = 0; message < MESSAGES; message++) {
		feeder->dot = false;
		sender_mail(
		    feeder->sender, &(struct envelope){.sender = &rcpt.path,
					.size = 7,
					.eightbit = true,
					.smtputf8 = true,
					.ret = "HDRS",
					.envid = "QQ"});
		for (size_t i = 0; i < RCPTS; i++)
			sender_rcpt(feeder->sender, &rcpt, i);
		sender_data(feeder->sender);
		take_answers(feeder);
		if (!sender_owes_results(feeder->sender)) {
			sender_abort(feeder->sender);
			continue;
		}
		give_text(feeder);
		take_results(feeder);
	}
	sender_quit(feeder->sender);
	drain(feeder);
}

static void
run(struct feeder *feeder, const unsigned char *data, size_t size, size_t piece)
{
	struct transcript transcript;
	const struct sender_options options = {.lmtp = (data[0] & 1) == 0,
	    .hostname = "me",
	    .transcript = &transcript};

	transcript_init(&transcript, "local", (data[0] & 2) != 0);
	*feeder = (struct feeder){.sender = sender_new(&options),
	    .next = (const char *)data + 1,
	    .left = size - 1,
	    .piece = piece,
	    .smtp = !options.lmtp};
	play(feeder);
	sender_free(feeder->sender);
	transcript_clear(&transcript);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct feeder whole, pieces;

	if (size == 0)
		return 0;
	run(&whole, data, size, SIZE_MAX);
	run(&pieces, data, size, 1);
	assert(whole.told_len == pieces.told_len);
	assert(memcmp(whole.told, pieces.told, whole.told_len) == 0);
	return 0;
}
