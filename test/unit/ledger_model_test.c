/* SPDX-License-Identifier: ISC */
/*
 * A model of whole sessions over the real ledger and the real receiver: the
 * queue of a provider, a line that breaks after any octet of either direction,
 * an agent that ends or is killed, and a local side with mailboxes that take,
 * refuse, defer for a while or for ever. The oracle: nothing lost, nothing
 * twice, no false bounce, and whoever is not deferred for ever gets the answer
 * that is true of him.
 *
 * Without a file and without a clock. `make model` runs every case, and forty
 * times as many queues by chance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/transcript.h"
#include "effort.h"
#include "ledger/ledger.h"
#include "ledger/ledger_book.h"
#include "ledger/ledger_file.h"
#include "protocol/receiver.h"

enum {
	TEXTS = 4,
	RCPTS = 5,
	ITEMS = 6,
	SESSIONS_MAX = 600, /* without an answer until then is a stall */
	NEVER = 1 << 30, /* a cut that does not happen */
	WIRE_MAX = 1 << 20,
};

/* What the local side does with a recipient of a text. */
enum fate {
	TAKES,
	REFUSES, /* after the text */
	REFUSES_ONCE, /* and takes it when it is asked again */
	DEFERS_ONCE,
	DEFERS_THEN_REFUSES,
	DEFERS_FOR_EVER,
	REFUSES_AT_RCPT,
	FILLS, /* takes it, and then refuses whatever comes, at RCPT */
	FATES,
};

/* How the provider writes. */
enum manner {
	LOCKSTEP,
	PIPELINED,
	BEHIND, /* the next transaction or QUIT behind the dot */
	BURST, /* BDAT: the whole queue in one go */
	MANNERS,
};

/* Something in the provider's queue: a text and its recipients, as bits. */
struct item {
	unsigned text, all, pending, told, bounced;
};

struct plan {
	enum manner manner;
	bool prdr, size, reset, killed, regroup;
	bool twice; /* names the first recipient twice */
	size_t chunk; /* octets that the agent reads at a time; 0: by chance */
	int cut_in, cut_out; /* octets of this connection, each direction */
};

struct world {
	uint64_t random;
	int64_t now;
	/* the provider */
	struct item items[ITEMS];
	size_t item_count;
	/* the local side */
	enum fate fates[TEXTS][RCPTS];
	unsigned tries[TEXTS][RCPTS], taken[TEXTS][RCPTS];
	unsigned busy[RCPTS]; /* so many RCPTs get 452 first */
	bool full[RCPTS];
	/* the line */
	struct plan plan;
	struct buf to_agent, to_provider;
	int sent, wrote;
	bool line_gone, agent_gone;
	char reply[64]; /* the beginning of the last one */
	/* the agent */
	struct ledger_store store;
	struct buf file;
	bool dead;
	struct ledger *ledger;
	struct receiver *receiver;
	struct buf text;
	/* Recipients that the local side accepted; one is named twice. */
	bool local[RCPTS + 1];
	size_t asked[RCPTS + 1], asked_count;
	/* the verdict */
	char fault[200];
};

static unsigned
chance(struct world *w, unsigned below)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->random >> 33) % below;
}

static void
blame(struct world *w, const char *what, unsigned text, unsigned rcpt)
{
	if (w->fault[0] == '\0')
		snprintf(w->fault, sizeof w->fault, "%s: text %u, rcpt %c",
		    what, text, (char)('a' + rcpt));
}

static void
put(struct buf *buf, const char *data, size_t len)
{
	assert_true(buf_append(buf, data, len));
}

/*
 * The agent: what session/serve does, over memory
 */

static struct world *
world_of(struct ledger_store *store)
{
	return (void *)((char *)store - offsetof(struct world, store));
}

static bool
store_append(struct ledger_store *store, const char *lines, size_t len,
    struct error *err)
{
	struct world *w = world_of(store);

	(void)err;
	if (!w->dead)
		put(&w->file, lines, len);
	return true;
}

static bool
write_again(void *context, const struct ledger_record *record)
{
	return ledger_record_write(context, record);
}

/* The file is written anew now and then, in the middle of anything. */
static bool
store_tidy(struct ledger_store *store, const struct ledger_book *book,
    struct error *err)
{
	struct world *w = world_of(store);

