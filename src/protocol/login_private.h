/*
 * login_private - what the sources of protocol/login share.
 *
 * login_choice.c says which mechanism is next and what may be said of that,
 * login.c makes the lines and takes the replies.
 */
#ifndef ODMR_PROTOCOL_LOGIN_PRIVATE_H
#define ODMR_PROTOCOL_LOGIN_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "protocol/login.h"
#include "protocol/sasl.h"

enum { LOGIN_SHOWN_MAX = 64 }; /* octets of "AUTH NAME ***" */

/* Where the client speaks first: what became of its first message. */
enum login_first {
	LOGIN_FIRST_NONE, /* there is none, or it has had its turn */
	LOGIN_FIRST_SENT, /* in the line of AUTH; no challenge came yet */
	LOGIN_FIRST_WAITS, /* for a challenge, in the response */
};

struct login {
	const struct customer_options *options;
	struct customer_outcome *outcome;
	struct sasl_credentials credentials;
	struct sasl *sasl;
	size_t next; /* of the table of mechanisms, to be tried */
	unsigned attempts;
	char *nonce;
	struct buf response; /* before base64 */
	enum login_first first;
	struct buf line;
	size_t sent_at; /* where in the line base64 begins */
	char shown[LOGIN_SHOWN_MAX];
};

/* The strongest mechanism that was not tried yet, or NULL. */
const struct sasl_mechanism *login_choose(struct login *login);
/*
 * The strongest that this provider is known to have had to offer, where that
 * is stronger than the one named; else NULL.
 */
const char *login_find_stronger(const struct login *login, const char *name);
/* login_choose() had none: says so in the outcome. */
enum login_result login_fail_without_mechanism(struct login *login);

#endif
