/* SPDX-License-Identifier: ISC */
#include "deliver/maildir.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/array.h"
#include "base/mem.h"
#include "base/names.h"
#include "deliver/box.h"
#include "deliver/delivery.h"
#include "deliver/folder.h"
#include "deliver/rcpts.h"
#include "deliver/writer.h"
#include "protocol/address.h"

enum {
	/* Each mailbox may have its own; whoever sees twenty knows enough, and
	 * each recipient has a line of his own beside them. */
	COMPLAINTS_MAX = 20,
};

struct maildir {
	struct delivery delivery; /* first, as delivery.h asks */
	const char *template;
	char *base;
	struct box_place place;
	const struct envelope *envelope;
	struct rcpts queue; /* to be answered; accepted, they are a box's */
	struct box *boxes; /* the first has the file that the text goes to */
	size_t boxes_len, boxes_told;
	struct names folders; /* to the box of each */
	struct writer writer;
	uint64_t fields; /* octets on top of the text in that file */
	struct status failure; /* code 0: all went well so far */
	char complained[ERROR_TEXT_MAX]; /* the last complaint */
	unsigned complaints; /* in this session */
};

static struct maildir *
maildir_of(struct delivery *delivery)
{
	return (struct maildir *)(void *)delivery;
}

static bool
maildir_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	const struct maildir *maildir = maildir_of(delivery);
	const struct folder_place *folders = &maildir->place.folders;
	char reason[ERROR_TEXT_MAX];
	struct statvfs fs;

	(void)deadline;
	*can = (struct delivery_can){0};
	errno = EROFS;
	/* Without create the base itself may belong to somebody else. */
	if (access(maildir->base, folders->create ? W_OK | X_OK : X_OK) != 0 ||
	    statvfs(maildir->base, &fs) != 0 || (fs.f_flag & ST_RDONLY) != 0) {
		error_set_errno(err, ERROR_LOCAL, errno, "cannot write to %s",
		    maildir->base);
		return false;
	}
	if (folder_check(folders) != FOLDER_BARE)
		return true;
	folder_explain_bare(folders, reason, sizeof reason);
	error_set(err, ERROR_LOCAL, "%s", reason);
	return false;
}

static void
forget_copies(struct maildir *maildir)
{
	for (size_t i = 0; i < maildir->boxes_len; i++) {
		box_remove(&maildir->place, &maildir->boxes[i]);
		box_clear(&maildir->boxes[i]);
	}
	if (maildir->writer.fd >= 0)
		close(maildir->writer.fd);
	writer_clear(&maildir->writer);
	names_reset(&maildir->folders);
	rcpts_reset(&maildir->queue);
	maildir->boxes_len = maildir->boxes_told = 0;
	maildir->failure = (struct status){0};
}

static void
maildir_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct maildir *maildir = maildir_of(delivery);

	forget_copies(maildir);
	maildir->envelope = envelope;
	maildir->place.gone = false;
}

static void
maildir_rcpt(struct delivery *delivery, size_t rcpt)
{
	rcpts_add(&maildir_of(delivery)->queue, rcpt);
}

static void
maildir_send(struct delivery *delivery, bool text_waits)
{
	(void)delivery, (void)text_waits; /* answer() does all */
}

/* The box of a folder; a mailbox gets a message once, by however many
 * addresses. */
static struct box *
find_box(struct maildir *maildir, const char *folder)
{
	size_t box = maildir->boxes_len;

	if (names_find(&maildir->folders, folder, &box))
		return &maildir->boxes[box];
	maildir->boxes =
	    array_more(maildir->boxes, box, sizeof *maildir->boxes);
	maildir->boxes[box] = (struct box){.folder = xstrdup(folder)};
	names_add(&maildir->folders, maildir->boxes[box].folder, box);
	maildir->boxes_len++;
	return &maildir->boxes[box];
}

/* What all copies take with one more, by the size that MAIL gave. */
static uint64_t
octets_of(const struct maildir *maildir)
{
	uint64_t size = maildir->envelope->size,
		 copies = maildir->boxes_len + 1;

	return size > UINT64_MAX / copies ? UINT64_MAX : size * copies;
}

