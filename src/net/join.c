/* SPDX-License-Identifier: ISC */
#include "net/join.h"

#include <poll.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/stop.h"
#include "net/stream.h"

enum {
	/* Of each direction: two TLS records; more only delays the other. */
	BUFFER = 32 * 1024,
	/* For what one side said last to reach the other. */
	LAST_WORDS_MS = 10 * 1000,
	STOP_GRACE_MS = 3 * 1000, /* the same, after a stop */
	REPLY_CODE = 3, /* digits */
	/*
	 * Octets of the server's without a word of the client's: a group of a
	 * thousand recipients, each refused in some lines, has a tenth of it. A
	 * reply without an end would keep both programs busy for as long as the
	 * server likes, since it is never silent.
	 */
	REPLIES_MAX = 8 << 20,
	/* Both sides, the interrupt, and what deadline_poll() adds. */
	FDS = JOIN_SIDES + 2,
};

struct join {
	const struct join_options *options;
	struct join_result *result;
	struct buf from[JOIN_SIDES]; /* came from a side, for the other */
	short events[JOIN_SIDES];
	int64_t heard; /* clock_ms() of the last octet */
	int interrupt; /* -1: none, or it was closed */
	size_t column; /* of the server's line, for the next octet */
	uint64_t replied; /* octets of the server since the client spoke */
	bool more; /* the line is not the last one of its reply */
	bool owed; /* the client spoke last, or a reply is not whole */
	bool ended; /* result has the end */
};

static void
end_join(struct join *join, enum join_end end)
{
	if (join->ended)
		return;
	join->ended = true;
	join->result->end = end;
}

/*
 * Whether a reply is owed is all that can be known without following the
 * dialogue, and enough: a client that has sent the end of a message says nothing
 * more before the reply. With pipelining a reply may be that to an earlier
 * command of a group, but no group has an end of a message before its end (RFC
 * 2920 3.1).
 */
static void
note_reply(struct join *join, const char *data, size_t len)
{
	/* "250-text" is followed by another line (RFC 5321 4.2.1). */
	for (size_t i = 0; i < len; i++) {
		if (join->column == REPLY_CODE)
			join->more = data[i] == '-';
		join->column = data[i] == '\n' ? 0 : join->column + 1;
	}
	join->owed = join->column > 0 || join->more;
}

static void
note_moved(struct join *join, int side, const char *data, size_t octets)
{
	const struct join_options *options = join->options;

	if (side == 0)
		note_reply(join, data, octets);
	else
		join->owed = true;
	join->replied = side == 0 ? join->replied + octets : 0;
	join->heard = clock_ms();
	join->result->octets[side] += octets;
	if (options->moved != NULL)
		options->moved(options->context, side, octets);
}

/* Reads from a side, as long as there is room and it matters, and writes to it
 * what the other said. true: something moved. */
static bool
serve_side(struct join *join, int side)
{
	struct buf *to = &join->from[1 - side], *from = &join->from[side];
	struct stream_exchange exchange = {
	    .out = buf_data(to), .out_len = buf_len(to)};

	join->events[side] = 0;
	if (!join->ended)
		exchange.in = buf_room(from, BUFFER, &exchange.in_size);
	if (exchange.out_len == 0 && exchange.in_size == 0)
		return false;
	if (!stream_try(join->options->sides[side], &exchange,
		&join->events[side], &join->result->error)) {
		end_join(join, JOIN_FAILED);
		join->result->failed_side = side;
		buf_reset(to);
		return false;
	}
	buf_consume(to, exchange.written);
	if (exchange.read > 0) {
		buf_filled(from, exchange.read);
		note_moved(join, side, exchange.in, exchange.read);
	}
	if (join->replied > REPLIES_MAX)
		end_join(join, JOIN_ENDLESS);
	if (exchange.ended)
		end_join(
		    join, side == 0 ? JOIN_FIRST_ENDED : JOIN_SECOND_ENDED);
	return exchange.written > 0 || exchange.read > 0;
}

/* Something to be passed on is left. */
static bool
is_pending(const struct join *join)
{
	return buf_len(&join->from[0]) > 0 || buf_len(&join->from[1]) > 0;
}

/* Until when something must move. */
static struct deadline
find_deadline(const struct join *join)
{
	const struct join_options *options = join->options;
	bool owed = join->owed || buf_len(&join->from[1]) > 0;

	return (struct deadline){.at = join->heard + options->silence,
	    .grace = owed ? options->stop_grace : 0};
}

static enum join_end
end_of_stop(const struct deadline *deadline)
{
	return deadline->grace > 0 ? JOIN_CUT : JOIN_STOPPED;
}

/* Whoever closed it has gone, and nobody is there to be served for. */
static void
heed_interrupt(struct join *join, short events)
{
	if ((events & POLLHUP) == 0) {
		end_join(join, JOIN_INTERRUPTED);
		return;
	}
	join->interrupt = -1;
	stop_request();
}

/* Waits for any side, the interrupt, or the end of patience. */
static void
wait_for_either(struct join *join, const struct deadline *deadline)
{
	const struct join_options *options = join->options;
	struct pollfd fds[FDS];

	for (int i = 0; i < JOIN_SIDES; i++)
		fds[i] = (struct pollfd){
		    .fd = join->events[i] != 0 ? stream_fd(options->sides[i])
					       : -1,
		    .events = join->events[i]};
	fds[JOIN_SIDES] = (struct pollfd){
	    .fd = join->ended ? -1 : join->interrupt, .events = POLLIN};
	switch (deadline_poll(deadline, fds, JOIN_SIDES + 1)) {
	case DEADLINE_READY:
		if (fds[JOIN_SIDES].revents != 0)
			heed_interrupt(join, fds[JOIN_SIDES].revents);
		break;
	case DEADLINE_OVER:
		end_join(join, JOIN_SILENT);
		break;
	case DEADLINE_STOPPED:
		end_join(join, end_of_stop(deadline));
		break;
	}
}

/* After the end of one side the rest is passed on, within a while. To the server
 * only where the client is done: it must not have a whole message when nobody
 * waits for its reply any more. */
static void
pass_on_the_rest(struct join *join)
{
	struct deadline deadline = deadline_in(
	    LAST_WORDS_MS, join->options->stop_grace + STOP_GRACE_MS);

	if (join->result->end != JOIN_SECOND_ENDED)
		buf_reset(&join->from[1]);
	while (is_pending(join) && deadline_left(&deadline) > 0) {
		bool moved = serve_side(join, 0);
		moved |= serve_side(join, 1);
		if (!moved && is_pending(join))
			wait_for_either(join, &deadline);
	}
}

void
join_run(const struct join_options *options, struct join_result *result)
{
	struct join join = {.options = options,
	    .result = result,
	    .heard = clock_ms(),
	    .interrupt = options->interrupt};

	*result = (struct join_result){.end = JOIN_FAILED};
	for (int i = 0; i < JOIN_SIDES; i++)
		buf_init(&join.from[i], BUFFER);
	while (!join.ended) {
		struct deadline deadline = find_deadline(&join);
		/* Also of sides that never pause. */
		if (stop_requested() && deadline_left(&deadline) == 0) {
			end_join(&join, end_of_stop(&deadline));
			break;
		}
		bool moved = serve_side(&join, 0);
		moved |= serve_side(&join, 1);
		if (moved || join.ended)
			continue;
		wait_for_either(&join, &deadline);
	}
	pass_on_the_rest(&join);
	for (int i = 0; i < JOIN_SIDES; i++)
		buf_clear(&join.from[i]);
}
