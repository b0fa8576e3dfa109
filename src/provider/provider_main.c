/* SPDX-License-Identifier: ISC */
/*
 * odmr-provider: makes a server with Postfix a provider of On-Demand Mail
 * Relay.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sysexits.h>

#include "base/descriptor.h"
#include "provider/gate.h"
#include "provider/provider_command.h"
#include "provider/provider_config.h"
#include "tell/log.h"

static const char usage_line[] =
    "usage: odmr-provider [-c FILE] [-v | -q] COMMAND [ARGUMENT...]\n";

static const struct {
	const char *name, *arguments, *what;
	provider_command *run;
} commands[] = {
    {"run", "", "serve customers until SIGTERM", provider_command_run},
    {"check", "", "say what is wrong here, and in Postfix' configuration",
	provider_command_check},
    {"status", "[--json]", "show who is connected, and what mail waits",
	provider_command_status},
    {"passwd", "[--delete] USER", "set the password of a customer",
	provider_command_passwd},
    {"setup", "postfix [--apply] | tls",
	"make Postfix' part, or a key and a certificate",
	provider_command_setup},
};

static int
show_help(void)
{
	printf("%s\nCommands:\n", usage_line);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		printf("    %s %s\n        %s\n", commands[i].name,
		    commands[i].arguments, commands[i].what);
	printf("\nOptions, before the command:\n"
	       "    -c, --config FILE  the configuration, by default\n"
	       "                       %s/odmr-agent/odmr-provider.yaml\n"
	       "    -v, --verbose      log more\n"
	       "    -q, --quiet        log errors only\n"
	       "    -h, --help, --version\n\n"
	       "Manual: odmr-provider(8), odmr-provider.yaml(5)\n",
	    ODMR_SYSCONFDIR);
	return EX_OK;
}

int
provider_command_run(struct provider_context *context, int argc, char **argv)
{
	struct gate_options options = {
	    .config = context->config, .config_path = context->config_path};

	if (argc > 0) {
		fprintf(stderr, "odmr-provider: run has no argument: %s\n",
		    argv[0]);
		return EX_USAGE;
	}
	context->config = NULL; /* it is the gate's now */
	return gate_run(&options);
}

static int
run_provider_command(struct provider_context *context, int argc, char **argv)
{
	provider_command *run = NULL;
	int status = EX_CONFIG;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			run = commands[i].run;
	if (run == NULL) {
		fprintf(stderr, "odmr-provider: there is no command %s\n%s",
		    argv[0], usage_line);
		return EX_USAGE;
	}
	context->config = provider_config_load(context->config_path);
	const struct provider_config *config = context->config;
	if (config->faults == 0)
		log_open(config->log, config->log_format, config->log_level);
	if (provider_config_report(config, run == provider_command_run))
		status = run(context, argc - 1, argv + 1);
	provider_config_free(context->config);
	return status;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"quiet", no_argument, NULL, 'q'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	struct provider_context context = {
	    .config_path = ODMR_SYSCONFDIR "/odmr-agent/odmr-provider.yaml"};
	int option;

	descriptor_fill_standard();
	/* In order with what goes to standard error, also in a file. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (getauxval(AT_SECURE) != 0) {
		fputs("odmr-provider: it must not be set-uid or set-gid\n",
		    stderr);
		return EX_NOPERM;
	}
	while (
	    (option = getopt_long(argc, argv, "+c:vqh", options, NULL)) != -1) {
		if (option == 'c')
			context.config_path = optarg;
		else if (option == 'v')
			log_override(CONFIG_LOG_DEBUG);
		else if (option == 'q')
			log_override(CONFIG_LOG_ERROR);
		else if (option == 'h')
			return show_help();
		else if (option == 'V')
			return printf("odmr-provider %s\n", ODMR_VERSION) < 0;
		else
			return fputs(usage_line, stderr), EX_USAGE;
	}
	if (optind == argc)
		return fputs(usage_line, stderr), EX_USAGE;
	if (strcmp(argv[optind], "help") == 0)
		return show_help();
	return run_provider_command(&context, argc - optind, argv + optind);
}
