/*
 * provider_command - what the main program gives to each command.
 *
 * A command prints what it is for on standard output, logs the rest, and
 * returns the exit status of the program.
 */
#ifndef ODMR_PROVIDER_PROVIDER_COMMAND_H
#define ODMR_PROVIDER_PROVIDER_COMMAND_H

#include <stdbool.h>

struct provider_config;

struct provider_context {
	struct provider_config *config; /* owned by the main program */
	const char *config_path;
};

/* argv holds what stands after the command's name; argv[argc] is NULL. */
typedef int provider_command(
    struct provider_context *context, int argc, char **argv);

provider_command provider_command_run;
provider_command provider_command_check;
provider_command provider_command_status;
provider_command provider_command_passwd;
provider_command provider_command_setup;

#endif
