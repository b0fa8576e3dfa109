/* SPDX-License-Identifier: ISC */
/* dovecot, inner, note: against a scripted service, and the kernel. */
#include "provider/dovecot.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/error.h"
#include "provider/inner.h"
#include "provider/note.h"
#include "provider/provider_config.h"
#include "provider/verify.h"

#define V23                                                                    \
	"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"      \
	"MECH\tANONYMOUS\tanonymous\nMECH\tSCRAM-SHA-256-PLUS\tx\n"            \
	"SPID\t7\nCUID\t1\nCOOKIE\tabc\nDONE\n"
#define V24                                                                     \
	"VERSION\t1\t3\nMECH\tPLAIN\tplaintext\n"                               \
	"MECH\tSCRAM-SHA-256\tmutual-auth\tchannel-binding\nSPID\t9\nCUID\t2\n" \
	"COOKIE\tdef\nDONE\n"

enum { SHORT_MS = 100 };

static char folder[] = "/tmp/dovecot_test.XXXXXX";
static char path[64];

/* A service that says the greeting octet by octet (pieces 1) or at once, then
 * one of the answers after each line; NULL ends it. */
static pid_t
start(const char *greeting, size_t piece, const char *const *answers)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(path);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid_t pid = fork();
	if (pid != 0) {
		close(listener);
		return pid;
	}
	int fd = accept(listener, NULL, NULL);
	for (size_t at = 0; at < strlen(greeting); at += piece)
		if (write(fd, greeting + at,
			strlen(greeting) - at < piece ? strlen(greeting) - at
						      : piece) < 0)
			_exit(0);
	FILE *in = fdopen(fd, "r");
	char line[4096];
	while (fgets(line, sizeof line, in) != NULL) {
		if (strncmp(line, "AUTH\t", 5) != 0 &&
		    strncmp(line, "CONT\t", 5) != 0)
			continue;
		if (*answers == NULL)
			_exit(0);
		if (write(fd, *answers, strlen(*answers)) < 0)
			_exit(0);
		answers++;
	}
	_exit(0);
}

