/* SPDX-License-Identifier: ISC */
#include "deliver/maildir.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "deliver/delivery.h"
#include "deliver/folder.h"
#include "deliver/writer.h"
#include "protocol/address.h"

struct maildir_rcpt {
	size_t index; /* in the envelope */
	bool accepted;
	char *folder; /* below the base; NULL unless accepted */
	char *file; /* in its tmp; NULL: there is none, or it is in new */
	struct status *failure; /* of the last step; NULL: it has the message */
};

struct maildir {
	struct delivery delivery; /* first, as delivery.h asks */
	struct maildir_options options;
	char *base;
	const struct envelope *envelope;
	struct maildir_rcpt *rcpts; /* as queued */
	size_t rcpts_len, rcpts_size;
	size_t answered, told; /* how many of rcpts have been dealt with */
	struct maildir_rcpt *first; /* whose file the text is written to */
	struct writer writer;
	struct status failure; /* code 0: all went well so far */
	bool gone;
};

static struct maildir *
self(struct delivery *delivery)
{
	return (struct maildir *)(void *)delivery;
}

static bool
maildir_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	const struct maildir *maildir = self(delivery);
	bool create = maildir->options.create;
	struct statvfs fs;

	(void)deadline;
	*can = (struct delivery_can){0};
	errno = EROFS;
	/* Without create the base itself may belong to somebody else. */
	if (access(maildir->base, create ? W_OK | X_OK : X_OK) == 0 &&
	    statvfs(maildir->base, &fs) == 0 && (fs.f_flag & ST_RDONLY) == 0)
		return true;
	error_set_errno(
	    err, ERROR_LOCAL, errno, "cannot write to %s", maildir->base);
	return false;
}

/* A failure of a file or folder, as a reply. */
static void
set_failure(struct maildir *maildir, struct status *status, int errnum)
{
	writer_status(status, maildir->options.name, errnum);
	if (writer_full(errnum))
		maildir->gone = true;
}

/* false: status says why there is none. */
static bool
open_folder(struct maildir *maildir, const struct maildir_rcpt *rcpt,
    struct folder *folder, struct status *status)
{
	const struct maildir_options *options = &maildir->options;
	enum folder_result result = folder_open(folder, maildir->base,
	    rcpt->folder, options->create, options->sync);
	int errnum = errno;

	if (result == FOLDER_OK)
		return true;
	if (result == FOLDER_MISSING)
		status_set(status, 550, "5.1.1", "no such mailbox");
	else if (writer_full(errnum))
		set_failure(maildir, status, errnum);
	else
		status_set(status, 451, "4.2.1", "%s: %s: %s", options->name,
		    result == FOLDER_NO_BASE ? maildir->base
					     : "cannot write to the mailbox",
		    strerror(errnum));
	if (result == FOLDER_NO_BASE)
		maildir->gone = true;
	return false;
}

/* The same once the message has been taken: a folder that was there at RCPT
 * and is not now is a fault of this host, not of the address. */
static bool
reopen_folder(struct maildir *maildir, const struct maildir_rcpt *rcpt,
    struct folder *folder, struct status *status)
{
	if (open_folder(maildir, rcpt, folder, status))
		return true;
	if (status_class(status) == 5)
		status_set(status, 451, "4.2.1", "%s: the mailbox went away",
		    maildir->options.name);
	return false;
}

/* Whatever is in a tmp and has not reached its new. */
static void
remove_files(struct maildir *maildir)
{
	struct folder folder;
	struct status ignored;

	for (size_t i = 0; i < maildir->rcpts_len; i++) {
		struct maildir_rcpt *rcpt = &maildir->rcpts[i];
		if (rcpt->file == NULL ||
		    !open_folder(maildir, rcpt, &folder, &ignored))
			continue;
		unlinkat(folder.tmp, rcpt->file, 0);
		folder_close(&folder);
		free(rcpt->file);
		rcpt->file = NULL;
	}
}

static void
forget_message(struct maildir *maildir)
{
	remove_files(maildir);
	if (maildir->writer.fd >= 0)
		close(maildir->writer.fd);
	writer_clear(&maildir->writer);
	for (size_t i = 0; i < maildir->rcpts_len; i++) {
		free(maildir->rcpts[i].folder);
		free(maildir->rcpts[i].failure);
	}
	maildir->rcpts_len = maildir->answered = maildir->told = 0;
	maildir->first = NULL;
	maildir->failure = (struct status){0};
}

