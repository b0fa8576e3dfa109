/*
 * call_private - what the sources of session/call share.
 *
 * call_setup.c makes one, with its secrets; call.c is the dialogue over one
 * connection, and call_run.c chooses the addresses for it.
 */
#ifndef ODMR_SESSION_CALL_PRIVATE_H
#define ODMR_SESSION_CALL_PRIVATE_H

#include "base/secret.h"
#include "session/call.h"

/* As many dead ones hardly stand behind one name. */
enum { CALL_AVOID_MAX = 8 };

struct call {
	struct call_options options;
	struct tls_context *tls; /* NULL: without TLS */
	struct secret password, token; /* where it was prepared */
	/* Addresses of the provider where no dialogue came about. */
	char avoid[CALL_AVOID_MAX][DIAL_PEER_SIZE];
	size_t avoid_count;
};

/* The two steps of call_run() at an address that is not to be avoided; each
 * fills in the result. false: no connection came about. */
bool call_connect(const struct call *call, struct call_result *result)
    __attribute__((warn_unused_result));
/* The dialogue on the connection of the result. */
void call_talk(
    struct call *call, const char *domains, struct call_result *result);

#endif
