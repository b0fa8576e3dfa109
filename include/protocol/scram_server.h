/*
 * scram_server - SCRAM-SHA-256 (RFC 5802, 7677) on the server's side.
 *
 * Pure: the stored keys are handed in by whoever has them, and so is the nonce.
 * No password is ever seen. The channel is bound with -PLUS by tls-exporter or
 * tls-unique; a client that could bind and was not offered it ('y') is taken
 * for what it is, the sign of somebody on the way.
 *
 * Order: scram_server_first() with the client's first message gives the user;
 * scram_server_challenge() with his keys makes the server's first message;
 * scram_server_final() checks the proof and makes the signature.
 */
#ifndef ODMR_PROTOCOL_SCRAM_SERVER_H
#define ODMR_PROTOCOL_SCRAM_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct scram_server;

enum {
	SCRAM_KEY = 32, /* octets of SHA-256 */
	SCRAM_SALT_MAX = 64,
	/* Of new keys: RFC 7677 4 asks for 4096 at least; PBKDF2 runs in the
	 * customer, at each call, on a router too. */
	SCRAM_ITERATIONS = 10000,
	SCRAM_USER_MAX = 255, /* as PLAIN has it (RFC 4616 2) */
};

/* What is stored of a password. */
struct scram_keys {
	unsigned char salt[SCRAM_SALT_MAX];
	size_t salt_len;
	int iterations;
	unsigned char stored[SCRAM_KEY], server[SCRAM_KEY];
};

/* Borrowed for the life of the exchange. */
struct scram_server_options {
	bool plus; /* the mechanism that was chosen is -PLUS */
	bool plus_offered; /* -PLUS was on the list */
	const char *binding; /* "tls-exporter"; NULL: TLS cannot be bound */
	const unsigned char *binding_data;
	size_t binding_len;
	const char *nonce; /* fresh, printable, no comma; 24 octets or more */
};

enum scram_result {
	SCRAM_GOOD,
	SCRAM_MALFORMED, /* no message of SCRAM, or of another order */
	SCRAM_BINDING, /* another channel, or a list that somebody changed */
	SCRAM_WRONG, /* the proof is not that of the password */
};

/* The keys of a password, with salt (SCRAM_SALT_MAX at most). false: OpenSSL
 * failed. */
bool scram_keys_make(struct scram_keys *keys, const char *password, size_t len,
    const unsigned char *salt, size_t salt_len, int iterations)
    __attribute__((warn_unused_result));

struct scram_server *scram_server_new(
    const struct scram_server_options *options);
void scram_server_free(struct scram_server *server);
/* The user, into SCRAM_USER_MAX + 1 octets, with =2C and =3D undone. */
enum scram_result scram_server_first(
    struct scram_server *server, const char *message, size_t len, char *user)
    __attribute__((warn_unused_result));
/* Adds the challenge to out. For a user that there is not, keys that nobody
 * knows: the exchange then fails at its end, as with a wrong password. */
void scram_server_challenge(struct scram_server *server,
    const struct scram_keys *keys, struct buf *out);
/* GOOD: the signature is added to out; the client must take it before it is
 * logged in (an empty response, then 235). */
enum scram_result scram_server_final(struct scram_server *server,
    const char *message, size_t len, struct buf *out)
    __attribute__((warn_unused_result));

#endif
