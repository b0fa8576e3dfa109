/* SPDX-License-Identifier: ISC */
/*
 * Secrets of users that there are not.
 */
#include "provider/users.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buf.h"
#include "users_private.h"

enum {
	KEY_FILE_MAX = 16384, /* PEM of 8192 bits has 7 kB */
};

_Static_assert(SCRAM_SALT_MAX == 2 * SCRAM_KEY, "what digest_name() makes");

/* What invented secrets are made from. */
static unsigned char chance[SCRAM_KEY];
static bool has_chance;

/* false: it cannot be read. */
static bool
digest_key_file(const char *key_file)
{
	unsigned char content[KEY_FILE_MAX];
	FILE *file = key_file != NULL ? fopen(key_file, "re") : NULL;
	size_t len = 0;

	if (file != NULL) {
		setvbuf(file, NULL, _IONBF, 0); /* no copy that stays */
		len = fread(content, 1, sizeof content, file);
		fclose(file);
	}
	bool made = len > 0 && EVP_Digest(content, len, chance, NULL,
				   EVP_sha256(), NULL) == 1;
	explicit_bzero(content, sizeof content);
	return made;
}

void
users_prepare(const char *key_file)
{
	if (!has_chance)
		has_chance =
		    digest_key_file(key_file) ||
		    getrandom(chance, sizeof chance, 0) == sizeof chance;
}

/* The line of which an unknown name is made the like: always the same one, as
 * far as lines come and go; NULL: there is none. */
static const char *
choose_model(const struct buf *content, uint32_t choice, size_t *len)
{
	const char *begin = buf_data(content), *rest = begin, *line;
	const char *end = begin + buf_len(content);
	uint64_t count = 0, wanted;

	while ((line = users_next_line(&rest, end, len)) != NULL)
		count += users_is_line(line, *len);
	wanted = count * choice >> 32;
	rest = begin;
	while ((line = users_next_line(&rest, end, len)) != NULL)
		if (users_is_line(line, *len) && wanted-- == 0)
			return line;
	return NULL;
}

/* Octets for a name, always the same ones. */
static void
digest_name(unsigned char out[static 2 * SCRAM_KEY], const char *user)
{
	users_prepare(NULL);
	memset(out, 0, 2 * SCRAM_KEY);
	(void)!HMAC(EVP_sha256(), chance, sizeof chance,
	    (const unsigned char *)user, strlen(user), out, NULL);
	(void)!EVP_Digest(
	    out, SCRAM_KEY, out + SCRAM_KEY, NULL, EVP_sha256(), NULL);
}

void
users_invent(
    struct users_secret *secret, const char *user, const struct buf *content)
{
	unsigned char digest[2 * SCRAM_KEY];
	uint32_t choice;
	size_t len;

	digest_name(digest, user);
	memcpy(&choice, digest + SCRAM_KEY - sizeof choice, sizeof choice);
	const char *line = choose_model(content, choice, &len);
	const char *colon = line != NULL ? memchr(line, ':', len) : NULL;
	if (colon == NULL || !users_parse_secret(colon + 1,
				 (size_t)(line + len - colon - 1), secret))
		*secret = (struct users_secret){.has_keys = true,
		    .keys = {.iterations = SCRAM_ITERATIONS,
			.salt_len = USERS_NEW_SALT}};
	memcpy(secret->keys.salt, digest, sizeof secret->keys.salt);
	/* Nobody has a key whose digest this is. */
	memcpy(secret->keys.stored, digest, sizeof secret->keys.stored);
}
