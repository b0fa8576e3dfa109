/* SPDX-License-Identifier: ISC */
#include "deliver/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "deliver/writer.h"

/*
 * A disk that is not mounted or a folder that cannot be written to is a fault
 * of the host (RFC 3463 3.4), mended at any minute: the next session asks again.
 * 4.2.x would be a word on the mailbox, and the ledger would wait.
 */
#define HOST_FAULT "4.3.0"

void
box_clear(struct box *box)
{
	rcpts_clear(&box->rcpts);
	free(box->folder);
	free(box->file);
	*box = (struct box){.folder = NULL};
}

static void
forget_file(struct box *box)
{
	free(box->file);
	box->file = NULL;
}

/* "/srv/mail/" and "anna" */
static char *
path_of_box(const struct box_place *place, const char *folder)
{
	return xasprintf("%s%s", place->folders.base, folder);
}

/* Of this mailbox, as a reply and as a complaint. */
static void
box_fault(struct box_place *place, const char *folder, struct status *status,
    int errnum)
{
	char *path = path_of_box(place, folder);

	writer_status(status, place->name, errnum);
	writer_complain(&place->complaint, path, errnum);
	free(path);
}

/* A quota may be that of one mailbox, and the next one has room; then it is a
 * word on the mailbox (X.2.2), and the ledger waits. */
void
box_failed(struct box_place *place, const char *folder, struct status *status,
    int errnum)
{
	box_fault(place, folder, status, errnum);
	if (errnum == ENOSPC)
		place->gone = true;
	else if (errnum == EDQUOT)
		status_set(status, 452, "4.2.2", "%s: %s", place->name,
		    strerror(errnum));
}

static void
set_bare(struct box_place *place, struct status *status)
{
	char text[ERROR_TEXT_MAX];

	status_set(status, 451, HOST_FAULT,
	    "%s: there is no mailbox at all: is its disk mounted?",
	    place->name);
	folder_explain_bare(&place->folders, text, sizeof text);
	error_set(&place->complaint, ERROR_LOCAL, "%s", text);
	place->gone = true;
}

static void
set_empty(struct box_place *place, const char *folder, struct status *status)
{
	char *path = path_of_box(place, folder);

	status_set(status, 451, HOST_FAULT,
	    "%s: the folder of the mailbox is empty: is its disk mounted?",
	    place->name);
	error_set(&place->complaint, ERROR_LOCAL,
	    "the folder for %s is empty: is its disk mounted? If it is, make"
	    " the mailbox, or set \"create: yes\"",
	    path);
	free(path);
}

static void
set_no_base(struct box_place *place, struct status *status, int errnum)
{
	status_set(status, 451, HOST_FAULT,
	    "%s: the folder of the mailboxes cannot be opened: %s", place->name,
	    strerror(errnum));
	error_set(&place->complaint, ERROR_LOCAL,
	    "cannot open %s: %s; is its disk mounted, and may the agent's user"
	    " enter it?",
	    place->folders.base, strerror(errnum));
	place->gone = true;
}

static void
set_failed(struct box_place *place, const char *folder, struct status *status,
    int errnum)
{
	box_failed(place, folder, status, errnum);
	if (!writer_full(errnum))
		status_set(status, 451, HOST_FAULT,
		    "%s: cannot write to the mailbox: %s", place->name,
		    strerror(errnum));
}

/* false: status says why there is none. */
static bool
open_box_folder(struct box_place *place, const char *name,
    struct folder *folder, struct status *status)
{
	enum folder_result result = folder_open(folder, &place->folders, name);
	int errnum = errno;

	switch (result) {
	case FOLDER_OK:
		return true;
	case FOLDER_MISSING:
		status_set(status, 550, "5.1.1", "No such mailbox");
		break;
	case FOLDER_BARE:
		set_bare(place, status);
		break;
	case FOLDER_EMPTY:
		set_empty(place, name, status);
		break;
	case FOLDER_NO_BASE:
		set_no_base(place, status, errnum);
		break;
	case FOLDER_FAILED:
		set_failed(place, name, status, errnum);
		break;
	}
	return false;
}

/* The same once the message has been accepted. */
static bool
reopen_folder(struct box_place *place, const struct box *box,
    struct folder *folder, struct status *status)
{
	if (open_box_folder(place, box->folder, folder, status))
		return true;
	if (status_class(status) == 5)
		status_set(status, 451, "4.2.1", "%s: the mailbox went away",
		    place->name);
	return false;
}

/*
 * A message that does not fit, or a mailbox whose own disk is full, is only
 * itself deferred, and others go on: a session that ended there would do so each
 * time. Where the disk of all is full, none of them need be put on the provider's
 * back-off.
 */
static void
set_too_full(struct box_place *place, const char *folder,
    const struct folder *opened, struct status *answer)
{
	box_fault(place, folder, answer, ENOSPC);
	place->gone |=
	    !folder_has_room(opened, 0) && folder_base_is_full(&place->folders);
}

bool
box_exists(struct box_place *place, const char *folder, uint64_t octets,
    struct status *answer)
{
	struct folder opened;

	if (!open_box_folder(place, folder, &opened, answer))
		return false;
	bool usable = folder_is_writable(&opened);
	if (!usable) {
		set_failed(place, folder, answer, errno);
	} else if (!folder_has_room(&opened, octets)) {
		usable = false;
		set_too_full(place, folder, &opened, answer);
	}
	folder_close(&opened);
	return usable;
}

int
box_create(struct box_place *place, struct box *box, struct status *failure)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct folder folder;

	if (!reopen_folder(place, box, &folder, failure))
		return -1;
	box->file = folder_file_name(place->hostname);
	int fd = openat(folder.tmp, box->file, flags, S_IRUSR | S_IWUSR);
	if (fd < 0) {
		set_failed(place, box->folder, failure, errno);
		forget_file(box);
	}
	folder_close(&folder);
	return fd;
}

bool
box_close(const struct box_place *place, int fd)
{
	bool synced = !place->folders.sync || fsync(fd) == 0;
	int errnum = errno;

	if (close(fd) != 0 && synced && errno != EINTR)
		return false;
	errno = errnum;
	return synced;
}

/* Where the folder cannot be synced, the message is taken back, since it is
 * sent again; whoever was quicker has it twice. */
void
box_move(struct box_place *place, struct box *box)
{
	const bool sync = place->folders.sync;
	struct folder folder;

	if (!reopen_folder(place, box, &folder, &box->outcome))
		return;
	bool moved =
	    renameat(folder.tmp, box->file, folder.new, box->file) == 0;
	bool synced = moved && (!sync || folder_sync(folder.new));
	if (synced)
		status_set(
		    &box->outcome, 250, "2.0.0", "Delivered to the mailbox");
	else
		set_failed(place, box->folder, &box->outcome, errno);
	if (moved && !synced)
		(void)unlinkat(folder.new, box->file, 0);
	if (moved)
		forget_file(box);
	folder_close(&folder);
}

void
box_remove(struct box_place *place, struct box *box)
{
	struct folder folder;
	struct status ignored;

	if (box->file == NULL ||
	    !open_box_folder(place, box->folder, &folder, &ignored))
		return;
	(void)unlinkat(folder.tmp, box->file, 0);
	folder_close(&folder);
	forget_file(box);
}
