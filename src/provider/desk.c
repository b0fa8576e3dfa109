/* SPDX-License-Identifier: ISC */
#include "provider/desk.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/stop.h"
#include "desk_private.h"
#include "net/stream.h"
#include "provider/inner.h"
#include "provider/place.h"
#include "tell/log.h"

enum {
	/* For all that comes before the login, so that strangers cannot keep a
	 * place for long. */
	LOGIN_MS = 60 * 1000,
	/* Between commands afterwards (RFC 5321 4.5.3.2.7). */
	COMMAND_MS = 5 * 60 * 1000,
	/* For a reply to be written. To a stranger there are some hundred octets,
	 * for which any socket has room unless he does not read on purpose. */
	WRITE_MS = 60 * 1000,
	STRANGER_WRITE_MS = 5 * 1000,
	LAST_WAIT_MS = 3000,
	GRACE_MS = 3000, /* after SIGTERM */
	/* A customer behind a NAT that forgot him is noticed by then, also
	 * while something waits to be acknowledged. */
	ACKS_MS = 120 * 1000,
	/* What the kernel may hold back of a turned connection, besides what is
	 * under way: with megabytes there a slow customer would read for longer
	 * than the silence that ends the connection. */
	UNSENT_MAX = 128 * 1024,
};

/* What woke the desk. */
enum wake { WAKE_CUSTOMER, WAKE_GATE, WAKE_TIME, WAKE_STOP };

const char *
desk_account_name(const struct desk *desk)
{
	return desk->account != NULL ? desk->account->name : NULL;
}

/*
 * Output, and the end
 */

struct deadline
desk_last_wait(void)
{
	return deadline_in(LAST_WAIT_MS, DESK_STOP_MS);
}

void
desk_stop_with(struct desk *desk, const char *enhanced, const char *text)
{
	struct status status;

	status_set(
	    &status, 421, enhanced, "%s %s", desk->config->hostname, text);
	provider_stop(desk->engine, &status);
}

void
desk_stop(struct desk *desk)
{
	static const char *const why[] = {
	    [PLACE_STOP] = "is being stopped",
	    [PLACE_RELOAD] = "has a new configuration; call again",
	    [PLACE_REMOVED] = "has no account of this name any more",
	};

	desk_stop_with(
	    desk, "4.3.2", why[atomic_load(&desk->options->place->end)]);
}

void
desk_lose(struct desk *desk, const struct error *err)
{
	log_say(CONFIG_LOG_DEBUG, desk_account_name(desk), "lost", "%s: %s",
	    desk->options->peer_addr, err->text);
	desk->closed = true;
}

void
desk_write_output(struct desk *desk)
{
	struct deadline deadline = deadline_in(
	    desk->account != NULL ? WRITE_MS : STRANGER_WRITE_MS, GRACE_MS);
	struct error err;
	size_t len;
	const char *output = provider_output(desk->engine, &len);

	if (len == 0 || desk->closed)
		return;
	if (stream_write(desk->stream, output, len, &deadline, &err))
		provider_written(desk->engine, len);
	else
		desk_lose(desk, &err);
}

/*
 * The loop
 */

static void
on_close(struct desk *desk, const struct provider_event *event)
{
	desk->closed = true;
	/* Of strangers there may be any number. */
	if (event->end == PROVIDER_BROKEN)
		log_say(desk->account != NULL ? CONFIG_LOG_WARNING
					      : CONFIG_LOG_DEBUG,
		    desk_account_name(desk), "broken", "%s: %s",
		    desk->options->peer_addr, event->reason);
}

static void
act(struct desk *desk, const struct provider_event *event)
{
	switch (event->type) {
	case PROVIDER_START_TLS:
		desk_write_output(desk);
		if (desk->closed || !desk_start_tls(desk))
			return;
		provider_tls_started(desk->engine);
		desk_find_mechanisms(desk);
		break;
	case PROVIDER_AUTH:
	case PROVIDER_RESPONSE:
		desk_on_login(desk, event);
		break;
	case PROVIDER_CANCELLED:
		verify_cancel(desk->verify);
		break;
	case PROVIDER_ATRN:
		desk_on_atrn(desk, event);
		break;
	case PROVIDER_VOID:
		/* The end of this process frees the place. */
		desk->hold.count = 0;
		break;
	case PROVIDER_CLOSE:
		desk_write_output(desk);
		on_close(desk, event);
		break;
	}
}

