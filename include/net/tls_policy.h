/*
 * tls_policy - what TLS has in common towards a provider and towards customers.
 *
 * TLS 1.2 or newer; the rest is the policy of the system's OpenSSL.
 */
#ifndef ODMR_NET_TLS_POLICY_H
#define ODMR_NET_TLS_POLICY_H

#include <stdbool.h>

struct error;
struct ssl_ctx_st;
struct ssl_method_st;

/* An SSL_CTX, for SSL_CTX_free(). Errors: ERROR_SYSTEM. */
struct ssl_ctx_st *tls_policy_new(const struct ssl_method_st *method,
    struct error *err) __attribute__((warn_unused_result));
/* Reads certificate, chain and key (PEM). A key that wants a pass phrase is
 * refused, since nobody is there to type it. Errors: ERROR_CONFIG. */
bool tls_policy_load_identity(struct ssl_ctx_st *ctx, const char *cert_file,
    const char *key_file, struct error *err)
    __attribute__((warn_unused_result));
/* OpenSSL could not use the file that this key of the configuration names.
 * Returns false. Errors: ERROR_CONFIG. */
bool tls_policy_bad_file(const char *key, const char *path, struct error *err);

#endif
