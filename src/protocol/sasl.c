/* SPDX-License-Identifier: ISC */
#include "protocol/sasl.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/secret.h"
#include "protocol/md5.h"
#include "protocol/scram.h"

enum {
	NEEDS_TLS = 1, /* shows what it logs in with to whoever listens */
	NEEDS_PASSWORD = 2,
	NEEDS_TOKEN = 4,
	NEEDS_IDENTITY = 8, /* TLS, or the line itself, tells who we are */
	NEEDS_BINDING = 16,
	NEEDS_ASCII = 32,
	CLIENT_FIRST = 64,
	READS_CHALLENGE = 128, /* what the server asks makes a difference */

	SERVER_ERROR_MAX = 512, /* of OAuth's JSON, enough to say why */
};

struct sasl_mechanism {
	const char *name;
	unsigned flags;
	unsigned steps; /* our responses in an exchange that goes well */
	/* Response number sasl->step, from 0. */
	bool (*respond)(struct sasl *, const char *challenge, size_t len,
	    struct buf *out, struct error *);
	/* To one more challenge, which tells a failure; NULL: there is none */
	const char *after_failure;
	const EVP_MD *(*digest)(void); /* SCRAM */
};

struct sasl {
	const struct sasl_mechanism *mechanism;
	const struct sasl_credentials *credentials;
	unsigned step;
	struct scram scram;
	char server_error[SERVER_ERROR_MAX];
};

static bool
put_sasl(struct buf *out, const char *text)
{
	return buf_append(out, text, strlen(text));
}

static bool
put_secret(struct buf *out, const struct secret *secret)
{
	return buf_append(out, secret->text, secret->len);
}

static bool
fits_line(bool it_does, struct error *err)
{
	if (!it_does)
		error_set(err, ERROR_CONFIG,
		    "user and secret are too long for a line of AUTH");
	return it_does;
}

/* RFC 4616; the NUL of an empty authorization identity first. */
static bool
respond_plain(struct sasl *sasl, const char *challenge, size_t len,
    struct buf *out, struct error *err)
{
	const struct sasl_credentials *credentials = sasl->credentials;

	(void)challenge, (void)len;
	return fits_line(buf_append(out, "", 1) &&
			     put_sasl(out, credentials->user) &&
			     buf_append(out, "", 1) &&
			     put_secret(out, credentials->password),
	    err);
}

/* draft-murchison-sasl-login: the prompts may say anything. */
static bool
respond_login(struct sasl *sasl, const char *challenge, size_t len,
    struct buf *out, struct error *err)
{
	(void)challenge, (void)len;
	return fits_line(sasl->step == 0
			     ? put_sasl(out, sasl->credentials->user)
			     : put_secret(out, sasl->credentials->password),
	    err);
}

/* RFC 2195; the challenge is hashed as it is, a line end included. */
static bool
respond_cram_md5(struct sasl *sasl, const char *challenge, size_t len,
    struct buf *out, struct error *err)
{
	const struct secret *password = sasl->credentials->password;
	unsigned char digest[MD5_SIZE];
	char hex[1 + 2 * MD5_SIZE + 1] = " ";

	md5_hmac(digest, password->text, password->len, challenge, len);
	digest_hex(hex + 1, digest, MD5_SIZE);
	bool ok = put_sasl(out, sasl->credentials->user) && put_sasl(out, hex);
	explicit_bzero(digest, sizeof digest);
	explicit_bzero(hex, sizeof hex);
	return fits_line(ok, err);
}

/* RFC 4422 A: empty where the certificate says it all. */
static bool
respond_external(struct sasl *sasl, const char *challenge, size_t len,
    struct buf *out, struct error *err)
{
	const char *user = sasl->credentials->user;

	(void)challenge, (void)len;
	return fits_line(user == NULL || put_sasl(out, user), err);
}

/* RFC 7628 3.1 */
static bool
respond_oauthbearer(struct sasl *sasl, const char *challenge, size_t len,
    struct buf *out, struct error *err)
{
	const struct sasl_credentials *credentials = sasl->credentials;
	char port[32];

	(void)challenge, (void)len;
	snprintf(port, sizeof port, "\001port=%u", credentials->port);
	return fits_line(
	    put_sasl(out, "n,a=") && scram_put_name(out, credentials->user) &&
		put_sasl(out, ",\001host=") &&
		put_sasl(out, credentials->host) && put_sasl(out, port) &&
		put_sasl(out, "\001auth=Bearer ") &&
		put_secret(out, credentials->token) &&
		put_sasl(out, "\001\001"),
	    err);
}

