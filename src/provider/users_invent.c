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

/* Of a line and a name; it differs wherever one of them does. */
static uint64_t
mix_line(const char *line, size_t len, uint64_t name)
{
	/* FNV-1a, and the end of MurmurHash3 for its upper bits; what is
	 * secret is the name's part. */
	uint64_t mixed = name ^ UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		mixed =
		    (mixed ^ (unsigned char)line[i]) * UINT64_C(0x100000001b3);
	mixed = (mixed ^ mixed >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return mixed ^ mixed >> 33;
}

/* The line of which an unknown name is made the like; NULL: there is none. It is
 * another one only where that line goes, or a new one comes that is preferred: of
 * n users the new one is so for one name of n. */
static const char *
choose_model(const struct buf *content, uint64_t name, size_t *len)
{
	const char *rest = buf_data(content), *line, *model = NULL;
	const char *end = rest + buf_len(content);
	uint64_t best = 0;
	size_t here;

	while ((line = users_next_line(&rest, end, &here)) != NULL) {
		if (!users_is_line(line, here))
			continue;
		const char *colon = memchr(line, ':', here);
		uint64_t mixed = mix_line(line, (size_t)(colon - line), name);
		if (model != NULL && mixed <= best)
			continue;
		best = mixed;
		model = line;
		*len = here;
	}
	return model;
}

/* What stays over restarts, and with a key that an authority has renewed. */
static void
find_chance(unsigned char out[static SCRAM_KEY], const struct buf *content)
{
	size_t len = 0;
	const char *seed = users_find_seed(content, &len);

	users_prepare(NULL);
	if (seed == NULL ||
	    EVP_Digest(seed, len, out, NULL, EVP_sha256(), NULL) != 1)
		memcpy(out, chance, SCRAM_KEY);
}

/* Octets for a name, always the same ones. */
static void
digest_name(unsigned char out[static 2 * SCRAM_KEY], const char *user,
    const struct buf *content)
{
	unsigned char key[SCRAM_KEY];

	find_chance(key, content);
	memset(out, 0, 2 * SCRAM_KEY);
	(void)!HMAC(EVP_sha256(), key, sizeof key, (const unsigned char *)user,
	    strlen(user), out, NULL);
	(void)!EVP_Digest(
	    out, SCRAM_KEY, out + SCRAM_KEY, NULL, EVP_sha256(), NULL);
}

void
users_invent(
    struct users_secret *secret, const char *user, const struct buf *content)
{
	unsigned char digest[2 * SCRAM_KEY];
	uint64_t name;
	size_t len;

	digest_name(digest, user, content);
	memcpy(&name, digest + SCRAM_KEY - sizeof name, sizeof name);
	const char *line = choose_model(content, name, &len);
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
