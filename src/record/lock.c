/* SPDX-License-Identifier: ISC */
#include "record/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/whole_file.h"
#include "config/config.h"

/* flock(2) has no time limit of its own; a session waits minutes for it. */
enum {
	LOCK_LOOK_AGAIN = 200, /* ms */
	LOCK_DIGEST = 16, /* octets of a digest in a name */
};

int
lock_open(const char *state_dir, const char *name, struct error *err)
{
	int fd = -1, folder = -1;
	int state = whole_file_open_folder(AT_FDCWD, state_dir, true, err);

	if (state >= 0)
		folder = whole_file_open_folder(state, "lock", true, err);
	if (folder >= 0) {
		fd = openat(folder, name,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			error_set_errno(err, ERROR_LOCAL, errno,
			    "cannot open the lock %s/lock/%s", state_dir, name);
		close(folder);
	} else {
		error_prefix(err,
		    "state_dir %s: the user of odmr-agent (uid %u) must be "
		    "able to write there",
		    state_dir, (unsigned)geteuid());
		/* Try again later: it may be mounted by then (75). */
		err->class = ERROR_LOCAL;
	}
	if (state >= 0)
		close(state);
	return fd;
}

int
lock_take(const char *state_dir, const char *name, const char *holder,
    const struct deadline *deadline, struct error *err)
{
	int fd = lock_open(state_dir, name, err);

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		struct deadline look = deadline_in(LOCK_LOOK_AGAIN, 0);
		if (errno != EWOULDBLOCK && errno != EINTR) {
			error_set_errno(
			    err, ERROR_LOCAL, errno, "cannot lock %s", name);
		} else if (deadline == NULL || deadline_left(deadline) == 0) {
			error_set(err, ERROR_BUSY, "%s", holder);
		} else if (deadline_wait(&look, -1, 0) == DEADLINE_STOPPED) {
			error_set(err, ERROR_STOPPED,
			    "stopped while waiting: %s", holder);
		} else {
			continue;
		}
		close(fd);
		return -1;
	}
	return fd;
}

int
lock_account(const char *state_dir, const char *account,
    const struct deadline *deadline, struct error *err)
{
	return lock_take(state_dir, account,
	    "another process of odmr-agent is fetching it now", deadline, err);
}

void
lock_provider_name(
    char out[LOCK_NAME_MAX], const struct config_account *account)
{
	unsigned char digest[DIGEST_SIZE];
	char hex[2 * LOCK_DIGEST + 1];
	char *text = xasprintf("%s\n%u\n%s", account->provider.host,
	    account->provider.port, config_login_user(account));

	/* A digest: hosts and users may hold what a file name cannot. */
	digest_octets(digest, text, strlen(text));
	free(text);
	/* No account begins with a dot. */
	snprintf(out, LOCK_NAME_MAX, ".provider-%s",
	    digest_hex(hex, digest, LOCK_DIGEST));
}

bool
lock_provider_is_held(
    const char *state_dir, const struct config_account *account)
{
	char name[LOCK_NAME_MAX];
	struct error err;

	lock_provider_name(name, account);
	int fd = lock_take(state_dir, name, "", NULL, &err);
	if (fd >= 0)
		close(fd);
	return fd < 0 && err.class == ERROR_BUSY;
}