	(void)err;
	if (w->dead || chance(w, 8) != 0)
		return true;
	buf_reset(&w->file);
	assert_true(ledger_book_records(book, write_again, &w->file));
	return true;
}

static bool
store_sync(struct ledger_store *store, struct error *err)
{
	(void)store;
	(void)err;
	return true;
}

static void
store_close(struct ledger_store *store)
{
	(void)store;
}

static int64_t
model_now(void *context)
{
	return ((struct world *)context)->now;
}

static void
model_random(void *context, void *out, size_t len)
{
	unsigned char *octets = out;

	for (size_t i = 0; i < len; i++)
		octets[i] = (unsigned char)chance(context, 256);
}

static void
agent_start(struct world *w)
{
	struct ledger_options options = {.keep = 14 * 86400,
	    .now = model_now,
	    .random = model_random,
	    .context = w,
	    .boot_id = "0123456789abcdef"};
	struct ledger_book *book = ledger_book_new();
	struct ledger_record record;
	const char *at = buf_data(&w->file), *end = at + buf_len(&w->file);

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		assert_true(
		    ledger_record_parse(&record, at, (size_t)(line_end - at)));
		ledger_book_apply(book, &record);
		at = line_end + 1;
	}
	(void)ledger_book_expire(book, w->now, options.keep);
	w->dead = false;
	w->store = (struct ledger_store){.append = store_append,
	    .tidy = store_tidy,
	    .sync = store_sync,
	    .close = store_close};
	w->ledger = ledger_new(book, &w->store, &options);
}

static void
agent_connect(struct world *w)
{
	static struct transcript silent;
	static const struct receiver_options options = {
	    .hostname = "customer.example",
	    .postmaster_domain = "x.example",
	    .transcript = &silent};

	w->receiver = receiver_new(&options);
	ledger_connection_begin(w->ledger);
	buf_reset(&w->to_agent);
	buf_reset(&w->to_provider);
	w->sent = w->wrote = 0;
	w->line_gone = w->agent_gone = false;
	w->asked_count = 0;
}

static unsigned
rcpt_of(const struct world *w, size_t index)
{
	const struct envelope *envelope = receiver_envelope(w->receiver);

	return (unsigned)(envelope->rcpt[index]->path.mailbox[0] - 'a');
}

static bool
refuses_at_rcpt(const struct world *w, unsigned rcpt)
{
	bool refuses = w->full[rcpt];

	for (size_t i = 0; i < TEXTS; i++)
		refuses |= w->fates[i][rcpt] == REFUSES_AT_RCPT;
	return refuses;
}

static void
local_answers_rcpt(struct world *w, size_t index)
{
	struct status status;
	unsigned rcpt = rcpt_of(w, index);
	size_t same;

	if (refuses_at_rcpt(w, rcpt))
		status_set(&status, 550, "5.1.1", "no");
	else if (w->busy[rcpt] > 0 && w->busy[rcpt]-- > 0)
		status_set(&status, 452, "4.2.2", "full");
	else
		status_set(&status, 250, "2.1.5", "ok");
	w->local[index] = status_class(&status) == 2;
	ledger_rcpt_answer(w->ledger, index, &status);
	receiver_answer(w->receiver, index, &status);
	while (ledger_rcpt_same(w->ledger, index, &same))
		receiver_answer(w->receiver, same, &status);
}

static void
on_rcpt(struct world *w, size_t index)
{
	const struct envelope *envelope = receiver_envelope(w->receiver);
	struct ledger_target target = {false, false};
	struct status status;

	w->local[index] = false;
	switch (ledger_rcpt(
	    w->ledger, index, &envelope->rcpt[index]->path, &target, &status)) {
	case LEDGER_ASK:
		w->asked[w->asked_count++] = index;
		break;
	case LEDGER_SAID:
		receiver_answer(w->receiver, index, &status);
		break;
	case LEDGER_SAME:
		break;
	}
}

/* What becomes of one recipient when the last step is done. */
static void
local_outcome(struct world *w, unsigned text, size_t index)
{
	unsigned rcpt = rcpt_of(w, index), tries = w->tries[text][rcpt]++;
	enum fate fate = w->fates[text][rcpt];
	struct status status;

	if (fate == REFUSES || (fate == DEFERS_THEN_REFUSES && tries > 0) ||
	    (fate == REFUSES_ONCE && tries == 0))
		status_set(&status, 554, "5.6.0", "never");
	else if (fate == DEFERS_FOR_EVER || fate == DEFERS_THEN_REFUSES ||
		 (fate == DEFERS_ONCE && tries == 0))
		status_set(&status, 452, text % 2 ? "4.2.2" : "4.3.0", "full");
	else {
		status_set(&status, 250, "2.0.0", "saved");
		w->taken[text][rcpt]++;
		w->full[rcpt] |= fate == FILLS;
	}
	ledger_outcome(w->ledger, index, &status, false);
}

