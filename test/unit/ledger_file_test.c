/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ledger/ledger_book.h"
#include "ledger/ledger_file.h"
#include "ledger/ledger_list.h"
#include "ledger_kit.h"

enum { DAY = 86400, NOW = 1800000000, TEXT_SIZE = 32 };

struct fixture {
	char state_dir[64], file[128];
	int64_t now;
	struct ledger_options options;
};

static int64_t
fixture_now(void *context)
{
	return ((struct fixture *)context)->now;
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	/* In memory where there is such a place: thousands of files are
	 * written and synced. */
	snprintf(f->state_dir, sizeof f->state_dir, "%s/odmr-ledger-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(f->state_dir) == NULL)
		return -1;
	snprintf(f->file, sizeof f->file, "%s/ledger/office", f->state_dir);
	f->now = NOW;
	f->options = (struct ledger_options){.keep = 14 * DAY,
	    .now = fixture_now,
	    .context = f,
	    .boot_id = "00112233-4455-6677-8899-aabbccddeeff"};
	*state = f;
	return 0;
}

static void
empty_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *each;

	while (dir != NULL && (each = readdir(dir)) != NULL)
		(void)!unlinkat(dirfd(dir), each->d_name, 0);
	if (dir != NULL)
		closedir(dir);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof path, "%s/ledger", f->state_dir);
	empty_folder(path);
	(void)rmdir(path);
	(void)unlink(path);
	empty_folder(f->state_dir);
	(void)rmdir(f->state_dir);
	free(f);
	return 0;
}

static struct ledger *
must_open(struct fixture *f)
{
	struct error err;
	struct ledger *ledger =
	    ledger_open(f->state_dir, "office", &f->options, &err);

	if (ledger == NULL)
		fail_msg("%s", err.text);
	ledger_connection_begin(ledger);
	return ledger;
}

static size_t
read_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t len = read(fd, out, size);

	close(fd);
	assert_true(len >= 0);
	return (size_t)len;
}

static void
write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static char *
name_text(char out[TEXT_SIZE], int number)
{
	snprintf(out, TEXT_SIZE, "text %d\r\n", number);
	return out;
}

/* Records of every kind; texts 0 to 4 are with a@x and taken. */
static void
fill(struct fixture *f)
{
	struct ledger *ledger = must_open(f);
	struct offer sized = {
	    .sender = "m@y.example", .text = "mixed\r\n", .size = 7};
	struct offered rcpts[] = {{.mailbox = "\"a b\"@x.example"},
	    {.mailbox = "b@x.example", .local = 554},
	    {.mailbox = "c@x.example", .local = 452}};
	char text[TEXT_SIZE];

	(void)kit_send(ledger, "struck\r\n", "a@x.example");
	ledger_synchronised(ledger);
	ledger_arrived(ledger);
	for (int i = 0; i < 5; i++)
		(void)kit_send(ledger, name_text(text, i), "a@x.example");
	(void)kit_offer(ledger, &sized, rcpts, 3);
	ledger_close(ledger);
}

static int
count_known(struct fixture *f)
{
	struct ledger *ledger = must_open(f);
	char text[TEXT_SIZE];
	int known = 0;

	for (int i = 0; i < 5; i++)
		known +=
		    !kit_delivers(ledger, name_text(text, i), "a@x.example");
	ledger_close(ledger);
	return known;
}

static size_t
count_notes(struct ledger *ledger)
{
	size_t notes = 0;
	bool error;

	while (ledger_note(ledger, &error) != NULL)
		notes++;
	return notes;
}

