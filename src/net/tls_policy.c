/* SPDX-License-Identifier: ISC */
#include "net/tls_policy.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "net/stream.h"

/* Nobody is there to type a pass phrase; OpenSSL would ask the terminal. */
static int
no_pass_phrase(char *out, int size, int writing, void *argument)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)argument;
	return -1;
}

/*
 * The system's openssl.cnf has been applied: its demands are only raised,
 * and what would hide a cut or take the records from us is taken back.
 */
static void
raise_policy(SSL_CTX *ctx)
{
	if (SSL_CTX_get_min_proto_version(ctx) < TLS1_2_VERSION)
		SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_clear_options(
	    ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/*
	 * SSL_read must come back after a record that is no data, else a flood
	 * of session tickets would know no deadline. And nothing may then lie
	 * unseen in OpenSSL's buffer while we poll the descriptor.
	 */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx, 0);
	SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
}

SSL_CTX *
tls_policy_new(const SSL_METHOD *method, struct error *err)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL)
		error_set(err, ERROR_SYSTEM, "TLS cannot be set up: %s",
		    stream_tls_reason());
	else
		raise_policy(ctx);
	return ctx;
}

bool
tls_policy_bad_file(const char *key, const char *path, struct error *err)
{
	error_set(
	    err, ERROR_CONFIG, "%s %s: %s", key, path, stream_tls_reason());
	return false;
}

bool
tls_policy_load_identity(SSL_CTX *ctx, const char *cert_file,
    const char *key_file, struct error *err)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		return tls_policy_bad_file("tls_cert_file", cert_file, err);
	/* It sees to it that the key is the certificate's. */
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
		return tls_policy_bad_file("tls_key_file", key_file, err);
	return true;
}
