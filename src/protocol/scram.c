/* SPDX-License-Identifier: ISC */
#include "protocol/scram.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/decimal.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/secret.h"
#include "protocol/sasl.h"

enum {
	MESSAGE_MAX = 12288, /* a line of AUTH (RFC 4954 4) holds less */
	SERVER_ERROR_SHOWN = 128, /* a word of RFC 5802 7, or a sentence */
};

/* What the server's first message says. */
struct challenge {
	char *copy; /* of the message, cut into the fields */
	const char *nonce;
	unsigned char *salt;
	size_t salt_len;
	int iterations;
};

static bool
put_message(struct buf *out, const char *text)
{
	return buf_append(out, text, strlen(text));
}

bool
scram_put_name(struct buf *out, const char *user)
{
	for (; *user != '\0'; user++) {
		if (*user == ','   ? !put_message(out, "=2C")
		    : *user == '=' ? !put_message(out, "=3D")
				   : !buf_append(out, user, 1))
			return false;
	}
	return true;
}

/*
 * The GS2 header (RFC 5802 6, 7). 'y' tells a server with -PLUS that somebody
 * took it out of the list; 'n' would hide that.
 */
static bool
put_header(const struct scram *scram, struct buf *out)
{
	const struct sasl_credentials *credentials = scram->credentials;

	if (scram->plus)
		return put_message(out, "p=") &&
		       put_message(out, credentials->binding) &&
		       put_message(out, ",,");
	if (credentials->binding != NULL && !credentials->plus_listed)
		return put_message(out, "y,,");
	return put_message(out, "n,,");
}

static bool
put_first_bare(const struct scram *scram, struct buf *out)
{
	return put_message(out, "n=") &&
	       scram_put_name(out, scram->credentials->user) &&
	       put_message(out, ",r=") &&
	       put_message(out, scram->credentials->nonce);
}

static bool
too_long(struct error *err)
{
	error_set(err, ERROR_CONFIG, "user and password are too long for AUTH");
	return false;
}

bool
scram_first(struct scram *scram, struct buf *out, struct error *err)
{
	if (!put_header(scram, out) || !put_first_bare(scram, out))
		return too_long(err);
	return true;
}

static bool
wrong(struct error *err, const char *what)
{
	error_set(err, ERROR_PROTOCOL, "the provider's challenge %s", what);
	return false;
}

/* e=... in place of an answer (RFC 5802 7). */
static bool
server_failed(struct error *err, const char *text)
{
	char shown[SERVER_ERROR_SHOWN];

	escape_text(shown, sizeof shown, text, strlen(text));
	error_set(err, ERROR_AUTH, "the provider ended the login with %s%s",
	    shown,
	    strstr(text, "channel-binding") == NULL
		? ""
		: "; a mechanism without -PLUS can be named in `auth`");
	return false;
}

static bool
parse_iterations(const char *text, int *iterations)
{
	uint64_t count;
	bool read = decimal_read(text, UINT64_MAX, &count);

	*iterations = (int)(count > INT_MAX ? INT_MAX : count);
	return read;
}

static bool
check_nonce(const struct scram *scram, const char *nonce, struct error *err)
{
	size_t len = strlen(scram->credentials->nonce);

	if (strncmp(nonce, scram->credentials->nonce, len) != 0)
		return wrong(err, "does not repeat our nonce");
	if (nonce[len] == '\0')
		return wrong(err, "adds nothing to our nonce");
	return true;
}

static bool
decode_salt(struct challenge *parsed, const char *text)
{
	size_t len = strlen(text);
	ssize_t decoded;

	parsed->salt = xmalloc(len + 1);
	decoded = base64_decode(parsed->salt, text, len);
	parsed->salt_len = decoded > 0 ? (size_t)decoded : 0;
	return decoded > 0;
}

/* The value of the next field, which must be "LETTER=", or NULL. */
static const char *
next_field(char **rest, char letter)
{
	const char *field = *rest == NULL ? NULL : strsep(rest, ",");

	if (field == NULL || field[0] != letter || field[1] != '=')
		return NULL;
	return field + 2;
}

/* r=NONCE,s=SALT,i=COUNT; what follows may be ignored (RFC 5802 5.1). */
static bool
parse_challenge(const struct scram *scram, struct challenge *parsed,
    const char *text, size_t len, struct error *err)
{
	if (memchr(text, '\0', len) != NULL)
		return wrong(err, "holds a NUL");
	parsed->copy = xstrndup(text, len);
	if (strncmp(parsed->copy, "e=", 2) == 0)
		return server_failed(err, parsed->copy);
	/* m= first: an extension that we do not know, which ends it. */
	if (strncmp(parsed->copy, "m=", 2) == 0)
		return wrong(err, "asks for an unknown extension");
	char *rest = parsed->copy;
	parsed->nonce = next_field(&rest, 'r');
	const char *salt = next_field(&rest, 's');
	const char *count = next_field(&rest, 'i');
	if (parsed->nonce == NULL || salt == NULL || count == NULL)
		return wrong(err, "is not one of SCRAM");
	if (!check_nonce(scram, parsed->nonce, err))
		return false;
	if (!decode_salt(parsed, salt))
		return wrong(err, "has no salt");
	if (!parse_iterations(count, &parsed->iterations))
		return wrong(err, "has no iteration count");
	if (parsed->iterations < SCRAM_ITERATIONS_MIN)
		return wrong(err, "has an iteration count below 4096");
	if (parsed->iterations > SCRAM_ITERATIONS_MAX)
		return wrong(err, "has an iteration count over 1000000");
	return true;
}