static void
on_done(struct world *w)
{
	const struct envelope *envelope = receiver_envelope(w->receiver);
	unsigned text = (unsigned)(buf_data(&w->text)[0] - '0');
	size_t rcpts = envelope->rcpts, rcpt;
	struct status status;

	if (ledger_judge(w->ledger) == LEDGER_FINISH)
		for (size_t i = 0; i < rcpts; i++)
			if (w->local[i])
				local_outcome(w, text, i);
	while (ledger_reply(w->ledger, &rcpt, &status))
		receiver_answer(w->receiver, rcpt, &status);
}

static void
on_event(struct world *w, const struct receiver_event *event)
{
	const struct envelope *envelope = receiver_envelope(w->receiver);

	switch (event->type) {
	case RECEIVER_MAIL:
		ledger_mail(w->ledger, envelope->sender, envelope->size,
		    envelope->prdr);
		buf_reset(&w->text);
		break;
	case RECEIVER_RCPT:
		on_rcpt(w, event->rcpt);
		break;
	case RECEIVER_TEXT:
		break;
	case RECEIVER_BODY:
		ledger_text(w->ledger, event->text, event->len);
		put(&w->text, event->text, event->len);
		break;
	case RECEIVER_DONE:
		on_done(w);
		break;
	case RECEIVER_ABORT:
		ledger_abort(w->ledger);
		break;
	case RECEIVER_REFUSAL:
		break;
	case RECEIVER_CLOSE:
		w->agent_gone = true;
		break;
	}
}

/* Writes to the provider, as far as the line holds. */
static void
agent_write(struct world *w)
{
	size_t len;
	const char *data = receiver_output(w->receiver, &len);
	int room = w->plan.cut_out - w->wrote;

	if (len == 0)
		return;
	size_t arrives = (int)len < room ? len : (size_t)(room > 0 ? room : 0);
	put(&w->to_provider, data, arrives);
	w->wrote += (int)len;
	w->line_gone |= w->wrote >= w->plan.cut_out;
	if (receiver_awaits_proof(w->receiver))
		ledger_synchronised(w->ledger);
	receiver_written(w->receiver, len);
}

static void
agent_works(struct world *w)
{
	struct receiver_event event;
	bool moved;

	do {
		moved = false;
		while (!w->agent_gone && receiver_next(w->receiver, &event)) {
			on_event(w, &event);
			moved = true;
		}
		for (size_t i = 0; i < w->asked_count; i++)
			local_answers_rcpt(w, w->asked[i]);
		moved |= w->asked_count > 0;
		w->asked_count = 0;
		agent_write(w);
	} while (moved);
}

/* Reads what is there, or the end; false when there is neither. */
static bool
agent_reads(struct world *w)
{
	size_t room, len = buf_len(&w->to_agent);

	if (w->agent_gone)
		return false;
	if (len == 0) {
		if (!w->line_gone)
			return false;
		w->dead |= w->plan.killed;
		receiver_eof(w->receiver);
		agent_works(w);
		w->agent_gone = true;
		return true;
	}
	size_t chunk = w->plan.chunk;
	if (chunk == 0)
		chunk = 1 + chance(w, chance(w, 2) ? 4 : 4000);
	char *into = receiver_room(w->receiver, &room);
	len = len < chunk ? len : chunk;
	len = len < room ? len : room;
	memcpy(into, buf_data(&w->to_agent), len);
	buf_consume(&w->to_agent, len);
	receiver_filled(w->receiver, len);
	ledger_arrived(w->ledger);
	agent_works(w);
	return true;
}

/*
 * The provider
 */

static void
send_text(struct world *w, const char *data, size_t len)
{
	int room = w->plan.cut_in - w->sent;

	if (w->line_gone)
		return;
	if ((int)len >= room) {
		len = (size_t)(room > 0 ? room : 0);
		w->line_gone = true;
	}
	put(&w->to_agent, data, len);
	w->sent += (int)len;
	/* A reset takes with it what was not read yet. */
	if (w->line_gone && w->plan.reset)
		buf_reset(&w->to_provider);
}

