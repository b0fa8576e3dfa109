/* SPDX-License-Identifier: ISC */
#include "command/account_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/choices.h"
#include "base/mem.h"
#include "config/config.h"

const struct config_account *
account_args_find(const struct config *config, const char *name)
{
	const struct config_account *account =
	    config_find_account(config, name);
	struct choices choices = {.used = 0};

	if (account != NULL)
		return account;
	for (size_t i = 0; i < config->accounts_count; i++)
		choices_add(&choices, config->accounts[i].name);
	fprintf(stderr, "odmr-agent: there is no account %s%s\n", name,
	    choices_phrase(&choices));
	return NULL;
}

static void
add_account(struct account_args *args, const struct config_account *account)
{
	for (size_t i = 0; i < args->count; i++)
		if (args->accounts[i] == account)
			return;
	args->accounts[args->count++] = account;
}

/* One that contradicts another is none. */
static bool
read_format(struct account_args *args, const char *command, const char *word)
{
	bool html = strcmp(word, "--html") == 0;

	if ((!html && strcmp(word, "--json") != 0) ||
	    (html && strcmp(command, "status") != 0))
		return false;
	args->html |= html;
	args->json |= !html;
	return !(args->html && args->json);
}

static bool
read_word(struct account_args *args, const struct config *config,
    const char *command, const char *word)
{
	if (read_format(args, command, word))
		return true;
	if (args->html && args->json) {
		fprintf(stderr,
		    "odmr-agent: %s has either --html or --json, not both\n",
		    command);
		return false;
	}
	if (word[0] == '-') {
		fprintf(stderr,
		    "odmr-agent: %s has no option %s; see `odmr-agent help"
		    " %s`\n",
		    command, word, command);
		return false;
	}
	const struct config_account *account = account_args_find(config, word);
	if (account == NULL)
		return false;
	args->named = true;
	add_account(args, account);
	return true;
}

bool
account_args_read(struct account_args *args, const struct config *config,
    const char *command, int argc, char **argv)
{
	*args =
	    (struct account_args){.accounts = xcalloc(config->accounts_count,
				      sizeof(struct config_account *))};
	for (int i = 0; i < argc; i++) {
		if (!read_word(args, config, command, argv[i])) {
			account_args_clear(args);
			return false;
		}
	}
	if (!args->named)
		for (size_t i = 0; i < config->accounts_count; i++)
			add_account(args, &config->accounts[i]);
	return true;
}

void
account_args_clear(struct account_args *args)
{
	free(args->accounts);
	*args = (struct account_args){.accounts = NULL};
}