/* The time until which nothing need be done. */
static struct deadline
next_deadline(const struct desk *desk)
{
	struct deadline deadline = desk->deadline;

	if (desk_is_holding(desk)) {
		int64_t flush = desk_next_flush(desk);
		deadline = desk->hold.end;
		if (flush >= 0 && flush < deadline.at)
			deadline.at = flush;
	}
	return deadline;
}

/* A customer that never pauses must meet the end of the time, too. */
static bool
is_late(const struct desk *desk)
{
	return deadline_left(desk_is_holding(desk) ? &desk->hold.end
						   : &desk->deadline) == 0;
}

static enum wake
wait_for_something(struct desk *desk)
{
	struct deadline deadline = next_deadline(desk);
	struct pollfd fds[3] = {
	    {.fd = stream_fd(desk->stream), .events = POLLIN},
	    {.fd = desk->options->gate, .events = POLLIN},
	};

	if (is_late(desk))
		return stop_requested() ? WAKE_STOP : WAKE_TIME;
	if (stream_pending(desk->stream))
		return WAKE_CUSTOMER;
	switch (deadline_poll(&deadline, fds, 2)) {
	case DEADLINE_READY:
		return fds[1].revents != 0 ? WAKE_GATE : WAKE_CUSTOMER;
	case DEADLINE_OVER:
		return WAKE_TIME;
	case DEADLINE_STOPPED:
		return WAKE_STOP;
	}
	return WAKE_STOP;
}

static void
read_customer(struct desk *desk)
{
	struct stream_exchange exchange = {.out_len = 0};
	struct error err;
	short events = 0;

	exchange.in = provider_room(desk->engine, &exchange.in_size);
	if (exchange.in == NULL)
		return;
	if (!stream_try(desk->stream, &exchange, &events, &err) ||
	    exchange.ended) {
		provider_eof(desk->engine);
		return;
	}
	if (exchange.read > 0 && desk->account != NULL)
		desk->deadline = deadline_in(COMMAND_MS, 0);
	provider_filled(desk->engine, exchange.read);
}

/* A stop request ends every deadline: it comes last, or a customer could hear "no
 * mail" for it. */
static void
on_time(struct desk *desk)
{
	bool holds = desk_is_holding(desk);

	if (holds && !desk_may_end_hold(desk))
		desk_flush_one(desk);
	else if (stop_requested())
		desk_stop(desk);
	else if (holds)
		desk_end_hold(desk);
	else
		desk_stop_with(desk, "4.4.2", "has waited long enough");
}

static void
dialogue(struct desk *desk)
{
	struct provider_event event;

	for (;;) {
		while (!desk->closed && provider_next(desk->engine, &event))
			act(desk, &event);
		desk_write_output(desk);
		if (desk->closed || provider_is_turned(desk->engine))
			return;
		switch (wait_for_something(desk)) {
		case WAKE_CUSTOMER:
			read_customer(desk);
			break;
		case WAKE_GATE:
			desk_on_note(desk);
			break;
		case WAKE_TIME:
			on_time(desk);
			break;
		case WAKE_STOP:
			desk_stop(desk);
			break;
		}
	}
}

static void
set_desk_tcp_options(struct stream *stream)
{
	static const int unsent = UNSENT_MAX;

	stream_expect_acks(stream, ACKS_MS);
	(void)setsockopt(stream_fd(stream), IPPROTO_TCP, TCP_NOTSENT_LOWAT,
	    &unsent, sizeof unsent);
}

void
desk_run(const struct desk_options *options)
{
	struct desk desk = {
	    .options = options,
	    .config = options->config,
	    .stream = stream_new(options->fd),
	    .deadline = deadline_in(LOGIN_MS, 0),
	    .postfix = -1,
	};
	struct provider_options engine = {
	    .hostname = options->config->hostname,
	    .implicit_tls = options->implicit_tls,
	    .mechanisms = desk.mechanisms,
	    .transcript = &desk.transcript,
	};

	set_desk_tcp_options(desk.stream);
	transcript_init(&desk.transcript, "customer", false);
	desk.engine = provider_new(&engine);
	if (options->implicit_tls && desk_start_tls(&desk))
		desk_find_mechanisms(&desk);
	if (!desk.closed)
		dialogue(&desk);
	if (provider_is_turned(desk.engine) && desk.postfix >= 0) {
		if (!desk.closed)
			desk_pass_mail_on(&desk);
		else
			inner_refuse(desk.postfix, desk.config->hostname,
			    "the customer has just gone");
	}
	struct deadline finish = desk_last_wait();
	stream_finish(desk.stream, &finish);
	stream_free(desk.stream);
	provider_free(desk.engine);
	verify_free(desk.verify);
	transcript_clear(&desk.transcript);
	close(options->gate);
}
