/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/mem.h"

/* Each piece with its length in front, so that none runs into the next. */
static void
add_octets(EVP_MD_CTX *digest, const void *data, size_t len)
{
	uint64_t length = len;

	if (EVP_DigestUpdate(digest, &length, sizeof length) != 1 ||
	    EVP_DigestUpdate(digest, data, len) != 1)
		mem_exhausted(); /* SHA-256 has no other way to fail */
}

static void
digest_text(EVP_MD_CTX *digest, const char *text)
{
	if (text == NULL)
		add_octets(digest, "", 0);
	else
		add_octets(digest, text, strlen(text) + 1);
}

static void
add_schedule(EVP_MD_CTX *digest, const struct config_schedule *schedule)
{
	for (size_t i = 0; i < schedule->count; i++) {
		const struct config_window *window = &schedule->windows[i];
		add_octets(digest, &window->days, sizeof window->days);
		add_octets(
		    digest, &window->hours.from, sizeof window->hours.from);
		add_octets(digest, &window->hours.to, sizeof window->hours.to);
		add_octets(digest, &window->every, sizeof window->every);
		add_octets(digest, window->at.minutes,
		    window->at.count * sizeof *window->at.minutes);
	}
}

static void
add_key(EVP_MD_CTX *digest, const struct config_key *key, const void *field)
{
	const struct config_texts *texts = field;
	const struct config_address *address = field;
	const struct secret *secret = field;

	digest_text(digest, key->name);
	switch (key->field) {
	case CONFIG_FIELD_PLAIN:
		add_octets(digest, field, key->size);
		break;
	case CONFIG_FIELD_TEXT:
		digest_text(digest, *(const char *const *)field);
		break;
	case CONFIG_FIELD_TEXTS:
		for (size_t i = 0; i < texts->count; i++)
			digest_text(digest, texts->items[i]);
		break;
	case CONFIG_FIELD_ADDRESS:
		digest_text(digest, address->host);
		add_octets(digest, &address->port, sizeof address->port);
		break;
	case CONFIG_FIELD_SCHEDULE:
		add_schedule(digest, field);
		break;
	case CONFIG_FIELD_SECRET:
		add_octets(digest, secret->text, secret->len);
		break;
	}
}

/*
 * The certificate that we log in with is renewed in place. What stat(2) says
 * of it will do: at worst a hold ends without need.
 */
static void
add_file(EVP_MD_CTX *digest, const char *path)
{
	struct stat now;

	if (path == NULL || stat(path, &now) != 0)
		return;
	add_octets(digest, &now.st_ino, sizeof now.st_ino);
	add_octets(digest, &now.st_size, sizeof now.st_size);
	add_octets(digest, &now.st_mtim.tv_sec, sizeof now.st_mtim.tv_sec);
	add_octets(digest, &now.st_mtim.tv_nsec, sizeof now.st_mtim.tv_nsec);
}

static void
add_table(EVP_MD_CTX *digest, const struct config_table *table,
    const void *filled, bool whole)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct config_key *key = &table->keys[i];
		if (whole || key->towards_provider)
			add_key(
			    digest, key, (const char *)filled + key->offset);
	}
}

void
config_fingerprint(const struct config *config,
    const struct config_account *account, const struct secret *secret,
    const void *key, size_t key_len, char out[static CONFIG_FINGERPRINT_SIZE])
{
	unsigned char inner[EVP_MAX_MD_SIZE], outer[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned len = 0;

	if (digest == NULL ||
	    EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		mem_exhausted();
	add_table(digest, &config_top_table, config, false);
	add_table(digest, &config_account_table, account, true);
	add_file(digest, account->tls_cert_file);
	add_octets(digest, secret->text, secret->len);
	if (EVP_DigestFinal_ex(digest, inner, &len) != 1 ||
	    HMAC(EVP_sha256(), key, (int)key_len, inner, len, outer, &len) ==
		NULL)
		mem_exhausted();
	EVP_MD_CTX_free(digest);
	assert(2 * len + 1 == CONFIG_FINGERPRINT_SIZE);
	digest_hex(out, outer, len);
	OPENSSL_cleanse(inner, sizeof inner);
}

static void
add_delivery(EVP_MD_CTX *digest, const struct config_delivery *delivery)
{
	add_octets(digest, &delivery->kind, sizeof delivery->kind);
	digest_text(digest, delivery->path);
	digest_text(digest, delivery->address.host);
	add_octets(
	    digest, &delivery->address.port, sizeof delivery->address.port);
	for (size_t i = 0; i < delivery->args.count; i++)
		digest_text(digest, delivery->args.items[i]);
	add_octets(digest, &delivery->create, sizeof delivery->create);
}

static void
add_route(EVP_MD_CTX *digest, const struct config_route *route)
{
	for (size_t i = 0; i < route->recipients.count; i++)
		digest_text(digest, route->recipients.items[i]);
	add_octets(
	    digest, &route->recipients.count, sizeof route->recipients.count);
	digest_text(digest, route->deliver);
}

uint64_t
config_delivery_digest(const struct config *config,
    const struct config_account *account, size_t delivery)
{
	unsigned char octets[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint64_t first = 0;

	if (digest == NULL ||
	    EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		mem_exhausted();
	add_delivery(digest, &config->deliveries[delivery]);
	for (size_t i = 0;
	     account->delivery == CONFIG_BY_ROUTES && i < config->routes_count;
	     i++)
		add_route(digest, &config->routes[i]);
	if (EVP_DigestFinal_ex(digest, octets, NULL) != 1)
		mem_exhausted();
	EVP_MD_CTX_free(digest);
	for (size_t i = 0; i < sizeof first; i++)
		first = first << 8 | octets[i];
	return first;
}
