/* SPDX-License-Identifier: ISC */
/*
 * spawns COUNT FILE PROGRAM ARG... - runs a program so often, one after the
 * other, with the file as its input and nowhere to write to: what a delivery by
 * sendmail cannot do without. As "spawns" alone it is such a program, which
 * reads its input and is content.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
read_all(void)
{
	char octets[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, octets, sizeof octets)) > 0)
		;
	return n == 0;
}

static bool
run_once(const char *input, char **argv)
{
	char *environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	bool done = posix_spawn(&pid, argv[0], &actions, NULL, argv,
			environment) == 0 &&
		    waitpid(pid, &status, 0) == pid && status == 0;
	posix_spawn_file_actions_destroy(&actions);
	return done;
}

int
main(int argc, char **argv)
{
	/* Whatever arguments sendmail is given. */
	if (argc < 4 || argv[1][0] == '-')
		return read_all() ? 0 : 1;
	for (long left = strtol(argv[1], NULL, 10); left > 0; left--)
		if (!run_once(argv[2], argv + 3))
			return 1;
	return 0;
}