static bool
respond_xoauth2(struct sasl *sasl, const char *challenge, size_t len,
    struct buf *out, struct error *err)
{
	const struct sasl_credentials *credentials = sasl->credentials;

	(void)challenge, (void)len;
	return fits_line(put_sasl(out, "user=") &&
			     put_sasl(out, credentials->user) &&
			     put_sasl(out, "\001auth=Bearer ") &&
			     put_secret(out, credentials->token) &&
			     put_sasl(out, "\001\001"),
	    err);
}

static bool
respond_scram(struct sasl *sasl, const char *challenge, size_t len,
    struct buf *out, struct error *err)
{
	switch (sasl->step) {
	case 0:
		return scram_first(&sasl->scram, out, err);
	case 1:
		return scram_final(&sasl->scram, challenge, len, out, err);
	default:
		/* Our part of the server's last message is an empty line. */
		return scram_verify(&sasl->scram, challenge, len, err);
	}
}

/*
 * From the strongest down: what shows nothing and proves both sides, what
 * shows nothing that lasts, what shows the password (to TLS alone).
 */
#define SCRAM (NEEDS_PASSWORD | NEEDS_ASCII | CLIENT_FIRST | READS_CHALLENGE)
#define OAUTH (NEEDS_TLS | NEEDS_TOKEN | CLIENT_FIRST | READS_CHALLENGE)
static const struct sasl_mechanism table[] = {
    {"EXTERNAL", NEEDS_IDENTITY | CLIENT_FIRST, 1, respond_external, NULL,
	NULL},
    {"SCRAM-SHA-256-PLUS", SCRAM | NEEDS_BINDING, 3, respond_scram, NULL,
	EVP_sha256},
    {"SCRAM-SHA-1-PLUS", SCRAM | NEEDS_BINDING, 3, respond_scram, NULL,
	EVP_sha1},
    {"SCRAM-SHA-256", SCRAM, 3, respond_scram, NULL, EVP_sha256},
    {"SCRAM-SHA-1", SCRAM, 3, respond_scram, NULL, EVP_sha1},
    {"OAUTHBEARER", OAUTH, 1, respond_oauthbearer, "\001", NULL},
    {"XOAUTH2", OAUTH, 1, respond_xoauth2, "", NULL},
    {"CRAM-MD5", NEEDS_PASSWORD | READS_CHALLENGE, 1, respond_cram_md5, NULL,
	NULL},
    {"PLAIN", NEEDS_PASSWORD | NEEDS_TLS | CLIENT_FIRST, 1, respond_plain, NULL,
	NULL},
    {"LOGIN", NEEDS_PASSWORD | NEEDS_TLS, 2, respond_login, NULL, NULL},
};
enum { MECHANISMS = sizeof table / sizeof *table };

const struct sasl_mechanism *
sasl_mechanism_at(size_t index)
{
	return index < MECHANISMS ? &table[index] : NULL;
}

const struct sasl_mechanism *
sasl_mechanism_find(const char *name)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (strcasecmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

const char *
sasl_mechanism_name(const struct sasl_mechanism *mechanism)
{
	return mechanism->name;
}

unsigned
sasl_rank(const char *name)
{
	const struct sasl_mechanism *mechanism = sasl_mechanism_find(name);

	return mechanism == NULL ? MECHANISMS + 1
				 : (unsigned)(mechanism - table) + 1;
}

bool
sasl_mechanism_takes(
    const struct sasl_mechanism *mechanism, const char *text, size_t len)
{
	/* A NUL ends a part of PLAIN, a ^A one of OAuth. */
	unsigned char least =
	    mechanism->flags & (NEEDS_ASCII | NEEDS_TOKEN) ? ' ' : 1;
	unsigned char most = mechanism->flags & NEEDS_ASCII ? '~' : UINT8_MAX;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < least || c > most)
			return false;
	}
	return true;
}

static bool
takes_secret(
    const struct sasl_mechanism *mechanism, const struct secret *secret)
{
	return secret != NULL && secret->len > 0 &&
	       sasl_mechanism_takes(mechanism, secret->text, secret->len);
}

