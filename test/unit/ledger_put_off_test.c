/* SPDX-License-Identifier: ISC */
/* Recipients that were deferred at the end of a text. */
#include "ledger_fixture.h"

static void
test_a_deferred_recipient_is_put_off(void **state)
{
	static const int64_t waits[] = {15, 30, 60, 120, 240, 240, 240};
	struct fixture *f = *state;
	struct offer sized = plain;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 452};

	sized.size = 40000000;
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
		assert_int_equal(rcpt.told, 452);
		begin_session(f);
		f->now += waits[i] * 60 - 1;
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
		assert_int_equal(rcpt.told_rcpt, 451);
		assert_string_equal(rcpt.reply, "451 5.1.2 local text");
		f->now += 1;
	}
	/* Another size, another sender, no size: another message. */
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	sized.size++;
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	assert_int_equal(rcpt.told_rcpt, 250);
	sized.size--;
	sized.sender = "o@y.example";
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	assert_int_equal(rcpt.told_rcpt, 250);
	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	assert_int_equal(rcpt.told_rcpt, 250);
}

/* It may be over at any time; and it is nothing that the mailbox has done. */
static void
test_an_outage_puts_nobody_off(void **state)
{
	static const struct {
		int code;
		const char *enhanced;
		bool waits;
	} cases[] = {{451, "4.3.0", false}, {452, "4.3.1", false},
	    {451, "4.4.2", false}, {421, "4.2.1", false}, {451, "", false},
	    {452, "4.2.2", true}, {450, "4.7.1", true}, {450, "", true},
	    {452, "", true},
	    /* A set-up that somebody has to mend. */
	    {451, "4.3.5", true}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture *f = *state;
		struct offer sized = plain;
		struct offered rcpt = {.mailbox = "a@x.example",
		    .local = cases[i].code,
		    .enhanced = cases[i].enhanced};
		sized.size = 1000 + i;
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
		assert_int_equal(rcpt.told, cases[i].code);
		/* The next session; here the calls of one hear it. */
		begin_session(f);
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
		if (rcpt.told_rcpt != (cases[i].waits ? 451 : 250) &&
		    rcpt.told_rcpt != cases[i].code)
			fail_msg("%d %s", cases[i].code, cases[i].enhanced);
		assert_int_equal(rcpt.told == 0, cases[i].waits);
	}
}

/* A full mailbox costs one download a session, also without SIZE=. */
static void
test_without_a_size_the_session_remembers(void **state)
{
	struct fixture *f = *state;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 452};
	struct offered other = {.mailbox = "b@x.example"};

	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	assert_int_equal(rcpt.told, 452);
	for (int call = 0; call < 5; call++) {
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &plain, &rcpt, 1);
		assert_string_equal(rcpt.reply, "451 5.1.2 local text");
		assert_int_equal(rcpt.told, 0);
		(void)kit_offer(f->ledger, &plain, &other, 1);
		assert_int_equal(other.told, 250);
	}
	/* In this session alone. */
	rcpt.local = 250;
	begin_session(f);
	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	assert_int_equal(rcpt.told, 250);
}

/* A provider that sends one message a call, and the deferred one first: the
 * one behind it is only late. */
static void
test_others_without_a_size_are_not_kept_away(void **state)
{
	struct fixture *f = *state;
	struct offer second = {.sender = "s@y.example", .text = "second\r\n"};
	struct offered full = {.mailbox = "a@x.example", .local = 452};
	struct offered rcpt = {.mailbox = "a@x.example"};
	int sessions = 0;

	do {
		begin_session(f);
		(void)kit_offer(f->ledger, &plain, &full, 1);
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &second, &rcpt, 1);
	} while (rcpt.told != 250 && ++sessions < 10);
	assert_true(sessions < 4);
	/* And on one connection not even that. */
	begin_session(f);
	second.text = "third\r\n";
	(void)kit_offer(f->ledger, &plain, &full, 1);
	(void)kit_offer(f->ledger, &second, &rcpt, 1);
	assert_int_equal(rcpt.told, 250);
}

/* The same with a size: a night's reports may all be as long. */
static void
test_others_of_the_same_size_are_not_kept_away(void **state)
{
	struct fixture *f = *state;
	struct offer first = {.sender = "s@y.example", .text = "one\r\n"};
	struct offer second = {.sender = "s@y.example", .text = "two\r\n"};
	struct offered held = {.mailbox = "a@x.example", .local = 450};
	struct offered rcpt = {.mailbox = "a@x.example"};
	int tries = 0;

	/* On one connection they are two messages. */
	first.size = second.size = 5;
	(void)kit_offer(f->ledger, &first, &held, 1);
	(void)kit_offer(f->ledger, &second, &rcpt, 1);
	assert_int_equal(rcpt.told, 250);
	/* One a call, and the deferred one first. */
	second.text = "six\r\n";
	do {
		f->now += 4 * 3600;
		begin_session(f);
		(void)kit_offer(f->ledger, &first, &held, 1);
		assert_int_equal(held.told, 450);
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &second, &rcpt, 1);
	} while (rcpt.told != 250 && ++tries < 10);
	assert_true(tries < 4);
}

