/* SPDX-License-Identifier: ISC */
#include "net/local.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "net/dial.h"

/* A full queue of a Unix socket cannot be polled for: it is tried again. */
enum { QUEUE_FULL_WAIT_MS = 50 };

static const char *
advise_of_local(int errnum)
{
	return errnum == ECONNREFUSED
		   ? "the socket is there, but no server listens: start it"
		   : "start the server, or correct the path of its socket";
}

static void
explain_local(int errnum, const char *path, struct error *err)
{
	const struct passwd *user;

	if (errnum != EACCES) {
		error_set(err, ERROR_LOCAL, "cannot connect to %s: %s; %s",
		    path, strerror(errnum), advise_of_local(errnum));
		return;
	}
	user = getpwuid(geteuid());
	error_set(err, ERROR_LOCAL,
	    "cannot connect to %s: permission denied to user %s (uid %u); let"
	    " this user enter its folder and write to the socket",
	    path, user != NULL ? user->pw_name : "without a name",
	    (unsigned)geteuid());
}

/* Lets a moment pass; false: the time is over. */
static bool
pause_within(
    const struct deadline *deadline, const char *path, struct error *err)
{
	struct deadline moment =
	    deadline_in(QUEUE_FULL_WAIT_MS, deadline->grace);

	(void)deadline_wait(&moment, -1, 0);
	if (deadline_left(deadline) > 0)
		return true;
	if (deadline_wait(deadline, -1, 0) == DEADLINE_STOPPED)
		error_set(err, ERROR_STOPPED, "stopped by a signal");
	else
		error_set(err, ERROR_LOCAL,
		    "cannot connect to %s: timed out, its queue is full", path);
	return false;
}

static int
open_unix(const char *path, const struct deadline *deadline, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len >= sizeof address.sun_path) {
		explain_local(ENAMETOOLONG, path, err);
		return -1;
	}
	memcpy(address.sun_path, path, len);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		error_set_errno(err, ERROR_LOCAL, errno,
		    "cannot make a socket for %s", path);
		return -1;
	}
	while (connect(fd, (const struct sockaddr *)&address, sizeof address) !=
	       0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			explain_local(errno, path, err);
		else if (pause_within(deadline, path, err))
			continue;
		close(fd);
		return -1;
	}
	return fd;
}

int
local_open(const char *place, uint16_t port, const struct deadline *deadline,
    struct error *err)
{
	const struct dial_options options = {.host = place, .port = port};

	if (place[0] == '/')
		return open_unix(place, deadline, err);
	int fd = dial_open(&options, deadline, NULL, err);
	if (fd < 0 && err->class != ERROR_STOPPED)
		err->class = ERROR_LOCAL;
	return fd;
}
