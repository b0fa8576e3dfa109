/* SPDX-License-Identifier: ISC */
#include "protocol/scram_server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"

enum {
	MESSAGE_MAX = 2048, /* a user, two nonces, a binding; ours have 600 */
	/* "p=tls-exporter,a=NAME,": no longer than the message. */
	HEADER_MAX = MESSAGE_MAX / 2 + 1,
};

struct scram_server {
	struct scram_server_options options;
	struct scram_keys keys;
	char header[HEADER_MAX]; /* of GS2, as the client wrote it */
	bool binds; /* the header says p= */
	char nonce[MESSAGE_MAX]; /* the client's, then ours as well */
	/* client-first-bare, "," and server-first: AuthMessage so far. */
	struct buf messages;
};

static bool
server_hmac(unsigned char out[static SCRAM_KEY], const unsigned char *key,
    size_t key_len, const void *text, size_t len)
{
	return HMAC(EVP_sha256(), key, (int)key_len, text, len, out, NULL) !=
	       NULL;
}

/* RFC 5802 3 */
bool
scram_keys_make(struct scram_keys *keys, const char *password, size_t len,
    const unsigned char *salt, size_t salt_len, int iterations)
{
	unsigned char salted[SCRAM_KEY], client[SCRAM_KEY];

	assert(salt_len <= SCRAM_SALT_MAX);
	*keys =
	    (struct scram_keys){.salt_len = salt_len, .iterations = iterations};
	memcpy(keys->salt, salt, salt_len);
	bool ok =
	    PKCS5_PBKDF2_HMAC(password, (int)len, salt, (int)salt_len,
		iterations, EVP_sha256(), SCRAM_KEY, salted) == 1 &&
	    server_hmac(client, salted, SCRAM_KEY, "Client Key", 10) &&
	    server_hmac(keys->server, salted, SCRAM_KEY, "Server Key", 10) &&
	    EVP_Digest(
		client, SCRAM_KEY, keys->stored, NULL, EVP_sha256(), NULL) == 1;
	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	return ok;
}

struct scram_server *
scram_server_new(const struct scram_server_options *options)
{
	struct scram_server *server = xcalloc(1, sizeof *server);

	server->options = *options;
	buf_init(&server->messages, 3 * MESSAGE_MAX);
	return server;
}

void
scram_server_free(struct scram_server *server)
{
	if (server == NULL)
		return;
	buf_clear(&server->messages);
	explicit_bzero(&server->keys, sizeof server->keys);
	free(server);
}

/* What the GS2 header says of binding (RFC 5802 6). */
static enum scram_result
check_header(struct scram_server *server, const char *flag)
{
	const struct scram_server_options *options = &server->options;

	if (flag[0] == 'p' && flag[1] == '=') {
		server->binds = true;
		return options->plus && options->binding != NULL &&
			       strcmp(flag + 2, options->binding) == 0
			   ? SCRAM_GOOD
			   : SCRAM_BINDING;
	}
	if (options->plus || flag[0] == '\0' || flag[1] != '\0')
		return options->plus ? SCRAM_BINDING : SCRAM_MALFORMED;
	/* It saw no -PLUS in a list that had it: the list was changed. */
	if (flag[0] == 'y')
		return options->plus_offered ? SCRAM_BINDING : SCRAM_GOOD;
	return flag[0] == 'n' ? SCRAM_GOOD : SCRAM_MALFORMED;
}

/* A saslname: =2C is a comma, =3D an equals sign, and no other is there. */
static bool
decode_name(const char *name, char *user)
{
	size_t len = 0;

	for (; *name != '\0'; name++) {
		char c = *name;
		if (c == '=') {
			if (strncmp(name, "=2C", 3) == 0)
				c = ',';
			else if (strncmp(name, "=3D", 3) != 0)
				return false;
			name += 2;
		}
		if (len == SCRAM_USER_MAX)
			return false;
		user[len++] = c;
	}
	user[len] = '\0';
	return len > 0;
}

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < '!' || *text > '~')
			return false;
	return true;
}

/* "n=USER,r=NONCE" and extensions, which are ignored but for m=. */
static enum scram_result
parse_first_bare(struct scram_server *server, char *bare, char *user)
{
	char *rest = bare;
	const char *name = strsep(&rest, ",");
	const char *nonce = rest != NULL ? strsep(&rest, ",") : "";

	if (strncmp(name, "n=", 2) != 0 || strncmp(nonce, "r=", 2) != 0 ||
	    nonce[2] == '\0' || !is_printable(nonce) ||
	    !decode_name(name + 2, user))
		return SCRAM_MALFORMED;
	snprintf(server->nonce, sizeof server->nonce, "%s%s", nonce + 2,
	    server->options.nonce);
	return SCRAM_GOOD;
}

/* "" or "a=NAME": some clients always say whom they act for (RFC 5802 5.1), and
 * nobody acts for another. */
static bool
acts_for(const char *authzid, const char *user)
{
	char name[SCRAM_USER_MAX + 1];

	return authzid[0] == '\0' ||
	       (strncmp(authzid, "a=", 2) == 0 &&
		   decode_name(authzid + 2, name) && strcmp(name, user) == 0);
}

/* "FLAG,[a=AUTHZID],BARE" */
enum scram_result
scram_server_first(
    struct scram_server *server, const char *message, size_t len, char *user)
{
	char copy[MESSAGE_MAX / 2 + 1];

