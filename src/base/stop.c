/* SPDX-License-Identifier: ISC */
#include "base/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"

static int wake[2] = {-1, -1};
static volatile sig_atomic_t requested;
/* Written once, by the handler, before `requested` is. */
static volatile int64_t since;

static void
note_signal(int number)
{
	int saved = errno;

	(void)number;
	if (!requested) {
		since = clock_ms();
		requested = 1;
	}
	ssize_t ignored = write(wake[1], "", 1);
	(void)ignored;
	errno = saved;
}

void
stop_install(void)
{
	struct sigaction action = {.sa_handler = note_signal};

	for (int i = 0; i < 2; i++)
		if (wake[i] >= 0)
			close(wake[i]);
	requested = 0;
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) {
		perror("odmr-agent: pipe");
		exit(EX_OSERR);
	}
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

bool
stop_requested(void)
{
	return requested != 0;
}

int64_t
stop_since(void)
{
	return since;
}

int
stop_fd(void)
{
	return wake[0];
}

void
stop_request(void)
{
	note_signal(SIGTERM);
}
