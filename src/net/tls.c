/* SPDX-License-Identifier: ISC */
#include "net/tls.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/certificate.h"
#include "net/dial.h"
#include "net/stream.h"
#include "net/tls_policy.h"

struct tls_context {
	SSL_CTX *ctx;
	SSL_SESSION *session; /* of the latest connection, NULL: none yet */
	struct tls_options options;
	char *server_name; /* a copy: OpenSSL's macro for SNI takes no const */
	bool by_address; /* server_name is an address, not a DNS name */
	struct error refusal; /* why verify() said no; class NONE: it did not */
};

enum {
	PIN_OCTETS = 32, /* SHA-256 */
	/*
	 * A folder of the system's authorities has over a hundred hash links;
	 * one with a few was made by hand, beside the bundle.
	 */
	HASH_LINKS_MIN = 32,
	HASH_LEN = 8, /* 1a2b3c4d.0 */
};

static const char pin_scheme[] = "sha256//";

bool
tls_pin_is_valid(const char *text)
{
	unsigned char digest[TLS_PIN_SIZE];
	size_t scheme = sizeof pin_scheme - 1;

	return strlen(text) == TLS_PIN_SIZE - 1 &&
	       strncmp(text, pin_scheme, scheme) == 0 &&
	       base64_decode(digest, text + scheme, strlen(text + scheme)) ==
		   PIN_OCTETS;
}

static bool
is_ip_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 ||
	       inet_pton(AF_INET6, name, address) == 1;
}

static bool
is_pinned(const struct tls_options *options, const char *pin)
{
	for (size_t i = 0; i < options->pins_len; i++)
		if (strcmp(options->pins[i], pin) == 0)
			return true;
	return false;
}

/*
 * With pins the pin decides alone. It must do so here: after the handshake
 * our own certificate would have been shown already.
 */
static int
verify_pin(struct tls_context *context, X509_STORE_CTX *store)
{
	char pin[TLS_PIN_SIZE];

	if (certificate_pin(X509_STORE_CTX_get0_cert(store), pin) &&
	    is_pinned(&context->options, pin)) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	error_set(&context->refusal, ERROR_CERTIFICATE,
	    "the certificate of %s is not accepted: its key is %s, which is "
	    "not in tls_pins (if the provider confirms this key, add it)",
	    context->server_name, pin);
	return 0;
}

static int
verify(X509_STORE_CTX *store, void *argument)
{
	struct tls_context *context = argument;

	if (context->options.pins_len > 0)
		return verify_pin(context, store);
	if (X509_verify_cert(store) == 1)
		return 1;
	certificate_refused(store, context->server_name, &context->refusal);
	return 0;
}

/*
 * Kept and given out as copies: OpenSSL spoils the one that a connection has
 * when it ends untidily, which many providers do.
 */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_context *context =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(context->session);
	context->session = SSL_SESSION_dup(session);
	return 0;
}

static void
set_client_policy(struct tls_context *context)
{
	SSL_CTX *ctx = context->ctx;

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, context);
	SSL_CTX_set_app_data(ctx, context);
	SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
}

static bool
is_hash_link(const char *name)
{
	return strspn(name, "0123456789abcdef") == HASH_LEN &&
	       name[HASH_LEN] == '.' && name[HASH_LEN + 1] >= '0' &&
	       name[HASH_LEN + 1] <= '9';
}

static bool
is_hashed(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int links = 0;

	if (dir == NULL)
		return false;
	while (links < HASH_LINKS_MIN && (entry = readdir(dir)) != NULL)
		links += is_hash_link(entry->d_name);
	closedir(dir);
	return links == HASH_LINKS_MIN;
}

/*
 * A hashed folder is read one file at a time, as needed; a bundle is parsed
 * whole, which costs a hundred times as long and a megabyte. The environment
 * (SSL_CERT_FILE) has no say: cron and a shell must trust the same.
 */
static bool
trust_system(SSL_CTX *ctx)
{
	const char *const bundles[] = {
	    X509_get_default_cert_file(),
	    "/etc/ssl/certs/ca-certificates.crt", /* Debian, OpenWrt, Arch */
	    "/etc/ssl/cert.pem", /* Alpine */
	    "/etc/pki/tls/certs/ca-bundle.crt", /* Fedora */
	};
	const char *folder = X509_get_default_cert_dir();

	bool has_folder = SSL_CTX_load_verify_dir(ctx, folder) == 1;
	if (has_folder && is_hashed(folder))
		return true;
	for (size_t i = 0; i < sizeof bundles / sizeof bundles[0]; i++)
		if (SSL_CTX_load_verify_file(ctx, bundles[i]) == 1)
			return true;
	return false;
}

static bool
load_trust(struct tls_context *context, struct error *err)
{
	const char *file = context->options.ca_file;

	ERR_clear_error();
	if (context->options.pins_len > 0)
		return true;
	if (file != NULL) {
		/* Whatever stands in that file is trusted, be it the root, an
		 * authority below it, or the provider's own certificate. */
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context->ctx),
		    X509_V_FLAG_PARTIAL_CHAIN);
		return SSL_CTX_load_verify_file(context->ctx, file) == 1 ||
		       tls_policy_bad_file("tls_ca_file", file, err);
	}
	if (trust_system(context->ctx))
		return true;
	error_set(err, ERROR_CONFIG,
	    "the system has no certificates of authorities: install its "
	    "ca-certificates, or set tls_ca_file or tls_pins");
	return false;
}

