/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/stop.h"
#include "command/account_args.h"
#include "command/check_connect.h"
#include "command/check_deliver.h"
#include "command/command.h"
#include "config/config.h"

/* As a compiler does; -q leaves nothing but errors. */
static void
print_messages(const struct config *config, bool quiet)
{
	char text[CONFIG_MESSAGE_SIZE];

	for (size_t i = 0; i < config->messages_count; i++) {
		const struct config_message *message = &config->messages[i];
		if (!quiet || message->severity != CONFIG_WARNING)
			fprintf(stderr, "%s\n",
			    config_message_format(
				config->path, message, text, sizeof text));
	}
}

static void
print_verdict(const struct config *config)
{
	size_t errors = config->faults + config->partial;
	size_t warnings = config->messages_count - errors;

	if (errors > 0) {
		printf("%s: %s, %zu %s\n", config->path,
		    config->faults > 0 ? "not usable" : "usable only in part",
		    errors, errors == 1 ? "error" : "errors");
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
		chosen[i] = account_args_find(config, names[i]);
		if (chosen[i] == NULL)
			return false;
	}
	for (size_t i = 0; count == 0 && i < config->accounts_count; i++)
		chosen[i] = &config->accounts[i];
	return true;
}

struct check_options {
	bool connect;
	const char *deliver; /* an address; NULL: no test message */
};

/* Takes one option at argv[*at]; *at moves on where its value is the next word.
 * false: it is unknown, or its value is missing. */
static bool
take_check_option(struct check_options *options, char **argv, int *at)
{
	static const char deliver[] = "--deliver", assigned[] = "--deliver=";
	const char *word = argv[*at];

	if (strcmp(word, "--connect") == 0) {
		options->connect = true;
	} else if (strncmp(word, assigned, strlen(assigned)) == 0) {
		options->deliver = word + strlen(assigned);
	} else if (strcmp(word, deliver) == 0 && argv[*at + 1] != NULL) {
		options->deliver = argv[++*at];
	} else {
		fprintf(stderr,
		    strcmp(word, deliver) == 0
			? "odmr-agent: check: %s needs an address, as in"
			  " anna@example.org\n"
			: "odmr-agent: check has no option %s; see `odmr-agent"
			  " help check`\n",
		    word);
		return false;
	}
	return true;
}

/* Takes the options out of argv; -1: one is wrong. Else how many are left. */
static int
take_options(int argc, char **argv, struct check_options *options)
{
	int names = 0;

	for (int i = 0; i < argc; i++) {
		if (argv[i][0] != '-')
			argv[names++] = argv[i];
		else if (!take_check_option(options, argv, &i))
			return -1;
	}
	return names;
}

/* What goes beyond reading the file. */
static int
try_out(const struct command_context *context,
    const struct check_options *options,
    const struct config_account *const *accounts, size_t count)
{
	const struct config *config = context->config;
	int status = EX_OK;

	if (options->connect || options->deliver != NULL)
		stop_install();
	if (options->connect)
		status = check_connect(config, accounts, count, context->trace);
	if (options->deliver == NULL || stop_requested())
		return status;
	return error_worse_status(
	    status, check_deliver(config, accounts, count, options->deliver,
			context->trace));
}

int
command_check(struct command_context *context, int argc, char **argv)
{
	const struct config *config = context->config;
	struct check_options options = {.connect = false};
	int status = EX_USAGE;

	int names = take_options(argc, argv, &options);
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
	if (choose_accounts(config, argv, (size_t)names, accounts))
		status =
		    error_worse_status(config->partial > 0 ? EX_CONFIG : EX_OK,
			try_out(context, &options, accounts, count));
	free(accounts);
	return status;
}
