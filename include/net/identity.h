/*
 * identity - a key and a certificate of our own, for those who have none.
 *
 * The certificate is signed by its own key and says nothing that anybody need
 * believe: customers know the key by its pin.
 */
#ifndef ODMR_NET_IDENTITY_H
#define ODMR_NET_IDENTITY_H

#include <stdbool.h>
#include <time.h>

#include "net/tls.h"

struct error;

/* Makes both files; one that is there already is an error. The key has mode
 * 0640 without what the umask forbids. Errors: ERROR_SYSTEM. */
bool identity_make(const char *hostname, const char *cert_file,
    const char *key_file, struct error *err)
    __attribute__((warn_unused_result));
/* The pin of the first certificate of a file in PEM. Errors: ERROR_CONFIG. */
bool identity_pin(const char *cert_file, char pin[static TLS_PIN_SIZE],
    struct error *err) __attribute__((warn_unused_result));
/* When that certificate ends; -1 where it does not say a time. Errors:
 * ERROR_CONFIG. */
bool identity_not_after(const char *cert_file, time_t *end, struct error *err)
    __attribute__((warn_unused_result));

#endif
