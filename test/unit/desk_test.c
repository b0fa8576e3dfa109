/* SPDX-License-Identifier: ISC */
/* One customer at the desk: what he may have, and what he hears. The test is
 * the gate, and a postqueue of its own is Postfix'. */
#include "../../src/provider/desk_private.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "provider/note.h"
#include "provider/place.h"
#include "provider/users.h"

enum { LONG_MS = 120 * 1000, PATH_SIZE = 64, TEXT_SIZE = 512 };

static char folder[] = "/tmp/desk_test.XXXXXX";
static char users_file[PATH_SIZE];
static const char *domains[] = {"example.org", "example.com"};
static struct provider_account accounts[] = {{.name = "shop", .user = "shop"},
    {.name = "office", .user = "customer", .domains = {domains, 2}}};
static struct provider_config config = {
    .hostname = "mx.example.net",
    .accounts = accounts,
    .accounts_count = 2,
    .users_file = users_file,
    .postfix_programs = folder,
    .postfix_config = "/etc/postfix",
    .hold = LONG_MS,
    .settle = 2000,
};

/* A desk that is driven by hand. */
struct seat_at {
	struct desk desk;
	struct desk_options options;
	struct place *place;
	int gate; /* the other end */
};

static const char *
file(const char *name)
{
	static char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

/* What `postqueue` does: it notes its domains, and ends with a status; last is a
 * line of sh(1). */
static void
make_postqueue_that(const char *last)
{
	FILE *program = fopen(file("postqueue"), "w");

	assert_non_null(program);
	fprintf(
	    program, "#!/bin/sh\necho \"$@\" >>%s/asked\n%s\n", folder, last);
	fclose(program);
	assert_int_equal(chmod(file("postqueue"), 0700), 0);
	(void)unlink(file("asked"));
}

static void
make_postqueue(int status)
{
	make_postqueue_that(status == 0 ? "exit 0" : "exit 1");
}

static void
assert_asked(const char *expected)
{
	char text[TEXT_SIZE] = "";
	FILE *asked = fopen(file("asked"), "r");

	if (asked != NULL) {
		(void)!fread(text, 1, sizeof text - 1, asked);
		fclose(asked);
	}
	assert_string_equal(text, expected);
}

static void
say(struct seat_at *at, const char *line)
{
	size_t room;
	char *to = provider_room(at->desk.engine, &room);

	assert_true(to != NULL && room >= strlen(line));
	memcpy(to, line, strlen(line));
	provider_filled(at->desk.engine, strlen(line));
}

static void
hears(struct seat_at *at, const char *expected)
{
	size_t len;
	const char *said = provider_output(at->desk.engine, &len);

	assert_true(len >= strlen(expected));
	if (strncmp(said, expected, strlen(expected)) != 0)
		fail_msg("%.*s in place of %s", (int)len, said, expected);
	provider_written(at->desk.engine, len);
}

static void
hears_nothing(struct seat_at *at)
{
	size_t len;

	(void)provider_output(at->desk.engine, &len);
	assert_int_equal(len, 0);
}

static struct provider_event
next_event(struct seat_at *at, enum provider_event_type type)
{
	struct provider_event event;

	assert_true(provider_next(at->desk.engine, &event));
	assert_int_equal(event.type, type);
	return event;
}

/* Under TLS and greeted, not logged in. */
static void
sit_down(struct seat_at *at)
{
	int ends[2];

	assert_true(note_pair(ends));
	*at = (struct seat_at){.place = places_new(1), .gate = ends[1]};
	at->options = (struct desk_options){.config = &config,
	    .place = at->place,
	    .gate = ends[0],
	    .implicit_tls = true,
	    .peer_addr = "192.0.2.1"};
	at->desk = (struct desk){
	    .options = &at->options, .config = &config, .postfix = -1};
	struct provider_options engine = {.hostname = config.hostname,
	    .implicit_tls = true,
	    .mechanisms = "PLAIN",
	    .transcript = &at->desk.transcript};
	struct verify_options verify = {.config = &config, .pin = ""};
	transcript_init(&at->desk.transcript, "customer", false);
	at->desk.engine = provider_new(&engine);
	at->desk.verify = verify_new(&verify);
	struct provider_event none;
	hears(at, "220 ");
	say(at, "EHLO office.example\r\n");
	assert_false(provider_next(at->desk.engine, &none));
	hears(at, "250-");
}

static void
stand_up(struct seat_at *at)
{
	provider_free(at->desk.engine);
	verify_free(at->desk.verify);
	transcript_clear(&at->desk.transcript);
	places_free(at->place, 1);
	if (at->desk.postfix >= 0)
		close(at->desk.postfix);
	close(at->options.gate);
	close(at->gate);
}

static void
gate_hears(struct seat_at *at, enum note_type type, uint32_t account)
{
	struct note note;
	int fd;

	assert_int_equal(note_receive(at->gate, &note, &fd), NOTE_READ);
	assert_int_equal(note.type, type);
	assert_int_equal(note.account, account);
	assert_int_equal(fd, -1);
}

static void
gate_hears_nothing(struct seat_at *at)
{
	struct note note;
	int fd;

	assert_int_equal(note_receive(at->gate, &note, &fd), NOTE_NONE);
}

static void
gate_says(struct seat_at *at, enum note_type type, int fd)
{
	assert_true(note_send(at->gate, type, 0, fd));
}

/* "AUTH PLAIN ..." of a user; the password is "geheim". */
static void
log_in(struct seat_at *at, const char *line)
{
	say(at, line);
	struct provider_event event = next_event(at, PROVIDER_AUTH);
	desk_on_login(&at->desk, &event);
}

#define CUSTOMER "AUTH PLAIN AGN1c3RvbWVyAGdlaGVpbQ==\r\n"
#define GUEST    "AUTH PLAIN AGd1ZXN0AGdlaGVpbQ==\r\n"

static void
ask(struct seat_at *at, const char *line)
{
	say(at, line);
	struct provider_event event = next_event(at, PROVIDER_ATRN);
	desk_on_atrn(&at->desk, &event);
}

/* Logged in, with ATRN on its way and the place given. */
static void
hold_for(struct seat_at *at, const char *line)
{
	sit_down(at);
	log_in(at, CUSTOMER);
	hears(at, "235 ");
	gate_hears(at, NOTE_LOGGED_IN, 1);
	ask(at, line);
	gate_hears(at, NOTE_ASKS, 0);
	gate_says(at, NOTE_HOLDS, -1);
	desk_on_note(&at->desk);
	hears_nothing(at);
}

static void
hold(struct seat_at *at)
{
	hold_for(at, "ATRN\r\n");
}

/* A user whom the file knows, and who is no customer. */
static void
a_user_without_an_account(void **state)
{
	struct seat_at at;

	(void)state;
	sit_down(&at);
	log_in(&at, GUEST);
	hears(&at, "535 ");
	assert_null(at.desk.account);
	assert_int_equal(at.place->failed_logins, 1);
	gate_hears_nothing(&at);
	say(&at, "ATRN\r\n");
	struct provider_event none;
	assert_false(provider_next(at.desk.engine, &none));
	hears(&at, "530 ");
	stand_up(&at);
}

/* Dovecot's auth service, for one login: how the place stands while it is asked is
 * left in `since`. */
static void
be_dovecot(int listener, struct place *place)
{
	static const char hello[] =
	    "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nDONE\n";
	static const char fail[] = "FAIL\t1\tuser=customer\n";
	char said[TEXT_SIZE] = "";
	size_t len = 0;

	int fd = accept(listener, NULL, NULL);
	(void)!write(fd, hello, sizeof hello - 1);
	while (strstr(said, "AUTH\t1\t") == NULL && len < sizeof said - 1) {
		ssize_t n = read(fd, said + len, sizeof said - 1 - len);
		if (n <= 0)
			_exit(1);
		len += (size_t)n;
		said[len] = '\0';
	}
	place->since = atomic_load(&place->waits_until);
	(void)!write(fd, fail, sizeof fail - 1);
	_exit(0);
}

/* Dovecot takes two seconds and more to say no: who is sent away meanwhile, where
 * too many are there, must not have shortened that. */
static void
a_wait_begins_with_the_password(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct seat_at at;

	(void)state;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", file("auth"));
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	config.dovecot_auth = address.sun_path;
	sit_down(&at);
	at.options.local_addr = "192.0.2.2";
	if (fork() == 0)
		be_dovecot(listener, at.place);
	int64_t begun = clock_ms();
	log_in(&at, CUSTOMER);
	hears(&at, "535 ");
	assert_true(at.place->since >= begun + 2000);
	assert_int_equal(atomic_load(&at.place->waits_until), 0);
	stand_up(&at);
	assert_true(wait(NULL) > 0);
	close(listener);
	config.dovecot_auth = NULL;
	(void)unlink(file("auth"));
}

static void
whose_domains(void **state)
{
	static const struct {
		const char *line;
		bool served;
		const char *asked; /* of postqueue */
	} cases[] = {
	    {"ATRN\r\n", true,
		"-c /etc/postfix -s example.org\n"
		"-c /etc/postfix -s example.com\n"},
	    {"ATRN example.com\r\n", true, "-c /etc/postfix -s example.com\n"},
	    {"ATRN EXAMPLE.com,example.org\r\n", true,
		"-c /etc/postfix -s example.com\n"
		"-c /etc/postfix -s example.org\n"},
	    {"ATRN shop.example\r\n", false, ""},
	    {"ATRN example.org,shop.example\r\n", false, ""},
	    {"ATRN shop.example,example.org\r\n", false, ""},
	    {"ATRN sub.example.org\r\n", false, ""},
	    {"ATRN xexample.org\r\n", false, ""},
	};

	(void)state;
	make_postqueue(0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct seat_at at;
		sit_down(&at);
		log_in(&at, CUSTOMER);
		hears(&at, "235 ");
		gate_hears(&at, NOTE_LOGGED_IN, 1);
		ask(&at, cases[i].line);
		assert_int_equal(desk_is_holding(&at.desk), cases[i].served);
		if (cases[i].served) {
			gate_hears(&at, NOTE_ASKS, 0);
			gate_says(&at, NOTE_HOLDS, -1);
			desk_on_note(&at.desk);
			for (size_t k = at.desk.hold.count; k > 0; k--)
				desk_flush_one(&at.desk);
		} else {
			hears(&at, "450 4.7.1 ");
			gate_hears_nothing(&at);
		}
		assert_asked(cases[i].asked);
		(void)unlink(file("asked"));
		stand_up(&at);
	}
}

/* Not at once, when it may still be busy with a message that was refused just
 * before: the flush would strike it out. */
static void
when_postfix_is_asked(void **state)
{
	static const int64_t after[] = {500, 2000, 10000, 60000};
	struct seat_at at;

	(void)state;
	make_postqueue(0);
	hold(&at);
	int64_t begun = at.desk.hold.begun;
	assert_true(begun > 0 && begun <= clock_ms());
	for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
		assert_int_equal(desk_next_flush(&at.desk), begun + after[i]);
		desk_flush_one(&at.desk);
		assert_int_equal(desk_next_flush(&at.desk), begun);
		desk_flush_one(&at.desk);
	}
	assert_int_equal(desk_next_flush(&at.desk), -1);
	/* A second word of the gate's does not begin it anew. */
	gate_says(&at, NOTE_HOLDS, -1);
	desk_on_note(&at.desk);
	assert_int_equal(at.desk.hold.begun, begun);
	stand_up(&at);
}

