/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/error.h"
#include "command/account_args.h"
#include "command/command.h"
#include "config/config.h"
#include "ledger/ledger_list.h"
#include "tell/log.h"

static int
list_account(const struct config *config, const struct config_account *account)
{
	struct error err;

	if (ledger_list_print(stdout, config->state_dir, account->name,
		clock_unix_ms() / 1000, config->ledger_keep / 1000, &err))
		return EX_OK;
	log_say(CONFIG_LOG_ERROR, account->name, "ledger", "%s", err.text);
	return error_exit_status(err.class);
}

int
command_ledger(struct command_context *context, int argc, char **argv)
{
	const struct config *config = context->config;
	int status = EX_OK;

	for (int i = 0; i < argc; i++)
		if (account_args_find(config, argv[i]) == NULL)
			return EX_USAGE;
	for (int i = 0; i < argc; i++)
		status = error_worse_status(status,
		    list_account(config, config_find_account(config, argv[i])));
	for (size_t i = 0; argc == 0 && i < config->accounts_count; i++)
		status = error_worse_status(
		    status, list_account(config, &config->accounts[i]));
	return status;
}
