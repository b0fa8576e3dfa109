/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "base/transcript.h"
#include "protocol/provider.h"

struct driver {
	struct provider *provider;
	struct transcript transcript;
	struct buf log;
	unsigned answers; /* the next ones, by bits */
	bool secure, logged_in, closed;
};

static unsigned
next_answer(struct driver *d, unsigned count)
{
	unsigned answer = d->answers % count;

	d->answers = d->answers * 1103515245u + 12345u;
	return answer;
}

static void
on_login(struct driver *d, const struct provider_event *event)
{
	assert(d->secure && !d->logged_in);
	log_add(&d->log, event->response != NULL ? event->response : "",
	    event->response_len);
	unsigned answer = next_answer(d, 7);
	if (answer >= 5) {
		provider_challenge(d->provider, "challenge", 9);
	} else {
		d->logged_in = answer == PROVIDER_LOGIN_GOOD;
		provider_logged_in(d->provider, (enum provider_login)answer);
	}
}

static void
on_atrn(struct driver *d, const struct provider_event *event)
{
	static const int codes[] = {250, 450, 451, 453};
	struct status status;

	assert(d->logged_in);
	for (size_t i = 0; i < event->domains_count; i++) {
		assert(strchr(event->domains[i], '.') != NULL);
		assert(strpbrk(event->domains[i], " ,\t\r\n@[]") == NULL);
		log_text(&d->log, event->domains[i]);
	}
	status_set(&status, codes[next_answer(d, 4)], "4.0.0", "so");
	provider_answer(d->provider, &status);
}

static void
act(struct driver *d, const struct provider_event *event)
{
	log_number(&d->log, "event", event->type);
	switch (event->type) {
	case PROVIDER_START_TLS:
		assert(!d->secure && !d->logged_in);
		d->secure = true;
		provider_tls_started(d->provider);
		break;
	case PROVIDER_AUTH:
	case PROVIDER_RESPONSE:
		on_login(d, event);
		break;
	case PROVIDER_ATRN:
		on_atrn(d, event);
		break;
	case PROVIDER_CANCELLED:
	case PROVIDER_VOID:
		break;
	case PROVIDER_CLOSE:
		assert(event->end != PROVIDER_BROKEN || event->reason != NULL);
		log_number(&d->log, "end", event->end);
		d->closed = true;
		break;
	}
}

static void
run_engine(struct driver *d)
{
	struct provider_event event;
	size_t len;

	do {
		while (provider_next(d->provider, &event))
			act(d, &event);
		const char *out = provider_output(d->provider, &len);
		log_add(&d->log, out, len);
		provider_written(d->provider, len);
	} while (len > 0);
}

static bool
is_over(const struct driver *d)
{
	return d->closed || provider_is_turned(d->provider);
}

/* Line by line, since what comes behind STARTTLS and ATRN is an error: each
 * line as a whole or in pieces. */
static void
feed(struct driver *d, const char *data, size_t size, struct cuts cuts)
{
	for (size_t at = 0; at < size && !is_over(d);) {
		const char *lf = memchr(data + at, '\n', size - at);
		size_t line =
		    lf != NULL ? (size_t)(lf + 1 - data) - at : size - at;
		size_t room, piece = cuts_next(&cuts, line);
		char *to = provider_room(d->provider, &room);
		assert(to != NULL && room > 0);
		if (piece > room)
			piece = room;
		memcpy(to, data + at, piece);
		provider_filled(d->provider, piece);
		at += piece;
		run_engine(d);
	}
}

static void
run(const uint8_t *data, size_t size, struct cuts cuts, bool all_at_once,
    struct buf *log)
{
	struct driver d = {.answers = data[0], .secure = (data[0] & 128) != 0};
	const struct provider_options options = {
	    .hostname = "mx.example.net",
	    .implicit_tls = d.secure,
	    .mechanisms = "SCRAM-SHA-256 PLAIN LOGIN",
	    .transcript = &d.transcript,
	};

	transcript_init(&d.transcript, "customer", true);
	buf_init(&d.log, FUZZ_LOG_MAX);
	d.provider = provider_new(&options);
	run_engine(&d);
	for (size_t at = FUZZ_HEAD, room; all_at_once && at < size;) {
		char *to = provider_room(d.provider, &room);
		if (is_over(&d) || to == NULL)
			break;
		size_t piece = size - at < room ? size - at : room;
		memcpy(to, data + at, piece);
		provider_filled(d.provider, piece);
		at += piece;
		run_engine(&d);
	}
	if (!all_at_once)
		feed(
		    &d, (const char *)data + FUZZ_HEAD, size - FUZZ_HEAD, cuts);
	if (!is_over(&d)) {
		provider_eof(d.provider);
		run_engine(&d);
		assert(d.closed);
	}
	provider_free(d.provider);
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
