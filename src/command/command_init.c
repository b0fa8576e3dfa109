/* SPDX-License-Identifier: ISC */
/*
 * init: a configuration of ten lines and the file of the password, from five
 * answers, and whether they work.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/whole_file.h"
#include "command/command.h"
#include "command/init_answers.h"

#define SERVICE_USER "odmr-agent"

/* What is written, and where. */
struct init_files {
	char *config, *password; /* paths */
	char *text; /* of the configuration */
};

static void
make_files(struct init_files *files, const char *config_path,
    const struct init_answers *answers)
{
	const char *slash = strrchr(config_path, '/');
	int folder = slash != NULL ? (int)(slash - config_path) : 0;
	const char *where = strchr(answers->deliver, ':');
	const char *what =
	    strncmp(answers->deliver, "maildir", strlen("maildir")) == 0
		? ", create: yes"
		: "";

	files->config = xstrdup(config_path);
	files->password =
	    xasprintf("%.*s/office.password", folder, config_path);
	files->text = xasprintf(
	    "accounts:\n    office:\n        provider: \"%s\"\n"
	    "        user: \"%s\"\n        password_file: %s\n"
	    "        domains: [%s]\ndeliveries:\n"
	    "    local: {%.*s: \"%s\"%s}\n",
	    answers->provider, answers->user, files->password, answers->domains,
	    (int)(where - answers->deliver), answers->deliver, where + 1, what);
}

static void
clear_files(struct init_files *files)
{
	free(files->config);
	free(files->password);
	free(files->text);
}

static bool
is_free(const char *path)
{
	struct stat st;

	bool there = lstat(path, &st) == 0;
	if (!there && errno == ENOENT)
		return true;
	if (there)
		fprintf(stderr,
		    "odmr-agent: %s is there already, and was not changed:"
		    " move it away first, or name another file with -c\n",
		    path);
	else
		fprintf(stderr, "odmr-agent: %s: %s\n", path, strerror(errno));
	return false;
}

/* The service's user is to read the password, where root writes it. */
static void
give_to_service(const char *path)
{
	const struct passwd *user =
	    geteuid() == 0 ? getpwnam(SERVICE_USER) : NULL;

	if (user != NULL && lchown(path, user->pw_uid, user->pw_gid) != 0)
		printf("%s could not be given to the user %s: %s\n", path,
		    SERVICE_USER, strerror(errno));
}

static bool
write_files(const struct init_files *files, const struct secret *password)
{
	struct error err;

	if (!whole_file_write_path(
		files->password, 0600, password->text, password->len, &err)) {
		fprintf(stderr, "odmr-agent: %s\n", err.text);
		return false;
	}
	give_to_service(files->password);
	if (!whole_file_write_path(
		files->config, 0644, files->text, strlen(files->text), &err)) {
		fprintf(stderr, "odmr-agent: %s\n", err.text);
		unlink(files->password);
		return false;
	}
	printf("written: %s\nwritten: %s (mode 600)\n", files->config,
	    files->password);
	return true;
}

/* In a process of its own, which becomes the owner of state_dir. */
static int
run_check(const char *config_path)
{
	char program[] = "odmr-agent", option[] = "-c", command[] = "check",
	     connect[] = "--connect";
	char *path = xstrdup(config_path);
	char *argv[] = {program, option, path, command, connect, NULL};
	int status = 0;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		execv("/proc/self/exe", argv);
		_exit(EX_OSERR);
	}
	free(path);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EX_OSERR;
}

/* As sd_booted(3) knows it; else the package of OpenWrt may be here. */
static const char *
how_to_start(void)
{
	if (access("/run/systemd/system", F_OK) != 0 &&
	    access("/etc/init.d/odmr-agent", X_OK) == 0)
		return "/etc/init.d/odmr-agent start";
	return "systemctl enable --now odmr-agent";
}

static int
check_and_advise(const struct init_files *files)
{
	int status = run_check(files->config);

	if (status != EX_OK) {
		printf("Correct what failed, then run: odmr-agent -c %s check"
		       " --connect\n",
		    files->config);
		return status;
	}
	printf("It works. Fetch once: odmr-agent -c %s fetch office\n"
	       "Then start the service: %s\n",
	    files->config, how_to_start());
	return EX_OK;
}

int
command_init(struct command_context *context, int argc, char **argv)
{
	struct init_answers answers;
	struct init_files files = {.config = NULL};
	int status = EX_USAGE;

	if (context->config_path[0] != '/') {
		fprintf(stderr,
		    "odmr-agent: init: -c needs a path that begins with /\n");
		return EX_USAGE;
	}
	if (init_answers_get(&answers, argc, argv)) {
		make_files(&files, context->config_path, &answers);
		status = EX_CANTCREAT;
		if (is_free(files.config) && is_free(files.password) &&
		    write_files(&files, &answers.password))
			status = check_and_advise(&files);
	}
	clear_files(&files);
	init_answers_clear(&answers);
	return status;
}
