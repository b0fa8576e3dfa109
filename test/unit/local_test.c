/* SPDX-License-Identifier: ISC */
#include "net/local.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/stop.h"

enum {
	LONG_MS = 120000, /* more than any of this takes */
	SHORT_MS = 100, /* for waits that are meant to end */
	NOBODY = 65534,
};

static char folder[64], path[96];

static int
make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/odmr-local-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(path, sizeof path, "%s/lmtp", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static int
listen_on_path(int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	unlink(path);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static int
open_it(const char *place, uint16_t port, int64_t ms, struct error *err)
{
	struct deadline deadline = deadline_in(ms, 0);

	*err = (struct error){.text = ""};
	return local_open(place, port, &deadline, err);
}

static void
unix_socket(void **state)
{
	struct error err;
	int listener = listen_on_path(1);
	int fd = open_it(path, 0, LONG_MS, &err);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	close(listener);
}

static void
failures(void **state)
{
	static const char longest[] =
	    "/run/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x"
	    "/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x";
	struct error err;

	(void)state;
	close(listen_on_path(1));
	assert_int_equal(open_it(path, 0, LONG_MS, &err), -1);
	assert_int_equal(err.class, ERROR_LOCAL);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, ": Connection refused"));
	unlink(path);
	assert_int_equal(open_it(path, 0, LONG_MS, &err), -1);
	assert_int_equal(err.class, ERROR_LOCAL);
	assert_non_null(strstr(err.text, ": No such file or directory"));
	assert_int_equal(open_it(longest, 0, LONG_MS, &err), -1);
	assert_int_equal(err.class, ERROR_LOCAL);
	assert_non_null(strstr(err.text, strerror(ENAMETOOLONG)));
	assert_int_equal(open_it("a b", 25, LONG_MS, &err), -1);
	assert_int_equal(err.class, ERROR_LOCAL);
}

/* Runs as nobody where it can, so that root's rights do not count. */
static void
permission_denied(void **state)
{
	int listener = listen_on_path(1);
	int status = -1;

	(void)state;
	assert_int_equal(chmod(path, 0600), 0);
	if (geteuid() != 0)
		assert_int_equal(chmod(path, 0), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct error err;
		if (geteuid() == 0 && setuid(NOBODY) != 0)
			_exit(1);
		if (open_it(path, 0, LONG_MS, &err) >= 0 ||
		    err.class != ERROR_LOCAL)
			_exit(2);
		fprintf(stderr, "%s\n", err.text);
		_exit(strstr(err.text, "permission denied to user ") == NULL);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(listener);
}

static void
full_queue(void **state)
{
	struct error err;
	int listener = listen_on_path(0);
	int first = open_it(path, 0, LONG_MS, &err);
	int64_t begin = clock_ms();

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(open_it(path, 0, SHORT_MS, &err), -1);
	assert_int_equal(err.class, ERROR_LOCAL);
	assert_non_null(strstr(err.text, "timed out"));
	assert_in_range(clock_ms() - begin, SHORT_MS, LONG_MS / 4);
	/* Room is found when there is some. */
	pid_t pid = fork();
	if (pid == 0) {
		while (accept(listener, NULL, NULL) >= 0)
			continue;
		_exit(0);
	}
	int second = open_it(path, 0, LONG_MS, &err);
	assert_true(second >= 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(first);
	close(second);

	first = open_it(path, 0, LONG_MS, &err);
	stop_install();
	raise(SIGTERM);
	second = open_it(path, 0, LONG_MS, &err);
	stop_install();
	assert_int_equal(second, -1);
	assert_int_equal(err.class, ERROR_STOPPED);
	close(first);
	close(listener);
}

static void
over_tcp(void **state)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	struct error err;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&address, &len);
	uint16_t port = ntohs(address.sin_port);
	int fd = open_it("localhost", port, LONG_MS, &err);
	assert_true(fd >= 0);
	close(fd);
	close(listener);
	assert_int_equal(open_it("127.0.0.1", port, LONG_MS, &err), -1);
	assert_int_equal(err.class, ERROR_LOCAL);
	assert_non_null(strstr(err.text, ": Connection refused"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unix_socket),
	    cmocka_unit_test(failures),
	    cmocka_unit_test(permission_denied),
	    cmocka_unit_test(full_queue),
	    cmocka_unit_test(over_tcp),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
