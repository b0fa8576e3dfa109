/* SPDX-License-Identifier: ISC */
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "stream_private.h"

enum {
	/* A connection that a router has forgotten is found within 60 s: mail
	 * that is pushed must not wait for longer. An idle day costs 1 MB. */
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
	KEEPALIVE_PROBES = 3,
	DRAIN_SIZE = 4096, /* what a peer still says after our last reply */
	/* More than was under way when it came: sockets hold 6 and 4 MB
	 * (tcp_rmem, tcp_wmem). Who goes on will not read it. */
	DRAIN_MAX = 16 << 20,
};

/* On a Unix socket these fail, and nothing is lost. */
static void
set_tcp_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
	    {IPPROTO_TCP, TCP_NODELAY, 1},
	    {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
	    {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
	    {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		(void)setsockopt(fd, options[i].level, options[i].name,
		    &options[i].value, sizeof options[i].value);
}

struct stream *
stream_new(int fd)
{
	struct stream *stream = xcalloc(1, sizeof *stream);
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	set_tcp_options(fd);
	stream->fd = fd;
	return stream;
}

static void
unpair(struct stream *stream)
{
	struct stream *beside = stream->beside;

	stream->beside = NULL;
	stream->quiet = false;
	if (beside != NULL)
		unpair(beside);
}

void
stream_pair(struct stream *stream, struct stream *beside)
{
	unpair(stream);
	if (beside == NULL)
		return;
	unpair(beside);
	stream->beside = beside;
	beside->beside = stream;
}

void
stream_expect_acks(struct stream *stream, unsigned ms)
{
	(void)setsockopt(
	    stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

void
stream_free(struct stream *stream)
{
	if (stream == NULL)
		return;
	unpair(stream);
	SSL_free(stream->ssl);
	close(stream->fd);
	free(stream);
}

int
stream_fd(const struct stream *stream)
{
	return stream->fd;
}

SSL *
stream_ssl(const struct stream *stream)
{
	return stream->ssl;
}

enum step
stream_lost(struct error *err, int errnum)
{
	error_set_errno(err, ERROR_AGAIN, errnum, "the connection was lost");
	return STEP_FAILED;
}

/* What became of a socket call that did not get through. */
static enum step
plain_outcome(short event, short *events, struct error *err)
{
	if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		return stream_lost(err, errno);
	*events = (short)(*events | event);
	return STEP_WAIT;
}

static enum step
try_read(struct stream *stream, struct stream_exchange *exchange, short *events,
    struct error *err)
{
	if (stream->ssl != NULL)
		return stream_tls_read(stream, exchange, events, err);
	ssize_t n = recv(stream->fd, exchange->in, exchange->in_size, 0);
	if (n < 0)
		return plain_outcome(POLLIN, events, err);
	exchange->read = (size_t)n;
	/* It had less than was asked for. */
	stream->quiet = stream->beside != NULL && n > 0 &&
			exchange->read < exchange->in_size;
	return n > 0 ? STEP_DONE : STEP_ENDED;
}

static enum step
try_write(struct stream *stream, struct stream_exchange *exchange,
    short *events, struct error *err)
{
	if (stream->ssl != NULL)
		return stream_tls_write(stream, exchange, events, err);
	ssize_t n =
	    send(stream->fd, exchange->out, exchange->out_len, MSG_NOSIGNAL);
	if (n < 0)
		return plain_outcome(POLLOUT, events, err);
	exchange->written = (size_t)n;
	return STEP_DONE;
}

/*
 * Reads before it writes, unless nothing was there a moment ago: a peer that
 * gives up says why and closes, and then the write would fail while its last
 * words are still unread. Whoever hears them may have nothing more to write.
 */
static enum step
try_both(struct stream *stream, struct stream_exchange *exchange, short *events,
    struct error *err)
{
	bool writes = exchange->out_len > 0, reads = exchange->in_size > 0;
	bool quiet = stream->quiet && stream->ssl == NULL && writes;
	enum step in = STEP_WAIT;

	stream->quiet = false;
	if (reads && !quiet)
		in = try_read(stream, exchange, events, err);
	else if (reads)
		*events |= POLLIN;
	exchange->ended = in == STEP_ENDED;
	if (in != STEP_WAIT || !writes)
		return in;
	enum step out = try_write(stream, exchange, events, err);
	stream->asked |= out == STEP_DONE;
	return out;
}

/* false: the wait ended with its time. */
static bool
is_in_time(enum deadline_result result, struct error *err)
{
	switch (result) {
	case DEADLINE_READY:
		return true;
	case DEADLINE_OVER:
		error_set(err, ERROR_AGAIN, "timed out");
		return false;
	case DEADLINE_STOPPED:
		error_set(err, ERROR_STOPPED, "stopped by a signal");
		return false;
	}
	return false;
}

bool
stream_wait(struct stream *stream, short events,
    const struct deadline *deadline, struct error *err)
{
	struct stream *beside = stream->beside;
	bool spoke;
	enum deadline_result result = deadline_wait_beside(deadline, stream->fd,
	    events, beside != NULL ? beside->fd : -1, &spoke);

	stream->quiet = false;
	if (beside != NULL)
		beside->quiet = !spoke;
	return is_in_time(result, err);
}

static bool
exchange_in_time(struct stream *stream, struct stream_exchange *exchange,
    const struct deadline *deadline, struct error *err)
{
	/* Right behind what we wrote a read is in vain, mostly. */
	bool asked = stream->asked && exchange->out_len == 0 &&
		     (stream->ssl == NULL || SSL_has_pending(stream->ssl) == 0);

	for (;; asked = false) {
		enum step step = STEP_WAIT;
		short events = asked ? POLLIN : 0;

		/* Else a peer that never pauses would never meet it. */
		if (deadline_left(deadline) == 0 &&
		    !is_in_time(deadline_wait(deadline, -1, 0), err))
			return false;
		if (!asked)
			step = try_both(stream, exchange, &events, err);
		if (step != STEP_WAIT)
			return step != STEP_FAILED;
		if (!stream_wait(stream, events, deadline, err))
			return false;
		stream->asked = false;
	}
}

/* Nothing of it has been done; false: nothing can be written any more. */
static bool
begin_exchange(
    struct stream *stream, struct stream_exchange *exchange, struct error *err)
{
	exchange->written = exchange->read = 0;
	exchange->ended = false;
	if (exchange->out_len == 0 || !stream->broken)
		return true;
	error_set(err, ERROR_AGAIN, "an earlier write failed");
	return false;
}

bool
stream_try(struct stream *stream, struct stream_exchange *exchange,
    short *events, struct error *err)
{
	if (!begin_exchange(stream, exchange, err))
		return false;
	if (try_both(stream, exchange, events, err) != STEP_FAILED)
		return true;
	stream->broken |= exchange->out_len > 0;
	return false;
}

bool
stream_exchange(struct stream *stream, struct stream_exchange *exchange,
    const struct deadline *deadline, struct error *err)
{
	if (!begin_exchange(stream, exchange, err))
		return false;
	if (exchange_in_time(stream, exchange, deadline, err))
		return true;
	stream->broken |= exchange->out_len > 0;
	return false;
}

ssize_t
stream_read(struct stream *stream, char *data, size_t size,
    const struct deadline *deadline, struct error *err)
{
	struct stream_exchange exchange = {.in = data, .in_size = size};

	if (!stream_exchange(stream, &exchange, deadline, err))
		return -1;
	return (ssize_t)exchange.read;
}

bool
stream_write(struct stream *stream, const char *data, size_t len,
    const struct deadline *deadline, struct error *err)
{
	struct stream_exchange exchange = {.out = data, .out_len = len};

	while (exchange.out_len > 0) {
		if (!stream_exchange(stream, &exchange, deadline, err))
			return false;
		exchange.out += exchange.written;
		exchange.out_len -= exchange.written;
	}
	return true;
}

bool
stream_pending(struct stream *stream)
{
	struct pollfd pollfd = {.fd = stream->fd, .events = POLLIN};

	if (stream->ssl != NULL && SSL_pending(stream->ssl) > 0)
		return true;
	if (stream->quiet)
		return false;
	return poll(&pollfd, 1, 0) > 0;
}

void
stream_finish(struct stream *stream, const struct deadline *deadline)
{
	char rest[DRAIN_SIZE];
	struct error ignored;
	ssize_t n = 0;

	stream_say_goodbye(stream, deadline);
	shutdown(stream->fd, SHUT_WR);
	stream->broken = true;
	for (ssize_t heard = 0; heard < DRAIN_MAX; heard += n) {
		n = stream_read(stream, rest, sizeof rest, deadline, &ignored);
		if (n <= 0)
			break;
	}
}
