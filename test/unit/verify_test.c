/* SPDX-License-Identifier: ISC */
/* users, verify: who is let in, from a file of the customer's. */
#include "provider/verify.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"
#include "provider/provider_config.h"
#include "provider/users.h"

#define PIN      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define GOOD     PROVIDER_LOGIN_GOOD
#define BAD      PROVIDER_LOGIN_BAD
#define ODD      PROVIDER_LOGIN_MALFORMED
#define OLD_KEYS "old:" KEYS_OF_OLD "\n"
#define KEYS_OF_OLD                                                            \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"                         \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"                        \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
/* "secret" */
#define HASH "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi."

static char folder[] = "/tmp/verify_test.XXXXXX";
static char path[64];

static void
write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static enum users_result
find(const char *user, struct users_secret *secret)
{
	struct error err;

	return users_find(path, user, secret, &err);
}

static void
set(const char *user, const char *password)
{
	struct error err;

	assert_true(users_set(path, user, password,
	    password != NULL ? strlen(password) : 0, &err));
}

static void
forms_of_the_file(void **state)
{
	static const struct {
		const char *name, *text;
		enum users_result expected;
	} cases[] = {
	    {"empty", "", USERS_UNKNOWN},
	    {"another", "shop:$5$x$y\n", USERS_UNKNOWN},
	    {"begins alike", "office2:$5$x$y\n", USERS_UNKNOWN},
	    {"a comment", "#office:$5$x$y\n", USERS_UNKNOWN},
	    {"a hash", "office:$5$x$y\n", USERS_FOUND},
	    {"no last line end", "office:$5$x$y", USERS_FOUND},
	    {"CRLF", "# x\r\n\r\noffice:$5$x$y\r\n", USERS_FOUND},
	    {"no secret", "office:\n", USERS_FAILED},
	    {"in the clear", "office:secret\n", USERS_FAILED},
	    {"DES", "office:abJnggxhB/yWI\n", USERS_FAILED},
	    {"half keys", "office:SCRAM-SHA-256$4096:AAAA\n", USERS_FAILED},
	    {"short keys", "office:SCRAM-SHA-256$4096:AAAA$AAAA:AAAA\n",
		USERS_FAILED},
	    {"no number", "office:SCRAM-SHA-256$x:AAAA$AAAA:AAAA\n",
		USERS_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct users_secret secret;
		write_file(cases[i].text);
		if (find("office", &secret) != cases[i].expected)
			fail_msg("%s", cases[i].name);
	}
}

/* Or a guesser would learn who there is, and be no guesser for fail2ban. */
static void
a_name_that_reaches_into_the_secret(void **state)
{
	static const char *const names[] = {"office:SCRAM-SHA-256$10000",
	    "#old", "shop:", "shop:$5$x", ":", ""};
	struct users_secret secret;

	(void)state;
	write_file("shop:$5$x:y\n#old:$5$x$y\n:$5$x$y\n");
	set("office", "geheim");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (find(names[i], &secret) != USERS_UNKNOWN)
			fail_msg("%s", names[i]);
	assert_int_equal(find("office", &secret), USERS_FOUND);
}

static void
a_bad_line_is_named(void **state)
{
	struct users_secret secret;
	struct error err;

	(void)state;
	write_file("# x\n\noffice:secret\n");
	assert_int_equal(
	    users_find(path, "office", &secret, &err), USERS_FAILED);
	assert_non_null(strstr(err.text, "line 3"));
	assert_null(strstr(err.text, "secret"));
	unlink(path);
	assert_int_equal(
	    users_find(path, "office", &secret, &err), USERS_FAILED);
	assert_non_null(strstr(err.text, "no such file"));
}

static void
setting_keeps_the_others(void **state)
{
	struct users_secret secret;
	struct error err;

	(void)state;
	write_file("# mine\nshop:$5$x$y\noffice:$5$x$y\n");
	set("office", "geheim");
	assert_int_equal(find("office", &secret), USERS_FOUND);
	assert_true(secret.has_keys);
	assert_int_equal(users_check(&secret, "geheim", 6, &err), USERS_RIGHT);
	assert_int_equal(users_check(&secret, "Geheim", 6, &err), USERS_WRONG);
	assert_int_equal(
	    users_check(&secret, "geheim\0x", 8, &err), USERS_WRONG);
	set("office", NULL);
	assert_int_equal(find("office", &secret), USERS_UNKNOWN);
	assert_int_equal(find("shop", &secret), USERS_FOUND);
}

static void
two_who_set_at_the_same_time(void **state)
{
	enum { WRITERS = 6 };
	struct users_secret secret;
	char user[16];

	(void)state;
	write_file("");
	for (int i = 0; i < WRITERS; i++) {
		snprintf(user, sizeof user, "u%d", i);
		if (fork() == 0) {
			struct error err;
			_exit(!users_set(path, user, "x", 1, &err));
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		snprintf(user, sizeof user, "u%d", i);
		assert_int_equal(find(user, &secret), USERS_FOUND);
	}
}

/* Whoever may read the folder can lock it. */
static void
a_folder_that_somebody_else_has_locked(void **state)
{
	int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct users_secret secret;
	struct error err;

	(void)state;
	write_file("");
	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_false(users_set(path, "office", "geheim", 6, &err));
	assert_non_null(strstr(err.text, "locked by another process"));
	assert_int_equal(find("office", &secret), USERS_UNKNOWN);
	close(lock);
	set("office", "geheim");
}

/* What two processes invent for nobody is the same. key_file: both are starts
 * of the program with this key; NULL: calls of one that runs. */
static void
assert_both_invent(const char *key_file, struct users_secret *secret)
{
	struct users_secret other;
	int ends[2];

	write_file("");
	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			if (key_file != NULL)
				users_prepare(key_file);
			(void)!find("nobody", secret);
			_exit(write(ends[1], secret, sizeof *secret) < 0);
		}
	assert_int_equal(read(ends[0], secret, sizeof *secret), sizeof *secret);
	assert_int_equal(read(ends[0], &other, sizeof other), sizeof other);
	while (wait(NULL) > 0)
		continue;
	close(ends[0]);
	close(ends[1]);
	assert_memory_equal(secret, &other, sizeof other);
}

/* Each call has a process of its own. */
static void
an_invented_user_is_the_same_in_each_process(void **state)
{
	struct users_secret secret, other;

	(void)state;
	users_prepare(NULL);
	assert_both_invent(NULL, &secret);
	assert_int_equal(find("nobody2", &other), USERS_UNKNOWN);
	assert_memory_not_equal(
	    secret.keys.salt, other.keys.salt, secret.keys.salt_len);
}

/* Or a hash in place of keys, and another number of iterations, would tell who
 * there is. */
static void
an_invented_user_is_of_a_kind_that_others_are(void **state)
{
	enum { NAMES = 400 };
	int hashes = 0, old = 0, new = 0;
	struct users_secret secret;
	char user[24];

	(void)state;
	write_file("# x\n\na:" HASH "\nb:" HASH "\n" OLD_KEYS);
	set("new", "geheim");
	for (int i = 0; i < NAMES; i++) {
		snprintf(user, sizeof user, "guess%d", i);
		assert_int_equal(find(user, &secret), USERS_UNKNOWN);
		hashes += !secret.has_keys;
		old += secret.has_keys && secret.keys.iterations == 4096;
		new += secret.has_keys &&secret.keys.iterations == 10000;
	}
	assert_int_equal(hashes + old + new, NAMES);
	assert_in_range(hashes, NAMES / 4, NAMES * 3 / 4);
	assert_in_range(old, NAMES / 10, NAMES / 2);
	assert_in_range(new, NAMES / 10, NAMES / 2);
}

static void
write_key(const char *key_file, const char *key)
{
	FILE *file = fopen(key_file, "w");

	assert_non_null(file);
	fputs(key, file);
	fclose(file);
}

/* A number would be told by whoever calls before and after a restart. */
static void
an_invented_user_is_the_same_after_a_restart(void **state)
{
	struct users_secret secret;
	char key_file[80];

	(void)state;
	snprintf(key_file, sizeof key_file, "%s/key", folder);
	write_key(key_file, "a key");
	assert_both_invent(key_file, &secret);
	unlink(key_file);
}

/* One start of the program with this key. */
static void
invent_after_start(const char *key_file, struct users_secret *secret)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	if (fork() == 0) {
		users_prepare(key_file);
		(void)!find("nobody", secret);
		_exit(write(ends[1], secret, sizeof *secret) < 0);
	}
	assert_int_equal(read(ends[0], secret, sizeof *secret), sizeof *secret);
	wait(NULL);
	close(ends[0]);
	close(ends[1]);
}