static void
test_a_session_remembers_the_last(void **state)
{
	struct fixture *f = *state;
	struct stat found;

	fill(f);
	assert_int_equal(stat(f->file, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0600);
	struct ledger *ledger = must_open(f);
	assert_int_equal(ledger_entries(ledger), 6);
	assert_int_equal(ledger_due(ledger), 1);
	assert_int_equal(count_notes(ledger), 0);
	ledger_close(ledger);
	assert_int_equal(count_known(f), 5);
}

/* What whole lines say is kept; and the file can be appended to. */
static void
test_cut_at_each_octet(void **state)
{
	struct fixture *f = *state;
	char whole[8192], text[TEXT_SIZE];

	fill(f);
	size_t len = read_file(f->file, whole, sizeof whole);
	for (size_t cut = 0; cut <= len; cut++) {
		write_file(f->file, whole, cut);
		int taken = 0;
		for (int i = 0; i < 5; i++) {
			snprintf(text, sizeof text, " taken %d ", i + 2);
			const char *at = memmem(whole, len, text, strlen(text));
			const char *end =
			    memchr(at, '\n', (size_t)(whole + len - at));
			taken += end <= whole + cut;
		}
		struct ledger *ledger = must_open(f);
		size_t notes = count_notes(ledger);
		bool between = cut == 0 || whole[cut - 1] == '\n' ||
			       (cut < len && whole[cut] == '\n');
		assert_int_equal(notes, between ? 0 : 1);
		ledger_close(ledger);
		assert_int_equal(count_known(f), taken);
		assert_int_equal(count_known(f), 5);
	}
}

static void
test_scribbled_on_at_each_octet(void **state)
{
	static const char scribbles[] = {'\0', '\n', ' ', 'x', '\xff'};
	struct fixture *f = *state;
	char whole[8192];

	fill(f);
	size_t len = read_file(f->file, whole, sizeof whole);
	for (size_t i = 0; i < len; i++) {
		char scribbled[8192];
		char with = scribbles[i % sizeof scribbles];
		if (whole[i] == with)
			continue;
		memcpy(scribbled, whole, len);
		scribbled[i] = with;
		write_file(f->file, scribbled, len);
		struct ledger *ledger = must_open(f);
		assert_int_equal(count_notes(ledger), 1);
		/* A lost line end costs two lines. A lost "struck" brings
		 * an entry back, which costs nothing. */
		assert_true(ledger_entries(ledger) >= 4);
		ledger_close(ledger);
		assert_true(count_known(f) >= 3);
		/* Mended for good. */
		ledger = must_open(f);
		assert_int_equal(count_notes(ledger), 0);
		ledger_close(ledger);
	}
}

static void
test_an_unknown_version_is_kept_aside(void **state)
{
	struct fixture *f = *state;
	struct ledger_record later = {.type = LEDGER_BEGIN, .version = 2};
	char path[160], kept[256];
	struct buf lines;
	bool error;

	fill(f);
	buf_init(&lines, sizeof kept);
	assert_true(ledger_record_write(&lines, &later));
	assert_true(buf_append(&lines, "and more\n", 9));
	write_file(f->file, buf_data(&lines), buf_len(&lines));
	struct ledger *ledger = must_open(f);
	assert_string_equal(ledger_note(ledger, &error),
	    "ledger office: its format is unknown; it was renamed to "
	    "office~1800000000, and a new one is begun");
	assert_int_equal(ledger_entries(ledger), 0);
	ledger_close(ledger);
	assert_int_equal(count_known(f), 0);
	assert_int_equal(count_known(f), 5);
	snprintf(path, sizeof path, "%s~1800000000", f->file);
	assert_int_equal(read_file(path, kept, sizeof kept), buf_len(&lines));
	assert_memory_equal(kept, buf_data(&lines), buf_len(&lines));
	buf_clear(&lines);
}

static void
expect_refusal(struct fixture *f)
{
	struct error err;

	assert_null(ledger_open(f->state_dir, "office", &f->options, &err));
	assert_int_equal(error_exit_status(err.class), 75);
}

static void
test_links_are_not_followed(void **state)
{
	struct fixture *f = *state;
	char target[128], folder[128], got[16];

	snprintf(target, sizeof target, "%s/target", f->state_dir);
	snprintf(folder, sizeof folder, "%s/ledger", f->state_dir);
	write_file(target, "mine", 4);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(symlink(target, f->file), 0);
	expect_refusal(f);
	assert_int_equal(read_file(target, got, sizeof got), 4);
	/* A FIFO is no file either, and does not hold us up. */
	assert_int_equal(unlink(f->file), 0);
	assert_int_equal(mkfifo(f->file, 0600), 0);
	expect_refusal(f);
	assert_int_equal(unlink(f->file), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(symlink(f->state_dir, folder), 0);
	expect_refusal(f);
	/* Nor the folder that is not there. */
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(unlink(target), 0);
	assert_int_equal(rmdir(f->state_dir), 0);
	expect_refusal(f);
}

/* What stands where the new file is to be made is no way out either. */
static void
test_the_new_file_follows_no_link(void **state)
{
	struct fixture *f = *state;
	char target[128], made[160], got[16];

	fill(f);
	snprintf(target, sizeof target, "%s/target", f->state_dir);
	snprintf(made, sizeof made, "%s~", f->file);
	write_file(target, "mine", 4);
	assert_int_equal(symlink(target, made), 0);
	int fd = open(f->file, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "damage", 6), 6);
	close(fd);
	assert_int_equal(count_known(f), 5);
	assert_int_equal(read_file(target, got, sizeof got), 4);
	assert_memory_equal(got, "mine", 4);
}

static void
test_others_may_not_read(void **state)
{
	struct fixture *f = *state;
	struct stat found;

	fill(f);
	assert_int_equal(chmod(f->file, 0644), 0);
	ledger_close(must_open(f));
	assert_int_equal(stat(f->file, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0600);
}

static void
test_entries_expire(void **state)
{
	struct fixture *f = *state;

	fill(f);
	/* Each time they are offered, and so not forgotten yet. */
	for (int i = 0; i < 3; i++) {
		f->now += 14 * DAY;
		assert_int_equal(count_known(f), 5);
	}
	f->now += 14 * DAY + 1;
	assert_int_equal(count_known(f), 0);
}

/* As routers have it after boot: 1970 first, the truth later. */
static void
test_a_clock_that_was_wrong_costs_nothing(void **state)
{
	struct fixture *f = *state;

	f->now = 60;
	fill(f);
	f->now = NOW;
	assert_int_equal(count_known(f), 5);
	/* From then on they age. */
	f->now = NOW + 15 * DAY;
	assert_int_equal(count_known(f), 0);
	f->now = NOW;
	assert_int_equal(count_known(f), 5);
}

static void
test_an_entry_of_another_boot(void **state)
{
	struct fixture *f = *state;
	struct offer offer = {.sender = "s@y.example", .text = "text 0\r\n"};
	struct offered synced = {.mailbox = "a@x.example"};
	struct offered unsynced = {.mailbox = "a@x.example", .unsynced = true};

	fill(f);
	struct ledger *ledger = must_open(f);
	assert_int_equal(kit_offer(ledger, &offer, &unsynced, 1), 0);
	ledger_close(ledger);
	f->options.boot_id = "ff112233-4455-6677-8899-aabbccddeeff";
	ledger = must_open(f);
	assert_int_equal(kit_offer(ledger, &offer, &synced, 1), 0);
	ledger_connection_begin(ledger);
	assert_int_equal(kit_offer(ledger, &offer, &unsynced, 1), 1);
	/* Now there is one of this boot, and only that. */
	ledger_connection_begin(ledger);
	assert_int_equal(kit_offer(ledger, &offer, &unsynced, 1), 0);
	assert_int_equal(ledger_entries(ledger), 6);
	ledger_close(ledger);
}

static void
test_fetch_by_name_forgets_the_times(void **state)
{
	struct fixture *f = *state;
	struct offer sized = {
	    .sender = "m@y.example", .text = "mixed\r\n", .size = 7};
	struct offered rcpt = {.mailbox = "c@x.example", .local = 452};

	fill(f);
	for (int i = 0; i < 3; i++) {
		struct ledger *ledger = must_open(f);
		(void)kit_offer(ledger, &sized, &rcpt, 1);
		assert_string_equal(rcpt.reply, "451 5.1.2 local text");
		ledger_close(ledger);
	}
	f->options.forget_times = true;
	ledger_close(must_open(f));
	f->options.forget_times = false;
	struct ledger *ledger = must_open(f);
	rcpt.local = 250;
	for (int i = 0; i < 40 && rcpt.told != 250; i++)
		(void)kit_offer(ledger, &sized, &rcpt, 1);
	assert_int_equal(rcpt.told, 250);
	ledger_close(ledger);
}

static void
test_the_oldest_that_are_not_due_go_first(void **state)
{
	struct fixture *f = *state;
	struct offer mixed = {.sender = "m@y.example", .text = "mixed\r\n"};
	struct offered rcpts[] = {{.mailbox = "a@x.example"},
	    {.mailbox = "b@x.example", .local = 452}};
	char text[TEXT_SIZE];

	struct ledger *ledger = must_open(f);
	(void)kit_offer(ledger, &mixed, rcpts, 2);
	for (int i = 0; i < LEDGER_ENTRIES_MAX; i++)
		(void)kit_send(ledger, name_text(text, i), "a@x.example");
	for (int again = 0; again < 2; again++) {
		assert_int_equal(ledger_entries(ledger), LEDGER_ENTRIES_MAX);
		assert_int_equal(ledger_due(ledger), 1);
		ledger_close(ledger);
		ledger = must_open(f);
	}
	assert_false(kit_delivers(ledger, "text 1\r\n", "a@x.example"));
	assert_true(kit_delivers(ledger, "text 0\r\n", "a@x.example"));
	ledger_close(ledger);
}

static void
test_dead_records_are_dropped_at_open_only(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;

	struct ledger *ledger = must_open(f);
	for (int i = 0; i < 1000; i++) {
		(void)kit_send(ledger, "t\r\n", "a@x.example");
		ledger_synchronised(ledger);
		ledger_arrived(ledger);
	}
	ledger_close(ledger);
	assert_int_equal(stat(f->file, &before), 0);
	assert_true(before.st_size > 100000);
	fill(f);
	assert_int_equal(stat(f->file, &after), 0);
	assert_true(after.st_size < 4000);
	assert_int_not_equal(before.st_ino, after.st_ino);
	/* And is left alone then. */
	assert_int_equal(count_known(f), 5);
	assert_int_equal(stat(f->file, &before), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

/* What a provider can make a session write is bounded. */
static void
test_a_long_session_keeps_the_file_small(void **state)
{
	struct fixture *f = *state;
	struct stat found;

	struct ledger *ledger = must_open(f);
	for (int i = 0; i < 40000; i++) {
		(void)kit_send(ledger, "t\r\n", "a@x.example");
		ledger_synchronised(ledger);
		ledger_arrived(ledger);
	}
	ledger_close(ledger);
	assert_int_equal(stat(f->file, &found), 0);
	assert_true(found.st_size < LEDGER_FILE_GROWTH + 100000);
	fill(f);
	assert_int_equal(count_known(f), 5);
}

static void
test_a_file_that_cannot_be_written_anew_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct ledger_damage damage;
	struct ledger_book *book = ledger_book_new();
	char *lines = xmalloc(LEDGER_FILE_GROWTH), path[160];
	struct error err;
	int appended = 0;

	struct ledger_store *store = ledger_file_open(
	    f->state_dir, "office", book, NOW, DAY, &damage, &err);
	assert_non_null(store);
	snprintf(path, sizeof path, "%s~", f->file);
	assert_int_equal(mkdir(path, 0700), 0);
	memset(lines, '\n', LEDGER_FILE_GROWTH);
	do {
		assert_true(
		    store->append(store, lines, LEDGER_FILE_GROWTH, &err));
		appended++;
	} while (store->tidy(store, book, &err) && appended < 1000);
	assert_int_equal(appended, LEDGER_FILE_MAX / LEDGER_FILE_GROWTH);
	assert_int_equal(error_exit_status(err.class), 75);
	assert_non_null(
	    strstr(err.text, "is too large, and cannot be written anew"));
	assert_int_equal(rmdir(path), 0);
	store->close(store);
	free(lines);
	ledger_book_free(book);
}

/* RLIMIT_FSIZE stands in for a full disk. */
static void
limit_size(rlim_t octets)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
test_a_full_disk(void **state)
{
	struct fixture *f = *state;
	struct stat found;
	struct error err;
	char text[TEXT_SIZE];

	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	fill(f);
	struct ledger *ledger = must_open(f);
	assert_int_equal(stat(f->file, &found), 0);
	limit_size((rlim_t)found.st_size + 20);
	int told = kit_send(ledger, "one more\r\n", "a@x.example");
	limit_size(RLIM_INFINITY);
	assert_int_equal(told, 250);
	assert_true(ledger_failed(ledger, &err));
	assert_int_equal(error_exit_status(err.class), 75);
	ledger_close(ledger);
	/* Nothing of it is in the file. */
	assert_int_equal(count_known(f), 5);

	/* A file that must be written anew, and cannot be: the old one does. */
	size_t len = 0;
	char whole[8192];
	len = read_file(f->file, whole, sizeof whole);
	write_file(f->file, whole, len - 3);
	limit_size(10);
	struct ledger *none =
	    ledger_open(f->state_dir, "office", &f->options, &err);
	limit_size(RLIM_INFINITY);
	assert_null(none);
	assert_int_equal(error_exit_status(err.class), 75);
	(void)name_text(text, 0);
	assert_true(count_known(f) >= 4);
}

/* The old file goes on where no new one can be made, its last line cut. */
static void
test_what_a_killed_session_left_is_removed(void **state)
{
	struct fixture *f = *state;
	char made[160];

	fill(f);
	snprintf(made, sizeof made, "%s~", f->file);
	write_file(made, "half a file", 11);
	assert_int_equal(count_known(f), 5);
	assert_int_equal(access(made, F_OK), -1);
}

static void
test_no_place_for_a_new_file(void **state)
{
	struct fixture *f = *state;
	char whole[8192], made[160];

	fill(f);
	size_t len = read_file(f->file, whole, sizeof whole);
	write_file(f->file, whole, len - 3);
	snprintf(made, sizeof made, "%s~", f->file);
	assert_int_equal(mkdir(made, 0700), 0);
	struct ledger *ledger = must_open(f);
	assert_int_equal(count_notes(ledger), 2);
	(void)kit_send(ledger, "one more\r\n", "a@x.example");
	ledger_close(ledger);
	ledger = must_open(f);
	assert_false(kit_delivers(ledger, "one more\r\n", "a@x.example"));
	ledger_close(ledger);
	assert_int_equal(rmdir(made), 0);
	assert_int_equal(count_known(f), 5);
}

static void
test_whoever_looks_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct ledger_book *book = ledger_book_new();
	struct error err;
	char path[128];

	assert_true(ledger_file_read(f->state_dir, "office", book, &err));
	assert_int_equal(book->entries, 0);
	snprintf(path, sizeof path, "%s/ledger", f->state_dir);
	assert_int_equal(access(path, F_OK), -1);
	fill(f);
	assert_true(ledger_file_read(f->state_dir, "office", book, &err));
	assert_int_equal(book->entries, 6);
	assert_int_equal(book->due, 1);
	ledger_book_free(book);
}

static void
test_the_list(void **state)
{
	struct fixture *f = *state;
	struct offer sized = {.sender = "", .text = "mixed\r\n", .size = 7};
	struct offered rcpts[] = {{.mailbox = "\"a \x1b\"@x.example"},
	    {.mailbox = "b@x.example", .local = 554},
	    {.mailbox = "c@x.example", .local = 452}};
	struct error err;
	char *text = NULL;
	size_t len;

	struct ledger *ledger = must_open(f);
	(void)kit_send(ledger, "t\r\n", "a@x.example");
	f->now += 2 * DAY;
	(void)kit_offer(ledger, &sized, rcpts, 3);
	ledger_close(ledger);
	FILE *out = open_memstream(&text, &len);
	assert_true(ledger_list_print(
	    out, f->state_dir, "office", f->now + 60, 14 * DAY, &err));
	assert_true(ledger_list_print(
	    out, f->state_dir, "branch", f->now, 14 * DAY, &err));
	fclose(out);
	assert_string_equal(text,
	    "office: 2 entries, 1 due\n"
	    "  from=<s@y.example> digest=9e8b03ea3b48, 2 d old\n"
	    "    to=<a@x.example> delivered, reported\n"
	    "  from=<> digest=33b10e07a85d, 60 s old, due\n"
	    "    to=<\"a \\x1b\"@x.example> delivered\n"
	    "    to=<b@x.example> refused reply=\"554 5.1.2 local text\"\n"
	    "  deferred from=<> to=<c@x.example> size=7 times=1 for 14 min "
	    "reply=\"452 5.1.2 local text\"\n"
	    "branch: 0 entries, 0 due\n");
	free(text);
}

static void
test_records_are_read_as_they_were_written(void **state)
{
	struct ledger_record made = {.type = LEDGER_REFUSED,
	    .id = UINT64_MAX - 1,
	    .time = 1,
	    .boot = UINT64_MAX,
	    .size = 2,
	    .sender = "",
	    .rcpt = "\"% <>\\\" \"@x.example"};
	struct ledger_record read;
	struct buf line;

	(void)state;
	for (size_t i = 0; i < LEDGER_DIGEST; i++)
		made.digest[i] = (unsigned char)(i * 9);
	status_set(&made.reply, 550, "", "no  such <user> 100%%");
	buf_init(&line, LEDGER_LINE_MAX);
	assert_true(ledger_record_write(&line, &made));
	assert_true(
	    ledger_record_parse(&read, buf_data(&line), buf_len(&line) - 1));
	assert_memory_equal(&read, &made, sizeof read);
	/* The longest there can be fits. */
	memset(made.sender, ' ', ADDRESS_MAX);
	memset(made.rcpt, '%', ADDRESS_MAX);
	memset(made.reply.text, 'x', STATUS_TEXT_MAX);
	buf_reset(&line);
	assert_true(ledger_record_write(&line, &made));
	assert_true(
	    ledger_record_parse(&read, buf_data(&line), buf_len(&line) - 1));
	assert_string_equal(read.sender, made.sender);
	buf_clear(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	    WITH_FOLDER(test_a_session_remembers_the_last),
	    WITH_FOLDER(test_cut_at_each_octet),
	    WITH_FOLDER(test_scribbled_on_at_each_octet),
	    WITH_FOLDER(test_an_unknown_version_is_kept_aside),
	    WITH_FOLDER(test_links_are_not_followed),
	    WITH_FOLDER(test_the_new_file_follows_no_link),
	    WITH_FOLDER(test_others_may_not_read),
	    WITH_FOLDER(test_entries_expire),
	    WITH_FOLDER(test_a_clock_that_was_wrong_costs_nothing),
	    WITH_FOLDER(test_an_entry_of_another_boot),
	    WITH_FOLDER(test_fetch_by_name_forgets_the_times),
	    WITH_FOLDER(test_the_oldest_that_are_not_due_go_first),
	    WITH_FOLDER(test_dead_records_are_dropped_at_open_only),
	    WITH_FOLDER(test_a_long_session_keeps_the_file_small),
	    WITH_FOLDER(test_a_file_that_cannot_be_written_anew_is_bounded),
	    WITH_FOLDER(test_a_full_disk),
	    WITH_FOLDER(test_what_a_killed_session_left_is_removed),
	    WITH_FOLDER(test_no_place_for_a_new_file),
	    WITH_FOLDER(test_whoever_looks_changes_nothing),
	    WITH_FOLDER(test_the_list),
	    cmocka_unit_test(test_records_are_read_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
