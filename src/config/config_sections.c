/* SPDX-License-Identifier: ISC */
/*
 * The sections of the agent's configuration: accounts, deliveries, routes.
 */
#include "config/config_loader.h"

#define IS_NAMED(type)                                                         \
	_Static_assert(                                                        \
	    offsetof(type, name) == offsetof(struct config_named, name) &&     \
		offsetof(type, line) == offsetof(struct config_named, line) && \
		offsetof(type, column) ==                                      \
		    offsetof(struct config_named, column),                     \
	    "begins as struct config_named")
IS_NAMED(struct config_account);
IS_NAMED(struct config_delivery);

/* The agent alone has sections of these kinds. */
struct config_sections *
config_sections_of(const struct config_loader *loader)
{
	return loader->context;
}

void
config_read_defaults(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct config_sections *sections = config_sections_of(loader);

	(void)key;
	(void)field;
	config_read_mapping(loader, &config_account_table, &sections->defaults,
	    &sections->defaults_marks);
}

void
config_read_accounts(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct config_sections *sections = config_sections_of(loader);

	(void)field;
	config_read_named(loader, key, &config_account_table,
	    &sections->accounts, &sections->accounts_marks,
	    CONFIG_ACCOUNTS_MAX);
}

void
config_read_deliveries(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct config_sections *sections = config_sections_of(loader);

	(void)field;
	config_read_named(loader, key, &config_delivery_table,
	    &sections->deliveries, &sections->deliveries_marks,
	    CONFIG_DELIVERIES_MAX);
}

static void
read_route(
    struct config_loader *loader, const struct config_key *key, void *context)
{
	struct config_sections *sections = config_sections_of(loader);

	(void)context;
	if (config_has_room(loader, key, &sections->routes, CONFIG_ROUTES_MAX))
		config_read_mapping(loader, &config_route_table,
		    array_add(&sections->routes),
		    array_add(&sections->routes_marks));
}

void
config_read_routes(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	config_each_mapping(loader, key, read_route, field);
}
