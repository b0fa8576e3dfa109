/*
 * command - what command/main gives to each command.
 *
 * A command prints what it is for on standard output, logs the rest, and
 * returns the exit status of the program.
 */
#ifndef ODMR_COMMAND_COMMAND_H
#define ODMR_COMMAND_COMMAND_H

#include <stdbool.h>

struct config;

struct command_context {
	/* Without faults, but for `check`, which shows them; `run` replaces
	 * it when it reads the file again. */
	struct config *config;
	const char *config_path;
	bool quiet, trace;
};

/* argv holds what stands behind the command's name; argv[argc] is NULL. */
typedef int command_function(
    struct command_context *context, int argc, char **argv);

command_function command_check;
command_function command_fetch;
command_function command_init;
command_function command_ledger;
command_function command_run;
command_function command_status;
/* --version: no command of its own. */
command_function command_version;

#endif
