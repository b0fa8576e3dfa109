/* SPDX-License-Identifier: ISC */
#include "net/join.h"

#include <poll.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "net/stream.h"

enum {
	/* Of each direction: two TLS records; more only delays the other. */
	BUFFER = 32 * 1024,
	/* For what one side said last to reach the other. */
	LAST_WORDS_MS = 10 * 1000,
	STOP_GRACE_MS = 3 * 1000,
	/* Both sides, the interrupt, and what deadline_poll() adds. */
	FDS = JOIN_SIDES + 2,
};

struct join {
	const struct join_options *options;
	struct join_result *result;
	struct buf from[JOIN_SIDES]; /* came from a side, for the other */
	short events[JOIN_SIDES];
	int64_t heard; /* clock_ms() of the last octet */
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

static void
note_moved(struct join *join, int side, size_t octets)
{
	const struct join_options *options = join->options;

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
		note_moved(join, side, exchange.read);
	}
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
	    .fd = join->ended ? -1 : options->interrupt, .events = POLLIN};
	switch (deadline_poll(deadline, fds, JOIN_SIDES + 1)) {
	case DEADLINE_READY:
		if (fds[JOIN_SIDES].revents != 0)
			end_join(join, JOIN_INTERRUPTED);
		break;
	case DEADLINE_OVER:
		end_join(join, JOIN_SILENT);
		break;
	case DEADLINE_STOPPED:
		end_join(join, JOIN_STOPPED);
		break;
	}
}

/* After the end of one side the rest is passed on, within a while. */
static void
pass_on_the_rest(struct join *join)
{
	struct deadline deadline = deadline_in(LAST_WORDS_MS, STOP_GRACE_MS);

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
	struct join join = {
	    .options = options, .result = result, .heard = clock_ms()};

	*result = (struct join_result){.end = JOIN_FAILED};
	for (int i = 0; i < JOIN_SIDES; i++)
		buf_init(&join.from[i], BUFFER);
	while (!join.ended) {
		bool moved = serve_side(&join, 0);
		moved |= serve_side(&join, 1);
		if (moved || join.ended)
			continue;
		struct deadline deadline = {
		    .at = join.heard + options->silence};
		wait_for_either(&join, &deadline);
	}
	pass_on_the_rest(&join);
	for (int i = 0; i < JOIN_SIDES; i++)
		buf_clear(&join.from[i]);
}
