/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/status.h"
#include "session/tally.h"

/* Each letter is one message that ends so: a to c name its recipient, upper
 * case is taken, lower case deferred, ! in front refused; | is a new
 * connection. All have one sender and one size. */
static const struct {
	const char *name, *session;
	uint64_t deferred;
} cases[] = {
    {"nothing", "", 0},
    {"one", "a", 1},
    {"two messages of one sender and recipient", "aa", 2},
    {"two recipients", "ab", 2},
    {"the same two in the next connection", "aa|aa", 2},
    {"a third in the next connection", "aa|aaa", 3},
    {"one of two is taken in the next", "aa|aA", 1},
    {"one of two is taken at first", "aa|Aa", 1},
    {"one of two is refused", "aa|!A", 1},
    {"both are taken", "aa|AA", 0},
    {"both are taken, and a new one comes", "aa|AAa", 1},
    {"deferred and taken at once", "aA", 0},
    {"deferred, taken, and another deferred", "aAa", 1},
    {"taken before others are deferred", "AAaa", 2},
    {"not offered again", "aa|b|b", 3},
    {"many connections", "a|a|a|a", 1},
};

static struct path
path_of(const char *mailbox)
{
	struct path path;
	size_t used;

	assert_int_equal(
	    path_parse(&path, mailbox, strlen(mailbox), &used), PATH_OK);
	return path;
}

static void
tell(struct tally *tally, char letter, bool refused)
{
	bool taken = letter >= 'A' && letter <= 'Z';
	char mailbox[] = {
	    taken ? (char)(letter - 'A' + 'a') : letter, '@', 'x', '\0'};
	struct path sender = path_of("s@y");
	struct recipient rcpt = {.path = path_of(mailbox)};
	const struct recipient *rcpts[] = {&rcpt};
	struct envelope envelope = {
	    .sender = &sender, .rcpt = rcpts, .rcpts = 1, .size = 99};
	struct status status;

	status_set(&status, refused ? 550 : taken ? 250 : 451, "", "x");
	tally_told(tally, &envelope, 0, &status);
}

static void
test_what_is_deferred_when_a_session_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tally tally = {.messages = 0};

		tally_connection_begin(&tally);
		for (const char *at = cases[i].session; *at != '\0'; at++) {
			bool refused = *at == '!';
			if (*at == '|')
				tally_connection_begin(&tally);
			else
				tell(&tally, refused ? *++at : *at, refused);
		}
		if (tally_deferred(&tally) != cases[i].deferred)
			fail_msg("%s: %d", cases[i].name,
			    (int)tally_deferred(&tally));
		tally_clear(&tally);
	}
}

/* A provider that sends nothing else costs a bounded memory. */
static void
test_a_flood_is_counted(void **state)
{
	struct tally tally = {.messages = 0};
	struct status status;
	char line[40];

	(void)state;
	status_set(&status, 451, "4.3.0", "later");
	for (unsigned i = 0; i < TALLY_DEFERRED_MAX + 100; i++) {
		int len = snprintf(line, sizeof line, "RCPT TO:<%u@x", i);
		tally_refusal(&tally, NULL, line, (size_t)len, &status);
	}
	assert_int_equal(tally_deferred(&tally), TALLY_DEFERRED_MAX + 100);
	assert_true(tally.deferred_len <= TALLY_DEFERRED_MAX);
	tally_clear(&tally);
}

/* Each time: accepted, and out of the ledger where that comes. */
static bool
is_stuck_after(unsigned connections, unsigned alike)
{
	struct tally tally = {.messages = 0};
	struct path sender = path_of("s@y");
	struct recipient rcpt = {.path = path_of("a@x")};
	const struct recipient *rcpts[] = {&rcpt};
	struct envelope envelope = {
	    .sender = &sender, .rcpt = rcpts, .rcpts = 1, .size = 99};

	for (unsigned i = 0; i < connections; i++) {
		tally_connection_begin(&tally);
		for (unsigned k = 0; k < alike; k++) {
			tell(&tally, 'A', false);
			tally_told_again(&tally, &envelope, 0);
		}
	}
	bool stuck = tally_is_stuck(&tally, &envelope, 0);
	tally_clear(&tally);
	return stuck;
}

/* A provider that sends one message over and over does not hear us; one that
 * sends many that look alike does. */
static void
test_messages_that_look_alike_are_not_stuck(void **state)
{
	(void)state;
	assert_false(is_stuck_after(TALLY_STUCK, 1));
	assert_true(is_stuck_after(TALLY_STUCK + 1, 1));
	assert_false(is_stuck_after(1, 100));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_deferred_when_a_session_ends),
	    cmocka_unit_test(test_a_flood_is_counted),
	    cmocka_unit_test(test_messages_that_look_alike_are_not_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