/* Before Postfix was asked and had its time nobody hears "no mail". */
static void
no_mail_is_not_said_too_early(void **state)
{
	struct seat_at at;

	(void)state;
	make_postqueue(0);
	hold(&at);
	at.desk.hold.end = deadline_in(0, 0);
	assert_false(desk_may_end_hold(&at.desk));
	desk_flush_one(&at.desk);
	assert_false(desk_may_end_hold(&at.desk));
	int64_t before = clock_ms();
	desk_flush_one(&at.desk);
	assert_true(at.desk.hold.end.at >= before + config.settle);
	at.desk.hold.end = deadline_in(0, 0);
	assert_true(desk_may_end_hold(&at.desk));
	gate_says(&at, NOTE_LEFT, -1);
	desk_end_hold(&at.desk);
	gate_hears(&at, NOTE_LEAVES, 0);
	hears(&at, "453 ");
	/* And he may ask again. */
	ask(&at, "ATRN\r\n");
	gate_hears(&at, NOTE_ASKS, 0);
	stand_up(&at);
}

static void
postfix_that_cannot_be_asked(void **state)
{
	struct seat_at at;

	(void)state;
	make_postqueue(1);
	hold(&at);
	gate_says(&at, NOTE_LEFT, -1);
	/* It may be one domain that Postfix does not know yet. */
	for (size_t left = at.desk.hold.count; left > 0; left--) {
		assert_true(desk_is_holding(&at.desk));
		desk_flush_one(&at.desk);
	}
	hears(&at, "451 4.3.0 ");
	stand_up(&at);
}

