/* SPDX-License-Identifier: ISC */
#include "ledger/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/descriptor.h"
#include "base/mem.h"
#include "ledger/ledger_book.h"
#include "ledger/ledger_reading.h"
#include "ledger/ledger_record.h"

enum {
	READ_SIZE = 65536,
	/* Kept free behind the end of the file, so that a full disk shows
	 * before the provider is called: some twenty outcomes. */
	RESERVE = 4096,
	/* Dead lines that are borne before the file is written anew. */
	DEAD_LINES = 256,
	/* Names of accounts have at most 200 octets. */
	NAME_SIZE = 256,
};

struct ledger_file {
	struct ledger_store store;
	int folder, fd;
	char *name; /* of the account and of the file */
	char *shown; /* the path, for messages */
	off_t size;
	off_t tidy_at; /* the size at which it is written anew */
};

static bool
fail_file(struct error *err, const struct ledger_file *file, const char *what)
{
	error_set_errno(err, ERROR_LOCAL, errno, "cannot %s the ledger %s",
	    what, file->shown);
	return false;
}

static bool
open_ledger_folder(struct ledger_file *file, const char *state_dir, bool make)
{
	int above = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (above < 0)
		return false;
	if (make && mkdirat(above, "ledger", 0700) < 0 && errno != EEXIST) {
		close(above);
		return false;
	}
	file->folder = openat(
	    above, "ledger", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int saved = errno;
	close(above);
	errno = saved;
	return file->folder >= 0;
}

/* O_NONBLOCK: a FIFO in its place must not hold us up. */
static bool
open_ledger(struct ledger_file *file, int flags)
{
	struct stat found;

	file->fd = openat(file->folder, file->name,
	    flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (file->fd < 0 || fstat(file->fd, &found) < 0)
		return false;
	if (!S_ISREG(found.st_mode)) {
		errno = EINVAL;
		return false;
	}
	file->size = found.st_size;
	return true;
}

static struct ledger_file *
new_file(const char *state_dir, const char *account)
{
	struct ledger_file *file = xcalloc(1, sizeof *file);

	file->folder = file->fd = -1;
	file->name = xstrdup(account);
	file->shown = xasprintf("%s/ledger/%s", state_dir, account);
	return file;
}

static void
close_file(struct ledger_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	if (file->folder >= 0)
		close(file->folder);
	free(file->name);
	free(file->shown);
	free(file);
}

static bool
read_lines(struct ledger_file *file, struct ledger_reading *reading)
{
	char *octets = xmalloc(READ_SIZE);
	ssize_t len;

	while ((len = read(file->fd, octets, READ_SIZE)) > 0 ||
	       (len < 0 && errno == EINTR))
		if (len > 0)
			ledger_reading_take(reading, octets, (size_t)len);
	int saved = errno;
	free(octets);
	errno = saved;
	if (len == 0)
		ledger_reading_end(reading);
	return len == 0;
}

static bool
append_record(
    struct ledger_file *file, const char *lines, size_t len, struct error *err)
{
	size_t done = descriptor_write(file->fd, lines, len);

	if (done < len) {
		(void)fail_file(err, file, "write to");
		/* A line without its end would spoil the next one. */
		if (done > 0 && ftruncate(file->fd, file->size) < 0)
			error_prefix(err, "with a line cut short");
		return false;
	}
	file->size += (off_t)len;
	return true;
}

static bool
sync_file(struct ledger_file *file, struct error *err)
{
	return fdatasync(file->fd) == 0 || fail_file(err, file, "sync");
}

/* A file that is being written anew. */
struct rewriting {
	struct ledger_file *file;
	struct buf lines;
	struct error *err;
};

static bool
flush_lines(struct rewriting *rewriting)
{
	bool ok = append_record(rewriting->file, buf_data(&rewriting->lines),
	    buf_len(&rewriting->lines), rewriting->err);

	buf_reset(&rewriting->lines);
	return ok;
}

static bool
write_record(void *context, const struct ledger_record *record)
{
	struct rewriting *rewriting = context;

	if (!ledger_record_write(&rewriting->lines, record))
		return false;
	return buf_len(&rewriting->lines) < READ_SIZE || flush_lines(rewriting);
}

static bool
write_book(
    struct ledger_file *file, const struct ledger_book *book, struct error *err)
{
	const struct ledger_record begin = {
	    .type = LEDGER_BEGIN, .version = LEDGER_VERSION};
	struct rewriting rewriting = {.file = file, .err = err};

	buf_init(&rewriting.lines, READ_SIZE + LEDGER_LINE_MAX);
	bool ok = write_record(&rewriting, &begin) &&
		  ledger_book_records(book, write_record, &rewriting) &&
		  flush_lines(&rewriting) && sync_file(file, err);
	buf_clear(&rewriting.lines);
	return ok;
}

/* Puts a file with what the book holds in the place of the one there is. */
static bool
rewrite(
    struct ledger_file *file, const struct ledger_book *book, struct error *err)
{
	struct ledger_file made = {.folder = file->folder, .fd = -1};

	/* '~' is in no account's name. */
	made.name = xasprintf("%s~", file->name);
	made.shown = xasprintf("%s~", file->shown);
	bool ok =
	    (unlinkat(file->folder, made.name, 0) == 0 || errno == ENOENT) &&
	    open_ledger(&made, O_RDWR | O_CREAT | O_EXCL | O_APPEND);
	if (!ok)
		(void)fail_file(err, &made, "create");
	ok = ok && write_book(&made, book, err);
	if (ok &&
	    renameat(made.folder, made.name, file->folder, file->name) < 0)
		ok = fail_file(err, &made, "rename");
	if (ok) {
		close(file->fd);
		file->fd = made.fd;
		file->size = made.size;
		/* Failing costs no more than a power cut would. */
		(void)fsync(file->folder);
	} else if (made.fd >= 0) {
		close(made.fd);
		unlinkat(file->folder, made.name, 0);
	}
	free(made.name);
	free(made.shown);
	return ok;
}

static struct ledger_file *
of_store(struct ledger_store *store)
{
	return (struct ledger_file *)(void *)store; /* it is the first member */
}

static bool
store_append(struct ledger_store *store, const char *lines, size_t len,
    struct error *err)
{
	return append_record(of_store(store), lines, len, err);
}

static bool
store_tidy(struct ledger_store *store, const struct ledger_book *book,
    struct error *err)
{
	struct ledger_file *file = of_store(store);

	if (file->size < file->tidy_at)
		return true;
	struct error why;
	bool ok = rewrite(file, book, &why);
	file->tidy_at = (ok ? 2 : 1) * file->size + LEDGER_FILE_GROWTH;
	if (ok || file->size < LEDGER_FILE_MAX)
		return true;
	*err = why;
	error_prefix(err,
	    "the ledger %s is too large, and cannot be"
	    " written anew",
	    file->shown);
	return false;
}

static bool
store_sync(struct ledger_store *store, struct error *err)
{
	return sync_file(of_store(store), err);
}

static void
store_close(struct ledger_store *store)
{
	close_file(of_store(store));
}

/* Gives the file a name that no account has. */
static bool
set_aside(struct ledger_file *file, int64_t now, struct ledger_damage *damage)
{
	snprintf(damage->aside, sizeof damage->aside, "%s~%" PRId64, file->name,
	    now);
	return renameat(
		   file->folder, file->name, file->folder, damage->aside) == 0;
}

static bool
count_record(void *context, const struct ledger_record *record)
{
	size_t *count = context;

	(void)record;
	(*count)++;
	return true;
}

static bool
is_worth_rewriting(const struct ledger_reading *reading, bool renewed)
{
	size_t live = 0;

	(void)ledger_book_records(reading->book, count_record, &live);
	return reading->lines == 0 || reading->bad > 0 || reading->torn ||
	       renewed || reading->lines > 2 * live + DEAD_LINES;
}

/* A file system that cannot promise room will tell at the first write. What is
 * there already is not asked for again, which would write the inode. */
static bool
has_room(struct ledger_file *file)
{
	struct stat found;

	if (fstat(file->fd, &found) == 0 &&
	    (off_t)found.st_blocks * 512 >= file->size + RESERVE)
		return true;
	return fallocate(file->fd, FALLOC_FL_KEEP_SIZE, file->size, RESERVE) ==
		   0 ||
	       (errno != ENOSPC && errno != EDQUOT && errno != EIO);
}

/* After this the file holds whole lines, and more can be appended. */
static bool
make_sound(struct ledger_file *file, const struct ledger_reading *reading,
    bool renewed, struct ledger_damage *damage, struct error *err)
{
	if (is_worth_rewriting(reading, renewed) &&
	    !rewrite(file, reading->book, &damage->compaction)) {
		if (reading->lines == 0) {
			*err = damage->compaction;
			return false;
		}
		/* The old file will do. */
		if (reading->torn && !append_record(file, "\n", 1, err))
			return false;
	}
	file->tidy_at = 2 * file->size + LEDGER_FILE_GROWTH;
	return has_room(file) || fail_file(err, file, "extend");
}

/* Nobody else may read who writes to whom. */
static bool
make_private(struct ledger_file *file)
{
	struct stat found;

	return fstat(file->fd, &found) == 0 &&
	       ((found.st_mode & 077) == 0 || fchmod(file->fd, 0600) == 0);
}

/* What a killed session was writing anew is of no use, and may be large. */
static void
remove_rest(const struct ledger_file *file)
{
	char *name = xasprintf("%s~", file->name);

	(void)unlinkat(file->folder, name, 0);
	free(name);
}

static bool
open_for_append(struct ledger_file *file, const char *state_dir)
{
	return open_ledger_folder(file, state_dir, true) &&
	       open_ledger(file, O_RDWR | O_CREAT | O_APPEND) &&
	       make_private(file);
}

static bool
load_ledger(struct ledger_file *file, struct ledger_reading *reading,
    int64_t now, struct ledger_damage *damage, struct error *err)
{
	if (!read_lines(file, reading))
		return fail_file(err, file, "read");
	if (!reading->foreign) {
		damage->lines = reading->bad;
		return true;
	}
	reading->lines = reading->bad = 0;
	reading->torn = false;
	return set_aside(file, now, damage) ||
	       fail_file(err, file, "put aside");
}

struct ledger_store *
ledger_file_open(const char *state_dir, const char *account,
    struct ledger_book *book, int64_t now, int64_t keep,
    struct ledger_damage *damage, struct error *err)
{
	struct ledger_file *file = new_file(state_dir, account);
	struct ledger_reading reading = {.book = book};

	file->store = (struct ledger_store){.append = store_append,
	    .tidy = store_tidy,
	    .sync = store_sync,
	    .close = store_close};
	*damage = (struct ledger_damage){.lines = 0};
	bool ok =
	    open_for_append(file, state_dir) || fail_file(err, file, "open");
	if (ok)
		remove_rest(file);
	ok = ok && load_ledger(file, &reading, now, damage, err);
	if (ok) {
		bool renewed = ledger_book_expire(book, now, keep);
		ok = make_sound(file, &reading, renewed, damage, err);
	}
	if (ok)
		return &file->store;
	close_file(file);
	return NULL;
}

bool
ledger_file_read(const char *state_dir, const char *account,
    struct ledger_book *book, struct error *err)
{
	struct ledger_file *file = new_file(state_dir, account);
	struct ledger_reading reading = {.book = book};

	bool ok = open_ledger_folder(file, state_dir, false) &&
		  open_ledger(file, O_RDONLY) && read_lines(file, &reading);
	if (!ok && errno != ENOENT)
		(void)fail_file(err, file, "read");
	else
		ok = true;
	close_file(file);
	return ok;
}