static void __attribute__((format(printf, 2, 3)))
send_line(struct world *w, const char *format, ...)
{
	char line[400];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	send_text(w, line, strlen(line));
}

/* The code of the next reply; 0: the line is gone. */
static int
read_reply(struct world *w)
{
	for (;;) {
		const char *line = buf_data(&w->to_provider);
		const char *end = memchr(line, '\n', buf_len(&w->to_provider));
		if (end != NULL) {
			bool last = line[3] == ' ';
			int code = (line[0] - '0') * 100 +
				   (line[1] - '0') * 10 + (line[2] - '0');
			snprintf(w->reply, sizeof w->reply, "%.*s",
			    (int)(end - line), line);
			buf_consume(&w->to_provider, (size_t)(end - line) + 1);
			if (last)
				return code;
			continue;
		}
		bool may_read = !w->line_gone ||
				(w->plan.cut_out == NEVER && !w->plan.reset);
		if (!may_read || !agent_reads(w)) {
			w->line_gone = true;
			return 0;
		}
	}
}

/* A transaction as the provider sees it. */
struct sending {
	struct item *item;
	unsigned offered, accepted;
	/* Bounced with a 5xx at the end of the text: those with 452 by Exim,
	 * which goes on with them at once otherwise; and nobody whom the ledger
	 * kept out may depend on what a sender makes of that. */
	unsigned doomed;
	bool prdr, twice;
};

static const char *const bodies[TEXTS] = {
    "0 first\r\n",
    "1 a second one\r\n..with a dot\r\n",
    "2 third\r\n\r\nwith a body\r\n",
    "3 the last, and a longer one\r\n",
};

/* As the engine hands it on: the dots are off again. */
static size_t
text_size(unsigned text)
{
	return strlen(bodies[text]);
}

static struct sending
prepare(struct world *w, struct item *item)
{
	struct sending sending = {.item = item, .offered = item->pending};

	if (w->plan.regroup)
		sending.offered &= chance(w, 1 << RCPTS);
	sending.twice = w->plan.twice && (sending.offered & 1) != 0;
	unsigned more_than_one =
	    (sending.offered & (sending.offered - 1)) | sending.twice;
	sending.prdr = w->plan.prdr && more_than_one != 0;
	return sending;
}

static void
send_mail(struct world *w, const struct sending *sending)
{
	char size[40] = "";

	if (w->plan.size)
		snprintf(size, sizeof size, " SIZE=%zu",
		    text_size(sending->item->text));
	send_line(w, "MAIL FROM:<s@y.example>%s%s\r\n", size,
	    sending->prdr ? " PRDR" : "");
}

static unsigned
names_of(const struct sending *sending, unsigned rcpt)
{
	return rcpt == 0 && sending->twice ? 2 : 1;
}

static void
send_rcpt(struct world *w, const struct sending *sending, unsigned rcpt)
{
	send_line(w, "RCPT TO:<%c@x.example>\r\n", (char)('a' + rcpt));
	if (names_of(sending, rcpt) > 1)
		send_line(w, "RCPT TO:<%c@X.Example>\r\n", (char)('a' + rcpt));
}

static void
send_body(struct world *w, const struct sending *sending)
{
	const char *body = bodies[sending->item->text];

	if (w->plan.manner == BURST) {
		/* BDAT has no dots to double, and may lack the line end. */
		const char *dot = strstr(body, "\r\n..");
		size_t len = strlen(body) - 2 - (dot != NULL);
		send_line(w, "BDAT %zu LAST\r\n", len);
		if (dot != NULL) {
			send_text(w, body, (size_t)(dot - body) + 3);
			body = dot + 4;
		}
		send_text(w, body, strlen(body) - 2);
		return;
	}
	send_text(w, body, strlen(body));
	send_line(w, ".\r\n");
}

static void
send_head(struct world *w, const struct sending *sending)
{
	send_mail(w, sending);
	for (unsigned i = 0; i < RCPTS; i++)
		if (sending->offered >> i & 1)
			send_rcpt(w, sending, i);
	if (w->plan.manner == BURST)
		send_body(w, sending);
	else
		send_line(w, "DATA\r\n");
}

