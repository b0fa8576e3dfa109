/* SPDX-License-Identifier: ISC */
#include "net/tls_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/stream.h"

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

/* As in net/tls: the system's policy, raised where it is below ours. */
static void
set_server_policy(SSL_CTX *ctx, bool ask_for_certificate)
{
	static const unsigned char context[] = "odmr-provider";

	if (SSL_CTX_get_min_proto_version(ctx) < TLS1_2_VERSION)
		SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_clear_options(
	    ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx, 0);
	/* Tickets: a session is resumed in the process of the next call. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, context, sizeof context - 1);
	if (!ask_for_certificate)
		return;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
}

static bool
server_file_is_bad(const char *path, struct error *err)
{
	error_set(err, ERROR_CONFIG, "%s: %s", path, stream_tls_reason());
	return false;
}

static bool
load_server_identity(SSL_CTX *ctx, const char *cert_file, const char *key_file,
    struct error *err)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		return server_file_is_bad(cert_file, err);
	/* It sees to it that the key is the certificate's. */
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
		return server_file_is_bad(key_file, err);
	return true;
}

/* Nobody is there to type a pass phrase. */
static int
no_server_pass_phrase(char *out, int size, int writing, void *argument)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)argument;
	return -1;
}

struct tls_server *
tls_server_new(const char *cert_file, const char *key_file,
    bool ask_for_certificate, struct error *err)
{
	struct tls_server *server = xcalloc(1, sizeof *server);

	server->ctx = SSL_CTX_new(TLS_server_method());
	if (server->ctx == NULL) {
		error_set(err, ERROR_SYSTEM, "TLS cannot be set up: %s",
		    stream_tls_reason());
		tls_server_free(server);
		return NULL;
	}
	SSL_CTX_set_default_passwd_cb(server->ctx, no_server_pass_phrase);
	set_server_policy(server->ctx, ask_for_certificate);
	if (load_server_identity(server->ctx, cert_file, key_file, err))
		return server;
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
