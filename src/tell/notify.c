/* SPDX-License-Identifier: ISC */
#include "tell/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/decimal.h"

enum {
	STATE_MAX = 512,
	/* Seconds: a service manager that is busy reads again by then. It gives
	 * us 90 for READY=1. */
	WAIT = 10,
};

/* The length of the address, 0 where there is none that can be used. */
static socklen_t
find_socket(struct sockaddr_un *address)
{
	const char *path = getenv("NOTIFY_SOCKET");

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return 0;
	size_t len = strlen(path);
	if (len < 2 || len >= sizeof address->sun_path)
		return 0;
	memcpy(address->sun_path, path, len);
	/* An abstract one: no file, and not NUL-terminated. */
	if (path[0] == '@')
		address->sun_path[0] = '\0';
	else
		len++;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void
send_state(const char *state, int flags)
{
	const struct timeval wait = {.tv_sec = WAIT};
	struct sockaddr_un address;
	socklen_t len = find_socket(&address);

	if (len == 0)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0) {
		ssize_t sent =
		    sendto(fd, state, strlen(state), MSG_NOSIGNAL | flags,
			(const struct sockaddr *)&address, len);
		(void)sent;
	}
	close(fd);
}

void
notify_send(const char *state)
{
	send_state(state, 0);
}

void
notify_alive(void)
{
	send_state("WATCHDOG=1", MSG_DONTWAIT);
}

void
notify_status(const char *text)
{
	char state[STATE_MAX];

	snprintf(state, sizeof state, "STATUS=%s", text);
	send_state(state, MSG_DONTWAIT);
}

void
notify_reloading(void)
{
	struct timespec now;
	char state[STATE_MAX];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_send(state);
}

static int64_t
watchdog_number(const char *name)
{
	const char *text = getenv(name);
	uint64_t number;

	return text != NULL && decimal_read(text, INT64_MAX, &number)
		   ? (int64_t)number
		   : 0;
}

int64_t
notify_watchdog(void)
{
	if (getenv("WATCHDOG_PID") != NULL &&
	    watchdog_number("WATCHDOG_PID") != (int64_t)getpid())
		return 0;
	return watchdog_number("WATCHDOG_USEC") / 1000 / 2;
}