/* Many alike that are deferred on one connection are one time, or the mailbox
 * would wait for hours after the first. */
static void
test_many_of_the_same_size_are_deferred_once(void **state)
{
	struct fixture *f = *state;
	struct offer sized = plain;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 452};
	bool error;

	sized.size = 5;
	for (int i = 0; i < 20; i++) {
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
		assert_int_equal(rcpt.told, 452);
	}
	assert_null(ledger_note(f->ledger, &error));
	begin_session(f);
	rcpt.local = 250;
	f->now += 15 * 60 - 1;
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	assert_int_equal(rcpt.told, 0);
	f->now += 1;
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	assert_int_equal(rcpt.told, 250);
}

/* A text that the engine defers at its end: the same at every download. */
static void
test_a_loop_is_put_off(void **state)
{
	struct fixture *f = *state;
	struct ledger_target target = {false, false};
	struct path path = kit_path("a@x.example");
	struct path sender = kit_path("s@y.example");
	struct offer sized = plain;
	struct offered rcpt = {.mailbox = "a@x.example"};
	struct status status;

	ledger_mail(f->ledger, &sender, 77, false);
	assert_int_equal(
	    ledger_rcpt(f->ledger, 0, &path, &target, &status), LEDGER_ASK);
	status_set(&status, 250, "", "ok");
	ledger_rcpt_answer(f->ledger, 0, &status);
	ledger_text(f->ledger, "text", 4);
	status_set(&status, 451, "4.4.6", "Mail loop");
	ledger_defer(f->ledger, &status);
	sized.size = 77;
	begin_session(f);
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	assert_string_equal(rcpt.reply, "451 4.4.6 Mail loop");
	f->now += LEDGER_DEFER_FIRST;
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	assert_int_equal(rcpt.told, 250);
}

static void
test_a_mailbox_with_room_again_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct offer sized = plain;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 452};

	sized.size = 5;
	for (int i = 0; i < 3; i++) {
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
		begin_session(f);
		f->now += 4 * 3600;
	}
	rcpt.local = 250;
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	assert_int_equal(rcpt.told, 250);
	rcpt.local = 452;
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	f->now += 15 * 60;
	(void)kit_offer(f->ledger, &sized, &rcpt, 1);
	assert_int_equal(rcpt.told_rcpt, 250);
}

/* 451 for the others' sake is no deferral of the local side. */
static void
test_who_has_it_is_not_put_off(void **state)
{
	struct fixture *f = *state;
	struct offer sized = plain;
	struct offered rcpts[] = {{.mailbox = "a@x.example"},
	    {.mailbox = "b@x.example", .local = 452}};

	sized.size = 5;
	(void)kit_offer(f->ledger, &sized, rcpts, 2);
	for (int tries = 0; tries < 40; tries++) {
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &sized, rcpts, 2);
		assert_string_equal(rcpts[1].reply, "451 5.1.2 local text");
		assert_int_equal(rcpts[1].told_rcpt, 451);
		if (rcpts[0].told == 250)
			return;
	}
	fail_msg("never let in");
}

static void
test_too_many_deferrals_are_named_once(void **state)
{
	struct fixture *f = *state;
	struct offer sized = plain;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 452};
	int notes = 0;
	bool error = false;

	sized.size = 77;
	for (int i = 1; i <= 30; i++) {
		begin_session(f);
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
		const char *note = ledger_note(f->ledger, &error);
		if (note != NULL) {
			assert_int_equal(i, 11);
			assert_true(error);
			assert_string_equal(note,
			    "a message from <s@y.example> of 77 octets was "
			    "deferred 11 times for <a@x.example>: "
			    "452 5.1.2 local text");
			assert_null(ledger_note(f->ledger, &error));
			notes++;
		}
		f->now += 4 * 3600;
	}
	assert_int_equal(notes, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_LEDGER(test_an_outage_puts_nobody_off),
	    WITH_LEDGER(test_without_a_size_the_session_remembers),
	    WITH_LEDGER(test_others_without_a_size_are_not_kept_away),
	    WITH_LEDGER(test_others_of_the_same_size_are_not_kept_away),
	    WITH_LEDGER(test_many_of_the_same_size_are_deferred_once),
	    WITH_LEDGER(test_a_loop_is_put_off),
	    WITH_LEDGER(test_a_deferred_recipient_is_put_off),
	    WITH_LEDGER(test_a_mailbox_with_room_again_begins_anew),
	    WITH_LEDGER(test_who_has_it_is_not_put_off),
	    WITH_LEDGER(test_too_many_deferrals_are_named_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