static void
settle(struct world *w, struct item *item, unsigned rcpt, int code)
{
	unsigned bit = 1u << rcpt, text = item->text;

	if (code / 100 == 2) {
		if (w->taken[text][rcpt] == 0)
			blame(w, "lost", text, rcpt);
		item->told |= bit;
		item->pending &= ~bit;
	} else if (code / 100 == 5) {
		enum fate fate = w->fates[text][rcpt];
		if (w->taken[text][rcpt] > 0 ||
		    (fate != REFUSES && fate != REFUSES_ONCE &&
			fate != DEFERS_THEN_REFUSES &&
			!refuses_at_rcpt(w, rcpt)))
			blame(w, "false bounce", text, rcpt);
		item->bounced |= bit;
		item->pending &= ~bit;
	}
}

/* The one answer to all names of a recipient; 0: the line is gone. */
static int
read_answer(struct world *w, const struct sending *sending, unsigned rcpt)
{
	int code = read_reply(w);

	if (code == 0 || names_of(sending, rcpt) == 1)
		return code;
	int again = read_reply(w);
	if (again != 0 && again != code)
		blame(w, "two answers", sending->item->text, rcpt);
	return again;
}

static bool
read_rcpt(struct world *w, struct sending *sending, unsigned rcpt)
{
	int code = read_answer(w, sending, rcpt);

	if (code / 100 == 2)
		sending->accepted |= 1u << rcpt;
	else if (code != 0)
		settle(w, sending->item, rcpt, code);
	if (code == 452 || strstr(w->reply, " 4.5.3 ") != NULL)
		sending->doomed |= 1u << rcpt;
	return code != 0;
}

/* The last reply to a text. */
static void
settle_doomed(struct world *w, const struct sending *sending, int code)
{
	for (unsigned i = 0; code / 100 == 5 && i < RCPTS; i++)
		if (sending->doomed >> i & 1)
			settle(w, sending->item, i, code);
}

/* false: the line is gone. *wanted: the text is waited for. */
static bool
read_head(struct world *w, struct sending *sending, bool *wanted)
{
	if (read_reply(w) != 250)
		return false;
	for (unsigned i = 0; i < RCPTS; i++)
		if (sending->offered >> i & 1 && !read_rcpt(w, sending, i))
			return false;
	if (w->plan.manner == BURST) {
		*wanted = true;
		return true;
	}
	int code = read_reply(w);
	*wanted = code == 354;
	if (!*wanted && code != 0)
		send_line(w, "RSET\r\n");
	return code != 0 && (*wanted || read_reply(w) == 250);
}

/* As Exim reads it: an overall reply that is not 2xx counts for all. */
static bool
read_each(struct world *w, struct sending *sending)
{
	int codes[RCPTS] = {0}, overall;

	for (unsigned i = 0; i < RCPTS; i++)
		if (sending->accepted >> i & 1 &&
		    (codes[i] = read_answer(w, sending, i)) == 0)
			return false;
	if ((overall = read_reply(w)) == 0)
		return false;
	settle_doomed(w, sending, overall);
	for (unsigned i = 0; i < RCPTS; i++) {
		if ((sending->accepted >> i & 1) == 0)
			continue;
		if (overall / 100 == 5 ||
		    (overall / 100 == 4 && codes[i] / 100 == 2))
			codes[i] = overall;
		settle(w, sending->item, i, codes[i]);
	}
	return true;
}

static bool
read_end(struct world *w, struct sending *sending)
{
	int code = read_reply(w);

	if (code == 353)
		return read_each(w, sending);
	settle_doomed(w, sending, code == 503 ? 0 : code);
	for (unsigned i = 0; i < RCPTS; i++)
		if (sending->accepted >> i & 1 && code != 0)
			settle(w, sending->item, i, code);
	if (code == 503) /* BDAT behind recipients that were all refused */
		send_line(w, "RSET\r\n");
	return code != 0 && (code != 503 || read_reply(w) == 250);
}

static bool
send_lockstep(struct world *w, struct sending *sending)
{
	send_mail(w, sending);
	if (read_reply(w) != 250)
		return false;
	for (unsigned i = 0; i < RCPTS; i++) {
		if ((sending->offered >> i & 1) == 0)
			continue;
		send_rcpt(w, sending, i);
		if (!read_rcpt(w, sending, i))
			return false;
	}
	send_line(w, sending->accepted != 0 ? "DATA\r\n" : "RSET\r\n");
	int code = read_reply(w);
	if (code != 354)
		return code != 0;
	send_body(w, sending);
	return read_end(w, sending);
}