/* An authority's certificate has a new key every few weeks, and each change of a
 * password writes the file anew. */
static void
an_invented_user_outlives_the_key(void **state)
{
	struct users_secret before, after;
	char key_file[80];

	(void)state;
	snprintf(key_file, sizeof key_file, "%s/key", folder);
	write_file("");
	set("office", "geheim");
	write_key(key_file, "a key");
	invent_after_start(key_file, &before);
	set("office", "another");
	write_key(key_file, "its successor");
	invent_after_start(key_file, &after);
	unlink(key_file);
	assert_memory_equal(before.keys.salt, after.keys.salt, SCRAM_SALT_MAX);
	/* But it is another one at another provider. */
	write_file("");
	set("office", "geheim");
	invent_after_start(key_file, &after);
	assert_memory_not_equal(
	    before.keys.salt, after.keys.salt, SCRAM_SALT_MAX);
}

/* Who changes his kind without a new salt was never there. */
static void
an_invented_user_changes_with_few_new_ones(void **state)
{
	enum { NAMES = 400, USERS = 8 };
	bool had_keys[NAMES];
	struct users_secret secret;
	char text[4096] = "", user[24];
	int changed = 0;

	(void)state;
	for (int i = 0; i < USERS; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text),
		    i % 2 == 0 ? "u%d:" HASH "\n" : "u%d:" KEYS_OF_OLD "\n", i);
	for (int round = 0; round < 2; round++) {
		write_file(text);
		for (int i = 0; i < NAMES; i++) {
			snprintf(user, sizeof user, "guess%d", i);
			assert_int_equal(find(user, &secret), USERS_UNKNOWN);
			changed += round > 0 && had_keys[i] != secret.has_keys;
			had_keys[i] = secret.has_keys;
		}
		/* He comes first in the file. */
		memmove(text + sizeof "a:" HASH, text, strlen(text) + 1);
		memcpy(text, "a:" HASH "\n", sizeof "a:" HASH);
	}
	assert_in_range(changed, 1, NAMES / USERS);
}

