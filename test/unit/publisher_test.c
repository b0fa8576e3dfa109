/* SPDX-License-Identifier: ISC */
#include "run/publisher.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/config.h"
#include "read_text.h"
#include "record/history.h"
#include "record/lock.h"
#include "record/status_file.h"
#include "remove_tree.h"
#include "run/workers.h"
#include "tell/log.h"

static char folder[64], metrics[100], log_path[100];
static struct config_account account = {.name = "office", .enabled = true};
static struct config config = {
    .state_dir = folder, .accounts = &account, .accounts_count = 1};
static struct workers *pool;
static struct publisher publisher;
static int saved_stderr = -1, lock = -1;

static int
begin_test(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/publisher_test.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(metrics, sizeof metrics, "%s/public/m.prom", folder);
	snprintf(log_path, sizeof log_path, "%s/log", folder);
	config.metrics_file = metrics;
	pool = workers_new(1, NULL);
	publisher_init(&publisher, pool);
	saved_stderr = dup(STDERR_FILENO);
	int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDERR_FILENO);
	return close(fd);
}

static int
end_test(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	workers_free(pool);
	if (lock >= 0)
		close(lock);
	lock = -1;
	remove_tree(folder);
	return 0;
}

static void
make_public_folder(void)
{
	char path[100];

	snprintf(path, sizeof path, "%s/public", folder);
	assert_int_equal(mkdir(path, 0755), 0);
}

static const char *
written(void)
{
	return read_text_file(metrics);
}

static size_t
count_in_log(const char *words)
{
	const char *at = read_text_file(log_path);
	size_t count = 0;

	while ((at = strstr(at, words)) != NULL) {
		count++;
		at++;
	}
	return count;
}

static void
add_session(enum session_outcome outcome)
{
	struct session_result result = {.outcome = outcome,
	    .started = 1717236000000,
	    .ended = 1717236001000};
	struct history history;
	struct error err;

	assert_true(status_file_read(folder, "office", &history, &err));
	history_add(&history, &result);
	assert_true(status_file_write(folder, "office", &history, &err));
	history_clear(&history);
}

/* As the loops of `run` and `fetch` wait; false: for ever. */
static bool
wait_once(void)
{
	int64_t until = publisher_run(&publisher, &config);
	struct workers_event event;

	if (until == INT64_MAX && !publisher.busy)
		return false;
	assert_int_equal(
	    workers_wait(pool, until, NULL, 0, &event), WORKERS_OVER);
	return true;
}

static void
finish(void)
{
	while (!publisher_finish(&publisher, &config))
		assert_true(wait_once());
}

/* Until the process is under way, and waits for this lock. */
static void
hold(void)
{
	struct error err;

	lock = lock_take(folder, "metrics:", "", NULL, &err);
	assert_true(lock >= 0);
	workers_keep_private(pool, lock);
	while (workers_published(pool) != WORKERS_PUBLISHING)
		if (publisher_run(&publisher, &config) != INT64_MAX)
			usleep(10000);
}

static void
let_go(void)
{
	assert_int_equal(flock(lock, LOCK_UN), 0);
}

static void
nothing_is_written_where_nothing_changed(void **state)
{
	(void)state;
	make_public_folder();
	assert_int_equal(publisher_run(&publisher, &config), INT64_MAX);
	assert_true(publisher_finish(&publisher, &config));
	assert_string_equal(written(), "");
}

static void
nothing_is_written_that_nobody_wants(void **state)
{
	(void)state;
	config.metrics_file = NULL;
	publisher_change(&publisher);
	assert_true(publisher_finish(&publisher, &config));
	assert_int_equal(publisher_run(&publisher, &config), INT64_MAX);
	assert_int_equal(workers_published(pool), WORKERS_PUBLISHED);
}

static void
many_changes_are_written_once(void **state)
{
	(void)state;
	make_public_folder();
	for (int i = 0; i < 100; i++) {
		add_session(SESSION_MAIL);
		publisher_change(&publisher);
	}
	assert_true(publisher.due <= clock_ms() + 1000);
	while (wait_once())
		;
	assert_non_null(strstr(written(), "result=\"mail\"} 100\n"));
	/* And nobody is woken any more. */
	assert_int_equal(publisher_run(&publisher, &config), INT64_MAX);
	assert_int_equal(unlink(metrics), 0);
	finish();
	assert_string_equal(written(), "");
}

