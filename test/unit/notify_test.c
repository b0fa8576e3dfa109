/* SPDX-License-Identifier: ISC */
#include "tell/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MANY = 2000, /* more than any queue takes */
	PATIENCE = 12, /* times what notify_send() waits */
};

static int
listen_at(const struct sockaddr_un *address, size_t path_len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len);

	assert_int_equal(bind(fd, (const struct sockaddr *)address, len), 0);
	return fd;
}

static void
assert_heard(int fd, const char *expected)
{
	char text[1024];
	ssize_t got = recv(fd, text, sizeof text - 1, 0);

	assert_true(got >= 0);
	text[got] = '\0';
	assert_string_equal(text, expected);
}

static void
a_socket_in_a_folder_is_told(void **state)
{
	char folder[] = "/tmp/notify_test.XXXXXX";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[1024];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
	int fd = listen_at(&address, strlen(address.sun_path) + 1);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	notify_send("READY=1");
	assert_heard(fd, "READY=1");
	notify_status("next: office at 14:00");
	assert_heard(fd, "STATUS=next: office at 14:00");
	notify_reloading();
	ssize_t got = recv(fd, text, sizeof text - 1, 0);
	assert_true(got > 0);
	assert_memory_equal(text, "RELOADING=1\nMONOTONIC_USEC=", 27);
	close(fd);
	unlink(address.sun_path);
	rmdir(folder);
	notify_send("READY=1"); /* nobody is there */
}

/* Whether a process waits, or has ended. */
static bool
rests(pid_t pid)
{
	char path[64], text[256];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t got = read(fd, text, sizeof text - 1);
	close(fd);
	assert_true(got > 0);
	text[got] = '\0';
	const char *name_end = strrchr(text, ')');
	assert_non_null(name_end);
	return strchr("SZ", name_end[2]) != NULL;
}

/* Many services speak to one manager: what it waits for must reach it. */
static void
a_busy_manager_is_waited_for(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64], text[1024], word;
	bool ready = false;
	int begun[2];

	(void)state;
	snprintf(name, sizeof name, "@notify_busy.%d", (int)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	int fd = listen_at(&address, strlen(name));
	setenv("NOTIFY_SOCKET", name, 1);
	for (int i = 0; i < MANY; i++)
		notify_status("until there is no room");
	notify_alive();
	assert_int_equal(pipe(begun), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (write(begun[1], "x", 1) != 1)
			_exit(1);
		/* Again, for one who cannot read before our wait is over. */
		for (int i = 0; i < PATIENCE; i++)
			notify_send("READY=1");
		_exit(0);
	}
	assert_int_equal(read(begun[0], &word, 1), 1);
	while (!rests(pid))
		poll(NULL, 0, 1);
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	while (!ready && poll(&readable, 1, 1000) == 1) {
		ssize_t got = recv(fd, text, sizeof text - 1, 0);
		assert_true(got > 0);
		text[got] = '\0';
		ready = strcmp(text, "READY=1") == 0;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(begun[0]);
	close(begun[1]);
	close(fd);
	assert_true(ready);
}

static void
an_abstract_socket_is_told(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];

	(void)state;
	snprintf(name, sizeof name, "@notify_test.%d", (int)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	int fd = listen_at(&address, strlen(name));
	setenv("NOTIFY_SOCKET", name, 1);
	notify_alive();
	assert_heard(fd, "WATCHDOG=1");
	close(fd);
}

static void
nobody_to_tell_is_no_fault(void **state)
{
	static const char *const names[] = {
	    "", "@", "/", "relative", "vsock:2:1", "/nonexistent/socket"};
	char longest[300];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		notify_send("READY=1");
	}
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	longest[0] = '/';
	setenv("NOTIFY_SOCKET", longest, 1);
	notify_send("READY=1");
}

static void
the_watchdog_has_half_its_time(void **state)
{
	static const struct {
		const char *usec, *pid;
		int64_t expected;
	} rows[] = {
	    {NULL, NULL, 0},
	    {"30000000", NULL, 15000},
	    {"30000000", "1", 0},
	    {"odd", NULL, 0},
	    {"-5", NULL, 0},
	    {"99999999999999999999", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (rows[i].usec != NULL)
			setenv("WATCHDOG_USEC", rows[i].usec, 1);
		if (rows[i].pid != NULL)
			setenv("WATCHDOG_PID", rows[i].pid, 1);
		assert_int_equal(notify_watchdog(), rows[i].expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_socket_in_a_folder_is_told),
	    cmocka_unit_test(a_busy_manager_is_waited_for),
	    cmocka_unit_test(an_abstract_socket_is_told),
	    cmocka_unit_test(nobody_to_tell_is_no_fault),
	    cmocka_unit_test(the_watchdog_has_half_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
