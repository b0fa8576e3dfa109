/*
 * call - one call at the provider: dial, TLS, log in, ATRN.
 *
 * Drives protocol/customer over net/stream with a time limit for each reply.
 * What comes back is a connection that has turned, or why it has not. A struct
 * call serves all calls of a session, so that TLS can be resumed.
 */
#ifndef ODMR_AGENT_CALL_H
#define ODMR_AGENT_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "protocol/customer.h"

struct call;
struct config;
struct config_account;
struct secret;
struct stream;
struct transcript;

/* Borrowed for the life of the call. */
struct call_options {
	const struct config *config;
	const struct config_account *account;
	const struct secret *password; /* NULL or empty: there is none */
	const struct secret *token; /* likewise */
	const char *best_before; /* from the status file; NULL: unknown */
	bool check_only; /* QUIT in place of ATRN */
	struct transcript *transcript;
};

struct call_result {
	/* result CUSTOMER_FAILED and error for whatever failed, also before
	 * and outside the dialogue: no connection, TLS, time-out. */
	struct customer_outcome outcome;
	bool connected;
	/* CUSTOMER_TURNED: the caller owns the connection. Else, under
	 * check_only, NULL as well: what is to be known of TLS is in tls. */
	struct stream *stream;
	struct buf early; /* octets behind the 250, for the receiver */
	char address[64]; /* of the provider, "192.0.2.1" */
};

/* NULL and err: certificates or keys of the configuration cannot be read. */
struct call *call_new(const struct call_options *options, struct error *err);
void call_free(struct call *call);
/*
 * Calls and asks for these domains (customer_join_domains(); NULL: no
 * parameter). Fills in the result, whatever happens.
 */
void call_run(
    struct call *call, const char *domains, struct call_result *result);
/* Closes what the result still owns. */
void call_result_clear(struct call_result *result);

#endif