static void
maildir_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct maildir *maildir = self(delivery);

	forget_message(maildir);
	maildir->envelope = envelope;
	maildir->gone = false;
}

static void
maildir_rcpt(struct delivery *delivery, size_t rcpt)
{
	struct maildir *maildir = self(delivery);

	if (maildir->rcpts_len == maildir->rcpts_size) {
		maildir->rcpts_size = maildir->rcpts_size * 2 + 4;
		maildir->rcpts = xreallocarray(maildir->rcpts,
		    maildir->rcpts_size, sizeof *maildir->rcpts);
	}
	maildir->rcpts[maildir->rcpts_len++] =
	    (struct maildir_rcpt){.index = rcpt};
}

static void
maildir_send(struct delivery *delivery, bool text_waits)
{
	(void)delivery, (void)text_waits; /* answer() does all */
}

static bool
maildir_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct maildir *maildir = self(delivery);
	struct folder folder;

	(void)deadline;
	if (maildir->answered == maildir->rcpts_len)
		return false;
	struct maildir_rcpt *next = &maildir->rcpts[maildir->answered++];
	*rcpt = next->index;
	next->folder = folder_name(
	    maildir->options.path, maildir->envelope->rcpt[next->index]);
	if (next->folder == NULL)
		status_set(status, 553, "5.1.3",
		    "this address cannot be the name of a mailbox");
	else if (open_folder(maildir, next, &folder, status)) {
		folder_close(&folder);
		status_set(status, 250, "2.1.5", "ok");
		next->accepted = true;
	}
	return true;
}

/* A new file in tmp of the recipient; -1: the failure is kept. */
static int
create_file(struct maildir *maildir, struct maildir_rcpt *rcpt)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct folder folder;

	if (!reopen_folder(maildir, rcpt, &folder, &maildir->failure))
		return -1;
	rcpt->file = folder_file_name(maildir->options.hostname);
	int fd = openat(folder.tmp, rcpt->file, flags, S_IRUSR | S_IWUSR);
	if (fd < 0) {
		set_failure(maildir, &maildir->failure, errno);
		free(rcpt->file);
		rcpt->file = NULL;
	}
	folder_close(&folder);
	return fd;
}

/* The text goes to the file of the first recipient. */
static void
open_first(struct maildir *maildir)
{
	const char *sender = maildir->envelope->sender->mailbox;

	for (size_t i = 0; i < maildir->rcpts_len; i++)
		if (maildir->rcpts[i].accepted) {
			maildir->first = &maildir->rcpts[i];
			break;
		}
	assert(maildir->first != NULL);
	maildir->writer.fd = create_file(maildir, maildir->first);
	if (maildir->writer.fd < 0)
		return;
	/* Final delivery notes the reverse path (RFC 5321 4.4). */
	writer_add(&maildir->writer, "Return-Path: <", 14);
	writer_add(&maildir->writer, sender, strlen(sender));
	writer_add(&maildir->writer, ">\n", 2);
}

static void
maildir_body(struct delivery *delivery, const char *text, size_t len)
{
	struct maildir *maildir = self(delivery);

	if (maildir->first == NULL)
		open_first(maildir);
	if (maildir->failure.code == 0)
		writer_add(&maildir->writer, text, len);
}

/* What a file system holds back until close is told as well. */
static bool
sync_and_close(const struct maildir *maildir, int fd)
{
	bool synced = !maildir->options.sync || fsync(fd) == 0;
	int errnum = errno;

	if (close(fd) != 0 && synced && errno != EINTR)
		return false;
	errno = errnum;
	return synced;
}

/* A copy and not a link: whoever changes owner or mode of one user's mail must
 * not change that of another. */
static bool
copy_file(struct maildir *maildir, struct maildir_rcpt *rcpt)
{
	int fd = create_file(maildir, rcpt);

	if (fd < 0)
		return false;
	bool copied = writer_copy(maildir->writer.fd, fd);
	int errnum = errno;
	bool closed = sync_and_close(maildir, fd);
	if (copied && closed)
		return true;
	set_failure(maildir, &maildir->failure, copied ? errno : errnum);
	return false;
}