/* c=BINDING,r=NONCE: the last message but for the proof. */
static bool
put_final_bare(const struct scram *scram, const char *nonce, struct buf *out)
{
	const struct sasl_credentials *credentials = scram->credentials;
	char encoded[BASE64_SIZE(2 * SASL_BINDING_MAX)];
	struct buf binding;

	buf_init(&binding, 2 * SASL_BINDING_MAX);
	bool ok =
	    put_header(scram, &binding) &&
	    (!scram->plus || buf_append(&binding, credentials->binding_data,
				 credentials->binding_len));
	if (ok)
		base64_encode(encoded, buf_data(&binding), buf_len(&binding));
	buf_clear(&binding);
	return ok && put_message(out, "c=") && put_message(out, encoded) &&
	       put_message(out, ",r=") && put_message(out, nonce);
}

static bool
hmac(const EVP_MD *md, unsigned char *out, const void *key, size_t key_len,
    const void *text, size_t len)
{
	return HMAC(md, key, (int)key_len, text, len, out, NULL) != NULL;
}

/* RFC 5802 3: proof of the client and signature of the server. */
static bool
compute(struct scram *scram, const struct challenge *parsed,
    const struct buf *message, unsigned char proof[SCRAM_DIGEST_MAX])
{
	const struct secret *password = scram->credentials->password;
	const EVP_MD *md = scram->digest;
	unsigned char salted[SCRAM_DIGEST_MAX], client[SCRAM_DIGEST_MAX],
	    server[SCRAM_DIGEST_MAX], stored[SCRAM_DIGEST_MAX];
	bool ok = false;

	size_t size = (size_t)EVP_MD_get_size(md);
	assert(size <= SCRAM_DIGEST_MAX);
	const char *text = buf_data(message);
	size_t len = buf_len(message);
	if (PKCS5_PBKDF2_HMAC(password->text, (int)password->len, parsed->salt,
		(int)parsed->salt_len, parsed->iterations, md, (int)size,
		salted) == 1 &&
	    hmac(md, client, salted, size, "Client Key", 10) &&
	    hmac(md, server, salted, size, "Server Key", 10) &&
	    EVP_Digest(client, size, stored, NULL, md, NULL) == 1 &&
	    hmac(md, proof, stored, size, text, len) &&
	    hmac(md, scram->signature, server, size, text, len)) {
		for (size_t i = 0; i < size; i++)
			proof[i] ^= client[i];
		scram->signature_len = size;
		ok = true;
	}
	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	explicit_bzero(server, sizeof server);
	explicit_bzero(stored, sizeof stored);
	return ok;
}

/* The proof over all messages so far, onto out, which ends with ours. */
static bool
put_proof(struct scram *scram, const struct challenge *parsed,
    const struct buf *message, struct buf *out, struct error *err)
{
	unsigned char proof[SCRAM_DIGEST_MAX];
	char encoded[BASE64_SIZE(SCRAM_DIGEST_MAX)];

	if (!compute(scram, parsed, message, proof)) {
		error_set(err, ERROR_INTERNAL, "OpenSSL cannot compute %s",
		    EVP_MD_get0_name(scram->digest));
		return false;
	}
	base64_encode(encoded, proof, scram->signature_len);
	bool ok = put_message(out, ",p=") && put_message(out, encoded);
	explicit_bzero(proof, sizeof proof);
	explicit_bzero(encoded, sizeof encoded);
	return ok || too_long(err);
}

bool
scram_final(struct scram *scram, const char *challenge, size_t len,
    struct buf *out, struct error *err)
{
	struct challenge parsed = {.copy = NULL};
	struct buf message;
	bool ok = false;

	buf_init(&message, 3 * MESSAGE_MAX);
	if (!parse_challenge(scram, &parsed, challenge, len, err))
		goto out;
	if (!put_final_bare(scram, parsed.nonce, out) ||
	    !put_first_bare(scram, &message) || !put_message(&message, ",") ||
	    !buf_append(&message, challenge, len) ||
	    !put_message(&message, ",") ||
	    !buf_append(&message, buf_data(out), buf_len(out))) {
		too_long(err);
		goto out;
	}
	ok = put_proof(scram, &parsed, &message, out, err);
out:
	buf_clear(&message);
	free(parsed.salt);
	free(parsed.copy);
	return ok;
}

bool
scram_verify(const struct scram *scram, const char *challenge, size_t len,
    struct error *err)
{
	char expected[BASE64_SIZE(SCRAM_DIGEST_MAX)];
	size_t size =
	    base64_encode(expected, scram->signature, scram->signature_len);

	if (len >= 2 && memcmp(challenge, "e=", 2) == 0 &&
	    memchr(challenge, '\0', len) == NULL) {
		char *text = xstrndup(challenge, len);
		server_failed(err, text);
		free(text);
		return false;
	}
	/* Extensions may follow (RFC 5802 7). */
	if (len < 2 + size || memcmp(challenge, "v=", 2) != 0 ||
	    (len > 2 + size && challenge[2 + size] != ',') ||
	    CRYPTO_memcmp(challenge + 2, expected, size) != 0) {
		error_set(err, ERROR_AUTH,
		    "the provider did not prove that it knows the password; "
		    "it may be somebody else");
		return false;
	}
	return true;
}
