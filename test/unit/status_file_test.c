/* SPDX-License-Identifier: ISC */
#include "record/status_file.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "record/history.h"
#include "record/hold.h"

static char folder[] = "/tmp/status_file_test.XXXXXX";
static char path[PATH_MAX];

/* path becomes that of a file in the folder. */
static const char *
in_folder(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static int
make_folder(void **state)
{
	(void)state;
	memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
remove_folder(void **state)
{
	static const char *const names[] = {"status/office.json",
	    "status/office.json.new", "status", "other", "key", "password"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		remove(in_folder(names[i]));
	return rmdir(folder);
}

static void
write_text(const char *name, const char *text)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
write_one(void)
{
	struct session_result result = {.outcome = SESSION_MAIL,
	    .messages = 3,
	    .started = 1717236000000,
	    .ended = 1717236001000};
	struct history history;
	struct error err;

	history_init(&history);
	history_add(&history, &result);
	assert_true(status_file_write(folder, "office", &history, &err));
	history_clear(&history);
}

/* The warning, or "" where the file was read. */
static const char *
read_one(uint64_t messages)
{
	static struct error err;
	struct history history;

	err.text[0] = '\0';
	if (status_file_read(folder, "office", &history, &err))
		assert_string_equal(err.text, "");
	assert_int_equal(history.total.messages, messages);
	history_clear(&history);
	return err.text;
}

static void
a_history_is_kept(void **state)
{
	struct stat st;

	(void)state;
	umask(0);
	assert_string_equal(read_one(0), "");
	write_one();
	assert_string_equal(read_one(3), "");
	write_one();
	assert_int_equal(stat(in_folder("status/office.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(stat(in_folder("status"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_not_equal(
	    access(in_folder("status/office.json.new"), F_OK), 0);
}

static void
a_file_that_was_cut_is_begun_anew(void **state)
{
	struct stat st;

	(void)state;
	write_one();
	assert_int_equal(stat(in_folder("status/office.json"), &st), 0);
	assert_int_equal(truncate(path, st.st_size / 2), 0);
	assert_string_equal(read_one(0),
	    "the status file office.json is damaged, or of another version; "
	    "a new one is begun");
	write_one();
	assert_string_equal(read_one(3), "");
	assert_int_equal(truncate(in_folder("status/office.json"), 0), 0);
	assert_int_not_equal(strlen(read_one(0)), 0);
	assert_int_equal(
	    truncate(in_folder("status/office.json"), 2 * STATUS_FILE_MAX), 0);
	assert_string_equal(read_one(0), "office.json is too large");
}

static void
links_are_not_followed(void **state)
{
	(void)state;
	write_one();
	char other[PATH_MAX];
	snprintf(other, sizeof other, "%s/other", folder);
	assert_int_equal(rename(in_folder("status/office.json"), other), 0);
	assert_int_equal(symlink("../other", path), 0);
	assert_non_null(strstr(read_one(0), strerror(ELOOP)));
	write_text("status/office.json.new", "left behind");
	/* The link is replaced, and what it named stays. */
	write_one();
	assert_string_equal(read_one(3), "");
	assert_int_equal(access(in_folder("other"), F_OK), 0);
}

static void
what_is_no_file_is_not_read(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_folder("status"), 0700), 0);
	assert_int_equal(mkfifo(in_folder("status/office.json"), 0600), 0);
	assert_string_equal(read_one(0), "office.json is not a file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_string_equal(read_one(0), "office.json is not a file");
	assert_int_equal(rmdir(path), 0);
}

static void
a_folder_that_is_missing_is_told(void **state)
{
	struct history history;
	struct error err;

	(void)state;
	assert_false(status_file_read("/nonexistent", "x", &history, &err));
	assert_string_equal(err.text,
	    "cannot open the folder /nonexistent: No such file or directory");
	assert_false(status_file_write("/nonexistent", "x", &history, &err));
	assert_int_equal(err.class, ERROR_SYSTEM);
}

static void
record_failure(const struct config_account *account, enum error_class class)
{
	const struct config config = {.state_dir = folder};
	struct session_result result = {.outcome = SESSION_FAILED,
	    .error = {class, "no"},
	    .exit_status = 77,
	    .started = 1717236000000,
	    .ended = 1717236001000};
	struct history history;
	struct error err;

	char fingerprint[CONFIG_FINGERPRINT_SIZE];
	struct secret secret = {.text = NULL};
	struct deadline deadline = deadline_in(1000, 0);

	assert_true(config_read_secret(account, &secret, &deadline, &err));
	assert_true(
	    hold_fingerprint(&config, account, &secret, fingerprint, &err));
	secret_clear(&secret);
	assert_true(status_file_read(folder, account->name, &history, &err));
	assert_true(status_file_record(
	    folder, account->name, &history, &result, fingerprint, &err));
	history_clear(&history);
}

static int64_t
left_now(const struct config_account *account)
{
	const struct config config = {.state_dir = folder};
	struct history history;
	struct error err;

	assert_true(status_file_read(folder, "office", &history, &err));
	int64_t left =
	    hold_left(&config, account, &history, history.last.ended);
	history_clear(&history);
	return left;
}

static void
a_changed_account_is_not_held(void **state)
{
	struct config_account account = {
	    .name = "office", .user = "me", .every = 300000};
	struct stat st;

	(void)state;
	write_text("password", "secret\n");
	char password_file[PATH_MAX];
	snprintf(password_file, sizeof password_file, "%s", path);
	account.password_file = password_file;
	record_failure(&account, ERROR_AUTH);
	assert_int_equal(left_now(&account), 3600000);
	assert_int_equal(stat(in_folder("key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);

	write_text("password", "better\n");
	assert_int_equal(left_now(&account), 0);
	write_text("password", "secret\n");
	assert_int_equal(left_now(&account), 3600000);
	account.user = "you";
	assert_int_equal(left_now(&account), 0);
	account.user = "me";
	assert_int_equal(left_now(&account), 3600000);
	/* With another key nothing can be compared: better one call more. */
	assert_int_equal(truncate(in_folder("key"), 5), 0);
	assert_int_equal(left_now(&account), 0);
}

/* Whatever the provider refused: the administrator mends it here, and need not
 * know which holds notice that. */
static void
each_hold_ends_with_a_changed_account(void **state)
{
	static const enum error_class classes[] = {
	    ERROR_AUTH, ERROR_REFUSED, ERROR_UNABLE, ERROR_PROTOCOL};
	static const char *const two[] = {"a.example", "gone.example"};
	struct config_account account = {
	    .name = "office", .domains = {two, 2}, .every = 300000};

	(void)state;
	write_text("password", "secret\n");
	char password_file[PATH_MAX];
	snprintf(password_file, sizeof password_file, "%s", path);
	account.password_file = password_file;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		account.domains.count = 2;
		record_failure(&account, classes[i]);
		assert_true(left_now(&account) > 0);
		account.domains.count = 1;
		assert_int_equal(left_now(&account), 0);
		/* What fails for another reason says nothing of the cause. */
		record_failure(&account, ERROR_AGAIN);
		assert_int_equal(left_now(&account), 0);
		assert_int_equal(unlink(in_folder("status/office.json")), 0);
	}
}

#define EACH(test)                                                             \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(a_history_is_kept),
	    EACH(a_file_that_was_cut_is_begun_anew),
	    EACH(links_are_not_followed),
	    EACH(what_is_no_file_is_not_read),
	    EACH(a_folder_that_is_missing_is_told),
	    EACH(a_changed_account_is_not_held),
	    EACH(each_hold_ends_with_a_changed_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
