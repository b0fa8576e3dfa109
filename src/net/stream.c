/* SPDX-License-Identifier: ISC */
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/alert.h"

struct stream {
	int fd;
	SSL *ssl; /* NULL: in the clear */
	bool shaken; /* the TLS handshake is over */
	bool tls_failed; /* OpenSSL must not be asked for a close_notify */
	bool broken; /* a write ended half-way */
	bool asked; /* written to, and not waited for since */
};

/* One attempt at the descriptor. */
enum step {
	STEP_DONE, /* octets went through */
	STEP_WAIT, /* not before the descriptor is ready for events */
	STEP_ENDED, /* the peer ended its direction */
	STEP_FAILED, /* err says why */
};

enum {
	/* A connection that a router has forgotten is found within 60 s: mail
	 * that is pushed must not wait for longer. An idle day costs 1 MB. */
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
	KEEPALIVE_PROBES = 3,
	DRAIN_SIZE = 4096, /* what a peer still says after our last reply */
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

const char *
stream_tls_reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *reason = NULL;

	if (ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	else if (code != 0)
		reason = ERR_reason_error_string(code);
	return reason != NULL ? reason : "no reason given";
}

static enum step
lost(struct error *err, int errnum)
{
	error_set_errno(err, ERROR_AGAIN, errnum, "the connection was lost");
	return STEP_FAILED;
}

static enum step
tls_broke(struct stream *stream, int code, int errnum, struct error *err)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	stream->tls_failed = true;
	if (code == SSL_ERROR_SYSCALL && errnum != 0)
		return lost(err, errnum);
	if (alert_refuses_us(stream->ssl, err))
		return STEP_FAILED;
	if (code != SSL_ERROR_SYSCALL &&
	    reason != SSL_R_UNEXPECTED_EOF_WHILE_READING)
		error_set(err, ERROR_PROTOCOL, "TLS failed: %s%s",
		    stream_tls_reason(),
		    !stream->shaken && reason == SSL_R_WRONG_VERSION_NUMBER
			? ": the peer does not speak TLS at this point"
			: "");
	else
		error_set(err, ERROR_AGAIN, "%s",
		    stream->shaken
			? "the connection was cut off: TLS was not closed"
			: "the peer closed the connection in the TLS "
			  "handshake");
	return STEP_FAILED;
}

/* What became of an OpenSSL call that returned ret; errno is still its own. */
static enum step
tls_outcome(struct stream *stream, int ret, short *events, struct error *err)
{
	int errnum = errno;
	int code = SSL_get_error(stream->ssl, ret);

	switch (code) {
	case SSL_ERROR_NONE:
		return STEP_DONE;
	case SSL_ERROR_WANT_READ:
		*events |= POLLIN;
		return STEP_WAIT;
	case SSL_ERROR_WANT_WRITE:
		*events |= POLLOUT;
		return STEP_WAIT;
	case SSL_ERROR_ZERO_RETURN:
		return STEP_ENDED;
	default:
		return tls_broke(stream, code, errnum, err);
	}
}

/* What became of a socket call that did not get through. */
static enum step
plain_outcome(short event, short *events, struct error *err)
{
	if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		return lost(err, errno);
	*events = (short)(*events | event);
	return STEP_WAIT;
}

static enum step
try_read(struct stream *stream, struct stream_exchange *exchange, short *events,
    struct error *err)
{
	if (stream->ssl != NULL) {
		ERR_clear_error();
		errno = 0;
		int ret = SSL_read_ex(stream->ssl, exchange->in,
		    exchange->in_size, &exchange->read);
		return tls_outcome(stream, ret, events, err);
	}
	ssize_t n = recv(stream->fd, exchange->in, exchange->in_size, 0);
	if (n < 0)
		return plain_outcome(POLLIN, events, err);
	exchange->read = (size_t)n;
	return n > 0 ? STEP_DONE : STEP_ENDED;
}

/*
 * A write failed: a peer that gives up says why before it closes, and that may
 * still lie unread.
 */
static enum step
tls_write_broke(
    struct stream *stream, int ret, short *events, struct error *err)
{
	enum step step = tls_outcome(stream, ret, events, err);
	struct error last_words;
	char octet;