	if (len >= sizeof copy || memchr(message, '\0', len) != NULL)
		return SCRAM_MALFORMED;
	memcpy(copy, message, len);
	copy[len] = '\0';
	char *rest = copy;
	const char *flag = strsep(&rest, ",");
	const char *authzid = rest != NULL ? strsep(&rest, ",") : NULL;
	if (rest == NULL || authzid == NULL)
		return SCRAM_MALFORMED;
	enum scram_result result = check_header(server, flag);
	if (result != SCRAM_GOOD)
		return result;
	snprintf(
	    server->header, sizeof server->header, "%s,%s,", flag, authzid);
	buf_reset(&server->messages);
	if (!buf_append(&server->messages, rest, strlen(rest)))
		return SCRAM_MALFORMED;
	result = parse_first_bare(server, rest, user);
	return result != SCRAM_GOOD || acts_for(authzid, user)
		   ? result
		   : SCRAM_MALFORMED;
}

void
scram_server_challenge(
    struct scram_server *server, const struct scram_keys *keys, struct buf *out)
{
	char salt[BASE64_SIZE(SCRAM_SALT_MAX)];
	size_t before = buf_len(out);

	server->keys = *keys;
	base64_encode(salt, keys->salt, keys->salt_len);
	bool fits = buf_printf(out, "r=%s,s=%s,i=%d", server->nonce, salt,
			keys->iterations) &&
		    buf_append(&server->messages, ",", 1) &&
		    buf_append(&server->messages, buf_data(out) + before,
			buf_len(out) - before);
	assert(fits);
}

/* c=: the header, and under -PLUS what the channel is bound by. */
static bool
is_bound(const struct scram_server *server, const char *field)
{
	const struct scram_server_options *options = &server->options;
	char encoded[MESSAGE_MAX];
	struct buf expected;

	buf_init(&expected, MESSAGE_MAX / 2);
	bool fits =
	    buf_append(&expected, server->header, strlen(server->header));
	if (server->binds)
		fits = fits && buf_append(&expected,
				   (const char *)options->binding_data,
				   options->binding_len);
	size_t len =
	    base64_encode(encoded, buf_data(&expected), buf_len(&expected));
	buf_clear(&expected);
	return fits && strncmp(field, "c=", 2) == 0 &&
	       strlen(field + 2) == len &&
	       CRYPTO_memcmp(field + 2, encoded, len) == 0;
}

/* The client proves that it knows ClientKey, of which StoredKey is a digest. */
static bool
is_proven(const struct scram_server *server, const char *proof)
{
	unsigned char given[MESSAGE_MAX], key[SCRAM_KEY], digest[SCRAM_KEY];
	size_t len = strlen(proof);

	if (len > MESSAGE_MAX || base64_decode(given, proof, len) != SCRAM_KEY)
		return false;
	bool ok = server_hmac(key, server->keys.stored, SCRAM_KEY,
	    buf_data(&server->messages), buf_len(&server->messages));
	for (size_t i = 0; i < SCRAM_KEY; i++)
		key[i] ^= given[i];
	ok =
	    ok &&
	    EVP_Digest(key, SCRAM_KEY, digest, NULL, EVP_sha256(), NULL) == 1 &&
	    CRYPTO_memcmp(digest, server->keys.stored, SCRAM_KEY) == 0;
	explicit_bzero(key, sizeof key);
	return ok;
}

static bool
sign(struct scram_server *server, struct buf *out)
{
	unsigned char signature[SCRAM_KEY];
	char encoded[BASE64_SIZE(SCRAM_KEY)];

	if (!server_hmac(signature, server->keys.server, SCRAM_KEY,
		buf_data(&server->messages), buf_len(&server->messages)))
		return false;
	base64_encode(encoded, signature, sizeof signature);
	return buf_printf(out, "v=%s", encoded);
}

/* "c=BINDING,r=NONCE,p=PROOF"; extensions may stand before the proof. */
enum scram_result
scram_server_final(struct scram_server *server, const char *message, size_t len,
    struct buf *out)
{
	char copy[MESSAGE_MAX + 1];

	if (len > MESSAGE_MAX || memchr(message, '\0', len) != NULL)
		return SCRAM_MALFORMED;
	memcpy(copy, message, len);
	copy[len] = '\0';
	char *proof = strrchr(copy, ',');
	if (proof == NULL || strncmp(proof, ",p=", 3) != 0)
		return SCRAM_MALFORMED;
	if (!buf_append(&server->messages, ",", 1) ||
	    !buf_append(&server->messages, copy, (size_t)(proof - copy)))
		return SCRAM_MALFORMED;
	*proof = '\0';
	char *rest = copy;
	const char *binding = strsep(&rest, ",");
	const char *nonce = rest != NULL ? strsep(&rest, ",") : "";
	if (strncmp(nonce, "r=", 2) != 0 ||
	    strcmp(nonce + 2, server->nonce) != 0)
		return SCRAM_MALFORMED;
	if (!is_bound(server, binding))
		return SCRAM_BINDING;
	if (!is_proven(server, proof + 3))
		return SCRAM_WRONG;
	return sign(server, out) ? SCRAM_GOOD : SCRAM_MALFORMED;
}
