/*
 * sasl - the mechanisms of AUTH (RFC 4954, 4422) as one ranked table.
 *
 * Pure: octets of a challenge in, octets of a response out, base64 being the
 * caller's. Randomness is handed in. CRAM-MD5 (RFC 2195), PLAIN (4616), LOGIN,
 * SCRAM (5802, 7677) with channel binding (5929, 9266), EXTERNAL (4422),
 * OAUTHBEARER (7628), XOAUTH2.
 */
#ifndef ODMR_PROTOCOL_SASL_H
#define ODMR_PROTOCOL_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct buf;
struct sasl;
struct sasl_mechanism;
struct secret;

enum {
	SASL_BINDING_MAX = 64, /* octets; tls-exporter has 32, tls-unique 12+ */
	/* 18 random octets in base64, or more; printable, no comma. */
	SASL_NONCE_MIN = 24,
};

/* What there is to log in with; borrowed for the life of a struct sasl. */
struct sasl_credentials {
	const char *user; /* NULL where there is none */
	const struct secret *password; /* NULL or empty where there is none */
	const struct secret *token; /* OAuth access token; likewise */
	bool certificate; /* TLS presented one of ours */
	bool tls; /* the connection is under verified TLS */
	const char *host; /* of the provider, for OAUTHBEARER */
	unsigned port;
	/* "tls-exporter" or "tls-unique", NULL where TLS cannot be bound. */
	const char *binding;
	unsigned char binding_data[SASL_BINDING_MAX];
	size_t binding_len;
	bool plus_listed; /* the server offers some -PLUS mechanism */
	const char *nonce; /* fresh for each struct sasl */
};

/* The table from the strongest down; NULL behind the last. */
const struct sasl_mechanism *sasl_mechanism_at(size_t index);
/* Case does not count; NULL for one that we do not have. */
const struct sasl_mechanism *sasl_mechanism_find(const char *name);
const char *sasl_mechanism_name(const struct sasl_mechanism *mechanism);
/*
 * 1 for the strongest, growing as they get weaker; beyond all for a name that
 * we do not have. For the memory of what a provider once offered.
 */
unsigned sasl_rank(const char *name);
/*
 * The mechanism can be used with these credentials and is safe on this
 * connection: nothing that shows the password outside TLS, no -PLUS without
 * binding, SCRAM with printable ASCII only (see sasl_mechanism_takes()).
 * named: the configuration names it, without which EXTERNAL is not used.
 */
bool sasl_mechanism_usable(const struct sasl_mechanism *mechanism,
    const struct sasl_credentials *credentials, bool named);
/*
 * A user or password of this text can be sent by the mechanism. SCRAM wants
 * SASLprep (RFC 4013), which leaves printable ASCII alone; of the rest we send
 * nothing rather than something wrong.
 */
bool sasl_mechanism_takes(
    const struct sasl_mechanism *mechanism, const char *text, size_t len);
/* It needs the password, or it needs the token (for the configuration). */
bool sasl_mechanism_needs_password(const struct sasl_mechanism *mechanism);
bool sasl_mechanism_needs_token(const struct sasl_mechanism *mechanism);
/* It binds the channel (-PLUS). */
bool sasl_mechanism_binds(const struct sasl_mechanism *mechanism);
/* It must have TLS: usable with `tls: off` never. */
bool sasl_mechanism_needs_tls(const struct sasl_mechanism *mechanism);

/* An exchange; the mechanism must be usable. */
struct sasl *sasl_new(const struct sasl_mechanism *mechanism,
    const struct sasl_credentials *credentials);
/* Wipes what it knew. */
void sasl_free(struct sasl *sasl);
/* The client speaks first: sasl_step() with no challenge gives its words. */
bool sasl_client_first(const struct sasl *sasl);
/* What a challenge says makes a difference; else it is only a prompt. */
bool sasl_reads_challenge(const struct sasl *sasl);
/* The server passed over our first message: it comes again, as it was. */
void sasl_restart(struct sasl *sasl);
/*
 * Answers a challenge: adds the response, without base64, to out, whose content
 * is the caller's to wipe. false: the exchange is to be cancelled. Errors:
 * ERROR_PROTOCOL, the server does wrong; ERROR_AUTH, it ended the login or is
 * somebody else; ERROR_CONFIG, what does not fit a line; ERROR_INTERNAL.
 */
bool sasl_step(struct sasl *sasl, const void *challenge, size_t len,
    struct buf *out, struct error *err) __attribute__((warn_unused_result));
/*
 * The server said 235. false where it may not yet: SCRAM without a proven
 * signature of the server means that anybody could have said so. Errors:
 * ERROR_AUTH, ERROR_PROTOCOL.
 */
bool sasl_finish(struct sasl *sasl, struct error *err)
    __attribute__((warn_unused_result));
/*
 * What the server told on its failure inside the exchange (the JSON of OAuth,
 * e= of SCRAM); "" where nothing. It is the peer's text: escape it.
 */
const char *sasl_server_error(const struct sasl *sasl);

#endif
