/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

static void
check_kind(
    const struct config_section *section, struct config_delivery *delivery)
{
	const struct config_table *table = section->table;
	const struct config_key *kind = NULL;

	for (size_t i = 0; i < table->count; i++) {
		if (!table->keys[i].names_kind ||
		    section->marks->of[i].line == 0)
			continue;
		if (kind != NULL)
			config_fault(section->loader, section->marks->of[i],
			    "%s: \"%s\" is set as well; a delivery has only one"
			    " of them",
			    table->keys[i].name, kind->name);
		else {
			kind = &table->keys[i];
			delivery->kind = (enum config_delivery_kind)i;
		}
	}
	if (kind == NULL) {
		config_fault(section->loader, section->mark,
		    "delivery %s: \"lmtp\", \"smtp\", \"sendmail\" or"
		    " \"maildir\" is missing",
		    section->name);
		return;
	}
	for (size_t i = 0; i < table->count; i++)
		if (section->marks->of[i].line != 0 &&
		    !table->keys[i].names_kind && table->keys[i].kinds != 0 &&
		    (table->keys[i].kinds & kind->kinds) == 0)
			config_fault(section->loader, section->marks->of[i],
			    "%s: a delivery of the kind \"%s\" has no such key",
			    table->keys[i].name, kind->name);
}

static void
check_delivery(
    const struct config_section *section, struct config_delivery *delivery)
{
	const struct config *config =
	    config_sections_of(section->loader)->config;

	check_kind(section, delivery);
	if (config_kinds[delivery->kind].program && delivery->args.count > 0)
		config_check_access(
		    section, delivery->kind, delivery->args.items[0]);
	config_check_place(section, delivery);
	for (const struct config_delivery *before = config->deliveries;
	     before < delivery; before++)
		if (strcmp(before->name, delivery->name) == 0)
			config_fault(section->loader, section->mark,
			    "delivery %s: already there in line %u",
			    delivery->name, before->line);
}

static void
check_route(const struct config_section *section, struct config_route *route)
{
	const struct config *config =
	    config_sections_of(section->loader)->config;

	config_check_required(section);
	route->delivery = config_find_delivery_index(section, route->deliver);
	if (!config_is_set(section, "recipients") &&
	    route < config->routes + config->routes_count - 1)
		config_warn(section->loader, section->mark,
		    "routes: the routes after this one are never used, because"
		    " it matches every recipient");
}

static int
compare_accounts(const void *a, const void *b)
{
	const struct config_account *const *one = a, *const *other = b;
	int order = strcmp((*one)->name, (*other)->name);

	if (order != 0)
		return order;
	return (*one)->line < (*other)->line ? -1 : 1;
}

static void
index_accounts(struct config_loader *loader)
{
	struct config *config = config_sections_of(loader)->config;
	size_t count = config->accounts_count;

	config->by_name =
	    xreallocarray(NULL, count + 1, sizeof *config->by_name);
	for (size_t i = 0; i < count; i++)
		config->by_name[i] = &config->accounts[i];
	qsort(
	    config->by_name, count, sizeof *config->by_name, compare_accounts);
	for (size_t i = 1; i < count; i++) {
		const struct config_account *account = config->by_name[i];
		const struct config_account *before = config->by_name[i - 1];
		if (strcmp(account->name, before->name) == 0)
			config_fault(loader,
			    (struct config_mark){.line = account->line,
				.column = account->column},
			    "account %s: already there in line %u",
			    account->name, before->line);
	}
}

/* A delivery that nothing names is mostly a slip in a name. */
static void
check_unused(struct config_loader *loader)
{
	const struct config *config = config_sections_of(loader)->config;
	bool *used = xcalloc(config->deliveries_count + 1, sizeof *used);

	for (size_t i = 0; i < config->accounts_count; i++)
		if (config->accounts[i].delivery != CONFIG_BY_ROUTES)
			used[config->accounts[i].delivery] = true;
	for (size_t i = 0; i < config->routes_count; i++)
		if (config->routes[i].delivery != CONFIG_BY_ROUTES)
			used[config->routes[i].delivery] = true;
	for (size_t i = 0; i < config->deliveries_count; i++) {
		const struct config_delivery *delivery = &config->deliveries[i];
		if (!used[i])
			config_warn(loader,
			    (struct config_mark){.line = delivery->line,
				.column = delivery->column},
			    "delivery %s: no route and no account delivers to"
			    " it",
			    delivery->name);
	}
	free(used);
}

