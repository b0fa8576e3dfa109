/*
 * scram - the messages of SCRAM (RFC 5802, 7677) on the client's side.
 *
 * For protocol/sasl, which has the order of the steps. The server is taken to
 * be hostile: its nonce, salt and count are checked before any work is done,
 * and it has to prove that it knows the password's keys.
 */
#ifndef ODMR_PROTOCOL_SCRAM_H
#define ODMR_PROTOCOL_SCRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct buf;
struct evp_md_st;
struct sasl_credentials;

enum {
	/* RFC 5802 5.1 and 7677 4: a server SHOULD ask for no less. */
	SCRAM_ITERATIONS_MIN = 4096,
	/* Above what is recommended anywhere; half a minute on a router. */
	SCRAM_ITERATIONS_MAX = 1000000,
	SCRAM_DIGEST_MAX = 32, /* octets of SHA-256 */
};

struct scram {
	const struct sasl_credentials *credentials; /* borrowed */
	const struct evp_md_st *digest; /* OpenSSL's */
	bool plus; /* the channel is bound */
	unsigned char signature[SCRAM_DIGEST_MAX]; /* the server's, expected */
	size_t signature_len;
};

/*
 * Each adds its message to out. Errors: ERROR_PROTOCOL, what the server did
 * wrong; ERROR_AUTH, it ended the login; ERROR_CONFIG, what does not fit a
 * line; ERROR_INTERNAL.
 */
bool scram_first(struct scram *scram, struct buf *out, struct error *err)
    __attribute__((warn_unused_result));
bool scram_final(struct scram *scram, const char *challenge, size_t len,
    struct buf *out, struct error *err) __attribute__((warn_unused_result));
/* The server's last message: true only if it has the right signature. Errors:
 * ERROR_AUTH. */
bool scram_verify(const struct scram *scram, const char *challenge, size_t len,
    struct error *err) __attribute__((warn_unused_result));

/* The user as a saslname: ',' as =2C, '=' as =3D. false: out is full. */
bool scram_put_name(struct buf *out, const char *user)
    __attribute__((warn_unused_result));

#endif