/* One transaction; false: the line is gone. */
static bool
send_one(struct world *w, struct sending *sending)
{
	bool wanted = false;

	if (w->plan.manner == LOCKSTEP)
		return send_lockstep(w, sending);
	send_head(w, sending);
	if (!read_head(w, sending, &wanted))
		return false;
	if (!wanted)
		return true;
	send_body(w, sending);
	return read_end(w, sending);
}

/* Exim sends those with 452 in the next transaction, as long as the one before
 * took or refused somebody. */
static void
send_queue_in_turn(struct world *w)
{
	for (size_t i = 0; i < w->item_count; i++) {
		struct sending sending = prepare(w, &w->items[i]);
		while (sending.offered != 0) {
			if (!send_one(w, &sending))
				return;
			unsigned rest = sending.doomed & sending.item->pending;
			sending.offered = rest != sending.offered ? rest : 0;
			sending.twice &= (sending.offered & 1) != 0;
			sending.prdr = false;
			sending.accepted = sending.doomed = 0;
		}
	}
	send_line(w, "QUIT\r\n");
}

/* Each text has the next transaction, or QUIT, in the same segment. */
static void
send_queue_behind(struct world *w)
{
	struct sending open = {.offered = 0};
	bool wanted = false;

	for (size_t i = 0; i < w->item_count; i++) {
		struct sending next = prepare(w, &w->items[i]);
		if (next.offered == 0)
			continue;
		if (wanted)
			send_body(w, &open);
		send_head(w, &next);
		if (wanted && !read_end(w, &open))
			return;
		if (!read_head(w, &next, &wanted))
			return;
		open = next;
	}
	if (wanted)
		send_body(w, &open);
	send_line(w, "QUIT\r\n");
	if (wanted)
		(void)read_end(w, &open);
}

static void
send_queue_in_a_burst(struct world *w)
{
	struct sending sendings[ITEMS];
	bool wanted;

	for (size_t i = 0; i < w->item_count; i++) {
		sendings[i] = prepare(w, &w->items[i]);
		if (sendings[i].offered == 0)
			continue;
		send_head(w, &sendings[i]);
		/* Where all recipients are refused, the transaction stays. */
		send_line(w, "RSET\r\n");
	}
	send_line(w, "QUIT\r\n");
	for (size_t i = 0; i < w->item_count; i++) {
		if (sendings[i].offered == 0)
			continue;
		if (!read_head(w, &sendings[i], &wanted))
			return;
		int code = read_reply(w);
		if (code == 353 && !read_each(w, &sendings[i]))
			return;
		if (code != 503)
			settle_doomed(w, &sendings[i], code);
		for (unsigned k = 0; code != 353 && code != 0 && k < RCPTS; k++)
			if (sendings[i].accepted >> k & 1)
				settle(w, sendings[i].item, k, code);
		if (code == 0 || read_reply(w) != 250)
			return;
	}
}

static void
connection(struct world *w, const struct plan *plan)
{
	w->plan = *plan;
	agent_connect(w);
	agent_works(w);
	if (read_reply(w) == 220) {
		send_line(w, "EHLO provider.example\r\n");
		if (read_reply(w) == 250) {
			if (plan->manner == BURST)
				send_queue_in_a_burst(w);
			else if (plan->manner == BEHIND)
				send_queue_behind(w);
			else
				send_queue_in_turn(w);
		}
	}
	w->line_gone = true;
	while (agent_reads(w))
		;
	ledger_abort(w->ledger);
	receiver_free(w->receiver);
}

static void
session(struct world *w, const struct plan *plan, unsigned connections)
{
	agent_start(w);
	for (unsigned i = 0; i < connections && !w->dead; i++)
		connection(w, plan);
	ledger_close(w->ledger);
}

/*
 * The oracle
 */

static unsigned
count_items(const struct world *w, unsigned text, unsigned rcpt)
{
	unsigned count = 0;

	for (size_t i = 0; i < w->item_count; i++)
		count += w->items[i].text == text &&
			 (w->items[i].all >> rcpt & 1) != 0;
	return count;
}

