/*
 * alert - why a peer ended TLS, where the reason is our own certificate.
 *
 * With TLS 1.3 our handshake is over by the time the server looks at our
 * certificate, so that its alert (RFC 8446 4.4.2.4, 6.2) comes with the first
 * read after it.
 */
#ifndef ODMR_NET_ALERT_H
#define ODMR_NET_ALERT_H

#include <stdbool.h>

struct error;
struct ssl_st;

/*
 * The first error in OpenSSL's queue is an alert about our certificate, or
 * about there being none: true, and err has the alert's name. Errors:
 * ERROR_AUTH.
 */
bool alert_refuses_us(struct ssl_st *ssl, struct error *err);

#endif