static void
another_call_that_went_on(void **state)
{
	struct seat_at at;

	(void)state;
	sit_down(&at);
	log_in(&at, CUSTOMER);
	hears(&at, "235 ");
	ask(&at, "ATRN\r\n");
	at.desk.hold.end = deadline_in(0, 0);
	assert_int_equal(desk_next_flush(&at.desk), -1);
	assert_true(desk_may_end_hold(&at.desk));
	gate_says(&at, NOTE_LEFT, -1);
	desk_end_hold(&at.desk);
	hears(&at, "451 4.3.2 ");
	stand_up(&at);
}

/* Postfix' connection, and its far end. */
static int
connection(int *far)
{
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	*far = ends[1];
	return ends[0];
}

/* The gate passes one on; its far end. */
static int
send_connection(struct seat_at *at)
{
	int far;
	int near = connection(&far);

	gate_says(at, NOTE_CONNECTION, near);
	close(near);
	return far;
}

static void
a_connection_turns(void **state)
{
	struct seat_at at;

	(void)state;
	hold(&at);
	int far = send_connection(&at);
	desk_on_note(&at.desk);
	hears(&at, "250 2.0.0 ");
	assert_true(provider_is_turned(at.desk.engine));
	assert_true(at.desk.postfix >= 0);
	close(far);
	stand_up(&at);
}

