/* SPDX-License-Identifier: ISC */
/*
 * odmr-provider passwd: sets the password of a customer.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/choices.h"

#include "provider/provider_command.h"
#include "provider/provider_config.h"
#include "provider/service_user.h"
#include "provider/users.h"

/* As the agent takes one: a line of 1 to 1023 octets. */
enum { PASSWORD_SIZE = 1024 };

static bool
read_password_line(char out[static PASSWORD_SIZE])
{
	if (fgets(out, PASSWORD_SIZE, stdin) == NULL)
		return false;
	size_t len = strcspn(out, "\r\n");
	bool whole = out[len] != '\0' || feof(stdin);
	out[len] = '\0';
	return whole && len > 0;
}

/* The terminal as it was. */
static struct termios shown;

/* Here and not behind the read, which a signal just before it does not end. */
static void
on_interrupt(int number)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	raise(number);
}

/* On a terminal: asks, and shows nothing; whoever gives up by ^C has a terminal
 * that shows what is typed. */
static bool
ask_password(const char *prompt, char out[static PASSWORD_SIZE])
{
	const struct sigaction restore = {
	    .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
	struct sigaction before;

	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return read_password_line(out);
	struct termios hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	sigaction(SIGINT, &restore, &before);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	fputs(prompt, stderr);
	bool good = read_password_line(out);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	sigaction(SIGINT, &before, NULL);
	fputc('\n', stderr);
	return good;
}

static bool
read_password(char out[static PASSWORD_SIZE])
{
	char again[PASSWORD_SIZE];

	if (!ask_password("Password: ", out)) {
		fputs("odmr-provider: a password is one line of 1 to 1023"
		      " octets; nothing was changed\n",
		    stderr);
		return false;
	}
	if (isatty(STDIN_FILENO) == 0)
		return true;
	bool same =
	    ask_password("The same again: ", again) && strcmp(out, again) == 0;
	explicit_bzero(again, sizeof again);
	if (!same)
		fputs("odmr-provider: the two passwords are not the same;"
		      " nothing was changed\n",
		    stderr);
	return same;
}

int
provider_command_passwd(struct provider_context *context, int argc, char **argv)
{
	const struct provider_config *config = context->config;
	bool removes = argc > 0 && strcmp(argv[0], "--delete") == 0;
	struct choices choices = {.used = 0};
	char password[PASSWORD_SIZE];
	struct error err;

	if (argc != (removes ? 2 : 1)) {
		fputs("usage: odmr-provider passwd [--delete] USER\n", stderr);
		return EX_USAGE;
	}
	const char *user = argv[argc - 1];
	if (config->users_file == NULL) {
		fputs("odmr-provider: \"dovecot_auth\" is set, so the"
		      " passwords are Dovecot's: set them there\n",
		    stderr);
		return EX_CONFIG;
	}
	if (provider_config_user(config, user) == NULL && !removes) {
		for (size_t i = 0; i < config->accounts_count; i++)
			choices_add(&choices, config->accounts[i].user);
		fprintf(stderr,
		    "odmr-provider: no account of %s has the user %s%s (the"
		    " name of the account is the user where \"user\" is not"
		    " set)\n",
		    config->path, user, choices_phrase(&choices));
		return EX_USAGE;
	}
	if (!removes && !read_password(password))
		return EX_DATAERR;
	service_user_share_files(config);
	bool set = users_set(config->users_file, user,
	    removes ? NULL : password, removes ? 0 : strlen(password), &err);
	explicit_bzero(password, sizeof password);
	if (!set)
		fprintf(stderr, "odmr-provider: %s\n", err.text);
	return set ? EX_OK : error_exit_status(err.class);
}