static bool
maildir_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct maildir *maildir = maildir_of(delivery);

	(void)deadline;
	if (!rcpts_next(&maildir->queue, rcpt))
		return false;
	char *folder = folder_name(
	    maildir->template, &maildir->envelope->rcpt[*rcpt]->path);
	if (folder == NULL) {
		status_set(status, 553, "5.1.3",
		    "This address cannot be the name of a mailbox");
		status->cause = CAUSE_ADDRESS;
	} else if (box_exists(
		       &maildir->place, folder, octets_of(maildir), status)) {
		status_set(status, 250, "2.1.5", "ok");
		rcpts_add(&find_box(maildir, folder)->rcpts, *rcpt);
	}
	free(folder);
	return true;
}

static void
write_field(struct writer *writer, const char *begin, const char *mailbox,
    const char *end)
{
	writer_add(writer, begin, strlen(begin));
	writer_add(writer, mailbox, strlen(mailbox));
	writer_add(writer, end, strlen(end));
}

/* Final delivery notes the reverse path (RFC 5321 4.4), and for whom it was,
 * which the header need not say. */
static void
write_maildir_fields(
    const struct maildir *maildir, struct writer *writer, const struct box *box)
{
	const struct envelope *envelope = maildir->envelope;

	write_field(writer, "Return-Path: <", envelope->sender->mailbox, ">\n");
	for (size_t i = 0; i < box->rcpts.count; i++)
		write_field(writer, "Delivered-To: ",
		    envelope->rcpt[box->rcpts.items[i]]->path.mailbox, "\n");
}

/*
 * The message has failed for all, by this box. What is a word on its mailbox
 * (X.2) is kept by the ledger, and must not be so of the others: they come
 * without it, in the next session.
 */
static void
spare_others(struct maildir *maildir, struct box *box)
{
	struct status *failure = &maildir->failure;

	if (strncmp(failure->enhanced, "4.2.", 4) != 0)
		return;
	box->outcome = *failure;
	status_set(failure, 451, "4.3.0", "%s", failure->text);
}

static void
note_failed(struct maildir *maildir, struct box *box, int errnum)
{
	box_failed(&maildir->place, box->folder, &maildir->failure, errnum);
	spare_others(maildir, box);
}

static int
create_file(struct maildir *maildir, struct box *box)
{
	int fd = box_create(&maildir->place, box, &maildir->failure);

	if (fd < 0)
		spare_others(maildir, box);
	return fd;
}

/* The text goes to the file of the first box. */
static void
open_first(struct maildir *maildir)
{
	assert(maildir->boxes_len > 0);
	maildir->writer.fd = create_file(maildir, &maildir->boxes[0]);
	if (maildir->writer.fd < 0)
		return;
	write_maildir_fields(maildir, &maildir->writer, &maildir->boxes[0]);
	maildir->fields = maildir->writer.size;
}

static void
maildir_body(struct delivery *delivery, const char *text, size_t len)
{
	struct maildir *maildir = maildir_of(delivery);

	if (maildir->writer.fd < 0 && maildir->failure.code == 0)
		open_first(maildir);
	if (maildir->failure.code == 0)
		writer_add(&maildir->writer, text, len);
}

/* 0, or errno. */
static int
write_copy(const struct maildir *maildir, const struct box *box, int fd)
{
	struct writer fields;
	int errnum = 0;

	writer_init(&fields, fd, WRITER_LF);
	write_maildir_fields(maildir, &fields, box);
	if (!writer_flush(&fields))
		errnum = fields.errnum;
	else if (!writer_copy(maildir->writer.fd, (off_t)maildir->fields, fd))
		errnum = errno;
	writer_clear(&fields);
	return errnum;
}

/* A copy and not a link: whoever changes owner or mode of one user's mail must
 * not change that of another. */
static bool
copy_file(struct maildir *maildir, struct box *box)
{
	int fd = create_file(maildir, box);

	if (fd < 0)
		return false;
	int errnum = write_copy(maildir, box, fd);
	if (!box_close(&maildir->place, fd) && errnum == 0)
		errnum = errno;
	if (errnum != 0)
		note_failed(maildir, box, errnum);
	return errnum == 0;
}