/*
 * verify
 */

static const char *const pins[] = {PIN};
static struct provider_account account = {.name = "office",
    .user = "office",
    .tls_pins = {.items = pins, .count = 1}};
static struct provider_config config = {
    .users_file = path, .accounts = &account, .accounts_count = 1};

static struct verify *
begin(const char *pin)
{
	const struct verify_options options = {.config = &config, .pin = pin};

	return verify_new(&options);
}

/* The outcome of an exchange of these responses. */
static int
exchange(const char *mechanism, const char *const *responses,
    const size_t *lens, size_t count)
{
	struct verify *verify = begin(PIN);
	enum provider_login login = PROVIDER_LOGIN_LATER;
	enum verify_result result;
	struct error err;
	struct buf out;

	buf_init(&out, 4096);
	result = verify_begin(verify, mechanism, NULL, 0, &out, &login, &err);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(result, VERIFY_CHALLENGE);
		result = verify_respond(
		    verify, responses[i], lens[i], &out, &login, &err);
	}
	assert_int_equal(result, VERIFY_DONE);
	buf_clear(&out);
	verify_free(verify);
	return login;
}

#define ONE(text) {text}, {sizeof(text) - 1}, 1
#define TWO(a, b) {a, b}, {sizeof(a) - 1, sizeof(b) - 1}, 2

static void
mechanisms(void **state)
{
	static const struct {
		const char *mechanism, *responses[2];
		size_t lens[2], count;
		int expected;
	} cases[] = {
	    {"PLAIN", ONE("\0office\0geheim"), GOOD},
	    {"PLAIN", ONE("office\0office\0geheim"), GOOD},
	    {"PLAIN", ONE("shop\0office\0geheim"), BAD},
	    {"PLAIN", ONE("\0office\0wrong"), BAD},
	    {"PLAIN", ONE("\0nobody\0geheim"), BAD},
	    {"PLAIN", ONE("\0Office\0geheim"), BAD},
	    {"PLAIN", ONE("\0office\0geheim\0"), BAD},
	    {"PLAIN", ONE("\0office\0"), BAD},
	    {"PLAIN", ONE("\0\0geheim"), ODD},
	    {"PLAIN", ONE("\0office"), ODD},
	    {"PLAIN", ONE("office"), ODD},
	    {"PLAIN", ONE(""), ODD},
	    {"PLAIN", ONE("\0hash\0secret"), GOOD},
	    {"PLAIN", ONE("\0hash\0Secret"), BAD},
	    {"PLAIN", ONE("\0odd\0secret"), PROVIDER_LOGIN_LATER},
	    {"PLAIN", ONE("\0clear\0secret"), PROVIDER_LOGIN_LATER},
	    {"LOGIN", TWO("office", "geheim"), GOOD},
	    {"LOGIN", TWO("office", "wrong"), BAD},
	    {"LOGIN", TWO("nobody", "geheim"), BAD},
	    {"LOGIN", ONE(""), ODD},
	    {"LOGIN", ONE("off\0ice"), ODD},
	    {"EXTERNAL", ONE(""), GOOD},
	    {"EXTERNAL", ONE("office"), GOOD},
	    {"EXTERNAL", ONE("shop"), BAD},
	    {"SCRAM-SHA-256", ONE("n,,n=hash,r=abc"), PROVIDER_LOGIN_UNABLE},
	    {"SCRAM-SHA-256", ONE("n,a=shop,n=office,r=abc"), ODD},
	    {"SCRAM-SHA-256", ONE("n,,r=abc"), ODD},
	    {"SCRAM-SHA-256", TWO("n,,n=office,r=abc", "c=biws"), ODD},
	    {"SCRAM-SHA-256", TWO("n,,n=office,r=abc", "c=biws,r=abc,p=AAAA"),
		ODD},
	};

	(void)state;
	write_file("hash:" HASH "\nodd:$nokind$x\nclear:secret\n");
	set("office", "geheim");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int login = exchange(cases[i].mechanism, cases[i].responses,
		    cases[i].lens, cases[i].count);
		if (login != cases[i].expected)
			fail_msg(
			    "%zu: %s came to %d", i, cases[i].mechanism, login);
	}
}

