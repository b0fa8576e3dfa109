/*
 * tls_server - TLS as the side that is called.
 *
 * TLS 1.2 or newer, the rest is the system's policy. A client certificate is
 * asked for where `pins` is set; it is proven that the customer has its key,
 * and nothing else: whose key it is, the pin decides (tls_info()). Made before
 * the processes of the customers, so that a session can be resumed in another
 * one.
 */
#ifndef ODMR_NET_TLS_SERVER_H
#define ODMR_NET_TLS_SERVER_H

#include <stdbool.h>

struct deadline;
struct error;
struct stream;
struct tls_server;

/* Reads the files (PEM, the chain in cert_file). Errors: ERROR_CONFIG, a file
 * is no good; ERROR_SYSTEM. */
struct tls_server *tls_server_new(const char *cert_file, const char *key_file,
    bool ask_for_certificate, struct error *err)
    __attribute__((warn_unused_result));
void tls_server_free(struct tls_server *server);

/*
 * Starts TLS on a stream that is in the clear; no octet of the customer may be
 * left from before (RFC 3207 4.2). Errors: ERROR_PROTOCOL, TLS failed;
 * ERROR_AGAIN, the connection; ERROR_AUTH, ERROR_STOPPED, ERROR_SYSTEM,
 * ERROR_INTERNAL.
 */
bool tls_server_start(struct tls_server *server, struct stream *stream,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));

#endif
