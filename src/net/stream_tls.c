/* SPDX-License-Identifier: ISC */
/*
 * A stream under TLS: what OpenSSL is asked, and what its answers mean.
 */
#include "net/stream.h"
#include "stream_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "net/alert.h"

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
tls_broke(struct stream *stream, int code, int errnum, struct error *err)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	stream->tls_failed = true;
	if (code == SSL_ERROR_SYSCALL && errnum != 0)
		return stream_lost(err, errnum);
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

enum step
stream_tls_read(struct stream *stream, struct stream_exchange *exchange,
    short *events, struct error *err)
{
	ERR_clear_error();
	errno = 0;
	int ret = SSL_read_ex(
	    stream->ssl, exchange->in, exchange->in_size, &exchange->read);
	return tls_outcome(stream, ret, events, err);
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
		step = stream_lost(err, EPIPE);
	if (step != STEP_FAILED)
		return step;
	ERR_clear_error();
	(void)SSL_peek(stream->ssl, &octet, 1);
	if (alert_refuses_us(stream->ssl, &last_words))
		*err = last_words;
	return step;
}

enum step
stream_tls_write(struct stream *stream, struct stream_exchange *exchange,
    short *events, struct error *err)
{
	ERR_clear_error();
	errno = 0;
	int ret = SSL_write_ex(
	    stream->ssl, exchange->out, exchange->out_len, &exchange->written);
	return ret == 1 ? STEP_DONE : tls_write_broke(stream, ret, events, err);
}

void
stream_say_goodbye(struct stream *stream, const struct deadline *deadline)
{
	struct error ignored;
	enum step step;

	if (stream->ssl == NULL || stream->tls_failed || stream->broken)
		return;
	do {
		short events = 0;

		ERR_clear_error();
		errno = 0;
		int ret = SSL_shutdown(stream->ssl);
		/* 0: it is sent, and the peer's has not come yet. */
		step = ret >= 0 ? STEP_DONE
				: tls_outcome(stream, ret, &events, &ignored);
		if (step == STEP_WAIT &&
		    !stream_wait(stream, events, deadline, &ignored))
			return;
	} while (step == STEP_WAIT);
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
			step = stream_lost(err, EPIPE);
		stream->shaken = step == STEP_DONE;
		if (step != STEP_WAIT)
			return stream->shaken;
		if (!stream_wait(stream, events, deadline, err))
			return false;
	}
}