static void
check_sections(struct config_loader *loader)
{
	const struct config_sections *sections = config_sections_of(loader);
	struct config *config = sections->config;
	const struct config_marks *marks = sections->deliveries_marks.items;

	for (size_t i = 0; i < config->deliveries_count; i++) {
		struct config_delivery *delivery = &config->deliveries[i];
		struct config_section section = {loader, &config_delivery_table,
		    &marks[i],
		    {.line = delivery->line, .column = delivery->column},
		    "delivery", delivery->name};
		if (marks[i].here.line != 0)
			check_delivery(&section, delivery);
	}
	marks = sections->routes_marks.items;
	for (size_t i = 0; i < sections->routes.count; i++) {
		struct config_section section = {loader, &config_route_table,
		    &marks[i], marks[i].here, "a", "route"};
		if (marks[i].here.line != 0)
			check_route(&section, &config->routes[i]);
	}
	marks = sections->accounts_marks.items;
	for (size_t i = 0; i < config->accounts_count; i++) {
		struct config_account *account = &config->accounts[i];
		struct config_section section = {loader, &config_account_table,
		    &marks[i],
		    {.line = account->line, .column = account->column},
		    "account", account->name};
		if (marks[i].here.line != 0) /* else a fault was told */
			config_check_account(&section, account);
	}
}

/* A domain that an account accepts. */
struct claim {
	const char *domain;
	const struct config_account *account;
};

static int
compare_claims(const void *a, const void *b)
{
	const struct claim *one = a, *other = b;
	int order = strcmp(one->domain, other->domain);

	if (order != 0)
		return order;
	return (one->account > other->account) -
	       (one->account < other->account);
}

static struct claim *
collect_claims(const struct config *config, size_t *count)
{
	struct claim *claims = NULL;

	*count = 0;
	for (size_t i = 0; i < config->accounts_count; i++) {
		const struct config_account *account = &config->accounts[i];
		claims = xreallocarray(
		    claims, *count + account->accept.count + 1, sizeof *claims);
		for (size_t k = 0; k < account->accept.count; k++)
			claims[(*count)++] =
			    (struct claim){account->accept.items[k], account};
	}
	return claims;
}

/* Two ledgers know nothing of each other. */
static void
check_overlap(struct config_loader *loader)
{
	size_t count;
	struct claim *claims =
	    collect_claims(config_sections_of(loader)->config, &count);

	if (count > 1)
		qsort(claims, count, sizeof *claims, compare_claims);
	for (size_t i = 1; i < count; i++) {
		const struct config_account *account = claims[i].account;
		const struct config_account *other = claims[i - 1].account;
		if (strcmp(account->name, other->name) == 0 ||
		    strcmp(claims[i].domain, claims[i - 1].domain) != 0)
			continue;
		config_warn(loader,
		    (struct config_mark){
			.line = account->line, .column = account->column},
		    "account %s: %s is a domain of account %s too; each has a"
		    " ledger of its own, and a message that comes by both may"
		    " be delivered twice",
		    account->name, claims[i].domain, other->name);
	}
	free(claims);
}

/* The password of the file is as well kept as the file. */
static void
check_mode(struct config_loader *loader)
{
	static const struct config_mark nowhere;
	const struct config *config = config_sections_of(loader)->config;
	struct stat status;
	bool secret = false;

	for (size_t i = 0; i < config->accounts_count; i++)
		secret =
		    secret || config->accounts[i].password.len > 0 ||
		    config->accounts[i].ping_url.len > 0 ||
		    (config->accounts[i].proxy.len > 0 &&
			strchr(config->accounts[i].proxy.text, '@') != NULL);
	if (secret && fstat(loader->fd, &status) == 0 &&
	    (status.st_mode & (S_IRGRP | S_IROTH)) != 0)
		config_warn(loader, nowhere,
		    "the file contains a password but is readable by group or"
		    " others (chmod 600)");
}

void
config_check(struct config_loader *loader)
{
	const struct config *config = config_sections_of(loader)->config;
	struct config_section top = {loader, &config_top_table, &loader->marks,
	    loader->marks.here, "the", "configuration"};

	config_check_required(&top);
	if (config->faults == 0 && config->accounts_count == 0)
		config_key_fault(&top, "accounts", "at least one is needed");
	if (config->faults == 0 && config->deliveries_count == 0)
		config_key_fault(&top, "deliveries", "at least one is needed");
	if (config->hostname_fault != NULL &&
	    !config_has_slip(&top, "hostname"))
		config_key_warn(&top, "hostname",
		    "%s, so that the agent says its address"
		    " instead; set \"hostname\" to the full name of this host",
		    config->hostname_fault);
	index_accounts(loader);
	check_sections(loader);
	check_unused(loader);
	check_overlap(loader);
	check_mode(loader);
	config_check_others(&top);
}
