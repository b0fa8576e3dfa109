/* SPDX-License-Identifier: ISC */
#include "command/selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"

static void
add(struct selection *selection, const struct config_account *account)
{
	for (size_t i = 0; i < selection->count; i++)
		if (selection->accounts[i] == account)
			return;
	selection->accounts[selection->count++] = account;
}

static bool
read_word(struct selection *selection, const struct config *config,
    const char *command, const char *word)
{
	if (strcmp(word, "--json") == 0) {
		selection->json = true;
		return true;
	}
	const struct config_account *account =
	    config_find_account(config, word);
	if (account != NULL) {
		selection->named = true;
		add(selection, account);
		return true;
	}
	if (word[0] == '-')
		fprintf(
		    stderr, "odmr-agent: %s has no option %s\n", command, word);
	else
		fprintf(stderr, "odmr-agent: there is no account %s\n", word);
	return false;
}

bool
selection_read(struct selection *selection, const struct config *config,
    const char *command, int argc, char **argv)
{
	*selection =
	    (struct selection){.accounts = xcalloc(config->accounts_count,
				   sizeof(struct config_account *))};
	for (int i = 0; i < argc; i++) {
		if (!read_word(selection, config, command, argv[i])) {
			selection_clear(selection);
			return false;
		}
	}
	if (!selection->named)
		for (size_t i = 0; i < config->accounts_count; i++)
			add(selection, &config->accounts[i]);
	return true;
}

void
selection_clear(struct selection *selection)
{
	free(selection->accounts);
	*selection = (struct selection){.accounts = NULL};
}
