/* SPDX-License-Identifier: ISC */
/*
 * odmr-provider: makes a server with Postfix a provider of On-Demand Mail
 * Relay.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sysexits.h>

#include "base/choices.h"
#include "base/command_line.h"
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
	printf("\nOptions, before or after the command:\n"
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
	struct choices choices = {.used = 0};
	provider_command *run = NULL;
	int status = EX_CONFIG;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			run = commands[i].run;
	if (run == NULL) {
		for (size_t i = 0; i < sizeof commands / sizeof commands[0];
		     i++)
			choices_add(&choices, commands[i].name);
		fprintf(stderr, "odmr-provider: there is no command %s%s\n%s",
		    argv[0], choices_phrase(&choices), usage_line);
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

static int
run_provider_line(const struct command_line *line)
{
	struct provider_context context = {
	    .config_path = ODMR_SYSCONFDIR "/odmr-agent/odmr-provider.yaml"};

	if (line->config != NULL)
		context.config_path = line->config;
	if (line->verbose)
		log_override(CONFIG_LOG_DEBUG);
	if (line->quiet)
		log_override(CONFIG_LOG_ERROR);
	if (line->version)
		return printf("odmr-provider %s\n", ODMR_VERSION) < 0;
	if (line->help)
		return show_help();
	if (line->count == 0)
		return fputs(usage_line, stderr), EX_USAGE;
	if (strcmp(line->words[0], "help") == 0)
		return show_help();
	return run_provider_command(&context, line->count, line->words);
}

int
main(int argc, char **argv)
{
	struct command_line line;
	const char *bad;
	int status = EX_USAGE;

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
	bool read = command_line_read(&line, argc, argv, &bad);
	if (read && line.trace) {
		bad = "--trace"; /* the agent's alone */
		read = false;
	}
	if (read)
		status = run_provider_line(&line);
	else
		fprintf(stderr, "odmr-provider: bad option %s\n%s", bad,
		    usage_line);
	command_line_clear(&line);
	return status;
}
