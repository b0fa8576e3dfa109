/*
 * certificate - what a certificate says, as text for people.
 */
#ifndef ODMR_NET_CERTIFICATE_H
#define ODMR_NET_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "net/tls.h"

struct error;

/* The pin of its public key (SPKI); false when it cannot be encoded. */
bool certificate_pin(X509 *certificate, char pin[TLS_PIN_SIZE]);
/* Its subject, or the names of its hosts where that is empty; escaped. */
void certificate_subject(X509 *certificate, char *out, size_t size);
/* -1 when it is not a time. */
time_t certificate_not_after(const X509 *certificate);
/* Why X509_verify_cert() did not accept the certificate of server_name, and
 * what can be done. Errors: ERROR_CERTIFICATE. */
void certificate_refused(
    X509_STORE_CTX *store, const char *server_name, struct error *err);

#endif