static void
look_for_duplicates(struct world *w)
{
	for (unsigned text = 0; text < TEXTS; text++)
		for (unsigned rcpt = 0; rcpt < RCPTS; rcpt++)
			if (w->taken[text][rcpt] > count_items(w, text, rcpt))
				blame(w, "twice", text, rcpt);
}

/* Recipients that must still get an answer. */
static unsigned
unanswered(const struct world *w, const struct item *item)
{
	unsigned left = item->pending;

	for (unsigned rcpt = 0; rcpt < RCPTS; rcpt++)
		if (w->fates[item->text][rcpt] == DEFERS_FOR_EVER)
			left &= ~(1u << rcpt);
	return left;
}

static bool
is_done(const struct world *w)
{
	for (size_t i = 0; i < w->item_count; i++)
		if (unanswered(w, &w->items[i]) != 0)
			return false;
	return true;
}

static void
world_init(struct world *w, uint64_t seed)
{
	*w =
	    (struct world){.random = seed * 2654435761u + 1, .now = 1800000000};
	buf_init(&w->to_agent, WIRE_MAX);
	buf_init(&w->to_provider, WIRE_MAX);
	buf_init(&w->file, 8 * WIRE_MAX);
	buf_init(&w->text, WIRE_MAX);
	(void)chance(w, 2);
}

static void
world_clear(struct world *w)
{
	buf_clear(&w->to_agent);
	buf_clear(&w->to_provider);
	buf_clear(&w->file);
	buf_clear(&w->text);
}

static const struct plan whole = {.cut_in = NEVER, .cut_out = NEVER};

/* Sends the queue again and again, with nothing in the way any more. */
static void
send_until_done(struct world *w, struct plan plan)
{
	plan.cut_in = plan.cut_out = NEVER;
	for (int i = 0; i < SESSIONS_MAX && w->fault[0] == '\0'; i++) {
		if (is_done(w))
			return;
		w->now += 5 * 3600;
		session(w, &plan, 1);
		look_for_duplicates(w);
	}
	for (size_t i = 0; i < w->item_count; i++)
		for (unsigned rcpt = 0; rcpt < RCPTS; rcpt++)
			if (unanswered(w, &w->items[i]) >> rcpt & 1)
				blame(w, "stalled", w->items[i].text, rcpt);
}

/*
 * Every small case: one text and up to three recipients, each fate, each
 * manner, and the first connection cut after each octet of either direction,
 * by an end or a kill. A second message follows, so that something is behind.
 */

struct small {
	enum fate fates[3];
	unsigned rcpts;
	struct plan plan;
};

static void
small_world(struct world *w, const struct small *small, uint64_t seed)
{
	world_init(w, seed);
	w->items[0].text = 0;
	w->items[1].text = 1;
	w->item_count = 2;
	for (unsigned i = 0; i < small->rcpts; i++) {
		w->fates[0][i] = small->fates[i];
		w->items[0].all |= 1u << i;
	}
	w->items[1].all = 1;
	w->items[0].pending = w->items[0].all;
	w->items[1].pending = w->items[1].all;
}

/* true: the cut fell behind the end of the connection. */
static bool
run_small(const struct small *small, uint64_t seed)
{
	struct world w;

	small_world(&w, small, seed);
	session(&w, &small->plan, 1);
	bool over =
	    w.sent < small->plan.cut_in && w.wrote < small->plan.cut_out;
	look_for_duplicates(&w);
	send_until_done(&w, small->plan);
	if (w.fault[0] != '\0')
		fail_msg("%s; %u recipients %d %d %d, manner %d, prdr %d, "
			 "reset %d, killed %d, cut in %d, out %d",
		    w.fault, small->rcpts, (int)small->fates[0],
		    (int)small->fates[1], (int)small->fates[2],
		    (int)small->plan.manner, small->plan.prdr,
		    small->plan.reset, small->plan.killed, small->plan.cut_in,
		    small->plan.cut_out);
	world_clear(&w);
	return over;
}

/* Both directions, at each octet, or at every stride-th from a moving start. */
static size_t
run_cuts(struct small small, unsigned stride, uint64_t *count)
{
	size_t runs = 0;

	for (int in = 0; in < 2; in++) {
		bool over = false;
		for (int at = (int)((*count)++ % stride); !over;
		     at += (int)stride, runs++) {
			small.plan.cut_in = in ? at : NEVER;
			small.plan.cut_out = in ? NEVER : at;
			over = run_small(&small, *count + (uint64_t)at);
		}
	}
	return runs;
}

