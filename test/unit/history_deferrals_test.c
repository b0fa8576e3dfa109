/* SPDX-License-Identifier: ISC */
/*
 * Days of an account, session by session: the alarm of deferred mail rings
 * for a mailbox that stays full, and only then.
 */
#include "record/history_deferrals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

static struct config_account account;

static int
set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	account = (struct config_account){.name = "office",
	    .enabled = true,
	    .every = 30 * MINUTE,
	    .alarm_after = DAY};
	return 0;
}

/* A session that told id this code, 0: it was not offered. */
static void
session(struct history *history, uint64_t id, int code, int64_t now)
{
	struct session_result result = {
	    .outcome = SESSION_NO_MAIL, .started = now, .ended = now};

	through_the_file(history);
	if (code >= 400 && code < 500) {
		history_deferrals_told(&history->deferrals, id, now);
		result.outcome = SESSION_DEFERRED;
		result.deferred = 1;
	} else if (code != 0) {
		history_deferrals_end(&history->deferrals, id);
		result.outcome = SESSION_MAIL;
		result.messages = 1;
	}
	history_deferrals_forget(&history->deferrals, &account, now);
	history_add(history, &result);
}

static bool
rings(const struct history *history, int64_t now)
{
	return alarm_of(&account, history, now) == ALARM_DEFERRED;
}

/* Whatever the provider waits between two tries. */
static void
a_mailbox_full_for_days_rings_until_mail_is_accepted(void **state)
{
	static const int64_t waits[] = {
	    30 * MINUTE, HOUR, 4 * HOUR, 8 * HOUR, 24 * HOUR, 26 * HOUR};

	(void)state;
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		struct history history;
		int64_t rang = 0, freed = start + 5 * DAY, offered = start;
		bool accepted = false;
		print_message(
		    "a try each %lld min\n", (long long)(waits[i] / MINUTE));
		history_init(&history);
		for (int64_t now = start; now < start + 8 * DAY;
		     now += account.every) {
			bool due = !accepted && now >= offered;
			int code = !due ? 0 : now < freed ? 452 : 250;
			session(&history, 1, code, now);
			if (due)
				offered = now + waits[i];
			accepted |= code == 250;
			if (rings(&history, now) && rang == 0)
				rang = now;
			assert_int_equal(
			    rings(&history, now), rang != 0 && !accepted);
		}
		assert_true(accepted);
		assert_in_range(rang - start, DAY, DAY + waits[i] + HOUR);
		history_clear(&history);
	}
}

/* It rang for a message that the provider then returned to its sender. */
static void
a_message_that_is_offered_no_more_stops_ringing(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	/* What counts begins with the session that was due next. */
	for (int64_t now = start; now <= start + 8 * DAY; now += 4 * HOUR) {
		session(&history, 1, now <= start + 3 * DAY ? 452 : 0, now);
		assert_int_equal(rings(&history, now),
		    now > start + DAY && now <= start + 5 * DAY);
	}
	history_clear(&history);
}

/* Greylisting, mixed outcomes, a local server that restarts: at any time some
 * message is deferred, and each is accepted at its next try. */
static void
mail_that_is_deferred_once_never_rings(void **state)
{
	struct history history;
	uint64_t id = 0;

	(void)state;
	history_init(&history);
	for (int64_t now = start; now < start + 10 * DAY; now += HOUR) {
		session(&history, id, 250, now);
		session(&history, ++id, 451, now);
		assert_false(rings(&history, now));
		assert_int_equal(history.deferrals.count, 1);
	}
	history_clear(&history);
}

/* What was deferred once and never came again proves nothing. */
static void
a_single_deferral_never_rings(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	session(&history, 1, 452, start);
	for (int64_t now = start; now < start + 4 * DAY; now += HOUR) {
		session(&history, 1, 0, now);
		assert_false(rings(&history, now));
	}
	assert_int_equal(history.deferrals.count, 0);
	history_clear(&history);
}

/* Sessions from Monday to Friday: the weekend is no end of the trouble. */
static void
a_weekend_without_sessions_ends_nothing(void **state)
{
	struct config_window work = {
	    .days = 0x3e, .hours = {8 * 60, 18 * 60}, .every = HOUR};
	struct history history;

	(void)state;
	account.schedule.windows = &work;
	account.schedule.count = 1;
	account.alarm_after = 50 * HOUR; /* five working days */
	history_init(&history);
	session(&history, 1, 452, start + 3 * DAY); /* Thursday */
	session(&history, 1, 452, start + 4 * DAY);
	session(&history, 1, 0, start + 7 * DAY); /* Monday */
	session(&history, 1, 452, start + 8 * DAY);
	session(&history, 1, 452, start + 9 * DAY);
	assert_false(rings(&history, start + 9 * DAY));
	session(&history, 1, 452, start + 10 * DAY + HOUR);
	assert_true(rings(&history, start + 10 * DAY + HOUR));
	history_clear(&history);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(
		a_mailbox_full_for_days_rings_until_mail_is_accepted, set_up),
	    cmocka_unit_test_setup(
		a_message_that_is_offered_no_more_stops_ringing, set_up),
	    cmocka_unit_test_setup(
		mail_that_is_deferred_once_never_rings, set_up),
	    cmocka_unit_test_setup(a_single_deferral_never_rings, set_up),
	    cmocka_unit_test_setup(
		a_weekend_without_sessions_ends_nothing, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
