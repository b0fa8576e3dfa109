/* SPDX-License-Identifier: ISC */
#include "command/check_connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "base/stop.h"
#include "command/command.h"
#include "config/config.h"

/* As a compiler does; -q leaves nothing but errors. */
static void
print_messages(const struct config *config, bool quiet)
{
	char text[CONFIG_MESSAGE_SIZE];

	for (size_t i = 0; i < config->messages_count; i++) {
		const struct config_message *message = &config->messages[i];
		if (!quiet || !message->warning)
			fprintf(stderr, "%s\n",
			    config_message_format(
				config->path, message, text, sizeof text));
	}
}

static void
print_verdict(const struct config *config)
{
	size_t warnings = config->messages_count - config->faults;

	if (config->faults > 0) {
		printf("%s: not usable, %zu %s\n", config->path, config->faults,
		    config->faults == 1 ? "fault" : "faults");
		return;
	}
	printf("%s: fine, %zu %s", config->path, config->accounts_count,
	    config->accounts_count == 1 ? "account" : "accounts");
	if (warnings > 0)
		printf(", %zu %s", warnings,
		    warnings == 1 ? "warning" : "warnings");
	putchar('\n');
}

/* The accounts that are named, or all. false: one of them does not exist. */
static bool
choose_accounts(const struct config *config, char *const *names, size_t count,
    const struct config_account **chosen)
{
	for (size_t i = 0; i < count; i++) {
		chosen[i] = config_find_account(config, names[i]);
		if (chosen[i] == NULL) {
			fprintf(stderr, "odmr-agent: there is no account %s\n",
			    names[i]);
			return false;
		}
	}
	for (size_t i = 0; count == 0 && i < config->accounts_count; i++)
		chosen[i] = &config->accounts[i];
	return true;
}

/* Takes the options out of argv; -1: one is unknown. Else how many are left. */
static int
take_options(int argc, char **argv, bool *connect)
{
	int names = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--connect") == 0) {
			*connect = true;
		} else if (argv[i][0] == '-') {
			fprintf(stderr,
			    "odmr-agent: check: there is no option %s\n",
			    argv[i]);
			return -1;
		} else
			argv[names++] = argv[i];
	}
	return names;
}

int
command_check(struct command_context *context, int argc, char **argv)
{
	const struct config *config = context->config;
	bool connect = false;
	int status = EX_USAGE;

	int names = take_options(argc, argv, &connect);
	if (names < 0)
		return EX_USAGE;
	print_messages(config, context->quiet);
	if (!context->quiet)
		print_verdict(config);
	if (config->faults > 0)
		return EX_CONFIG;
	size_t count = names > 0 ? (size_t)names : config->accounts_count;
	const struct config_account **accounts =
	    xcalloc(count, sizeof *accounts);
	if (choose_accounts(config, argv, (size_t)names, accounts)) {
		status = EX_OK;
		if (connect) {
			stop_install();
			status = check_connect(
			    config, accounts, count, context->trace);
		}
	}
	free(accounts);
	return status;
}