static void
set_fates(struct small *small, unsigned number)
{
	static const enum fate fates[] = {
	    TAKES, REFUSES, DEFERS_ONCE, DEFERS_FOR_EVER};

	for (unsigned i = 0; i < 3; i++, number /= 4)
		small->fates[i] = fates[number % 4];
}

static void
test_every_small_case(void **state)
{
	unsigned stride = effort_of(401, 401, 1);
	unsigned step = effort_of(27, 1, 1);
	uint64_t count = 0;
	size_t runs = 0;

	(void)state;
	for (unsigned rcpts = 1; rcpts <= 3; rcpts++)
		for (unsigned fates = 0; fates < 1u << 2 * rcpts; fates++)
			for (unsigned bits = 0; bits < 32; bits += step) {
				struct small small = {.rcpts = rcpts};
				set_fates(&small, fates);
				small.plan = (struct plan){
				    .manner = (enum manner)(bits % MANNERS),
				    .prdr = bits >> 2 & 1,
				    .killed = bits >> 3 & 1,
				    .reset = bits >> 4 & 1,
				    .size = bits >> 4 & 1,
				    .chunk = 4000};
				runs += run_cuts(small, stride, &count);
			}
	print_message("%zu small cases\n", runs);
}

/*
 * Queues by chance
 */

static void
random_queue(struct world *w)
{
	bool same = chance(w, 6) == 0; /* texts that come in several items */

	w->item_count = 1 + chance(w, TEXTS);
	for (size_t i = 0; i < w->item_count; i++) {
		struct item *item = &w->items[i];
		item->text = same ? chance(w, 2) : (unsigned)i;
		item->all = item->pending = 1 + chance(w, (1 << RCPTS) - 1);
	}
	for (unsigned text = 0; text < TEXTS; text++)
		for (unsigned rcpt = 0; rcpt < RCPTS; rcpt++) {
			/* Half of them take; no more than one in six of the
			 * rest is for ever, or few queues would end. */
			w->fates[text][rcpt] =
			    chance(w, 2) ? TAKES
					 : (enum fate)chance(w, FILLS + 1);
			/* Nobody can tell one of them from the other. */
			if (same && (w->fates[text][rcpt] == FILLS ||
					w->fates[text][rcpt] == REFUSES_ONCE))
				w->fates[text][rcpt] = DEFERS_ONCE;
		}
	for (unsigned rcpt = 0; rcpt < RCPTS; rcpt++)
		w->busy[rcpt] = chance(w, 2) ? chance(w, 4) : 0;
}

static struct plan
random_plan(struct world *w, unsigned session)
{
	struct plan plan = whole;

	plan.manner = (enum manner)chance(w, MANNERS);
	plan.prdr = chance(w, 3) == 0;
	plan.size = chance(w, 2) != 0;
	plan.regroup = chance(w, 4) == 0;
	plan.twice = chance(w, 4) == 0;
	plan.chunk = chance(w, 3) == 0 ? 1 : 0;
	if (chance(w, 8) < (session < 8 ? 5u : 1u)) {
		plan.killed = chance(w, 3) == 0;
		plan.reset = chance(w, 2) != 0;
		if (chance(w, 2))
			plan.cut_in = (int)chance(w, 1200);
		else
			plan.cut_out = (int)chance(w, 1200);
	}
	return plan;
}

static void
run_random(uint64_t seed)
{
	struct world w;

	world_init(&w, seed);
	random_queue(&w);
	for (unsigned i = 0; i < 40 && !is_done(&w) && w.fault[0] == '\0';
	     i++) {
		struct plan plan = random_plan(&w, i);
		w.now += 300 + chance(&w, 4 * 3600);
		session(&w, &plan, 1 + chance(&w, 2));
		look_for_duplicates(&w);
	}
	send_until_done(&w, random_plan(&w, 0));
	if (w.fault[0] != '\0')
		fail_msg("%s; seed %llu", w.fault, (unsigned long long)seed);
	world_clear(&w);
}

static void
test_queues_by_chance(void **state)
{
	unsigned queues = effort_of(20, 1500, 60000);

	(void)state;
	for (unsigned seed = 1; seed <= queues; seed++)
		run_random(seed);
	print_message("%u queues\n", queues);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_small_case),
	    cmocka_unit_test(test_queues_by_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
