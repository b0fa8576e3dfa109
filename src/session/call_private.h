/*
 * call_private - what the sources of session/call share.
 *
 * call_setup.c makes one, with its secrets; call.c is the dialogue.
 */
#ifndef ODMR_SESSION_CALL_PRIVATE_H
#define ODMR_SESSION_CALL_PRIVATE_H

#include "base/secret.h"
#include "session/call.h"

struct call {
	struct call_options options;
	struct tls_context *tls; /* NULL: without TLS */
	struct secret password, token; /* where it was prepared */
};

#endif
