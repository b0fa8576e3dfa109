/* SPDX-License-Identifier: ISC */
#include "run/scheduler.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "config/config.h"
#include "read_text.h"
#include "record/history.h"
#include "record/lock.h"
#include "record/status_file.h"
#include "remove_tree.h"
#include "tell/log.h"

/* Under valgrind on a busy machine a fork alone takes seconds. */
enum { WAIT_MS = 180000, ACCOUNTS = 1000, TEXT_MAX = 1 << 20 };

static char folder[64];
static int notify_fd = -1;
static pid_t scheduler = -1;

static const char *
in_folder(const char *name)
{
	static char path[100];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static int
make_folder(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/scheduler_test.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(address.sun_path, sizeof address.sun_path, "%s",
	    in_folder("notify"));
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("TZ", "UTC0", 1);
	tzset();
	return bind(
	    notify_fd, (const struct sockaddr *)&address, sizeof address);
}

static int
remove_folder(void **state)
{
	(void)state;
	if (scheduler > 0) {
		kill(scheduler, SIGKILL);
		waitpid(scheduler, NULL, 0);
	}
	scheduler = -1;
	close(notify_fd);
	remove_tree(folder);
	return 0;
}

/* A session that notes its account in the file `calls`, one line each, and
 * ends as the file `result` says. */
static void
fake_session(const struct config *config, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	struct history history;
	struct error err;
	int fd = open(in_folder("calls"), O_WRONLY | O_CREAT | O_APPEND, 0600);

	dprintf(fd, "%s%s\n", account->name, options->named ? " named" : "");
	close(fd);
	result->outcome = SESSION_NO_MAIL;
	result->started = result->ended = clock_unix_ms();
	if (access(in_folder("refuse"), F_OK) == 0) {
		result->outcome = SESSION_FAILED;
		error_set(&result->error, ERROR_AUTH, "535 no");
		result->exit_status = error_exit_status(ERROR_AUTH);
	}
	if (access(in_folder("wait"), F_OK) == 0) {
		struct deadline deadline = deadline_in(WAIT_MS, 0);
		(void)deadline_wait(&deadline, -1, 0);
	}
	(void)!status_file_read(
	    config->state_dir, account->name, &history, &err);
	(void)!status_file_record(
	    config->state_dir, account->name, &history, result, "", &err);
	history_clear(&history);
}

static void
write_config(const char *accounts)
{
	FILE *file = fopen(in_folder("config"), "w");

	assert_non_null(file);
	fprintf(file,
	    "hostname: a.example.org\n"
	    "state_dir: %s\n"
	    "max_sessions: 2\n"
	    "defaults: {provider: odmr.example.net, user: me, password: x, "
	    "domains: example.org, jitter: 0s, every: 1h}\n"
	    "deliveries: {local: {lmtp: /run/lmtp}}\n"
	    "accounts:\n%s",
	    folder, accounts);
	fclose(file);
}

static int
run_here(void)
{
	/* in_folder() has one buffer. */
	char *path = strdup(in_folder("config"));
	struct config *config;
	struct scheduler_options options = {
	    .config = &config, .config_path = path, .run = fake_session};
	int fd = open(in_folder("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

	dup2(fd, STDERR_FILENO);
	close(fd);
	config = config_load(path);
	for (size_t i = 0; i < config->messages_count; i++)
		fprintf(stderr, "%s\n", config->messages[i].text);
	if (config->faults > 0)
		return EX_CONFIG;
	return scheduler_run(&options);
}

static void
start(void)
{
	scheduler = fork();
	if (scheduler == 0)
		_exit(run_here());
}

static int
exit_status(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
end_scheduler(void)
{
	kill(scheduler, SIGTERM);
	assert_int_equal(exit_status(scheduler), EX_OK);
	scheduler = -1;
}

static char *
read_text(const char *name)
{
	return read_text_file(in_folder(name));
}

/* Waits for a message to systemd that begins so. */
static void
expect(const char *expected)
{
	struct deadline deadline = deadline_in(WAIT_MS, 0);
	char text[1024];

	for (;;) {
		if (deadline_wait(&deadline, notify_fd, POLLIN) !=
		    DEADLINE_READY)
			fail_msg("no %s; log:\n%s", expected, read_text("log"));
		ssize_t got = recv(notify_fd, text, sizeof text - 1, 0);
		assert_true(got >= 0);
		text[got] = '\0';
		if (strncmp(text, expected, strlen(expected)) == 0)
			return;
	}
}

static size_t
count_lines(const char *name, const char *line)
{
	size_t count = 0, len = strlen(line);

	for (char *at = read_text(name); *at != '\0';) {
		char *end = strchr(at, '\n');
		if (end == NULL)
			break;
		if ((size_t)(end - at) == len && memcmp(at, line, len) == 0)
			count++;
		at = end + 1;
	}
	return count;
}

/* Sessions report in their own time. */
static void
await_lines(const char *name, const char *line, size_t count)
{
	struct deadline deadline = deadline_in(WAIT_MS, 0);

	while (count_lines(name, line) < count) {
		struct deadline look_again = deadline_in(10, 0);
		assert_true(deadline_left(&deadline) > 0);
		(void)deadline_wait(&look_again, -1, 0);
	}
}

static void
await_line(const char *name, const char *line)
{
	await_lines(name, line, 1);
}

static void
everything_is_fetched_at_the_start(void **state)
{
	(void)state;
	write_config("  one: {}\n  two: {}\n  off: {enabled: no}\n");
	start();
	expect("READY=1");
	expect("STATUS=next: ");
	end_scheduler();
	expect("STOPPING=1");
	assert_int_equal(count_lines("calls", "one"), 1);
	assert_int_equal(count_lines("calls", "two"), 1);
	assert_int_equal(count_lines("calls", "off"), 0);
}

static void
the_next_session_is_in_the_status_file(void **state)
{
	struct history history;
	struct error err;

	(void)state;
	write_config("  one: {}\n");
	int64_t before = clock_unix_ms();
	start();
	expect("STATUS=next: one");
	int64_t after = clock_unix_ms();
	end_scheduler();
	assert_true(status_file_read(folder, "one", &history, &err));
	assert_true(history.any);
	/* An hour from its begin; whole seconds are in the file. */
	assert_in_range(history.next, before + 3599000, after + 3601000);
	history_clear(&history);
}

static void
sigusr1_fetches_what_is_on_hold(void **state)
{
	(void)state;
	write_config("  one: {}\n  two: {}\n");
	assert_int_equal(mkdir(in_folder("refuse"), 0700), 0);
	start();
	await_line("calls", "one");
	await_line("calls", "two");
	expect("STATUS=next: ");
	kill(scheduler, SIGUSR1);
	await_line("calls", "one named");
	await_line("calls", "two named");
	end_scheduler();
	assert_int_equal(count_lines("calls", "one"), 1);
	assert_int_equal(count_lines("calls", "one named"), 1);
	assert_int_equal(count_lines("calls", "two named"), 1);
	/* And the hold is there after a restart. */
	start();
	expect("READY=1"); /* what the first one said last may still be there */
	expect("STATUS=next: ");
	end_scheduler();
	assert_int_equal(count_lines("calls", "one"), 1);
}

static void
sighup_reads_the_configuration_again(void **state)
{
	(void)state;
	write_config("  one: {}\n");
	start();
	expect("STATUS=next: one");
	write_config("  one: {}\n  two: {}\n");
	kill(scheduler, SIGHUP);
	expect("RELOADING=1");
	expect("READY=1");
	expect("STATUS=fetching two");
	expect("STATUS=next: ");
	assert_int_equal(count_lines("calls", "one"), 1);
	assert_int_equal(count_lines("calls", "two"), 1);

	write_config("  two: {}\n");
	kill(scheduler, SIGHUP);
	expect("RELOADING=1");
	expect("STATUS=next: two");
	end_scheduler();
}

static void
a_faulty_configuration_is_not_taken(void **state)
{
	(void)state;
	write_config("  one: {}\n");
	start();
	expect("STATUS=next: one");
	write_config("  two: {evry: 5m}\n");
	kill(scheduler, SIGHUP);
	expect("RELOADING=1");
	expect("READY=1");
	assert_non_null(strstr(read_text("log"), "evry"));
	assert_non_null(
	    strstr(read_text("log"), "the configuration stays as it was"));
	unlink(in_folder("config"));
	kill(scheduler, SIGHUP);
	expect("RELOADING=1");
	expect("READY=1");
	kill(scheduler, SIGUSR1);
	expect("STATUS=fetching one");
	expect("STATUS=next: one");
	end_scheduler();
}

static void
a_second_one_ends(void **state)
{
	(void)state;
	write_config("  one: {}\n");
	start();
	expect("STATUS=next: one");
	pid_t second = fork();
	if (second == 0)
		_exit(run_here());
	assert_int_equal(exit_status(second), EX_TEMPFAIL);
	assert_non_null(strstr(
	    read_text("log"), "another `odmr-agent run` uses state_dir"));
	end_scheduler();
}

static void
sigterm_ends_the_sessions(void **state)
{
	(void)state;
	/* Of one user at one provider only one would run. */
	write_config("  one: {user: a}\n  two: {user: b}\n"
		     "  three: {user: c}\n");
	assert_int_equal(mkdir(in_folder("wait"), 0700), 0);
	start();
	expect("STATUS=fetching 2 accounts");
	end_scheduler();
}

/* Three of one user at a provider and one of another, with two places. */
static const char neighbours[] = "  one: {}\n  two: {}\n  three: {}\n"
				 "  other: {user: other}\n";

static void
who_would_wait_for_a_provider_takes_no_place(void **state)
{
	(void)state;
	write_config(neighbours);
	assert_int_equal(mkdir(in_folder("wait"), 0700), 0);
	start();
	await_line("calls", "one");
	await_line("calls", "other");
	end_scheduler();
	assert_int_equal(count_lines("calls", "two"), 0);
	assert_int_equal(count_lines("calls", "three"), 0);
}

/* A process of its own, which has the lock of the provider as a `fetch` has. It
 * tells so by itself: whoever asks takes the lock for a moment. */
static pid_t
start_holder(void)
{
	static const struct config_account account = {
	    .provider = {.host = "odmr.example.net", .port = 366},
	    .user = "me"};
	char name[LOCK_NAME_MAX], byte = 0;
	struct error err;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		lock_provider_name(name, &account);
		if (lock_take(folder, name, "", NULL, &err) >= 0 &&
		    write(ends[1], &byte, 1) == 1)
			pause();
		_exit(EX_SOFTWARE);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	assert_true(lock_provider_is_held(folder, &account));
	return pid;
}

/* Nobody tells `run` of its end. */
static void
who_would_wait_for_another_process_takes_no_place(void **state)
{
	(void)state;
	write_config(neighbours);
	pid_t holder = start_holder();
	start();
	await_line("calls", "other");
	expect("STATUS=next: ");
	assert_int_equal(count_lines("calls", "one"), 0);
	kill(holder, SIGKILL);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	await_line("calls", "one");
	await_line("calls", "two");
	await_line("calls", "three");
	end_scheduler();
}

/* As one that was halted at a terminal: nothing else would ever tell of it. */
static void
who_waits_for_another_process_is_started_in_the_end(void **state)
{
	(void)state;
	write_config("  one: {session_timeout: 1s}\n  two: {every: 1h}\n");
	pid_t holder = start_holder();
	start();
	await_line("calls", "one");
	assert_int_equal(count_lines("calls", "two"), 0);
	kill(holder, SIGKILL);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	await_line("calls", "two");
	end_scheduler();
}

/* None of them gets its turn at the expense of the others. */
static void
accounts_of_one_provider_take_turns(void **state)
{
	static const char *const names[] = {"one", "two", "three"};

	(void)state;
	write_config("  one: {every: 1s}\n  two: {every: 1s}\n"
		     "  three: {every: 1s}\n  other: {user: other}\n");
	start();
	for (size_t rounds = 0; rounds < 4; rounds++)
		for (size_t i = 0; i < 3; i++)
			await_lines("calls", names[i], rounds + 1);
	end_scheduler();
	size_t least = SIZE_MAX, most = 0;
	for (size_t i = 0; i < 3; i++) {
		size_t count = count_lines("calls", names[i]);
		least = count < least ? count : least;
		most = count > most ? count : most;
	}
	/* However many there were before it was told to end. */
	assert_in_range(most - least, 0, 2);
}

/* VmRSS of the scheduler in kB. */
static long
resident(void)
{
	char path[64], line[256];
	long kilobytes = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)scheduler);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kilobytes = strtol(line + 6, NULL, 10);
	fclose(file);
	return kilobytes;
}

static long
measure(size_t accounts)
{
	struct buf text;

	/* No session: memory of the parent alone. */
	buf_init(&text, TEXT_MAX);
	for (size_t i = 0; i < accounts; i++)
		assert_true(buf_printf(&text,
		    "  a%04zu: {schedule: {days: %s, at: \"03:00\"}}\n", i,
		    (time(NULL) / 86400 + 4) % 7 < 3 ? "fri" : "mon"));
	assert_true(buf_append(&text, "", 1));
	write_config(buf_data(&text));
	buf_clear(&text);
	start();
	expect("STATUS=next: a");
	long kilobytes = resident();
	end_scheduler();
	return kilobytes;
}

static void
a_thousand_accounts_fit(void **state)
{
	(void)state;
#if defined __SANITIZE_ADDRESS__
	skip();
#endif
	/* valgrind's own books grow with every block (see test/unit/run). */
	if (getenv("UNIT_WRAPPER") != NULL && *getenv("UNIT_WRAPPER") != '\0')
		skip();
	long one = measure(1), thousand = measure(ACCOUNTS);
	print_message("%ld kB, %ld kB\n", one, thousand);
	assert_in_range(thousand - one, 0, 4 * ACCOUNTS);
}

#define EACH(test)                                                             \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(everything_is_fetched_at_the_start),
	    EACH(the_next_session_is_in_the_status_file),
	    EACH(sigusr1_fetches_what_is_on_hold),
	    EACH(sighup_reads_the_configuration_again),
	    EACH(a_faulty_configuration_is_not_taken),
	    EACH(a_second_one_ends),
	    EACH(sigterm_ends_the_sessions),
	    EACH(who_would_wait_for_a_provider_takes_no_place),
	    EACH(who_would_wait_for_another_process_takes_no_place),
	    EACH(who_waits_for_another_process_is_started_in_the_end),
	    EACH(accounts_of_one_provider_take_turns),
	    EACH(a_thousand_accounts_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
