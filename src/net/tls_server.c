/* SPDX-License-Identifier: ISC */
#include "net/tls_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/stream.h"
#include "net/tls_policy.h"

struct tls_server {
	SSL_CTX *ctx;
};

/* Pins say whose certificate it is; a chain says nothing here. */
static int
accept_any(X509_STORE_CTX *store, void *argument)
{
	(void)argument;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static void
set_server_policy(SSL_CTX *ctx, bool ask_for_certificate)
{
	static const unsigned char context[] = "odmr-provider";

	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	/* Tickets: a session is resumed in the process of the next call. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, context, sizeof context - 1);
	if (!ask_for_certificate)
		return;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
}

struct tls_server *
tls_server_new(const char *cert_file, const char *key_file,
    bool ask_for_certificate, struct error *err)
{
	struct tls_server *server = xcalloc(1, sizeof *server);

	server->ctx = tls_policy_new(TLS_server_method(), err);
	if (server->ctx != NULL) {
		set_server_policy(server->ctx, ask_for_certificate);
		if (tls_policy_load_identity(
			server->ctx, cert_file, key_file, err))
			return server;
	}
	tls_server_free(server);
	return NULL;
}

void
tls_server_free(struct tls_server *server)
{
	if (server == NULL)
		return;
	SSL_CTX_free(server->ctx);
	free(server);
}

bool
tls_server_start(struct tls_server *server, struct stream *stream,
    const struct deadline *deadline, struct error *err)
{
	SSL *ssl;

	ERR_clear_error();
	ssl = SSL_new(server->ctx);
	if (ssl == NULL) {
		error_set(err, ERROR_SYSTEM, "TLS cannot be set up: %s",
		    stream_tls_reason());
		return false;
	}
	SSL_set_accept_state(ssl);
	return stream_handshake(stream, ssl, deadline, err);
}
