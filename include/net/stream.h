/*
 * stream - one duplex run of octets to a peer, in the clear or under TLS.
 *
 * It owns its descriptor, which never blocks: every wait is a deadline's. A
 * call that fails fills in err: ERROR_AGAIN for a time-out and for a line that
 * was reset or cut, ERROR_STOPPED when a stop request ended the wait,
 * ERROR_PROTOCOL for a fault of TLS, ERROR_AUTH for a peer that refused our
 * certificate. Once the deadline is over nothing more is
 * read or written, whatever is there. The program ignores SIGPIPE.
 */
#ifndef ODMR_NET_STREAM_H
#define ODMR_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct deadline;
struct error;
struct ssl_st;
struct stream;

/*
 * Takes a connected socket. Over TCP it sets TCP_NODELAY, and keep-alive after
 * 30 s that finds a dead peer within 60 s.
 */
struct stream *stream_new(int fd);
/*
 * Over TCP: what was written and is not acknowledged for ms means that the peer
 * is lost. Keep-alive does not see to that, and the system's own patience is a
 * quarter of an hour. A peer that has no room for so long is lost as well.
 */
void stream_expect_acks(struct stream *stream, unsigned ms);
/*
 * Two streams that are served in turn, as the provider's and that of the local
 * service: a wait for one looks at the other as well. What it has seen, or a
 * read that got less than it had room for, stands in place of a call of the system
 * in stream_pending(), and of the read before a write in stream_exchange(). So it
 * is for those only who do nothing that takes time between a wait and what
 * follows from it. beside NULL, and stream_free() of either, ends it.
 */
void stream_pair(struct stream *stream, struct stream *beside);
/* Closes it as it is: no close_notify, no wait; see stream_finish(). */
void stream_free(struct stream *stream);
/* For another's poll(2); ask stream_pending() first. */
int stream_fd(const struct stream *stream);

/*
 * Waits for octets and gives what is there, at most size of them. 0: the peer
 * ended the stream in order; -1: failed. TLS that ends without close_notify was
 * cut, by anyone on the way, and is a failure, never an end. Errors: those
 * above.
 */
ssize_t stream_read(struct stream *stream, char *data, size_t size,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/* Writes all of it. Once it failed the peer may have half of it, so that every
 * later write fails, too. Errors: those above. */
bool stream_write(struct stream *stream, const char *data, size_t len,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));

/* What stream_exchange() may write and where it may read to. */
struct stream_exchange {
	const char *out; /* out_len octets to write; 0: nothing */
	size_t out_len;
	char *in; /* room for in_size octets; 0: nothing is read */
	size_t in_size;
	size_t written; /* from here on filled in by the call */
	size_t read;
	bool ended; /* the peer ended the stream in order */
};
/*
 * Writes and reads without waiting for the one while the other can go on, for a
 * peer that stops reading while nobody reads its replies. Comes back as soon as
 * anything was written, read or ended. What is there to read is read first, and
 * then nothing is written by this call: it may change what there is to say
 * (stream_pair() has an exception). What
 * was offered in out and not yet written must come first in the next call that
 * writes. Errors: those above.
 */
bool stream_exchange(struct stream *stream, struct stream_exchange *exchange,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));

/*
 * The same without a wait, for whoever waits for several streams at once. Where
 * nothing could be moved, *events gets what to poll(2) for; it is only added
 * to. Errors: those above but ERROR_STOPPED.
 */
bool stream_try(struct stream *stream, struct stream_exchange *exchange,
    short *events, struct error *err) __attribute__((warn_unused_result));

/* Something can be read now: octets, the end, or a failure. */
bool stream_pending(struct stream *stream);
/*
 * Ends our direction (close_notify, FIN) and reads what still comes until the
 * peer ends its own, or the deadline, so that our last reply is not lost to a
 * reset (a close with unread octets sends one). A peer that sends on and on is
 * heard for 16 MiB. Nothing can be written after.
 */
void stream_finish(struct stream *stream, const struct deadline *deadline);

/*
 * For net/tls: takes the session, also when it fails, ties it to the stream and
 * shakes hands, as the side that the session was made for. Errors: those above,
 * and ERROR_INTERNAL.
 */
bool stream_handshake(struct stream *stream, struct ssl_st *take,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/* NULL while the stream is in the clear. */
struct ssl_st *stream_ssl(const struct stream *stream);
/* The first error in OpenSSL's queue as text. */
const char *stream_tls_reason(void);

#endif
