/* SPDX-License-Identifier: ISC */
/*
 * What other users of the host can change although it is trusted. Warnings: a
 * mode that somebody once chose must not keep the mail away.
 */
#include "config/config_loader.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	/* The kernel's word for an owner that a container does not know. */
	OVERFLOW_UID = 65534,
};

/* Everybody, be it only to add to a folder, as in /tmp. */
static bool
all_can_change(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && (status.st_mode & S_IWOTH) != 0;
}

/* Root, ourselves, and whom root becomes: the owner of state_dir. */
static bool
is_trusted(uid_t uid, const char *state_dir)
{
	struct stat status;

	return uid == 0 || uid == getuid() || uid == OVERFLOW_UID ||
	       (state_dir != NULL && stat(state_dir, &status) == 0 &&
		   status.st_uid == uid);
}

/* Whoever writes it has programs run as we do. */
void
config_check_file(struct config_loader *loader, const char *state_dir)
{
	static const struct config_mark nowhere;
	struct stat status;

	if (fstat(loader->fd, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	if ((status.st_mode & S_IWOTH) != 0)
		config_warn(loader, nowhere,
		    "every user of this host can change this file, and so run"
		    " commands as whoever uses it (chmod o-w)");
	if (!is_trusted(status.st_uid, state_dir))
		config_warn(loader, nowhere,
		    "this file belongs to another user (uid %lu), who can have"
		    " commands run by whoever uses it (chown root)",
		    (unsigned long)status.st_uid);
}

static void
check_state_dir(const struct config_section *top, const char *path)
{
	if (path == NULL || !all_can_change(path))
		return;
	config_key_warn(top, "state_dir",
	    "every user of this host can change what is recorded in"
	    " %s, so that mail counts as delivered that was not (chmod 750)",
	    path);
}

void
config_check_others(const struct config_section *top)
{
	const char *state_dir =
	    config_sections_of(top->loader)->config->state_dir;

	config_check_file(top->loader, state_dir);
	check_state_dir(top, state_dir);
}

static void
check_folder_of(const struct config_section *section, const char *key,
    char *path, const char *what)
{
	const char *folder = dirname(path);

	if (all_can_change(folder))
		config_key_warn(section, key,
		    "every user of this host can make %s; use a folder of"
		    " the mail server's, and not %s",
		    what, folder);
}

void
config_check_place(const struct config_section *section,
    const struct config_delivery *delivery)
{
	const char *path = delivery->path;

	if (path == NULL || path[0] != '/')
		return;
	if (delivery->kind == CONFIG_LMTP) {
		char *copy = xstrdup(path);
		check_folder_of(section, "lmtp", copy,
		    "a socket there, and get the mail while the server is"
		    " down");
		free(copy);
	} else if (delivery->kind == CONFIG_MAILDIR) {
		/* "/srv/mail/x" of "/srv/mail/{domain}/{user}" */
		char *copy = xasprintf("%.*sx", (int)strcspn(path, "{"), path);
		check_folder_of(section, "maildir", copy,
		    "a mailbox there, and get the mail of somebody who has"
		    " none yet");
		free(copy);
	}
}