static bool
complete_files(struct maildir *maildir)
{
	struct writer *writer = &maildir->writer;

	if (maildir->failure.code != 0)
		return false;
	if (!writer_flush(writer)) {
		set_failure(maildir, &maildir->failure, writer->errnum);
		return false;
	}
	for (size_t i = 0; i < maildir->rcpts_len; i++) {
		struct maildir_rcpt *rcpt = &maildir->rcpts[i];
		if (rcpt->accepted && rcpt != maildir->first &&
		    !copy_file(maildir, rcpt))
			return false;
	}
	int fd = writer->fd;
	writer->fd = -1;
	if (sync_and_close(maildir, fd))
		return true;
	set_failure(maildir, &maildir->failure, errno);
	return false;
}

static bool
maildir_ready(struct delivery *delivery, const struct deadline *deadline)
{
	struct maildir *maildir = self(delivery);

	(void)deadline;
	maildir_body(delivery, "", 0); /* an empty message is one, too */
	return complete_files(maildir);
}

/* false: status says why not. Where the folder cannot be synced, the message is
 * taken back, since it comes again; whoever was quicker has it twice. */
static bool
move_file(
    struct maildir *maildir, struct maildir_rcpt *rcpt, struct status *status)
{
	struct folder folder;

	if (!reopen_folder(maildir, rcpt, &folder, status))
		return false;
	bool moved =
	    renameat(folder.tmp, rcpt->file, folder.new, rcpt->file) == 0;
	bool synced =
	    moved && (!maildir->options.sync || folder_sync(folder.new));
	if (!synced)
		set_failure(maildir, status, errno);
	if (moved && !synced)
		(void)unlinkat(folder.new, rcpt->file, 0);
	if (moved) {
		free(rcpt->file);
		rcpt->file = NULL;
	}
	folder_close(&folder);
	return synced;
}

static void
maildir_finish(struct delivery *delivery, const struct deadline *deadline)
{
	struct maildir *maildir = self(delivery);

	(void)deadline;
	for (size_t i = 0; i < maildir->rcpts_len; i++) {
		struct maildir_rcpt *rcpt = &maildir->rcpts[i];
		struct status status;
		if (rcpt->accepted && !move_file(maildir, rcpt, &status)) {
			rcpt->failure = xmalloc(sizeof status);
			*rcpt->failure = status;
		}
	}
}

static void
outcome_of(const struct maildir *maildir, const struct maildir_rcpt *rcpt,
    struct status *status)
{
	if (maildir->failure.code != 0)
		*status = maildir->failure;
	else if (rcpt->failure != NULL)
		*status = *rcpt->failure;
	else
		status_set(status, 250, "2.0.0", "in the mailbox");
}

static bool
maildir_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct maildir *maildir = self(delivery);

	(void)deadline;
	while (maildir->told < maildir->rcpts_len) {
		const struct maildir_rcpt *next =
		    &maildir->rcpts[maildir->told++];
		if (!next->accepted)
			continue;
		*rcpt = next->index;
		outcome_of(maildir, next, status);
		return true;
	}
	remove_files(maildir);
	return false;
}

static void
maildir_abort(struct delivery *delivery)
{
	forget_message(self(delivery));
}

static bool
maildir_gone(const struct delivery *delivery)
{
	return ((const struct maildir *)(const void *)delivery)->gone;
}

static void
maildir_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	struct maildir *maildir = self(delivery);
	forget_message(maildir);
	free(maildir->rcpts);
	free(maildir->base);
	free(maildir);
}

static const struct delivery_ops maildir_ops = {
    .probe = maildir_probe,
    .begin = maildir_begin,
    .rcpt = maildir_rcpt,
    .send = maildir_send,
    .answer = maildir_answer,
    .body = maildir_body,
    .ready = maildir_ready,
    .finish = maildir_finish,
    .result = maildir_result,
    .abort = maildir_abort,
    .gone = maildir_gone,
    .free = maildir_free,
};

struct delivery *
maildir_new(const struct maildir_options *options)
{
	struct maildir *maildir = xcalloc(1, sizeof *maildir);

	maildir->delivery = (struct delivery){&maildir_ops, options->name};
	maildir->options = *options;
	maildir->base = folder_base(options->path);
	writer_init(&maildir->writer, -1, WRITER_LF);
	return &maildir->delivery;
}