	if (step == STEP_ENDED)
		step = lost(err, EPIPE);
	if (step != STEP_FAILED)
		return step;
	ERR_clear_error();
	(void)SSL_peek(stream->ssl, &octet, 1);
	if (alert_refuses_us(stream->ssl, &last_words))
		*err = last_words;
	return step;
}

static enum step
try_write(struct stream *stream, struct stream_exchange *exchange,
    short *events, struct error *err)
{
	if (stream->ssl != NULL) {
		ERR_clear_error();
		errno = 0;
		int ret = SSL_write_ex(stream->ssl, exchange->out,
		    exchange->out_len, &exchange->written);
		return ret == 1 ? STEP_DONE
				: tls_write_broke(stream, ret, events, err);
	}
	ssize_t n =
	    send(stream->fd, exchange->out, exchange->out_len, MSG_NOSIGNAL);
	if (n < 0)
		return plain_outcome(POLLOUT, events, err);
	exchange->written = (size_t)n;
	return STEP_DONE;
}

/*
 * Reads before it writes: a peer that gives up says why and closes, and then
 * the write would fail while its last words are still unread. Whoever hears
 * them may have nothing more to write.
 */
static enum step
try_both(struct stream *stream, struct stream_exchange *exchange, short *events,
    struct error *err)
{
	enum step in = exchange->in_size > 0
			   ? try_read(stream, exchange, events, err)
			   : STEP_WAIT;

	exchange->ended = in == STEP_ENDED;
	if (in != STEP_WAIT || exchange->out_len == 0)
		return in;
	enum step out = try_write(stream, exchange, events, err);
	stream->asked |= out == STEP_DONE;
	return out;
}

/* false: the time is over. */
static bool
wait_for(
    int fd, short events, const struct deadline *deadline, struct error *err)
{
	switch (deadline_wait(deadline, fd, events)) {
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
		    !wait_for(-1, 0, deadline, err))
			return false;
		if (!asked)
			step = try_both(stream, exchange, &events, err);
		if (step != STEP_WAIT)
			return step != STEP_FAILED;
		if (!wait_for(stream->fd, events, deadline, err))
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
	return poll(&pollfd, 1, 0) > 0;
}

/* Sends close_notify, unless TLS is beyond it. */
static bool
say_goodbye(
    struct stream *stream, const struct deadline *deadline, struct error *err)
{
	enum step step = STEP_DONE;

	if (stream->ssl == NULL || stream->tls_failed || stream->broken)
		return true;
	do {
		short events = 0;

		ERR_clear_error();
		errno = 0;
		int ret = SSL_shutdown(stream->ssl);
		/* 0: it is sent, and the peer's has not come yet. */
		step = ret >= 0 ? STEP_DONE
				: tls_outcome(stream, ret, &events, err);
		if (step == STEP_WAIT &&
		    !wait_for(stream->fd, events, deadline, err))
			return false;
	} while (step == STEP_WAIT);
	return step != STEP_FAILED;
}

void
stream_finish(struct stream *stream, const struct deadline *deadline)
{
	char rest[DRAIN_SIZE];
	struct error ignored;

	(void)say_goodbye(stream, deadline, &ignored);
	shutdown(stream->fd, SHUT_WR);
	stream->broken = true;
	while (stream_read(stream, rest, sizeof rest, deadline, &ignored) > 0)
		continue;
}

bool
stream_handshake(struct stream *stream, SSL *take,
    const struct deadline *deadline, struct error *err)
{
	stream->ssl = take;
	if (SSL_set_fd(take, stream->fd) != 1) {
		error_set(err, ERROR_INTERNAL, "TLS cannot be set up: %s",
		    stream_tls_reason());
		return false;
	}
	for (;;) {
		short events = 0;

		ERR_clear_error();
		errno = 0;
		int ret = SSL_do_handshake(take);
		enum step step = tls_outcome(stream, ret, &events, err);
		if (step == STEP_ENDED)
			step = lost(err, EPIPE);
		stream->shaken = step == STEP_DONE;
		if (step != STEP_WAIT)
			return stream->shaken;
		if (!wait_for(stream->fd, events, deadline, err))
			return false;
	}
}
