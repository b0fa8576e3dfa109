/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "base/transcript.h"
#include "protocol/address.h"
#include "protocol/dsn.h"
#include "protocol/receiver.h"

enum { RCPTS_MAX = 4096 };

/* Answers recipients by their local part: b 550 and c 450 at RCPT, d 550 and
 * e 450 at the end of the text, all others 250. */
struct driver {
	struct receiver *receiver;
	struct transcript transcript;
	struct buf said; /* to the provider */
	struct buf seen; /* by a delivery */
	struct buf message; /* its text so far: none may stay of an ABORT */
	size_t asked[RCPTS_MAX], asked_count;
	bool open; /* a MAIL without DONE or ABORT */
	bool text; /* a TEXT without DONE or ABORT */
	bool done; /* answers for the text are wanted */
	bool closed;
	bool dsn; /* is offered */
};

static void
end_transaction(struct driver *d, const char *how)
{
	assert(d->open);
	d->open = d->text = false;
	buf_reset(&d->message);
	log_text(&d->seen, how);
}

static void
take_value(struct driver *d, const char *value, bool good)
{
	assert(good && d->dsn);
	log_text(&d->seen, value);
}

/* What goes on is what RFC 3461 allows. */
static void
take_dsn(struct driver *d, const struct envelope *envelope,
    const struct recipient *rcpt)
{
	const char *ret = envelope->ret, *envid = envelope->envid;

	if (ret != NULL)
		take_value(d, ret, dsn_is_ret(ret, strlen(ret)));
	if (envid != NULL)
		take_value(d, envid, dsn_is_envid(envid, strlen(envid)));
	if (rcpt->notify != NULL)
		take_value(d, rcpt->notify,
		    dsn_is_notify(rcpt->notify, strlen(rcpt->notify)));
	if (rcpt->orcpt != NULL)
		take_value(d, rcpt->orcpt,
		    dsn_is_orcpt(
			rcpt->orcpt, strlen(rcpt->orcpt), envelope->smtputf8));
}

static void
take_event(struct driver *d, const struct receiver_event *event)
{
	const struct envelope *envelope = receiver_envelope(d->receiver);

	assert(!d->closed);
	switch (event->type) {
	case RECEIVER_MAIL:
		assert(!d->open);
		d->open = true;
		log_text(&d->seen, envelope->sender->mailbox);
		break;
	case RECEIVER_RCPT:
		assert(d->open && !d->text && d->asked_count < RCPTS_MAX);
		assert(event->rcpt < envelope->rcpts);
		take_dsn(d, envelope, envelope->rcpt[event->rcpt]);
		assert(envelope->smtputf8 ||
		       (path_is_ascii(envelope->sender) &&
			   path_is_ascii(&envelope->rcpt[event->rcpt]->path)));
		log_text(&d->seen, envelope->rcpt[event->rcpt]->path.mailbox);
		d->asked[d->asked_count++] = event->rcpt;
		break;
	case RECEIVER_TEXT:
		assert(d->open && !d->text);
		d->text = true;
		log_text(&d->seen, "TEXT ");
		break;
	case RECEIVER_BODY:
		assert(d->text);
		log_add(&d->message, event->text, event->len);
		break;
	case RECEIVER_DONE:
		assert(d->text);
		log_add(&d->seen, buf_data(&d->message), buf_len(&d->message));
		end_transaction(d, "DONE\n");
		d->done = true;
		break;
	case RECEIVER_ABORT:
		end_transaction(d, "ABORT\n");
		if (event->refusal != NULL)
			log_number(&d->seen, "refusal", event->refusal->code);
		d->asked_count = 0;
		break;
	case RECEIVER_REFUSAL:
		log_number(&d->seen, "no", event->refusal->code);
		assert(event->len > 0);
		break;
	case RECEIVER_CLOSE:
		assert(!d->open && event->end != RECEIVER_OPEN);
		log_number(&d->seen, "CLOSE", event->end);
		d->closed = true;
		break;
	}
}