static void
end_service(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
greetings(void **state)
{
	static const struct {
		const char *text, *expected; /* NULL: no service for us */
	} cases[] = {
	    {V23, "PLAIN LOGIN"},
	    {V24, "PLAIN SCRAM-SHA-256"},
	    {"VERSION\t2\t0\nMECH\tPLAIN\nDONE\n", NULL},
	    {"VERSION\t1\t2\nDONE\n", NULL},
	    {"220 mx.example.net ESMTP\r\nDONE\n", NULL},
	    {"DONE\n", NULL},
	    {"\n\n\t\nMECH\nMECH\t\nDONE\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
		static const char *const none[] = {NULL};
		char mechanisms[256];
		struct error err;
		pid_t pid = start(cases[i / 2].text, i % 2 ? 1 : 4096, none);
		struct dovecot *dovecot = dovecot_open(path, &err);
		if (cases[i / 2].expected == NULL) {
			assert_null(dovecot);
			assert_int_equal(err.class, ERROR_LOCAL);
		} else {
			assert_non_null(dovecot);
			dovecot_mechanisms(
			    dovecot, mechanisms, sizeof mechanisms);
			assert_string_equal(mechanisms, cases[i / 2].expected);
		}
		dovecot_free(dovecot);
		end_service(pid);
	}
}

static void
answers(void **state)
{
	static const struct {
		const char *text;
		enum dovecot_reply expected;
		const char *user;
	} cases[] = {
	    {"OK\t1\tuser=office\n", DOVECOT_GOOD, "office"},
	    {"OK\t1\tuser=office\tx=y\n", DOVECOT_GOOD, "office"},
	    {"OK\t1\n", DOVECOT_GOOD, ""},
	    /* Suspended; but not where he logs in to another server. */
	    {"OK\t1\tuser=office\tnologin\treason=off\n", DOVECOT_BAD,
		"office"},
	    {"OK\t1\tuser=office\tnologin=y\ttemp\n", DOVECOT_BAD, "office"},
	    {"OK\t1\tuser=office\tnologin=y\tproxy=y\thost=::1\n", DOVECOT_GOOD,
		"office"},
	    {"OK\t1\tuser=office\tnologins=y\n", DOVECOT_GOOD, "office"},
	    {"OK\t7\tuser=shop\nFAIL\t1\tuser=office\n", DOVECOT_BAD, "office"},
	    {"FAIL\t1\tuser=office\ttemp\n", DOVECOT_LATER, NULL},
	    {"FAIL\t1\tcode=temp_fail\n", DOVECOT_LATER, NULL},
	    {"NONSENSE\t1\nFAIL\t1\n", DOVECOT_BAD, ""},
	    {"CONT\t1\tb2Zm\n", DOVECOT_CONTINUE, ""},
	    {"CONT\t1\t\n", DOVECOT_CONTINUE, ""},
	    {"CONT\t1\t!!!\n", DOVECOT_LATER, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const script[] = {cases[i].text, NULL};
		const struct dovecot_request request = {.mechanism = "PLAIN",
		    .peer_addr = "192.0.2.1",
		    .local_addr = "2001:db8::1",
		    .response = "\0office\0x",
		    .response_len = 9};
		struct error err;
		struct buf out;
		buf_init(&out, 4096);
		pid_t pid = start(V23, 4096, script);
		struct dovecot *dovecot = dovecot_open(path, &err);
		assert_non_null(dovecot);
		if (dovecot_begin(dovecot, &request, &out, &err) !=
		    cases[i].expected)
			fail_msg("%s", cases[i].text);
		if (cases[i].user != NULL)
			assert_string_equal(
			    dovecot_user(dovecot), cases[i].user);
		dovecot_free(dovecot);
		end_service(pid);
		buf_clear(&out);
	}
}

/* A customer is held for days, and Dovecot serves a thousand connections; nor
 * does it say when he is suspended. */
static void
a_login_is_over_for_dovecot_at_once_and_for_us_after_an_hour(void **state)
{
	enum { MINUTE_MS = 60 * 1000 };
	static const char *const script[] = {"OK\t1\tuser=office\n", NULL};
	struct provider_account account = {.name = "office", .user = "office"};
	struct provider_config config = {
	    .dovecot_auth = path, .accounts = &account, .accounts_count = 1};
	const struct verify_options options = {.config = &config,
	    .pin = "",
	    .peer_addr = "192.0.2.1",
	    .local_addr = "192.0.2.2"};
	enum provider_login login = PROVIDER_LOGIN_LATER;
	struct verify *verify = verify_new(&options);
	struct error err;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	pid_t pid = start(V23, 4096, script);
	assert_int_equal(
	    verify_begin(verify, "PLAIN", "\0office\0x", 9, &out, &login, &err),
	    VERIFY_DONE);
	assert_int_equal(login, PROVIDER_LOGIN_GOOD);
	/* It ends with the connection. */
	const struct deadline soon = deadline_in(60 * 1000, 0);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		const struct deadline look = deadline_in(10, 0);
		assert_true(deadline_left(&soon) > 0);
		(void)deadline_wait(&look, -1, 0);
	}
	assert_false(verify_is_old(verify, clock_ms() + 59 * MINUTE_MS));
	assert_true(verify_is_old(verify, clock_ms() + 60 * MINUTE_MS));
	verify_free(verify);
	buf_clear(&out);
}

/* It hangs, or is started again: the login comes later. */
static void
a_service_that_does_not_answer(void **state)
{
	static const char *const hangs[] = {"", NULL}, *const dies[] = {NULL};
	const struct dovecot_request request = {
	    .mechanism = "PLAIN", .peer_addr = "::1", .local_addr = "::1"};
	struct error err;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (int i = 0; i < 2; i++) {
		pid_t pid = start(V24, 4096, i == 0 ? hangs : dies);
		struct dovecot *dovecot = dovecot_open(path, &err);
		struct deadline limit =
		    deadline_in(i == 0 ? SHORT_MS : 60000, 0);
		assert_non_null(dovecot);
		dovecot_set_limit(dovecot, &limit);
		assert_int_equal(dovecot_begin(dovecot, &request, &out, &err),
		    DOVECOT_LATER);
		assert_true(err.text[0] != '\0');
		dovecot_free(dovecot);
		end_service(pid);
	}
	unlink(path);
	assert_null(dovecot_open(path, &err));
	buf_clear(&out);
}

static void
inner_addresses(void **state)
{
	char text[INNER_DESTINATION_SIZE];
	struct in_addr office = inner_address("office");

	(void)state;
	/* Postfix' table has them: a new version may not have others. */
	inner_format(text, office, 10366);
	assert_string_equal(text, "[127.67.248.40]:10366");
	for (int i = 0; i < 3000; i++) {
		char name[20];
		snprintf(name, sizeof name, "account%d", i);
		uint32_t host = ntohl(inner_address(name).s_addr);
		assert_int_equal(host >> 22, 0x7f400000 >> 22);
		assert_true((host & 0xff) != 0 && (host & 0xff) != 0xff);
		assert_int_equal(inner_address(name).s_addr, htonl(host));
	}
	assert_true(inner_address("shop").s_addr != office.s_addr);
}

static void
inner_connections(void **state)
{
	struct in_addr to = inner_address("office"), got;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = to};
	socklen_t len = sizeof address;
	char text[200] = "";
	struct error err;
	uid_t uid;

	(void)state;
	int listener = inner_listen(0, &err);
	assert_true(listener >= 0);
	assert_int_equal(inner_accept(listener, &got, &uid), -1);
	getsockname(listener, (struct sockaddr *)&address, &len);
	address.sin_addr = to;
	int client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(client, (struct sockaddr *)&address, sizeof address), 0);
	int fd = inner_accept(listener, &got, &uid);
	assert_true(fd >= 0);
	assert_int_equal(uid, geteuid());
	assert_int_equal(got.s_addr, to.s_addr);
	inner_refuse(fd, "mx.example.net", "is busy");
	assert_true(recv(client, text, sizeof text - 1, 0) > 0);
	assert_string_equal(text, "421 4.3.2 mx.example.net is busy\r\n");
	close(client);
	close(listener);
}

