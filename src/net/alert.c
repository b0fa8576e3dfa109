/* SPDX-License-Identifier: ISC */
#include "net/alert.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/error.h"

/* The alert that the error tells of, or -1. */
static int
alert_number(unsigned long code)
{
	int reason = ERR_GET_REASON(code);

	/* OpenSSL counts the alerts of a peer from there on. */
	return ERR_GET_LIB(code) == ERR_LIB_SSL &&
		       reason > SSL_AD_REASON_OFFSET &&
		       reason <= SSL_AD_REASON_OFFSET + UINT8_MAX
		   ? reason - SSL_AD_REASON_OFFSET
		   : -1;
}

/* A server can mean only our certificate, or that we have none. */
static bool
is_about_us(SSL *ssl, int alert)
{
	const unsigned char *types;

	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_CERTIFICATE_REQUIRED:
		return true;
	case SSL_AD_HANDSHAKE_FAILURE:
		/* So TLS 1.2 says that one was asked for, and none came. */
		return SSL_get_certificate(ssl) == NULL &&
		       SSL_get0_certificate_types(ssl, &types) > 0;
	default:
		return false;
	}
}

/* "tlsv1 alert unknown ca" without what versions of OpenSSL put in front. */
static const char *
alert_name(unsigned long code)
{
	static const char mark[] = " alert ";
	const char *reason = ERR_reason_error_string(code);
	const char *at = reason == NULL ? NULL : strstr(reason, mark);

	return at != NULL       ? at + sizeof mark - 1
	       : reason != NULL ? reason
				: "unknown";
}

bool
alert_refuses_us(SSL *ssl, struct error *err)
{
	unsigned long code = ERR_peek_error();
	int alert = alert_number(code);

	if (alert < 0 || !is_about_us(ssl, alert))
		return false;
	if (SSL_get_certificate(ssl) == NULL)
		error_set(err, ERROR_AUTH,
		    "the provider demands a client certificate, and "
		    "tls_cert_file is not set (TLS alert: %s)",
		    alert_name(code));
	else
		error_set(err, ERROR_AUTH,
		    "the provider refused our client certificate, the one of "
		    "tls_cert_file (TLS alert: %s)",
		    alert_name(code));
	return true;
}