static void
the_last_change_is_written_at_the_end(void **state)
{
	(void)state;
	make_public_folder();
	add_session(SESSION_MAIL);
	publisher_change(&publisher);
	hold();
	/* It may have been read already. */
	add_session(SESSION_MAIL);
	publisher_change(&publisher);
	let_go();
	finish();
	assert_non_null(strstr(written(), "result=\"mail\"} 2\n"));
	assert_int_equal(workers_running(pool), 0);
}

static void
writing_rests_for_longer_than_it_took(void **state)
{
	(void)state;
	make_public_folder();
	publisher_change(&publisher);
	hold();
	publisher_change(&publisher);
	int64_t begun = publisher.begun;
	usleep(200000);
	let_go();
	assert_true(wait_once());
	publisher_run(&publisher, &config);
	int64_t took = publisher.not_before - begun;
	assert_true(publisher.begun == begun);
	assert_in_range(took, 200 + 19 * 200, 1 << 20);
	finish(); /* it does not wait for that */
}

static void
a_failure_is_told_once_and_mended_later(void **state)
{
	(void)state;
	add_session(SESSION_MAIL);
	publisher_change(&publisher);
	while (workers_published(pool) != WORKERS_NOT_PUBLISHED)
		assert_true(wait_once());
	int64_t again = publisher_run(&publisher, &config);
	assert_in_range(again, clock_ms() - 1, clock_ms() + 60000);
	publisher.due = publisher.not_before = 0; /* a minute later */
	assert_true(wait_once());
	assert_int_equal(workers_published(pool), WORKERS_NOT_PUBLISHED);
	assert_int_equal(count_in_log("warning metrics: "), 1);
	make_public_folder();
	finish();
	assert_non_null(strstr(written(), "result=\"mail\"} 1\n"));
	assert_int_equal(count_in_log("warning"), 1);
}

static void
kill_child(void)
{
	char path[64];
	int pid = 0;

	snprintf(
	    path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	kill(pid, SIGKILL);
}

static void
a_process_that_dies_is_told_and_followed_by_another(void **state)
{
	(void)state;
	make_public_folder();
	add_session(SESSION_MAIL);
	publisher_change(&publisher);
	hold();
	kill_child();
	assert_true(wait_once());
	let_go();
	assert_int_equal(workers_published(pool), WORKERS_PUBLISHER_LOST);
	finish();
	assert_int_equal(count_in_log("warning publish: "), 1);
	assert_non_null(strstr(written(), "result=\"mail\"} 1\n"));
}

static void
it_takes_no_place_of_a_session(void **state)
{
	(void)state;
	make_public_folder();
	publisher_change(&publisher);
	hold();
	assert_false(workers_full(pool));
	assert_int_equal(workers_running(pool), 0);
	workers_stop(pool); /* no signal ends it */
	let_go();
	finish();
	assert_string_not_equal(written(), "");
}

static void
only_what_changes_the_files_counts(void **state)
{
	static const struct {
		const char *name;
		bool ended;
		enum error_class class;
		int64_t listening, before;
		bool expected;
	} rows[] = {
	    {"the end", true, ERROR_NONE, 0, 0, true},
	    {"a failure", true, ERROR_AUTH, 0, 0, true},
	    {"stopped", true, ERROR_STOPPED, 0, 0, true},
	    {"of another process", true, ERROR_BUSY, 0, 0, false},
	    {"progress", false, ERROR_NONE, 0, 0, false},
	    {"it listens now", false, ERROR_NONE, 5, 0, true},
	    {"it listens still", false, ERROR_NONE, 5, 5, false},
	    {"it got mail", false, ERROR_NONE, 0, 5, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct workers_event event = {.ended = rows[i].ended};
		event.result.error.class = rows[i].class;
		event.result.listening = rows[i].listening;
		publisher_init(&publisher, pool);
		publisher_note(&publisher, &event, rows[i].before);
		if ((publisher.due != INT64_MAX) != rows[i].expected)
			fail_msg("%s", rows[i].name);
	}
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin_test, end_test)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(nothing_is_written_where_nothing_changed),
	    EACH(nothing_is_written_that_nobody_wants),
	    EACH(many_changes_are_written_once),
	    EACH(the_last_change_is_written_at_the_end),
	    EACH(writing_rests_for_longer_than_it_took),
	    EACH(a_failure_is_told_once_and_mended_later),
	    EACH(a_process_that_dies_is_told_and_followed_by_another),
	    EACH(it_takes_no_place_of_a_session),
	    EACH(only_what_changes_the_files_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
