/*
 * verify - whether a customer is who he says he is.
 *
 * The server's half of the mechanisms of AUTH, over the file of users, or over
 * Dovecot's auth service, which then has the mechanisms. What the customer
 * sends is octets; what is answered is octets or a verdict. No password is
 * kept, and none is ever logged.
 */
#ifndef ODMR_PROVIDER_VERIFY_H
#define ODMR_PROVIDER_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "net/tls.h"
#include "protocol/provider.h"

struct buf;
struct deadline;
struct error;
struct provider_config;
struct verify;

enum {
	VERIFY_USER_SIZE = 256,
	VERIFY_MECHANISMS_SIZE = 512,
};

/* Borrowed for the life of it. */
struct verify_options {
	const struct provider_config *config;
	const struct tls_binding *binding; /* NULL: TLS cannot be bound */
	const char *pin; /* of the certificate that was shown; "": none */
	const char *peer_addr, *local_addr; /* for Dovecot's log and rules */
	const struct deadline *limit; /* of all waits for Dovecot; NULL: none */
};

/* One for a connection; nothing is asked yet. */
struct verify *verify_new(const struct verify_options *options);
void verify_free(struct verify *verify);
/* The mechanisms for the list of EHLO, by blanks. Dovecot is asked once. false:
 * it is away, and nobody can log in now. Errors: those of dovecot_open(). */
bool verify_mechanisms(struct verify *verify,
    char out[static VERIFY_MECHANISMS_SIZE], struct error *err)
    __attribute__((warn_unused_result));

enum verify_result {
	VERIFY_CHALLENGE, /* out has the octets */
	VERIFY_DONE, /* login says how it ended */
};
/*
 * The first response (response NULL: none was sent), and each one after it.
 * Where LATER is the login's end, err says why. Errors: those of users_find(),
 * users_check() and dovecot_open().
 */
enum verify_result verify_begin(struct verify *verify, const char *mechanism,
    const char *response, size_t len, struct buf *out,
    enum provider_login *login, struct error *err);
enum verify_result verify_respond(struct verify *verify, const char *response,
    size_t len, struct buf *out, enum provider_login *login, struct error *err);
/* The exchange was given up. */
void verify_cancel(struct verify *verify);
/* Whether who logged in by users_file could still do so with the same password:
 * one that was changed or removed since counts for him, too. Of Dovecot and of
 * certificates nothing is known. */
bool verify_stands(const struct verify *verify);
/* Dovecot was asked so long before now, clock_ms(), that it must be asked again:
 * he shall log in anew. */
bool verify_is_old(const struct verify *verify, int64_t now);
/* Who is, or wanted to be, logged in; not escaped; "" where he did not say. */
const char *verify_user(const struct verify *verify);

#endif