static bool
complete_files(struct maildir *maildir)
{
	struct writer *writer = &maildir->writer;

	if (maildir->failure.code != 0)
		return false;
	if (!writer_flush(writer)) {
		note_failed(maildir, &maildir->boxes[0], writer->errnum);
		return false;
	}
	for (size_t i = 1; i < maildir->boxes_len; i++)
		if (!copy_file(maildir, &maildir->boxes[i]))
			return false;
	int fd = writer->fd;
	writer->fd = -1;
	if (box_close(&maildir->place, fd))
		return true;
	note_failed(maildir, &maildir->boxes[0], errno);
	return false;
}

static bool
maildir_ready(struct delivery *delivery, const struct deadline *deadline)
{
	struct maildir *maildir = maildir_of(delivery);

	(void)deadline;
	maildir_body(delivery, "", 0); /* an empty message is one, too */
	return complete_files(maildir);
}

/* Each box has its last step in result, so that its outcome is on record before
 * the next one has its own: a crash in between gives nobody a message twice. */
static void
maildir_finish(struct delivery *delivery, const struct deadline *deadline)
{
	(void)delivery, (void)deadline;
}

static bool
maildir_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct maildir *maildir = maildir_of(delivery);

	(void)deadline;
	for (; maildir->boxes_told < maildir->boxes_len;
	     maildir->boxes_told++) {
		struct box *box = &maildir->boxes[maildir->boxes_told];
		if (!rcpts_next(&box->rcpts, rcpt))
			continue;
		if (box->outcome.code == 0 && maildir->failure.code != 0)
			box->outcome = maildir->failure;
		else if (box->outcome.code == 0)
			box_move(&maildir->place, box);
		*status = box->outcome;
		return true;
	}
	for (size_t i = 0; i < maildir->boxes_len; i++)
		box_remove(&maildir->place, &maildir->boxes[i]);
	return false;
}

/* One file is for all addresses of a box. */
static bool
maildir_result_joined(const struct delivery *delivery)
{
	const struct maildir *maildir = (const void *)delivery;

	return maildir->boxes_told < maildir->boxes_len &&
	       rcpts_left(&maildir->boxes[maildir->boxes_told].rcpts) &&
	       maildir->boxes[maildir->boxes_told].rcpts.next > 0;
}

static void
maildir_abort(struct delivery *delivery)
{
	forget_copies(maildir_of(delivery));
}

static bool
maildir_gone(const struct delivery *delivery)
{
	return ((const struct maildir *)(const void *)delivery)->place.gone;
}

/* That which it told last is not told again: each message would. */
static bool
maildir_complains(struct delivery *delivery, struct error *complaint)
{
	struct maildir *maildir = maildir_of(delivery);
	struct error *pending = &maildir->place.complaint;

	if (pending->class == ERROR_NONE)
		return false;
	*complaint = *pending;
	pending->class = ERROR_NONE;
	if (maildir->complaints == COMPLAINTS_MAX ||
	    strcmp(complaint->text, maildir->complained) == 0)
		return false;
	maildir->complaints++;
	memcpy(maildir->complained, complaint->text, sizeof complaint->text);
	return true;
}

static void
maildir_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	struct maildir *maildir = maildir_of(delivery);
	forget_copies(maildir);
	rcpts_clear(&maildir->queue);
	names_clear(&maildir->folders);
	free(maildir->boxes);
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
    .result_joined = maildir_result_joined,
    .abort = maildir_abort,
    .gone = maildir_gone,
    .complains = maildir_complains,
    .free = maildir_free,
};

struct delivery *
maildir_new(const struct maildir_options *options)
{
	struct maildir *maildir = xcalloc(1, sizeof *maildir);

	maildir->delivery = (struct delivery){&maildir_ops, options->name};
	maildir->template = options->path;
	maildir->base = folder_base(options->path);
	maildir->place = (struct box_place){
	    .name = options->name,
	    .hostname = options->hostname,
	    .folders = {.template = options->path,
		.base = maildir->base,
		.create = options->create,
		.sync = options->sync},
	};
	writer_init(&maildir->writer, -1, WRITER_LF);
	return &maildir->delivery;
}
