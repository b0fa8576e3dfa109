/*
 * stream_private - what the sources of net/stream share.
 *
 * stream.c has the descriptor and the waits, stream_tls.c what OpenSSL does.
 */
#ifndef ODMR_NET_STREAM_PRIVATE_H
#define ODMR_NET_STREAM_PRIVATE_H

#include <openssl/types.h>
#include <stdbool.h>

#include "net/stream.h"

struct stream {
	int fd;
	SSL *ssl; /* NULL: in the clear */
	bool shaken; /* the TLS handshake is over */
	bool tls_failed; /* OpenSSL must not be asked for a close_notify */
	bool broken; /* a write ended half-way */
	bool asked; /* written to, and not waited for since */
	struct stream *beside; /* the other of a pair, or NULL */
	/* Of a pair: nothing was there to read, by the last wait or read of
	 * either. */
	bool quiet;
};

/* One attempt at the descriptor. */
enum step {
	STEP_DONE, /* octets went through */
	STEP_WAIT, /* not before the descriptor is ready for events */
	STEP_ENDED, /* the peer ended its direction */
	STEP_FAILED, /* err says why */
};

/* The system said errnum: STEP_FAILED. Errors: ERROR_AGAIN. */
enum step stream_lost(struct error *err, int errnum);
/* Waits for events (poll(2)). false: the time is over. Errors: ERROR_AGAIN,
 * ERROR_STOPPED. */
bool stream_wait(struct stream *stream, short events,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));

/* One attempt; what it waits for is added to *events. Errors: ERROR_AGAIN,
 * ERROR_PROTOCOL, ERROR_AUTH, as net/stream has them. */
enum step stream_tls_read(struct stream *stream,
    struct stream_exchange *exchange, short *events, struct error *err);
/* The same. Errors: the same. */
enum step stream_tls_write(struct stream *stream,
    struct stream_exchange *exchange, short *events, struct error *err);
/* Sends close_notify, unless TLS is beyond it. */
void stream_say_goodbye(struct stream *stream, const struct deadline *deadline);

#endif
