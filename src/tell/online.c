/* SPDX-License-Identifier: ISC */
#include "tell/online.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"
#include "base/privilege.h"
#include "base/stop.h"
#include "config/config.h"
#include "tell/hook.h"
#include "tell/log.h"

/* Waits for the word, which may take as long as the session does: its end, by
 * whatever cause, closes the pipe. */
static bool
hear_word(int pipe)
{
	char word;
	ssize_t got;

	do
		got = read(pipe, &word, 1);
	while (got < 0 && errno == EINTR && !stop_requested());
	return got == 1 && !stop_requested();
}

static void
run_online_command(const struct config_account *account, int pipe)
{
	struct hook_env env;
	struct error err;

	/* The session's own would wake the session. */
	stop_install();
	if (!privilege_drop(&err))
		return;
	privilege_follow_parent(); /* forgotten where the user changed */
	if (!hear_word(pipe))
		return;
	hook_env_begin(&env, account->name);
	(void)hook_run(account->name, "online_command",
	    account->online_command.items, &env);
	hook_env_clear(&env);
}

void
online_prepare(
    struct online *online, const struct config_account *account, int private)
{
	int ends[2];

	*online = (struct online){.pid = -1, .word = -1};
	if (account->online_command.count == 0)
		return;
	if (pipe2(ends, O_CLOEXEC) == 0) {
		online->pid = fork();
		if (online->pid == 0) {
			close(private);
			close(ends[1]);
			run_online_command(account, ends[0]);
			_exit(EX_OK);
		}
		online->word = ends[1];
		close(ends[0]);
	}
	if (online->pid < 0)
		log_say(CONFIG_LOG_WARNING, account->name, "command",
		    "online_command could not be started: %s", strerror(errno));
}

void
online_start(struct online *online)
{
	if (online->word < 0)
		return;
	/* Where that process is gone there is nobody to tell. */
	ssize_t ignored = write(online->word, "", 1);
	(void)ignored;
	close(online->word);
	online->word = -1;
}

void
online_wait(struct online *online)
{
	if (online->word >= 0)
		close(online->word);
	online->word = -1;
	if (online->pid < 0)
		return;
	if (stop_requested())
		kill(online->pid, SIGTERM);
	while (waitpid(online->pid, NULL, 0) < 0 && errno == EINTR)
		if (stop_requested())
			kill(online->pid, SIGTERM);
	online->pid = -1;
}