static void
notes(void **state)
{
	struct note note;
	int ends[2], fd, tube[2];

	(void)state;
	assert_true(note_pair(ends));
	assert_int_equal(note_receive(ends[0], &note, &fd), NOTE_NONE);
	assert_true(note_send(ends[1], NOTE_LOGGED_IN, 4711, -1));
	assert_int_equal(note_receive(ends[0], &note, &fd), NOTE_READ);
	assert_int_equal(note.type, NOTE_LOGGED_IN);
	assert_int_equal(note.account, 4711);
	assert_int_equal(fd, -1);
	assert_int_equal(pipe(tube), 0);
	assert_true(note_send(ends[0], NOTE_CONNECTION, 0, tube[1]));
	close(tube[1]);
	assert_int_equal(note_receive(ends[1], &note, &fd), NOTE_READ);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	close(ends[1]);
	assert_false(note_send(ends[0], NOTE_LEFT, 0, -1));
	assert_int_equal(note_receive(ends[0], &note, &fd), NOTE_GONE);
	close(ends[0]);
	close(tube[0]);
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/auth", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(greetings),
	    cmocka_unit_test(answers),
	    cmocka_unit_test(
		a_login_is_over_for_dovecot_at_once_and_for_us_after_an_hour),
	    cmocka_unit_test(a_service_that_does_not_answer),
	    cmocka_unit_test(inner_addresses),
	    cmocka_unit_test(inner_connections),
	    cmocka_unit_test(notes),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
