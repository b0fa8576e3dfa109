/*
 * account_args - the accounts that a command line names.
 */
#ifndef ODMR_COMMAND_ACCOUNT_ARGS_H
#define ODMR_COMMAND_ACCOUNT_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct config_account;

struct account_args {
	/* In the order of the command line, each once; all of them where none
	 * is named. */
	const struct config_account **accounts;
	size_t count;
	bool named;
	bool json; /* --json */
	bool html; /* --html, which only status has */
};

/* argv holds names and options, in any order. false: one is unknown, which was
 * said on standard error; there is nothing to clear then. */
bool account_args_read(struct account_args *args, const struct config *config,
    const char *command, int argc, char **argv)
    __attribute__((warn_unused_result));
/* The account of that name. NULL: there is none, which was said on standard
 * error, with the names that there are. */
const struct config_account *account_args_find(
    const struct config *config, const char *name);
void account_args_clear(struct account_args *args);

#endif