static void
answer(struct driver *d, size_t rcpt, bool at_end)
{
	char kind = receiver_envelope(d->receiver)->rcpt[rcpt]->path.mailbox[0];
	struct status status;

	if (kind == (at_end ? 'd' : 'b'))
		status_set(&status, 550, "5.1.1", "no");
	else if (kind == (at_end ? 'e' : 'c'))
		status_set(&status, 450, "4.2.2", "full");
	else
		status_set(&status, 250, "2.0.0", "ok");
	receiver_answer(d->receiver, rcpt, &status);
}

static void
give_answers(struct driver *d)
{
	size_t todo[RCPTS_MAX], count = 0;
	bool at_end = d->done;

	if (at_end) {
		size_t rcpts = receiver_envelope(d->receiver)->rcpts;
		for (size_t i = 0; i < rcpts; i++)
			if (receiver_accepted(d->receiver, i))
				todo[count++] = i;
	} else {
		count = d->asked_count;
		memcpy(todo, d->asked, count * sizeof *todo);
	}
	assert(count > 0);
	d->done = false;
	d->asked_count = 0;
	for (size_t i = 0; i < count; i++)
		answer(d, todo[i], at_end);
}

static void
run_engine(struct driver *d)
{
	struct receiver_event event;
	size_t len;

	for (;;) {
		while (receiver_next(d->receiver, &event))
			take_event(d, &event);
		if (receiver_wants_answers(d->receiver)) {
			give_answers(d);
			continue;
		}
		const char *out = receiver_output(d->receiver, &len);
		if (len == 0)
			return;
		log_add(&d->said, out, len);
		receiver_written(d->receiver, len);
	}
}

static void
feed(struct driver *d, const char *data, size_t size, struct cuts cuts)
{
	for (size_t at = 0; at < size && !d->closed;) {
		size_t room, piece = cuts_next(&cuts, size - at);
		char *to = receiver_room(d->receiver, &room);
		assert(to != NULL && room > 0);
		if (piece > room)
			piece = room;
		memcpy(to, data + at, piece);
		receiver_filled(d->receiver, piece);
		at += piece;
		run_engine(d);
	}
}

static void
run(const uint8_t *data, size_t size, struct cuts cuts, struct buf *log)
{
	static struct driver d;
	unsigned choice = data[0];
	const struct receiver_options options = {
	    .hostname = "mail.example.org",
	    .size_max = (choice & 1) != 0 ? 100 : 0,
	    .newline = (choice & 2) != 0 ? RECEIVER_REJECT : RECEIVER_NORMALIZE,
	    .postmaster_domain = (choice & 4) != 0 ? NULL : "example.org",
	    .dsn = (choice & 64) != 0,
	    .transcript = &d.transcript,
	};

	d = (struct driver){.dsn = options.dsn};
	transcript_init(&d.transcript, "provider", (choice & 8) != 0);
	buf_init(&d.said, FUZZ_LOG_MAX);
	buf_init(&d.seen, FUZZ_LOG_MAX);
	buf_init(&d.message, FUZZ_LOG_MAX);
	d.receiver = receiver_new(&options);
	run_engine(&d);
	feed(&d, (const char *)data + FUZZ_HEAD, size - FUZZ_HEAD, cuts);
	if (receiver_line_hangs(d.receiver)) {
		receiver_line_over(d.receiver);
		run_engine(&d);
		assert(d.closed || !receiver_line_hangs(d.receiver));
	}
	receiver_eof(d.receiver);
	run_engine(&d);
	/* The end of the line is the end of everything. */
	assert(!d.open && d.closed);
	receiver_free(d.receiver);
	transcript_clear(&d.transcript);
	log_add(&d.seen, buf_data(&d.said), buf_len(&d.said));
	buf_clear(&d.said);
	buf_clear(&d.message);
	*log = d.seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;

	if (size < FUZZ_HEAD)
		return 0;
	run(data, size, cuts_from(0), &whole);
	run(data, size, cuts_from(data[1]), &pieces);
	expect_same(&whole, &pieces);
	buf_clear(&whole);
	buf_clear(&pieces);
	return 0;
}
