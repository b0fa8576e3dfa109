/*
 * tls - TLS towards the provider: trust, identity, and what was agreed on.
 *
 * TLS 1.2 or newer; the rest is left to the system's OpenSSL policy. There is
 * no way to turn verification off. A context lives for one session of an
 * account, and later connections of it resume the first one's TLS session.
 */
#ifndef ODMR_NET_TLS_H
#define ODMR_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct deadline;
struct error;
struct stream;
struct tls_context;

enum {
	TLS_PIN_SIZE = 8 + 44 + 1, /* "sha256//", base64 of 32 octets, NUL */
	TLS_SUBJECT_SIZE = 256, /* a longer one is cut */
	TLS_BINDING_MAX = 64, /* tls-exporter has 32 octets, a Finished 12 */
};

/* Strings are borrowed until tls_context_free(). */
struct tls_options {
	const char *server_name; /* DNS name or address; never empty */
	const char *ca_file; /* NULL: the system's store */
	/* sha256//BASE64; with any, CAs do not count. */
	const char *const *pins;
	size_t pins_len;
	const char *cert_file, *key_file; /* both or none (NULL) */
};

/*
 * Looks up once what every context needs: OpenSSL's algorithms, a third of what a
 * call that finds no mail computes. Processes that are forked later have them.
 */
void tls_prepare(void);
/*
 * Reads the files. A key that wants a pass phrase is refused, since nobody is
 * there to type it. Errors: ERROR_CONFIG, a name or a file is no good;
 * ERROR_SYSTEM.
 */
struct tls_context *tls_context_new(const struct tls_options *options,
    struct error *err) __attribute__((warn_unused_result));
void tls_context_free(struct tls_context *context);

/* Whether text is a pin: sha256// and the base64 of 32 octets. */
bool tls_pin_is_valid(const char *text);

/*
 * Starts TLS on a stream that is in the clear; the caller saw to it that no
 * octet of the peer is left from before (RFC 3207 4.2). Errors:
 * ERROR_CERTIFICATE, why it was not accepted and what to do; ERROR_AUTH, ours
 * was not; ERROR_PROTOCOL, TLS failed otherwise; ERROR_AGAIN, the connection;
 * ERROR_STOPPED, ERROR_SYSTEM, ERROR_INTERNAL.
 */
bool tls_start(struct tls_context *context, struct stream *stream,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));

/* The cipher by IANA's name, as TLS_AES_128_GCM_SHA256; NULL: it is in the clear.
 * Lives as long as the stream. */
const char *tls_cipher(const struct stream *stream);
/* What the handshake came to; names live as long as the stream. */
struct tls_info {
	const char *version; /* as TLSv1.3 */
	const char *cipher; /* as of tls_cipher() */
	const char *group; /* IANA's name, as x25519; NULL: none */
	bool resumed;
	time_t not_after; /* end of the peer's certificate; -1: not known */
	time_t own_not_after; /* of ours; -1: we have none */
	char subject[TLS_SUBJECT_SIZE]; /* escaped */
	char pin[TLS_PIN_SIZE]; /* the line for tls_pins */
};
/* false: the stream is in the clear. It reads the certificate each time: not for
 * each message. */
bool tls_info(const struct stream *stream, struct tls_info *info);

/* Channel binding for SASL (RFC 5802 6). */
struct tls_binding {
	const char *name; /* tls-exporter or tls-unique */
	unsigned char data[TLS_BINDING_MAX];
	size_t len;
};
/*
 * tls-exporter under TLS 1.3 (RFC 9266); under 1.2 tls-unique, and only with
 * the extended master secret (RFC 7627), without which it is not safe. false:
 * there is none.
 */
bool tls_binding(const struct stream *stream, struct tls_binding *binding);

#endif
