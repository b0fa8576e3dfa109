/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "base/base64.h"
#include "base/secret.h"
#include "base/transcript.h"
#include "protocol/customer.h"

static char password[] = "never-to-be-shown";
static char token[] = "neither-this-token";

struct driver {
	struct customer *customer;
	struct transcript transcript;
	struct buf log; /* what was said, and what it came to */
	bool secured, closed;
};

static bool
holds(const struct buf *buf, const void *text, size_t len)
{
	return memmem(buf_data(buf), buf_len(buf), text, len) != NULL;
}

/* In the clear, or in base64 of its own as AUTH LOGIN has it. */
static bool
shows_secret(const struct buf *buf)
{
	char encoded[BASE64_SIZE(sizeof password)];
	size_t len = base64_encode(encoded, password, sizeof password - 1);

	return holds(buf, password, sizeof password - 1) ||
	       holds(buf, encoded, len - 1) ||
	       holds(buf, token, sizeof token - 1);
}

static void
start_tls(struct driver *d)
{
	const struct customer_binding binding = {
	    .type = "tls-exporter", .data = "0123456789abcdef", .len = 16};

	assert(!d->secured);
	d->secured = true;
	log_text(&d->log, "TLS\n");
	customer_tls_started(d->customer, &binding);
}

static void
run_engine(struct driver *d)
{
	enum customer_event_type event;
	size_t len;

	for (;;) {
		while (customer_next(d->customer, &event)) {
			log_number(&d->log, "event", event);
			if (event == CUSTOMER_START_TLS)
				start_tls(d);
			else if (event == CUSTOMER_CLOSE)
				d->closed = true;
		}
		const char *out = customer_output(d->customer, &len);
		if (len == 0)
			return;
		log_add(&d->log, out, len);
		customer_written(d->customer, len);
	}
}

static bool
is_over(const struct driver *d)
{
	return d->closed ||
	       customer_outcome(d->customer)->result == CUSTOMER_TURNED;
}

/* Line by line, since what comes before it was asked for is a fault: each line
 * as a whole or in pieces. */
static void
feed(struct driver *d, const char *data, size_t size, struct cuts cuts)
{
	for (size_t at = 0; at < size && !is_over(d);) {
		const char *lf = memchr(data + at, '\n', size - at);
		size_t line =
		    lf != NULL ? (size_t)(lf + 1 - data) - at : size - at;
		size_t room, piece = cuts_next(&cuts, line);
		char *to = customer_room(d->customer, &room);
		assert(to != NULL && room > 0);
		if (piece > room)
			piece = room;
		memcpy(to, data + at, piece);
		customer_filled(d->customer, piece);
		at += piece;
		run_engine(d);
	}
}

/* All at once, as a hostile provider might. */
static void
flood(struct driver *d, const char *data, size_t size)
{
	for (size_t at = 0; at < size && !is_over(d);) {
		size_t room;
		char *to = customer_room(d->customer, &room);
		assert(to != NULL && room > 0);
		size_t piece = size - at < room ? size - at : room;
		memcpy(to, data + at, piece);
		customer_filled(d->customer, piece);
		at += piece;
		run_engine(d);
	}
}

static void
log_outcome(struct driver *d)
{
	const struct customer_outcome *outcome = customer_outcome(d->customer);

	assert(outcome->result != CUSTOMER_PENDING);
	if (outcome->result == CUSTOMER_FAILED)
		assert(outcome->error.class != ERROR_NONE &&
		       outcome->error.text[0] != '\0');
	log_number(&d->log, "result", outcome->result);
	log_number(&d->log, "class", outcome->error.class);
	log_text(&d->log, outcome->error.text);
	log_number(&d->log, "reply", outcome->reply.code);
	log_number(&d->log, "in", outcome->logged_in);
}

/* The input is the peer's; it may say whatever it likes. */
static void
check_secrets(const struct driver *d, const char *data, size_t size, bool clear)
{
	struct buf input;

	buf_init(&input, FUZZ_LOG_MAX);
	log_add(&input, data, size);
	if (!shows_secret(&input)) {
		assert(!shows_secret(&d->transcript.lines));
		assert(!clear || !shows_secret(&d->log));
	}
	buf_clear(&input);
}

static struct customer_options
options_of(unsigned choice, struct transcript *transcript)
{
	static const struct secret secret = {password, sizeof password - 1};
	static const struct secret access = {token, sizeof token - 1};
	static const enum customer_tls tls[] = {CUSTOMER_STARTTLS,
	    CUSTOMER_IMPLICIT, CUSTOMER_CLEAR, CUSTOMER_STARTTLS};

	return (struct customer_options){
	    .hostname = "mail.example.org",
	    .tls = tls[choice & 3],
	    .host = "odmr.example.net",
	    .port = 366,
	    .user = "office",
	    .password = (choice & 4) != 0 ? NULL : &secret,
	    .token = (choice & 8) != 0 ? &access : NULL,
	    .random = "0123456789abcdefghijklmnop",
	    .best_before = (choice & 16) != 0 ? "SCRAM-SHA-256" : NULL,
	    .refuse_downgrade = (choice & 32) != 0,
	    .domains = "example.org,example.com",
	    .check_only = (choice & 64) != 0,
	    .transcript = transcript,
	};
}

static void
run(const uint8_t *data, size_t size, struct cuts cuts, bool all_at_once,
    struct buf *log)
{
	struct driver d = {.secured = false};
	const struct customer_options options =
	    options_of(data[0], &d.transcript);
	const char *text = (const char *)data + FUZZ_HEAD;

	size -= FUZZ_HEAD;
	transcript_init(&d.transcript, "provider", true);
	buf_init(&d.log, FUZZ_LOG_MAX);
	d.customer = customer_new(&options);
	if (options.tls == CUSTOMER_IMPLICIT)
		start_tls(&d);
	run_engine(&d);
	if (all_at_once)
		flood(&d, text, size);
	else
		feed(&d, text, size, cuts);
	if (!is_over(&d)) {
		customer_eof(d.customer);
		run_engine(&d);
		assert(d.closed);
	}
	log_outcome(&d);
	check_secrets(&d, text, size, !d.secured);
	customer_free(d.customer);
	transcript_clear(&d.transcript);
	*log = d.log;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces, flooded;

	if (size < FUZZ_HEAD)
		return 0;
	run(data, size, cuts_from(0), false, &whole);
	run(data, size, cuts_from(data[1]), false, &pieces);
	expect_same(&whole, &pieces);
	run(data, size, cuts_from(0), true, &flooded);
	buf_clear(&whole);
	buf_clear(&pieces);
	buf_clear(&flooded);
	return 0;
}
