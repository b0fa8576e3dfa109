/* SPDX-License-Identifier: ISC */
/*
 * Days of an account whose local side does not know its recipients any more:
 * whose mail waits, who is refused, and when the alarm rings.
 */
#include "record/history_known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "config/config.h"
#include "history_file.h"
#include "record/history.h"
#include "tell/alarm.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const int64_t start = 1717405200000; /* Monday 2024-06-03T09:00:00Z */

static const struct config_account account = {.name = "office",
    .enabled = true,
    .every = 30 * MINUTE,
    .alarm_after = DAY};

static void
init(struct history *history)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	history_init(history);
	history->any = true;
	history->since = history->last_success = start;
}

static void
deliver(struct history *history, const char *mailbox, int64_t now)
{
	through_the_file(history);
	history_known_delivered(
	    &history->known, history_known_id(mailbox), now);
}

/* Whether one who is refused as unknown is deferred. */
static bool
waits(struct history *history, const char *mailbox, int64_t now)
{
	int64_t until = 0;

	through_the_file(history);
	bool waits = history_known_refused(
	    &history->known, history_known_id(mailbox), now, &until);
	if (waits)
		assert_true(until > now && until <= now + 4 * DAY);
	return waits;
}

static bool
rings(struct history *history, int64_t now)
{
	history->last_success = now;
	return alarm_of(&account, history, now) == ALARM_UNKNOWN;
}

static void
a_stranger_is_refused_at_once(void **state)
{
	struct history history;

	(void)state;
	init(&history);
	assert_false(waits(&history, "invented@example.org", start));
	deliver(&history, "anna@example.org", start);
	assert_false(waits(&history, "invented@example.org", start + HOUR));
	assert_false(rings(&history, start + HOUR));
	history_clear(&history);
}

/* Friday evening to Tuesday morning, each message offered each four hours. */
static void
a_list_of_users_lost_over_a_long_weekend_bounces_nothing(void **state)
{
	static const char *const all[] = {
	    "anna@example.org", "bob@example.org", "post@example.com"};
	struct history history;
	int64_t lost = start + 4 * DAY, rang = 0;

	(void)state;
	init(&history);
	for (size_t i = 0; i < 3; i++)
		deliver(&history, all[i], start + (int64_t)i * DAY);
	for (int64_t now = lost; now < lost + 88 * HOUR; now += 4 * HOUR) {
		for (size_t i = 0; i < 3; i++)
			assert_true(waits(&history, all[i], now));
		assert_false(waits(&history, "invented@example.org", now));
		if (rings(&history, now) && rang == 0)
			rang = now;
	}
	assert_in_range(rang - lost, HOUR, 4 * HOUR);
	/* Mended: that is over with the next mail. */
	for (size_t i = 0; i < 3; i++)
		deliver(&history, all[i], lost + 89 * HOUR);
	assert_false(rings(&history, lost + 89 * HOUR));
	assert_true(waits(&history, all[0], lost + 90 * HOUR));
	history_clear(&history);
}

/* Nobody mends it: the senders are to read the true reply in the end. */
static void
a_loss_is_believed_before_providers_give_up(void **state)
{
	struct history history;
	int64_t now = start;

	(void)state;
	init(&history);
	deliver(&history, "anna@example.org", now);
	while (waits(&history, "anna@example.org", now += 4 * HOUR))
		assert_true(now < start + 5 * DAY);
	assert_in_range(now - start, 4 * DAY, 4 * DAY + 8 * HOUR);
	assert_false(waits(&history, "anna@example.org", now + HOUR));
	history_clear(&history);
}

/* An office of two: the other one's mail shows that the list is there. */
static void
a_mailbox_that_was_removed_is_refused_after_a_day(void **state)
{
	struct history history;
	int64_t now = start;

	(void)state;
	init(&history);
	deliver(&history, "anna@example.org", now);
	deliver(&history, "bob@example.org", now);
	assert_true(waits(&history, "bob@example.org", now + HOUR));
	while (waits(&history, "bob@example.org", now += 4 * HOUR)) {
		deliver(&history, "anna@example.org", now + MINUTE);
		assert_false(rings(&history, now + MINUTE));
	}
	assert_in_range(now - start, DAY, DAY + 6 * HOUR);
	history_clear(&history);
}

/* As in most Maildirs: her own mail must not keep such a refusal from being
 * believed, each day anew. */
static void
a_mailbox_without_tags_has_none(void **state)
{
	struct history history;
	int64_t now = start;

	(void)state;
	init(&history);
	for (; now < start + 3 * DAY; now += 4 * HOUR) {
		deliver(&history, "anna@example.org", now);
		assert_false(
		    waits(&history, "anna+shop@example.org", now + HOUR));
	}
	/* Where there are any, they are known by one of them. */
	deliver(&history, "anna+list-1@example.org", now);
	assert_true(waits(&history, "anna+list-2@example.org", now + HOUR));
	history_clear(&history);
}

/* postmaster has no entry in the directory: that one is known proves little. */
static void
one_of_many_who_is_still_known_is_no_proof(void **state)
{
	struct history history;
	int64_t now = start + 2 * DAY;

	(void)state;
	init(&history);
	deliver(&history, "anna@example.org", start);
	deliver(&history, "bob@example.org", start);
	deliver(&history, "postmaster@example.org", start);
	for (int64_t at = start + HOUR; at <= now; at += 6 * HOUR) {
		assert_true(waits(&history, "anna@example.org", at));
		assert_true(waits(&history, "bob@example.org", at));
		deliver(&history, "postmaster@example.org", at + MINUTE);
	}
	assert_true(rings(&history, now));
	history_clear(&history);
}

