/*
 * call - one call at the provider: dial, TLS, log in, ATRN.
 *
 * Drives protocol/customer over net/stream with a time limit for each reply.
 * What comes back is a connection that has turned, or why it has not. A struct
 * call serves all calls of a session, so that TLS can be resumed.
 */
#ifndef ODMR_SESSION_CALL_H
#define ODMR_SESSION_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/dial.h"
#include "net/tls.h"
#include "protocol/outcome.h"

struct call;
struct config;
struct config_account;
struct deadline;
struct secret;
struct stream;
struct transcript;

/* Borrowed for the life of the call. */
struct call_options {
	const struct config *config;
	const struct config_account *account;
	const struct secret *password; /* NULL or empty: there is none */
	const struct secret *token; /* likewise */
	/* The best mechanism ever offered, from the status file; NULL or "":
	 * unknown. */
	const char *best_before;
	bool check_only; /* QUIT in place of ATRN */
	/* The provider is known to hold its reply to ATRN until it has mail. */
	bool holds;
	/* Called once in a call that waits so for new mail: after HISTORY_HELD_MS,
	 * or at once where holds says so. false: it is not to wait on, and the
	 * call ends, let_go. May be NULL. */
	bool (*held)(void *context);
	void *held_context;
	/* Called once in a call, when the provider has accepted our login and
	 * before it is asked for mail. May be NULL. */
	void (*reached)(void *context);
	void *reached_context;
	/* Asked before each further address of the provider is called, which
	 * may take connect_timeout and provider_timeout again. false: there is
	 * no time for it, and the failure stands. NULL: there is. */
	bool (*try_another)(void *context);
	void *try_another_context;
	/* At this address of the provider no login could be tried, and the
	 * connection to another one stands. Called before anything is said
	 * there, since it may be held for hours. May be NULL. */
	void (*passed_over)(
	    void *context, const char *address, const struct error *why);
	void *passed_over_context;
	struct transcript *transcript;
};

struct call_result {
	/* CUSTOMER_FAILED and error for whatever failed, also before and
	 * outside the dialogue: no connection, TLS, time-out. */
	struct customer_outcome outcome;
	/* Owned by the result; NULL: no connection came about. Only after
	 * CUSTOMER_TURNED is there anything to say on it. */
	struct stream *stream;
	struct buf early; /* TURNED: octets behind the 250, for the receiver */
	char address[DIAL_PEER_SIZE]; /* of the provider; "" behind a proxy */
	/* What we call ourselves on this connection. */
	char hostname[OFFER_NAME_MAX + 1];
	bool held; /* the reply to ATRN was waited for as for new mail */
	int64_t waited; /* ms between ATRN and its reply */
	/* held, or known to hold, and the connection was lost or given up
	 * before the reply came. */
	bool let_go;
	bool secured;
	struct tls_info tls; /* secured */
};

/*
 * Reads the secrets of the account, for which password and token of the options
 * are not set; the call owns them. It may be root for that, and is left so: the
 * caller gives it up. NULL: a secret, a certificate or a key cannot be read.
 * Errors: ERROR_SECRET, ERROR_CONFIG, ERROR_SYSTEM, ERROR_STOPPED.
 */
struct call *call_prepare(const struct call_options *options,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/* Of a call that was prepared. */
const struct secret *call_password(const struct call *call);
/* With the secrets of the options. NULL: certificates or keys of the
 * configuration cannot be read. Errors: ERROR_CONFIG, ERROR_SYSTEM. */
struct call *call_new(const struct call_options *options, struct error *err)
    __attribute__((warn_unused_result));
void call_free(struct call *call);
/*
 * Calls, where the provider has several addresses until a login can be tried and
 * is judged at one of them or try_another says no, and asks for these domains (by
 * commas, at most CUSTOMER_DOMAINS_MAX octets; NULL: no parameter). Fills in the
 * result, whatever happens.
 */
void call_run(
    struct call *call, const char *domains, struct call_result *result);
/* Closes the connection as it is (see stream_finish()). */
void call_result_clear(struct call_result *result);

#endif
