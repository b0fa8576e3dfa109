/* SPDX-License-Identifier: ISC */
#include "tell/followup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/spawn.h"
#include "base/stop.h"
#include "config/config.h"
#include "read_text.h"
#include "record/history.h"
#include "record/lock.h"
#include "record/status_file.h"
#include "remove_tree.h"
#include "session/session.h"
#include "tell/online.h"
#include "tell/ping.h"
#include "tell/publish.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static char folder[64];
static char paths[8][128];

static const char *
in_folder(size_t slot, const char *name)
{
	snprintf(paths[slot], sizeof paths[slot], "%s/%s", folder, name);
	return paths[slot];
}

static int
make_folder(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	snprintf(folder, sizeof folder, "/tmp/followup_test.XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
remove_folder(void **state)
{
	(void)state;
	remove_tree(folder);
	return 0;
}

static const char *
read_text(const char *name)
{
	return read_text_file(in_folder(7, name));
}

/* followup_alarm() of this program would become another user. */
static void
followup_in_child(
    const struct config *config, const struct session_result *result)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(
		    in_folder(7, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, STDERR_FILENO);
		bool failing =
		    followup_alarm(config, &config->accounts[0], result, false);
		followup_session(&config->accounts[0], result, failing);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* argv of a shell that writes what the environment says to a file. */
static struct config_texts
shell(const char *argv[static 4], const char *script)
{
	argv[0] = "/bin/sh";
	argv[1] = "-c";
	argv[2] = script;
	argv[3] = NULL;
	return (struct config_texts){.items = argv, .count = 3};
}

static void
mail_is_followed_by_its_command(void **state)
{
	struct config_account account = {.name = "office", .enabled = true};
	struct config config = {
	    .state_dir = folder, .accounts = &account, .accounts_count = 1};
	struct session_result result = {.outcome = SESSION_MAIL, .messages = 3};
	const char *mail[4];
	char script[256];

	(void)state;
	snprintf(script, sizeof script,
	    "echo \"$ODMR_ACCOUNT $ODMR_MESSAGES\" >>%s/mail;"
	    " echo 'it \033[31mbroke' >&2; exit 3",
	    folder);
	account.after_mail_command = shell(mail, script);
	followup_in_child(&config, &result);
	assert_string_equal(read_text("mail"), "office 3\n");
	assert_non_null(strstr(read_text("log"),
	    "after_mail_command exited with status 3: it \\x1b[31mbroke"));

	result = (struct session_result){.outcome = SESSION_NO_MAIL};
	followup_in_child(&config, &result);
	assert_string_equal(read_text("mail"), "office 3\n");
}

/* One session in a process of its own, as online_prepare() wants it. */
static void
session_in_child(const struct config_account *account, bool reached)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct online online;
		int private = open("/dev/null", O_RDONLY | O_CLOEXEC);
		stop_install();
		online_prepare(&online, account, private);
		for (int i = 0; reached && i < 2; i++)
			online_start(&online);
		online_wait(&online);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
online_command_runs_once_where_the_provider_was_reached(void **state)
{
	struct config_account account = {.name = "office"};
	const char *online[4];
	char script[256];

	(void)state;
	session_in_child(&account, true); /* there is none */
	snprintf(script, sizeof script,
	    "echo \"$ODMR_ACCOUNT$ODMR_MESSAGES\" >>%s/online", folder);
	account.online_command = shell(online, script);
	session_in_child(&account, false);
	assert_string_equal(read_text("online"), "");
	session_in_child(&account, true);
	assert_string_equal(read_text("online"), "office\n");
}

static void
an_alarm_is_raised_once_a_day(void **state)
{
	struct config_account account = {.name = "office",
	    .enabled = true,
	    .every = 300000,
	    .alarm_after = DAY_MS};
	struct config config = {
	    .state_dir = folder, .accounts = &account, .accounts_count = 1};
	int64_t now = clock_unix_ms();
	struct session_result result = {.outcome = SESSION_FAILED,
	    .started = now - 2 * (int64_t)DAY_MS,
	    .ended = now - 2 * (int64_t)DAY_MS};
	char command[256];
	struct history history;
	struct error err;

	(void)state;
	snprintf(command, sizeof command,
	    "echo \"$ODMR_ACCOUNT: $ODMR_LAST_ERROR\" >>%s/alarm", folder);
	account.alarm_command = command;
	error_set(&result.error, ERROR_AGAIN, "no connection \x1b[31m");
	history_init(&history);
	history_add(&history, &result);
	assert_true(status_file_write(folder, "office", &history, &err));
	for (int i = 0; i < 2; i++)
		followup_in_child(&config, &result);
	assert_string_equal(
	    read_text("alarm"), "office: no connection ?[31m\n");
	const char *log = strstr(read_text("log"), "no session has succeeded");
	assert_non_null(log);
	assert_null(strstr(log + 1, "no session has succeeded"));

	history_alarms_note(&history.alarms, "failing", now - DAY_MS, false);
	assert_true(status_file_write(folder, "office", &history, &err));
	followup_in_child(&config, &result);
	assert_string_equal(read_text("alarm"),
	    "office: no connection ?[31m\noffice: no connection ?[31m\n");
	history_clear(&history);
}

/* `fetch` that waited for new mail when it was halted at a terminal says so for
 * ever, and no session comes about. */
static void
who_listens_too_long_keeps_no_alarm_away(void **state)
{
	struct config_account account = {.name = "office",
	    .enabled = true,
	    .every = 300000,
	    .alarm_after = DAY_MS,
	    .provider_timeout = 600000,
	    .session_timeout = 7200000};
	struct config config = {
	    .state_dir = folder, .accounts = &account, .accounts_count = 1};
	int64_t now = clock_unix_ms(), before = now - 3 * (int64_t)DAY_MS;
	struct timespec long_ago[2] = {
	    {.tv_sec = before / 1000}, {.tv_sec = before / 1000}};
	struct session_result result = {
	    .outcome = SESSION_FAILED, .started = before, .ended = before};
	struct history history;
	struct error err;

	(void)state;
	error_set(&result.error, ERROR_AGAIN, "no connection");
	history_init(&history);
	history_add(&history, &result);
	int lock = lock_account(folder, "office", NULL, &err);
	assert_true(lock >= 0);
	assert_int_equal(futimens(lock, long_ago), 0);
	error_set(&result.error, ERROR_BUSY, "another process");
	history.listening = now - 300000;
	assert_true(status_file_write(folder, "office", &history, &err));
	followup_in_child(&config, &result);
	assert_null(strstr(read_text("log"), "no session has succeeded"));
	history.listening = before;
	assert_true(status_file_write(folder, "office", &history, &err));
	followup_in_child(&config, &result);
	assert_non_null(strstr(read_text("log"), "no session has succeeded"));
	history_clear(&history);
	close(lock);
}

static void
metrics_are_as_prometheus_wants(void **state)
{
	struct config_account accounts[] = {
	    {.name = "office", .enabled = true}, {.name = "b-2.x"}};
	struct config config = {
	    .state_dir = folder,
	    .accounts = accounts,
	    .accounts_count = 2,
	};
	struct session_result result = {.outcome = SESSION_MAIL,
	    .messages = 3,
	    .bytes = 12345,
	    .started = 1717236000000,
	    .ended = 1717236001000,
	    .elapsed = 1000};
	const char *argv[] = {"/usr/bin/promtool", "check", "metrics", NULL};
	const char *env[] = {NULL};
	struct deadline deadline = deadline_in(60000, 0);
	struct spawn_result ended;
	struct history history;
	struct error err;
	struct buf said;
	struct stat st;

	(void)state;
	history_init(&history);
	history_add(&history, &result);
	assert_true(status_file_write(folder, "office", &history, &err));
	history_clear(&history);
	config.metrics_file = in_folder(0, "m.prom");
	assert_true(publish_files(&config, false));
	const char *text = read_text("m.prom");
	assert_non_null(strstr(text,
	    "odmr_agent_last_mail_timestamp_seconds{account=\"office\"} "
	    "1717236001\n"));
	assert_non_null(strstr(text,
	    "odmr_agent_sessions_total{account=\"office\",result=\"mail\"} 1"));
	assert_non_null(
	    strstr(text, "odmr_agent_messages_total{account=\"b-2.x\"} 0\n"));
	assert_int_equal(stat(config.metrics_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);

	if (access(argv[0], X_OK) != 0)
		skip();
	buf_init(&said, 4096);
	struct spawn_options options = {.argv = argv,
	    .env = env,
	    .input = open(config.metrics_file, O_RDONLY | O_CLOEXEC),
	    .output = &said,
	    .errors = &said};
	spawn_run(&options, &deadline, &ended);
	close(options.input);
	if (ended.end != SPAWN_EXITED || ended.code != 0)
		fail_msg("%.*s", (int)buf_len(&said), buf_data(&said));
	buf_clear(&said);
}

static void
pings_have_their_place_in_the_url(void **state)
{
	static const struct {
		const char *url;
		enum ping ping;
		const char *expected;
	} rows[] = {
	    {"https://hc.example/u", PING_START, "https://hc.example/u/start"},
	    {"https://hc.example/u", PING_SUCCESS, "https://hc.example/u"},
	    {"https://hc.example/u", PING_FAIL, "https://hc.example/u/fail"},
	    {"https://hc.example/u/", PING_FAIL, "https://hc.example/u/fail"},
	    {"https://hc.example/u/", PING_SUCCESS, "https://hc.example/u/"},
	    {"https://hc.example/u?a=b/", PING_FAIL,
		"https://hc.example/u/fail?a=b/"},
	    {"https://hc.example/u?a=b/", PING_SUCCESS,
		"https://hc.example/u?a=b/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *url = ping_url(rows[i].url, rows[i].ping);
		assert_string_equal(url, rows[i].expected);
		free(url);
	}
}

/* Takes one connection, gives the request line and answers. */
static const char *
serve_one(int listener, const char *answer)
{
	static char request[1024];
	int fd = accept(listener, NULL, NULL);

	assert_true(fd >= 0);
	ssize_t got = recv(fd, request, sizeof request - 1, 0);
	assert_true(got > 0);
	request[got] = '\0';
	request[strcspn(request, "\r")] = '\0';
	assert_int_equal(send(fd, answer, strlen(answer), 0), strlen(answer));
	close(fd);
	return request;
}

static void
a_ping_is_sent_aside(void **state)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	struct timeval limit = {.tv_sec = 120};
	struct config_account account = {.name = "office"};
	char url[64];

	(void)state;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	getsockname(listener, (struct sockaddr *)&address, &len);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/secret",
	    ntohs(address.sin_port));
	secret_set(&account.ping_url, url, strlen(url));

	int saved = dup(STDERR_FILENO);
	int log =
	    open(in_folder(7, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDERR_FILENO);
	pid_t aside = ping_send_aside(&account, PING_START, log);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(log);
	assert_string_equal(
	    serve_one(listener, "HTTP/1.1 404 no\r\nContent-Length: 0\r\n"
				"Connection: close\r\n\r\n"),
	    "GET /secret/start HTTP/1.1");
	ping_wait(aside);
	assert_non_null(
	    strstr(read_text("log"), "ping_url answers with status 404"));
	assert_null(strstr(read_text("log"), "secret"));
	close(listener);
	secret_clear(&account.ping_url);
}

#define EACH(test)                                                             \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(mail_is_followed_by_its_command),
	    EACH(online_command_runs_once_where_the_provider_was_reached),
	    EACH(an_alarm_is_raised_once_a_day),
	    EACH(who_listens_too_long_keeps_no_alarm_away),
	    EACH(metrics_are_as_prometheus_wants),
	    EACH(pings_have_their_place_in_the_url),
	    EACH(a_ping_is_sent_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