/* A map that is made anew: the next try finds it. */
static void
a_moment_of_loss_never_rings(void **state)
{
	struct history history;

	(void)state;
	init(&history);
	deliver(&history, "anna@example.org", start);
	assert_true(waits(&history, "anna@example.org", start + DAY));
	assert_true(waits(&history, "anna@example.org", start + DAY + MINUTE));
	assert_false(rings(&history, start + DAY + 2 * HOUR));
	deliver(&history, "anna@example.org", start + DAY + 3 * HOUR);
	assert_false(rings(&history, start + DAY + 4 * HOUR));
	history_clear(&history);
}

/* What was refused once, weeks ago, begins anew. */
static void
an_old_refusal_shortens_no_later_doubt(void **state)
{
	struct history history;

	(void)state;
	init(&history);
	deliver(&history, "anna@example.org", start);
	assert_true(waits(&history, "anna@example.org", start + DAY));
	assert_true(waits(&history, "anna@example.org", start + 20 * DAY));
	assert_false(rings(&history, start + 20 * DAY));
	assert_true(waits(&history, "anna@example.org", start + 21 * DAY));
	assert_true(rings(&history, start + 21 * DAY));
	history_clear(&history);
}

static void
a_clock_that_ran_ahead_is_no_time_that_passed(void **state)
{
	struct history history;

	(void)state;
	init(&history);
	deliver(&history, "anna@example.org", start + 400 * DAY);
	assert_true(waits(&history, "anna@example.org", start + 401 * DAY));
	history_settle_times(&history, start);
	assert_true(waits(&history, "anna@example.org", start + HOUR));
	assert_true(waits(&history, "anna@example.org", start + 300 * DAY));
	history_clear(&history);
}

static void
a_mailbox_is_known_by_any_case_and_tag(void **state)
{
	const uint64_t id = history_known_id("anna@example.org");

	(void)state;
	assert_true(history_known_id("Anna@Example.ORG") == id);
	assert_true(history_known_id("anna+list-17=x@example.org") ==
		    history_known_id("Anna+other@example.org"));
	assert_true(history_known_id("anna+list-17=x@example.org") != id);
	assert_true(history_known_id("+anna@example.org") != id);
	assert_true(history_known_id("anna@example.com") != id);
}

static void
who_had_no_mail_for_longest_makes_room(void **state)
{
	struct history history;

	(void)state;
	init(&history);
	history_known_delivered(&history.known, 1, start);
	for (uint64_t id = 2; id <= HISTORY_KNOWN_MAX + 1; id++)
		history_known_delivered(
		    &history.known, id, start + DAY + (int64_t)id);
	assert_int_equal(history.known.count, HISTORY_KNOWN_MAX);
	int64_t until;
	assert_false(
	    history_known_refused(&history.known, 1, start + 2 * DAY, &until));
	assert_true(
	    history_known_refused(&history.known, 2, start + 2 * DAY, &until));
	through_the_file(&history);
	assert_int_equal(history.known.count, HISTORY_KNOWN_MAX);
	history_clear(&history);
}

/* Found without a walk, in whatever order they came and went. */
static void
many_mailboxes_are_told_apart(void **state)
{
	struct history_known known = {.count = 0};
	int64_t until;

	(void)state;
	/* 7 is prime to 900: each number once, in leaps. */
	for (uint64_t n = 0; n < 900; n++)
		history_known_delivered(&known, n * 7 % 900, start);
	for (uint64_t id = 0; id < 900; id++)
		history_known_delivered(&known, id, start + (int64_t)id);
	assert_int_equal(known.count, 900);
	for (uint64_t id = 0; id < 900; id++)
		assert_true(known.list[id].id == id &&
			    known.list[id].delivered == start + (int64_t)id);
	/* In doubt until providers give up, then believed and forgotten. */
	for (int64_t days = 1; days < 4; days++)
		for (uint64_t id = 0; id < 900; id += 3)
			assert_true(history_known_refused(
			    &known, id, start + days * DAY, &until));
	for (uint64_t id = 0; id < 900; id += 3)
		assert_false(
		    history_known_refused(&known, id, start + 5 * DAY, &until));
	assert_int_equal(known.count, 600);
	for (size_t i = 0; i < 600; i++)
		assert_true(known.list[i].id == i / 2 * 3 + i % 2 + 1);
	history_known_clear(&known);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stranger_is_refused_at_once),
	    cmocka_unit_test(
		a_list_of_users_lost_over_a_long_weekend_bounces_nothing),
	    cmocka_unit_test(a_loss_is_believed_before_providers_give_up),
	    cmocka_unit_test(a_mailbox_that_was_removed_is_refused_after_a_day),
	    cmocka_unit_test(a_mailbox_without_tags_has_none),
	    cmocka_unit_test(one_of_many_who_is_still_known_is_no_proof),
	    cmocka_unit_test(a_moment_of_loss_never_rings),
	    cmocka_unit_test(an_old_refusal_shortens_no_later_doubt),
	    cmocka_unit_test(a_clock_that_ran_ahead_is_no_time_that_passed),
	    cmocka_unit_test(a_mailbox_is_known_by_any_case_and_tag),
	    cmocka_unit_test(who_had_no_mail_for_longest_makes_room),
	    cmocka_unit_test(many_mailboxes_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