/*
 * One that waited for the call comes before Postfix was asked, which is made up
 * for: what the customer has deferred comes in this call as well. Where that does
 * not work, or takes long, the mail that is there comes all the same.
 */
static void
what_is_asked_for_before_a_turn(void **state)
{
#define FIRST  "-c /etc/postfix -s example.org\n"
#define SECOND "-c /etc/postfix -s example.com\n"
	static const struct {
		const char *postqueue; /* its last line */
		const char *atrn;
		int before; /* domains that were asked for before */
		const char *asked;
	} cases[] = {
	    {"exit 0", "ATRN\r\n", 0, FIRST SECOND},
	    {"exit 0", "ATRN example.com\r\n", 0, SECOND},
	    {"exit 0", "ATRN\r\n", 1, SECOND},
	    {"exit 0", "ATRN\r\n", 2, ""},
	    /* One that Postfix does not know keeps no other's mail away. */
	    {"[ $4 != example.org ]", "ATRN\r\n", 0, FIRST SECOND},
	    {"exit 1", "ATRN\r\n", 0, FIRST SECOND},
	    {"sleep 3", "ATRN\r\n", 0, FIRST},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct seat_at at;
		make_postqueue_that(cases[i].postqueue);
		hold_for(&at, cases[i].atrn);
		for (int k = 0; k < cases[i].before; k++)
			desk_flush_one(&at.desk);
		(void)unlink(file("asked"));
		int far = send_connection(&at);
		desk_on_note(&at.desk);
		assert_asked(cases[i].asked);
		hears(&at, "250 2.0.0 ");
		assert_true(at.desk.postfix >= 0);
		close(far);
		stand_up(&at);
	}
	make_postqueue(0);
}

/* It was on its way when the time was over: there is mail. */
static void
a_connection_at_the_last_moment(void **state)
{
	struct seat_at at;

	(void)state;
	hold(&at);
	int far = send_connection(&at);
	desk_end_hold(&at.desk);
	hears(&at, "250 2.0.0 ");
	close(far);
	stand_up(&at);
}

/* Over before it was turned: the customer is not told of mail. */
static void
a_connection_that_is_over(void **state)
{
	struct seat_at at;
	int far;

	(void)state;
	hold(&at);
	int near = connection(&far);
	close(far);
	gate_says(&at, NOTE_CONNECTION, near);
	close(near);
	desk_on_note(&at.desk);
	hears_nothing(&at);
	gate_hears(&at, NOTE_ASKS, 0);
	assert_true(desk_is_holding(&at.desk));
	stand_up(&at);
}

/* The second is refused, with a reply that has Postfix keep the mail. */
static void
two_connections(void **state)
{
	struct seat_at at;
	int far[2];
	char text[TEXT_SIZE] = "";

	(void)state;
	hold(&at);
	for (int i = 0; i < 2; i++) {
		far[i] = send_connection(&at);
		desk_on_note(&at.desk);
	}
	hears(&at, "250 2.0.0 ");
	assert_true(recv(far[1], text, sizeof text - 1, 0) > 0);
	assert_int_equal(strncmp(text, "421 4.3.2 ", 10), 0);
	close(far[0]);
	close(far[1]);
	stand_up(&at);
}

static void
a_newer_call(void **state)
{
	struct seat_at at;

	(void)state;
	hold(&at);
	gate_says(&at, NOTE_REPLACED, -1);
	desk_on_note(&at.desk);
	hears(&at, "421 4.3.2 ");
	assert_false(desk_is_holding(&at.desk));
	stand_up(&at);
}

static int
make_folder(void **state)
{
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(users_file, sizeof users_file, "%s/users", folder);
	return users_set(users_file, "customer", "geheim", 6, &err) &&
		       users_set(users_file, "guest", "geheim", 6, &err)
		   ? 0
		   : -1;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(users_file);
	(void)unlink(file("postqueue"));
	(void)unlink(file("asked"));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_user_without_an_account),
	    cmocka_unit_test(a_wait_begins_with_the_password),
	    cmocka_unit_test(whose_domains),
	    cmocka_unit_test(when_postfix_is_asked),
	    cmocka_unit_test(no_mail_is_not_said_too_early),
	    cmocka_unit_test(postfix_that_cannot_be_asked),
	    cmocka_unit_test(another_call_that_went_on),
	    cmocka_unit_test(a_connection_turns),
	    cmocka_unit_test(what_is_asked_for_before_a_turn),
	    cmocka_unit_test(a_connection_at_the_last_moment),
	    cmocka_unit_test(a_connection_that_is_over),
	    cmocka_unit_test(two_connections),
	    cmocka_unit_test(a_newer_call),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