struct tls_context *
tls_context_new(const struct tls_options *options, struct error *err)
{
	struct tls_context *context;

	/* An empty name would match any certificate, ".x" any below x. */
	if (!dial_host_is_valid(options->server_name)) {
		error_set(err, ERROR_CONFIG,
		    "the name for TLS is not that of a host");
		return NULL;
	}
	context = xcalloc(1, sizeof *context);
	context->options = *options;
	context->server_name = xstrdup(options->server_name);
	context->by_address = is_ip_address(options->server_name);
	context->ctx = tls_policy_new(TLS_client_method(), err);
	if (context->ctx != NULL) {
		set_client_policy(context);
		if (load_trust(context, err) &&
		    (options->cert_file == NULL ||
			tls_policy_load_identity(context->ctx,
			    options->cert_file, options->key_file, err)))
			return context;
	}
	tls_context_free(context);
	return NULL;
}

void
tls_prepare(void)
{
	EVP_PKEY *key = NULL;

	/* Without it contexts are made all the same, or fail and say so. */
	SSL_CTX_free(SSL_CTX_new(TLS_client_method()));
	/* The same for the keys in certificates, of all kinds. */
	OSSL_DECODER_CTX_free(OSSL_DECODER_CTX_new_for_pkey(&key, "DER",
	    "SubjectPublicKeyInfo", "EC", EVP_PKEY_PUBLIC_KEY, NULL, NULL));
	ERR_clear_error();
}

void
tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_SESSION_free(context->session);
	SSL_CTX_free(context->ctx);
	free(context->server_name);
	free(context);
}

/* Whom we ask for, and who must answer (RFC 6125 6.4; RFC 6066 3 for SNI). */
static bool
set_peer(const struct tls_context *context, SSL *ssl)
{
	char *name = context->server_name;

	if (context->by_address)
		return X509_VERIFY_PARAM_set1_ip_asc(
			   SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
				   X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(ssl, name) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool
offer_session(const struct tls_context *context, SSL *ssl)
{
	SSL_SESSION *copy;

	if (context->session == NULL)
		return true;
	copy = SSL_SESSION_dup(context->session);
	bool offered = copy != NULL && SSL_set_session(ssl, copy) == 1;
	SSL_SESSION_free(copy);
	return offered;
}

bool
tls_start(struct tls_context *context, struct stream *stream,
    const struct deadline *deadline, struct error *err)
{
	SSL *ssl;

	ERR_clear_error();
	context->refusal.class = ERROR_NONE;
	ssl = SSL_new(context->ctx);
	if (ssl == NULL || !set_peer(context, ssl) ||
	    !offer_session(context, ssl)) {
		error_set(err, ERROR_SYSTEM, "TLS cannot be set up: %s",
		    stream_tls_reason());
		SSL_free(ssl);
		return false;
	}
	SSL_set_connect_state(ssl);
	if (stream_handshake(stream, ssl, deadline, err))
		return true;
	if (context->refusal.class != ERROR_NONE)
		*err = context->refusal;
	/* The next try begins afresh. */
	SSL_SESSION_free(context->session);
	context->session = NULL;
	return false;
}

/* NULL where no key was agreed on, as in a resumed TLS 1.2 session. */
static const char *
group_name(SSL *ssl)
{
	int group = (int)SSL_get_negotiated_group(ssl);

	return group == NID_undef ? NULL : SSL_group_to_name(ssl, group);
}

const char *
tls_cipher(const struct stream *stream)
{
	SSL *ssl = stream_ssl(stream);

	return ssl == NULL
		   ? NULL
		   : SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
}

bool
tls_info(const struct stream *stream, struct tls_info *info)
{
	SSL *ssl = stream_ssl(stream);

	*info = (struct tls_info){.not_after = -1, .own_not_after = -1};
	if (ssl == NULL)
		return false;
	info->version = SSL_get_version(ssl);
	info->cipher = tls_cipher(stream);
	info->group = group_name(ssl);
	info->resumed = SSL_session_reused(ssl) == 1;
	X509 *own = SSL_get_certificate(ssl);
	if (own != NULL)
		info->own_not_after = certificate_not_after(own);
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	if (certificate != NULL) {
		info->not_after = certificate_not_after(certificate);
		certificate_subject(
		    certificate, info->subject, sizeof info->subject);
		(void)certificate_pin(certificate, info->pin);
	}
	return true;
}

/*
 * The first Finished of the handshake (RFC 5929 3.1): the client's in a full
 * one, the server's where a session was resumed.
 */
static size_t
first_finished(SSL *ssl, void *out, size_t size)
{
	bool ours = SSL_is_server(ssl) == SSL_session_reused(ssl);

	return ours ? SSL_get_finished(ssl, out, size)
		    : SSL_get_peer_finished(ssl, out, size);
}

bool
tls_binding(const struct stream *stream, struct tls_binding *binding)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	enum { EXPORTED = 32 }; /* RFC 9266 2 */
	SSL *ssl = stream_ssl(stream);

	*binding = (struct tls_binding){.len = 0};
	if (ssl == NULL)
		return false;
	if (SSL_version(ssl) >= TLS1_3_VERSION) {
		binding->name = "tls-exporter";
		binding->len = EXPORTED;
		return SSL_export_keying_material(ssl, binding->data, EXPORTED,
			   label, sizeof label - 1, NULL, 0, 1) == 1;
	}
	if (SSL_get_extms_support(ssl) != 1)
		return false;
	binding->name = "tls-unique";
	binding->len = first_finished(ssl, binding->data, sizeof binding->data);
	return binding->len > 0 && binding->len <= sizeof binding->data;
}
