/* SPDX-License-Identifier: ISC */
/*
 * What a configuration that was read says of a name.
 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int
compare_name(const void *name, const void *account)
{
	const struct config_account *const *one = account;

	return strcmp(name, (*one)->name);
}

const struct config_account *
config_find_account(const struct config *config, const char *name)
{
	if (config->by_name == NULL)
		return NULL;
	const struct config_account *const *found =
	    bsearch(name, config->by_name, config->accounts_count,
		sizeof(*config->by_name), compare_name);
	return found != NULL ? *found : NULL;
}

const char *
config_login_user(const struct config_account *account)
{
	return account->user != NULL ? account->user : "";
}

bool
config_accepts(const struct config_account *account, const char *domain)
{
	for (size_t i = 0; i < account->accept.count; i++)
		if (strcasecmp(account->accept.items[i], domain) == 0)
			return true;
	return false;
}

bool
config_reaches(const struct config *config,
    const struct config_account *account, size_t delivery)
{
	if (account->delivery != CONFIG_BY_ROUTES)
		return account->delivery == delivery;
	for (size_t i = 0; i < config->routes_count; i++)
		if (config->routes[i].delivery == delivery)
			return true;
	return false;
}
