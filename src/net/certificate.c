/* SPDX-License-Identifier: ISC */
#include "net/certificate.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/escape.h"

enum {
	NAMES_SIZE = 256, /* some certificates name a hundred hosts */
	NAME_SIZE = 80, /* of one of them */
	DATE_SIZE = 24, /* 2026-11-23 10:00:00Z */
};

bool
certificate_pin(X509 *certificate, char pin[TLS_PIN_SIZE])
{
	static const char scheme[] = "sha256//";
	unsigned char digest[DIGEST_SIZE];
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

	pin[0] = '\0';
	if (len <= 0)
		return false;
	digest_octets(digest, der, (size_t)len);
	OPENSSL_free(der);
	memcpy(pin, scheme, sizeof scheme);
	base64_encode(pin + sizeof scheme - 1, digest, sizeof digest);
	return true;
}

/* One alternative name as text; false: it is neither a name nor an address. */
static bool
show_name(const GENERAL_NAME *name, char *out, size_t size)
{
	int type = 0;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

	if (type != GEN_DNS && type != GEN_IPADD)
		return false;
	const unsigned char *data = ASN1_STRING_get0_data(value);
	int len = ASN1_STRING_length(value);
	if (type == GEN_DNS)
		escape_text(out, size, (const char *)data, (size_t)len);
	else if (len == 4)
		inet_ntop(AF_INET, data, out, (socklen_t)size);
	else if (len == 16)
		inet_ntop(AF_INET6, data, out, (socklen_t)size);
	else
		return false;
	return true;
}

/* The hosts that it is for, as "a, b, ..."; empty when it names none. */
static void
show_names(const X509 *certificate, char *out, size_t size)
{
	static const char more[] = ", ...";
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	char one[NAME_SIZE];
	size_t used = 0;

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		if (!show_name(
			sk_GENERAL_NAME_value(names, i), one, sizeof one))
			continue;
		if (used + sizeof ", " + strlen(one) + sizeof more > size) {
			memcpy(out + used, more, sizeof more);
			break;
		}
		used += (size_t)snprintf(
		    out + used, size - used, "%s%s", used > 0 ? ", " : "", one);
	}
	GENERAL_NAMES_free(names);
}

void
certificate_subject(X509 *certificate, char *out, size_t size)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *data = NULL;

	if (text != NULL &&
	    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0,
		XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN |
		    ASN1_STRFLGS_UTF8_CONVERT) > 0) {
		long len = BIO_get_mem_data(text, &data);
		escape_text(out, size, data, (size_t)len);
	} else {
		show_names(certificate, out, size);
	}
	BIO_free(text);
}

static time_t
to_time(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : (time_t)-1;
}

time_t
certificate_not_after(const X509 *certificate)
{
	return to_time(X509_get0_notAfter(certificate));
}

static void
show_date(const ASN1_TIME *time, char out[DATE_SIZE])
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1 ||
	    strftime(out, DATE_SIZE, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		memcpy(out, "?", sizeof "?");
}

/* The certificate at fault may be an authority's, further up the chain. */
static void
outside_its_time(X509_STORE_CTX *store, const char *server_name, bool expired,
    struct error *err)
{
	const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	bool own = X509_STORE_CTX_get_error_depth(store) == 0;
	time_t now = time(NULL);
	struct tm tm;
	char then[DATE_SIZE], here[DATE_SIZE] = "?";

	show_date(expired ? X509_get0_notAfter(certificate)
			  : X509_get0_notBefore(certificate),
	    then);
	if (gmtime_r(&now, &tm) != NULL)
		strftime(here, sizeof here, "%Y-%m-%d %H:%M:%SZ", &tm);
	error_set(err, ERROR_CERTIFICATE,
	    "the certificate of %s is not accepted: %s%s %s, and the clock of "
	    "this host says %s; set the clock if it is wrong, else tell the "
	    "provider",
	    server_name, own ? "it " : "one that it rests on ",
	    expired ? "expired at" : "is not valid before", then, here);
}

static void
for_other_names(X509 *certificate, const char *server_name, struct error *err)
{
	char names[NAMES_SIZE], pin[TLS_PIN_SIZE];

	show_names(certificate, names, sizeof names);
	if (names[0] != '\0') {
		error_set(err, ERROR_CERTIFICATE,
		    "the certificate of %s is not accepted: it is for %s "
		    "(if that is the provider, set tls_server_name)",
		    server_name, names);
		return;
	}
	/* No tls_server_name can match then. */
	(void)certificate_pin(certificate, pin);
	error_set(err, ERROR_CERTIFICATE,
	    "the certificate of %s is not accepted: it names no host, since it "
	    "has no alternative names (if the provider confirms this key, "
	    "set tls_pins: %s)",
	    server_name, pin);
}

void
certificate_refused(
    X509_STORE_CTX *store, const char *server_name, struct error *err)
{
	X509 *certificate = X509_STORE_CTX_get0_cert(store);
	int code = X509_STORE_CTX_get_error(store);
	char pin[TLS_PIN_SIZE];

	if (code == X509_V_ERR_CERT_HAS_EXPIRED ||
	    code == X509_V_ERR_CERT_NOT_YET_VALID) {
		outside_its_time(store, server_name,
		    code == X509_V_ERR_CERT_HAS_EXPIRED, err);
	} else if (code == X509_V_ERR_HOSTNAME_MISMATCH ||
		   code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		for_other_names(certificate, server_name, err);
	} else {
		(void)certificate_pin(certificate, pin);
		error_set(err, ERROR_CERTIFICATE,
		    "the certificate of %s is not accepted: %s (tls_ca_file "
		    "names an authority to trust; if the provider confirms "
		    "this key, set tls_pins: %s)",
		    server_name, X509_verify_cert_error_string(code), pin);
	}
}
