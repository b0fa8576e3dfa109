/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/choices.h"
#include "base/command_line.h"
#include "base/descriptor.h"
#include "base/privilege.h"
#include "command/command.h"
#include "config/config.h"
#include "tell/log.h"

static int command_help(struct command_context *context, int argc, char **argv);

/* What a command needs before it runs. */
enum needs {
	NOTHING,
	FILE_SHOWN, /* shows itself what is wrong with the file */
	FILE_GOOD,
	FILE_GOOD_QUIETLY, /* without its warnings: it only reports */
};

static const struct {
	const char *name, *arguments, *purpose;
	enum needs needs;
	command_function *run;
} commands[] = {
    {"check", "[--connect] [--deliver ADDRESS] [ACCOUNT...]",
	"say what is wrong with the configuration; with --connect also\n"
	"        ask the deliveries, and log in to the providers; with --deliver\n"
	"        hand a test message over, as mail for ADDRESS goes",
	FILE_SHOWN, command_check},
    {"fetch", "[--json] [ACCOUNT...]",
	"fetch mail now: of the accounts named, or of all that are\n"
	"        enabled and not on hold",
	FILE_GOOD, command_fetch},
    {"help", "[COMMAND]", "show this, or what a command does", NOTHING,
	command_help},
    {"init",
	"[--provider HOST] [--user NAME] [--domains LIST]"
	" [--deliver KIND:WHERE] [--password-from FILE]",
	"write a configuration and try it; asks for what is not given", NOTHING,
	command_init},
    {"ledger", "[ACCOUNT...]", "list which recipient was given which message",
	FILE_GOOD_QUIETLY, command_ledger},
    {"run", "",
	"fetch each account on its schedule, until SIGTERM; SIGHUP reads the\n"
	"        configuration again, SIGUSR1 fetches everything now",
	FILE_GOOD, command_run},
    {"status", "[--html | --json] [ACCOUNT...]",
	"the last session and the next one of each account; exits with 0\n"
	"        unless one of them needs somebody to look at it",
	FILE_GOOD_QUIETLY, command_status},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static const char usage_line[] =
    "usage: odmr-agent [-c FILE] [-v | -q] [--trace] COMMAND [ARG...]\n";

static int
find_command(const char *name)
{
	for (int i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return i;
	return -1;
}

static int
unknown_command(const char *name)
{
	struct choices choices = {.used = 0};

	for (int i = 0; i < COMMANDS; i++)
		choices_add(&choices, commands[i].name);
	fprintf(stderr, "odmr-agent: there is no command %s%s\n%s", name,
	    choices_phrase(&choices), usage_line);
	return EX_USAGE;
}

static void
show_command(int command)
{
	const char *arguments = commands[command].arguments;

	printf("%s%s%s\n        %s\n", commands[command].name,
	    arguments[0] != '\0' ? " " : "", arguments,
	    commands[command].purpose);
}

static int
command_help(struct command_context *context, int argc, char **argv)
{
	(void)context;
	if (argc > 0) {
		int found = find_command(argv[0]);
		if (found < 0)
			return unknown_command(argv[0]);
		printf("usage: odmr-agent ");
		show_command(found);
		return EX_OK;
	}
	printf("%s\nCommands:\n", usage_line);
	for (int i = 0; i < COMMANDS; i++) {
		printf("    ");
		show_command(i);
	}
	printf("\nOptions, before or after the command:\n"
	       "    -c, --config FILE  the configuration, by default\n"
	       "                       %s/odmr-agent/odmr-agent.yaml\n"
	       "    -v, --verbose      log more\n"
	       "    -q, --quiet        log errors only, print nothing\n"
	       "    --trace            show both dialogues on standard error\n"
	       "    --help, --version\n\n"
	       "Manual: odmr-agent(8), odmr-agent.yaml(5)\n",
	    ODMR_SYSCONFDIR);
	return EX_OK;
}

/* Warnings are logged, faults are shown; true: it can be used. */
static bool
show_messages(const struct config *config, bool warnings)
{
	char text[CONFIG_MESSAGE_SIZE];

	for (size_t i = 0; i < config->messages_count; i++) {
		const struct config_message *message = &config->messages[i];
		config_message_format(config->path, message, text, sizeof text);
		if (message->severity == CONFIG_FAULT)
			fprintf(stderr, "%s\n", text);
		else if (warnings)
			log_say(config_message_level(message), NULL,
			    "configuration", "%s", text);
	}
	return config->faults == 0;
}

/* Root would make the folder its own, and lock the service's user out. */
static void
warn_of_root(const struct config *config)
{
	if (geteuid() == 0 && access(config->state_dir, F_OK) != 0 &&
	    errno == ENOENT)
		log_say(CONFIG_LOG_WARNING, NULL, "start",
		    "state_dir %s does not exist. If root creates it now, the"
		    " service user cannot write to it: create it first, owned"
		    " by that user",
		    config->state_dir);
}

static int
run_with_config(
    struct command_context *context, int command, int argc, char **argv)
{
	struct error err;
	int status = EX_CONFIG;

	context->config = config_load(context->config_path);
	/* Before its warnings, which go where it says. */
	if (context->config->faults == 0)
		log_open(context->config->log, context->config->log_format,
		    context->config->log_level);
	enum needs needs = commands[command].needs;
	if (needs == FILE_SHOWN ||
	    show_messages(context->config, needs == FILE_GOOD)) {
		if (needs != FILE_GOOD_QUIETLY)
			warn_of_root(context->config);
		if (privilege_assume(context->config->state_dir, &err)) {
			status = commands[command].run(context, argc, argv);
		} else {
			log_say(
			    CONFIG_LOG_ERROR, NULL, "start", "%s", err.text);
			status = error_exit_status(err.class);
		}
	}
	config_free(context->config);
	return status;
}

static void
apply_options(struct command_context *context, const struct command_line *line)
{
	if (line->config != NULL)
		context->config_path = line->config;
	context->quiet = line->quiet;
	context->trace = line->trace;
	if (line->verbose)
		log_override(CONFIG_LOG_DEBUG);
	if (line->quiet)
		log_override(CONFIG_LOG_ERROR);
}

static int
run_line(struct command_context *context, const struct command_line *line)
{
	if (line->version)
		return command_version(context, 0, NULL);
	if (line->count == 0 && line->help)
		return command_help(context, 0, NULL);
	if (line->count == 0) {
		fputs(usage_line, stderr);
		return EX_USAGE;
	}
	if (line->help)
		return command_help(context, line->count, line->words);
	int command = find_command(line->words[0]);
	if (command < 0)
		return unknown_command(line->words[0]);
	int argc = line->count - 1;
	char **argv = line->words + 1;
	if (commands[command].needs == NOTHING)
		return commands[command].run(context, argc, argv);
	return run_with_config(context, command, argc, argv);
}

int
main(int argc, char **argv)
{
	struct command_context context = {
	    .config_path = ODMR_SYSCONFDIR "/odmr-agent/odmr-agent.yaml",
	};
	struct command_line line;
	const char *bad;
	int status = EX_USAGE;

	descriptor_fill_standard();
	if (privilege_is_foreign()) {
		fputs(
		    "odmr-agent: it must not be set-uid or set-gid: whoever"
		    " starts it could read what is its owner's (chmod ug-s)\n",
		    stderr);
		return EX_OSERR;
	}
	/* Inherited, SIG_IGN would lose the exit status of every child. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit on files is a full disk: it must fail the write, no more. */
	signal(SIGXFSZ, SIG_IGN);
	privilege_guard();
	/* libcurl makes that file, and OpenSSL can be built to fill it. */
	unsetenv("SSLKEYLOGFILE");
	if (command_line_read(&line, argc, argv, &bad)) {
		apply_options(&context, &line);
		status = run_line(&context, &line);
	} else {
		fprintf(
		    stderr, "odmr-agent: bad option %s\n%s", bad, usage_line);
	}
	command_line_clear(&line);
	return status;
}