bool
sasl_mechanism_usable(const struct sasl_mechanism *mechanism,
    const struct sasl_credentials *credentials, bool named)
{
	unsigned flags = mechanism->flags;
	const char *user = credentials->user;

	if (flags & NEEDS_TLS && !credentials->tls)
		return false;
	if (flags & NEEDS_BINDING && credentials->binding == NULL)
		return false;
	/* Without TLS a private line may tell (RFC 2645 5.1.2). */
	if (flags & NEEDS_IDENTITY &&
	    (!named || (credentials->tls && !credentials->certificate)))
		return false;
	if (user == NULL ? flags & NEEDS_PASSWORD
			 : !sasl_mechanism_takes(mechanism, user, strlen(user)))
		return false;
	if (flags & NEEDS_PASSWORD)
		return takes_secret(mechanism, credentials->password);
	if (flags & NEEDS_TOKEN)
		return user != NULL &&
		       takes_secret(mechanism, credentials->token);
	return true;
}

bool
sasl_mechanism_needs_password(const struct sasl_mechanism *mechanism)
{
	return mechanism->flags & NEEDS_PASSWORD;
}

bool
sasl_mechanism_needs_token(const struct sasl_mechanism *mechanism)
{
	return mechanism->flags & NEEDS_TOKEN;
}

bool
sasl_mechanism_binds(const struct sasl_mechanism *mechanism)
{
	return mechanism->flags & NEEDS_BINDING;
}

bool
sasl_mechanism_needs_tls(const struct sasl_mechanism *mechanism)
{
	return mechanism->flags & (NEEDS_TLS | NEEDS_BINDING);
}

struct sasl *
sasl_new(const struct sasl_mechanism *mechanism,
    const struct sasl_credentials *credentials)
{
	struct sasl *sasl = xcalloc(1, sizeof *sasl);

	sasl->mechanism = mechanism;
	sasl->credentials = credentials;
	if (mechanism->digest != NULL)
		sasl->scram = (struct scram){
		    .credentials = credentials,
		    .digest = mechanism->digest(),
		    .plus = mechanism->flags & NEEDS_BINDING,
		};
	return sasl;
}

void
sasl_free(struct sasl *sasl)
{
	if (sasl != NULL)
		explicit_bzero(sasl, sizeof *sasl);
	free(sasl);
}

bool
sasl_client_first(const struct sasl *sasl)
{
	return sasl->mechanism->flags & CLIENT_FIRST;
}

bool
sasl_reads_challenge(const struct sasl *sasl)
{
	return sasl->mechanism->flags & READS_CHALLENGE;
}

void
sasl_restart(struct sasl *sasl)
{
	sasl->step = 0;
}

/* OAuth tells why it failed and wants a word before its 535. */
static bool
answer_failure(
    struct sasl *sasl, const char *challenge, size_t len, struct buf *out)
{
	size_t keep =
	    len < SERVER_ERROR_MAX ? len : (size_t)SERVER_ERROR_MAX - 1;

	memcpy(sasl->server_error, challenge, keep);
	sasl->server_error[keep] = '\0';
	return put_sasl(out, sasl->mechanism->after_failure);
}

bool
sasl_step(struct sasl *sasl, const void *challenge, size_t len, struct buf *out,
    struct error *err)
{
	const struct sasl_mechanism *mechanism = sasl->mechanism;
	bool ok = false;

	if (sasl->step < mechanism->steps)
		ok = mechanism->respond(sasl, challenge, len, out, err);
	else if (sasl->step == mechanism->steps &&
		 mechanism->after_failure != NULL)
		ok = fits_line(answer_failure(sasl, challenge, len, out), err);
	else
		error_set(err, ERROR_PROTOCOL,
		    "the provider goes on asking after the end of %s",
		    mechanism->name);
	if (ok)
		sasl->step++;
	return ok;
}

bool
sasl_finish(struct sasl *sasl, struct error *err)
{
	if (sasl->step == sasl->mechanism->steps)
		return true;
	if (sasl->mechanism->digest != NULL)
		error_set(err, ERROR_AUTH,
		    "the provider accepted the login without proving that it "
		    "knows the password; it may be somebody else");
	else
		error_set(err, ERROR_PROTOCOL,
		    "the provider accepted the login before the end of %s",
		    sasl->mechanism->name);
	return false;
}

const char *
sasl_server_error(const struct sasl *sasl)
{
	return sasl->server_error;
}