/* crypt(3) fails at it, and whoever has a hash would be told from others. */
static void
a_password_longer_than_any(void **state)
{
	char text[1024] = "\0hash\0";
	const char *responses[] = {text};
	size_t lens[] = {sizeof text};

	(void)state;
	memset(text + 6, 'x', sizeof text - 6);
	write_file("hash:" HASH "\n");
	assert_int_equal(exchange("PLAIN", responses, lens, 1), BAD);
	memcpy(text + 1, "nobo", 4);
	assert_int_equal(exchange("PLAIN", responses, lens, 1), BAD);
}

/* The challenge of a user that there is not tells nothing. */
static void
an_unknown_user_is_challenged_like_any(void **state)
{
	static const char *const users[] = {
	    "n,,n=office,r=abc", "n,,n=nobody,r=abc"};
	size_t lens[2];

	(void)state;
	write_file("");
	set("office", "geheim");
	for (int i = 0; i < 2; i++) {
		struct verify *verify = begin("");
		enum provider_login login;
		struct error err;
		struct buf out;
		buf_init(&out, 4096);
		assert_int_equal(verify_begin(verify, "SCRAM-SHA-256", users[i],
				     strlen(users[i]), &out, &login, &err),
		    VERIFY_CHALLENGE);
		lens[i] = buf_len(&out);
		assert_non_null(
		    memmem(buf_data(&out), buf_len(&out), ",i=10000", 8));
		buf_clear(&out);
		verify_free(verify);
	}
	assert_int_equal(lens[0], lens[1]);
}

static void
what_is_listed(void **state)
{
	char listed[VERIFY_MECHANISMS_SIZE];
	struct error err;
	struct verify *verify = begin("");

	(void)state;
	assert_true(verify_mechanisms(verify, listed, &err));
	assert_string_equal(listed, "SCRAM-SHA-256 PLAIN LOGIN");
	verify_free(verify);
	verify = begin(PIN);
	assert_true(verify_mechanisms(verify, listed, &err));
	assert_string_equal(listed, "EXTERNAL SCRAM-SHA-256 PLAIN LOGIN");
	verify_free(verify);
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/users", folder);
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
	    cmocka_unit_test(forms_of_the_file),
	    cmocka_unit_test(a_name_that_reaches_into_the_secret),
	    cmocka_unit_test(a_bad_line_is_named),
	    cmocka_unit_test(setting_keeps_the_others),
	    cmocka_unit_test(two_who_set_at_the_same_time),
	    cmocka_unit_test(a_folder_that_somebody_else_has_locked),
	    cmocka_unit_test(an_invented_user_is_the_same_after_a_restart),
	    cmocka_unit_test(an_invented_user_is_the_same_in_each_process),
	    cmocka_unit_test(an_invented_user_is_of_a_kind_that_others_are),
	    cmocka_unit_test(an_invented_user_outlives_the_key),
	    cmocka_unit_test(an_invented_user_changes_with_few_new_ones),
	    cmocka_unit_test(a_password_longer_than_any),
	    cmocka_unit_test(mechanisms),
	    cmocka_unit_test(an_unknown_user_is_challenged_like_any),
	    cmocka_unit_test(what_is_listed),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
