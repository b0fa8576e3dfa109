/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
config_apply_table(struct config_loader *loader,
    const struct config_table *table, const struct config_marks *marks,
    void *into)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct config_key *key = &table->keys[i];
		if (marks->of[i].line != 0 || key->value == NULL)
			continue;
		struct config_scalar scalar = {
		    .text = key->value, .len = strlen(key->value)};
		bool good = key->convert(
		    loader, &scalar, key, (char *)into + key->offset);
		assert(good);
	}
}

/* The account sets a key that stands in place of this one. */
static bool
is_replaced(const struct config_marks *marks, unsigned group)
{
	const struct config_table *table = &config_account_table;

	for (size_t i = 0; group != 0 && i < table->count; i++)
		if (table->keys[i].group == group && marks->of[i].line != 0)
			return true;
	return false;
}

/* What `defaults` says for the keys that the account does not set. */
static void
inherit(const struct config_loader *loader, struct config_account *account,
    struct config_marks *marks)
{
	const struct config_table *table = &config_account_table;
	const struct config_marks own = *marks;

	for (size_t i = 0; i < table->count; i++) {
		const struct config_key *key = &table->keys[i];
		struct config_mark mark =
		    config_sections_of(loader)->defaults_marks.of[i];
		char *to = (char *)account + key->offset;
		const char *from =
		    (const char *)&config_sections_of(loader)->defaults +
		    key->offset;
		if (mark.line == 0 || own.of[i].line != 0 ||
		    is_replaced(&own, key->group))
			continue;
		marks->of[i] = mark;
		if (key->field == CONFIG_FIELD_SECRET) {
			struct secret secret;
			memcpy(&secret, from, sizeof secret);
			if (secret.text != NULL)
				secret_set((struct secret *)(void *)to,
				    secret.text, secret.len);
		} else
			memcpy(to, from, key->size);
	}
}

static void
complete_account(struct config_loader *loader, struct config_account *account,
    struct config_marks *marks)
{
	size_t accept = config_key_index(&config_account_table, "accept");
	size_t jitter = config_key_index(&config_account_table, "jitter");

	inherit(loader, account, marks);
	config_apply_table(loader, &config_account_table, marks, account);
	if (account->tls_server_name == NULL)
		account->tls_server_name = account->provider.host;
	if (marks->of[accept].line == 0)
		account->accept = account->domains;
	if (marks->of[jitter].line == 0)
		account->jitter = -1;
}

/* systemd hands over a list where a unit has several folders. */
static const char *
default_state_dir(struct pool *pool)
{
	const char *given = getenv("STATE_DIRECTORY");

	if (given != NULL && given[0] == '/')
		return pool_text(pool, given, strcspn(given, ":"));
	return ODMR_LOCALSTATEDIR "/lib/odmr-agent";
}

/* With one delivery nothing is to be routed, and all goes there. */
static void
complete_routes(struct config *config)
{
	if (config->routes_count > 0 || config->deliveries_count != 1)
		return;
	free(config->routes);
	config->routes = xcalloc(1, sizeof *config->routes);
	config->routes->deliver = config->deliveries[0].name;
	config->routes_count = 1;
}

void
config_apply_defaults(struct config_loader *loader)
{
	struct config *config = config_sections_of(loader)->config;
	struct config_marks *accounts =
	    config_sections_of(loader)->accounts_marks.items;
	const struct config_marks *deliveries =
	    config_sections_of(loader)->deliveries_marks.items;

	config_apply_table(loader, &config_top_table, &loader->marks, config);
	for (size_t i = 0; i < config->accounts_count; i++)
		complete_account(loader, &config->accounts[i], &accounts[i]);
	for (size_t i = 0; i < config->deliveries_count; i++)
		config_apply_table(loader, &config_delivery_table,
		    &deliveries[i], &config->deliveries[i]);
	complete_routes(config);
	config_complete_hostname(config);
	if (config->state_dir == NULL)
		config->state_dir = default_state_dir(&config->pool);
	if (config->spool_dir == NULL)
		config->spool_dir = config->state_dir;
}
