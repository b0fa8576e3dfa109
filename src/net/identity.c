/* SPDX-License-Identifier: ISC */
#include "net/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "net/certificate.h"
#include "net/stream.h"

enum {
	/* The pin counts, and a date that passes would only stop the mail. */
	VALID_DAYS = 3650,
	SERIAL_BITS = 127, /* RFC 5280 4.1.2.2: at most 20 octets, positive */
	NAME_MAX_SIZE = 300,
};

static bool
openssl_failed(struct error *err)
{
	error_set(err, ERROR_SYSTEM, "a certificate cannot be made: %s",
	    stream_tls_reason());
	return false;
}

static bool
add_name(X509 *certificate, const char *hostname)
{
	char names[NAME_MAX_SIZE];
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509V3_CTX context;

	snprintf(names, sizeof names, "DNS:%s", hostname);
	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension =
	    X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, names);
	bool added =
	    extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	/* A common name has 64 characters at most (X.520); it need not be. */
	(void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)hostname, -1, -1, 0);
	return added && X509_set_issuer_name(certificate, subject) == 1;
}

static bool
set_serial(X509 *certificate)
{
	BIGNUM *serial = BN_new();

	bool set = serial != NULL &&
		   BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY,
		       BN_RAND_BOTTOM_ANY) == 1 &&
		   BN_to_ASN1_INTEGER(
		       serial, X509_get_serialNumber(certificate)) != NULL;
	BN_free(serial);
	return set;
}

static X509 *
make_certificate(EVP_PKEY *key, const char *hostname)
{
	X509 *certificate = X509_new();

	if (certificate != NULL &&
	    X509_set_version(certificate, X509_VERSION_3) == 1 &&
	    set_serial(certificate) &&
	    X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL &&
	    X509_time_adj_ex(
		X509_getm_notAfter(certificate), VALID_DAYS, 0, NULL) != NULL &&
	    X509_set_pubkey(certificate, key) == 1 &&
	    add_name(certificate, hostname) &&
	    X509_sign(certificate, key, EVP_sha256()) > 0)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* A new file; NULL and err where there is one. */
static FILE *
create_identity(const char *path, mode_t mode, struct error *err)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (file == NULL) {
		error_set_errno(
		    err, ERROR_SYSTEM, errno, "cannot create %s", path);
		if (fd >= 0)
			close(fd);
	}
	return file;
}

/* Who may read it besides its owner is said by group and umask. */
static bool
write_key(EVP_PKEY *key, const char *path, struct error *err)
{
	FILE *file = create_identity(path, 0640, err);

	if (file == NULL)
		return false;
	bool written =
	    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
	return (fclose(file) == 0 && written) || openssl_failed(err);
}

static bool
write_certificate(X509 *certificate, const char *path, struct error *err)
{
	FILE *file = create_identity(path, 0644, err);

	if (file == NULL)
		return false;
	bool written = fchmod(fileno(file), 0644) == 0 &&
		       PEM_write_X509(file, certificate) == 1;
	return (fclose(file) == 0 && written) || openssl_failed(err);
}

bool
identity_make(const char *hostname, const char *cert_file, const char *key_file,
    struct error *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate =
	    key != NULL ? make_certificate(key, hostname) : NULL;
	bool made = false;

	if (certificate == NULL)
		openssl_failed(err);
	else
		made = write_key(key, key_file, err) &&
		       write_certificate(certificate, cert_file, err);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return made;
}

/* NULL: there is none. */
static X509 *
read_first_certificate(const char *cert_file, struct error *err)
{
	FILE *file = fopen(cert_file, "re");

	if (file == NULL) {
		error_set_errno(
		    err, ERROR_CONFIG, errno, "cannot open %s", cert_file);
		return NULL;
	}
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	if (certificate == NULL)
		error_set(err, ERROR_CONFIG, "%s holds no certificate: %s",
		    cert_file, stream_tls_reason());
	return certificate;
}

bool
identity_pin(
    const char *cert_file, char pin[static TLS_PIN_SIZE], struct error *err)
{
	X509 *certificate = read_first_certificate(cert_file, err);

	if (certificate == NULL)
		return false;
	bool found = certificate_pin(certificate, pin);
	if (!found)
		error_set(err, ERROR_CONFIG, "the key in %s has no pin: %s",
		    cert_file, stream_tls_reason());
	X509_free(certificate);
	return found;
}

bool
identity_not_after(const char *cert_file, time_t *end, struct error *err)
{
	X509 *certificate = read_first_certificate(cert_file, err);

	if (certificate == NULL)
		return false;
	*end = certificate_not_after(certificate);
	X509_free(certificate);
	return true;
}
