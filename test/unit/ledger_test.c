/* SPDX-License-Identifier: ISC */
#include "ledger_fixture.h"

static void
test_a_lost_reply_delivers_once(void **state)
{
	struct fixture *f = *state;
	struct offered rcpt = {.mailbox = "a@x.example"};

	assert_int_equal(kit_offer(f->ledger, &plain, &rcpt, 1), 1);
	assert_int_equal(rcpt.told, 250);
	ledger_connection_begin(f->ledger);
	assert_int_equal(kit_offer(f->ledger, &plain, &rcpt, 1), 0);
	assert_int_equal(rcpt.told, 250);
}

/* His mailbox may be mended: that he was refused is no answer for today. */
static void
test_who_was_refused_is_asked_again(void **state)
{
	struct fixture *f = *state;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 554};

	for (int i = 0; i < 2; i++) {
		ledger_connection_begin(f->ledger);
		assert_int_equal(kit_offer(f->ledger, &plain, &rcpt, 1), 1);
		assert_string_equal(rcpt.reply, "554 5.1.2 local text");
		assert_int_equal(ledger_entries(f->ledger), 1);
	}
	ledger_connection_begin(f->ledger);
	rcpt.local = 250;
	assert_int_equal(kit_offer(f->ledger, &plain, &rcpt, 1), 1);
	assert_int_equal(rcpt.told, 250);
	/* And now he has it. */
	ledger_connection_begin(f->ledger);
	assert_int_equal(kit_offer(f->ledger, &plain, &rcpt, 1), 0);
	assert_int_equal(rcpt.told, 250);
	assert_int_equal(ledger_entries(f->ledger), 1);
}

/* Or he would wait in the group of the refused for ever. */
static void
test_who_was_refused_and_is_deferred_is_not_refused(void **state)
{
	struct fixture *f = *state;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 554};

	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	assert_int_equal(ledger_entries(f->ledger), 1);
	ledger_connection_begin(f->ledger);
	rcpt.local = 452;
	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	assert_int_equal(rcpt.told, 452);
	assert_int_equal(ledger_entries(f->ledger), 0);
}

static void
test_what_makes_it_the_same_message(void **state)
{
	static const struct {
		const char *name, *sender, *text, *rcpt;
		bool same;
	} cases[] = {
	    {"all", "s@y.example", "A: b\r\n\r\nc\r\n", "a@x.example", true},
	    {"line end", "s@y.example", "A: b\r\n\r\nc", "a@x.example", true},
	    {"domain", "s@Y.example", "A: b\r\n\r\nc\r\n", "a@X.EXAMPLE", true},
	    {"local part", "s@y.example", "A: b\r\n\r\nc\r\n", "A@x.example",
		false},
	    {"sender", "S@y.example", "A: b\r\n\r\nc\r\n", "a@x.example",
		false},
	    {"null sender", "", "A: b\r\n\r\nc\r\n", "a@x.example", false},
	    {"header", "s@y.example", "A: B\r\n\r\nc\r\n", "a@x.example",
		false},
	    {"line more", "s@y.example", "A: b\r\n\r\nc\r\n\r\n", "a@x.example",
		false},
	    {"no text", "s@y.example", "", "a@x.example", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture f;
		struct offer offer = {
		    .sender = "s@y.example", .text = "A: b\r\n\r\nc\r\n"};
		struct offered rcpt = {.mailbox = "a@x.example"};

		begin(&f, false);
		(void)kit_offer(f.ledger, &offer, &rcpt, 1);
		ledger_connection_begin(f.ledger);
		offer.sender = cases[i].sender;
		offer.text = cases[i].text;
		rcpt.mailbox = cases[i].rcpt;
		bool same = kit_offer(f.ledger, &offer, &rcpt, 1) == 0;
		if (same != cases[i].same)
			fail_msg("%s", cases[i].name);
		end(&f);
	}
}

static void
test_the_pieces_of_a_text_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct path sender = kit_path(plain.sender), rcpt;
	struct ledger_target target = {false, false};
	struct status status;

	(void)kit_send(f->ledger, "abc\r\n", "a@x.example");
	ledger_connection_begin(f->ledger);
	ledger_mail(f->ledger, &sender, 0, false);
	rcpt = kit_path("a@x.example");
	assert_int_equal(
	    ledger_rcpt(f->ledger, 0, &rcpt, &target, &status), LEDGER_ASK);
	status_set(&status, 250, "", "ok");
	ledger_rcpt_answer(f->ledger, 0, &status);
	ledger_text(f->ledger, "a", 1);
	ledger_text(f->ledger, "", 0);
	ledger_text(f->ledger, "bc\r", 3);
	ledger_text(f->ledger, "\n", 1);
	assert_int_equal(ledger_judge(f->ledger), LEDGER_ABORT);
}

static void
test_the_same_text_again_on_one_connection_is_new(void **state)
{
	struct fixture *f = *state;

	assert_true(kit_delivers(f->ledger, "t\r\n", "a@x.example"));
	assert_true(kit_delivers(f->ledger, "t\r\n", "a@x.example"));
	/* Both may come again, and neither is delivered again. */
	ledger_connection_begin(f->ledger);
	assert_false(kit_delivers(f->ledger, "t\r\n", "a@x.example"));
	assert_false(kit_delivers(f->ledger, "t\r\n", "a@x.example"));
	assert_true(kit_delivers(f->ledger, "t\r\n", "a@x.example"));
}

static void
test_only_proof_strikes_out(void **state)
{
	struct fixture *f = *state;

	(void)kit_send(f->ledger, "t\r\n", "a@x.example");
	/* The next command, QUIT, the end: none of them proves anything. */
	ledger_arrived(f->ledger);
	ledger_connection_begin(f->ledger);
	assert_int_equal(ledger_entries(f->ledger), 1);
	/* A 354 that was sent before the answer: neither. */
	ledger_synchronised(f->ledger);
	(void)kit_send(f->ledger, "t\r\n", "a@x.example");
	ledger_arrived(f->ledger);
	assert_int_equal(ledger_entries(f->ledger), 1);
	/* A 354 behind which nothing comes: neither. */
	ledger_synchronised(f->ledger);
	ledger_connection_begin(f->ledger);
	ledger_arrived(f->ledger);
	assert_int_equal(ledger_entries(f->ledger), 1);

	(void)kit_send(f->ledger, "t\r\n", "a@x.example");
	ledger_synchronised(f->ledger);
	ledger_arrived(f->ledger);
	assert_int_equal(ledger_entries(f->ledger), 0);
	ledger_connection_begin(f->ledger);
	assert_true(kit_delivers(f->ledger, "t\r\n", "a@x.example"));
}

/* One mailbox, asked and given the message once, with one outcome for all. */
static void
test_a_mailbox_named_twice(void **state)
{
	static const struct {
		const char *name, *second;
		bool caseless;
		size_t given;
	} cases[] = {
	    {"the same", "u@x.example", false, 1},
	    {"domain", "u@X.EXAMPLE", false, 1},
	    {"local part", "U@x.example", false, 2},
	    {"local part of a maildir", "U@x.example", true, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture f;
		struct offered rcpts[] = {
		    {.mailbox = "u@x.example", .caseless = cases[i].caseless},
		    {.mailbox = cases[i].second,
			.caseless = cases[i].caseless}};
		begin(&f, false);
		size_t given = kit_offer(f.ledger, &plain, rcpts, 2);
		bool told = rcpts[0].told == 250 && rcpts[1].told == 250;
		/* Alone, later: he has it. */
		ledger_connection_begin(f.ledger);
		size_t again = kit_offer(f.ledger, &plain, &rcpts[1], 1);
		if (given != cases[i].given || !told || again != 0 ||
		    rcpts[1].told != 250)
			fail_msg("%s", cases[i].name);
		end(&f);
	}
}

static void
test_a_refused_mailbox_named_twice(void **state)
{
	struct fixture *f = *state;
	struct offered rcpts[] = {{.mailbox = "a@x.example", .local = 554},
	    {.mailbox = "b@x.example"}, {.mailbox = "a@x.example"}};

	(void)kit_offer(f->ledger, &plain, rcpts, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rcpts[i].told, 451);
	for (int tries = 0; tries < 60 && rcpts[1].told != 250; tries++) {
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &plain, rcpts, 3);
		assert_int_equal(rcpts[0].told, rcpts[2].told);
	}
	assert_int_equal(rcpts[1].told, 250);
}

/* In one pipelined group the delivery has not answered the first name yet. */
static void
test_a_mailbox_named_twice_in_one_group(void **state)
{
	static const struct {
		int code, told;
	} cases[] = {{250, 250}, {550, 550}, {452, 451}};
	struct ledger_target target = {false, false};
	struct path path = kit_path("a@x.example");
	struct path sender = kit_path(plain.sender);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture *f = *state;
		struct status status;
		size_t same = 0;
		ledger_mail(f->ledger, &sender, 0, false);
		assert_int_equal(
		    ledger_rcpt(f->ledger, 1, &path, &target, &status),
		    LEDGER_ASK);
		assert_int_equal(
		    ledger_rcpt(f->ledger, 3, &path, &target, &status),
		    LEDGER_SAME);
		status_set(&status, cases[i].code, "", "local");
		ledger_rcpt_answer(f->ledger, 1, &status);
		assert_int_equal(status.code, cases[i].told);
		assert_true(ledger_rcpt_same(f->ledger, 1, &same));
		assert_int_equal(same, 3);
		/* 0 and 2 were refused before the ledger was asked. */
		for (size_t rcpt = 0; rcpt < 5; rcpt++)
			assert_int_equal(ledger_asked_as(f->ledger, rcpt),
			    rcpt == 3 ? 1 : rcpt);
		assert_false(ledger_rcpt_same(f->ledger, 1, &same));
		ledger_abort(f->ledger);
	}
}

static void
test_a_message_costs_one_write(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++) {
		size_t before = f->store.appends;
		(void)kit_send(f->ledger, "t\r\n", "a@x.example");
		assert_int_equal(f->store.appends, before + 1);
		ledger_synchronised(f->ledger);
		ledger_arrived(f->ledger);
		assert_int_equal(f->store.appends, before + 1);
	}
	assert_true(strlen(f->store.last) < 300);
	assert_int_equal(f->store.syncs, 0);
}

/* What one step gave to two is on record at once: a kill in between would give
 * one of them the message again. */
static void
test_joined_outcomes_cost_one_write(void **state)
{
	struct fixture *f = *state;
	struct ledger_target target = {false, false};
	struct path sender = kit_path(plain.sender);
	const char *const names[] = {"a@x.example", "b@x.example"};
	struct status status;

	ledger_mail(f->ledger, &sender, 0, false);
	for (size_t i = 0; i < 2; i++) {
		struct path path = kit_path(names[i]);
		assert_int_equal(
		    ledger_rcpt(f->ledger, i, &path, &target, &status),
		    LEDGER_ASK);
		status_set(&status, 250, "", "ok");
		ledger_rcpt_answer(f->ledger, i, &status);
	}
	assert_int_equal(ledger_judge(f->ledger), LEDGER_FINISH);
	size_t before = f->store.appends;
	ledger_outcome(f->ledger, 0, &status, true);
	assert_int_equal(f->store.appends, before);
	ledger_outcome(f->ledger, 1, &status, false);
	assert_int_equal(f->store.appends, before + 1);
	for (size_t i = 0; i < 2; i++)
		assert_non_null(strstr(f->store.last, names[i]));
}

static void
test_sync_comes_before_the_reply(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, true);
	(void)kit_send(f.ledger, "t\r\n", "a@x.example");
	assert_int_equal(f.store.syncs, 1);
	end(&f);
}

static void
test_a_failed_write_stays_truthful(void **state)
{
	struct fixture *f = *state;
	struct offered rcpts[] = {{.mailbox = "a@x.example"},
	    {.mailbox = "b@x.example", .local = 554}};
	struct error err;

	assert_false(ledger_failed(f->ledger, &err));
	f->store.fails = true;
	(void)kit_offer(f->ledger, &plain, rcpts, 1);
	assert_int_equal(rcpts[0].told, 250);
	assert_true(ledger_failed(f->ledger, &err));
	assert_int_equal(error_exit_status(err.class), 75);
	assert_string_equal(err.text, "the disk is full");
	(void)kit_offer(f->ledger, &plain, rcpts, 2);
	assert_int_equal(rcpts[0].told, 451);
	assert_int_equal(rcpts[1].told, 451);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_LEDGER(test_a_lost_reply_delivers_once),
	    WITH_LEDGER(test_who_was_refused_is_asked_again),
	    WITH_LEDGER(test_who_was_refused_and_is_deferred_is_not_refused),
	    cmocka_unit_test(test_what_makes_it_the_same_message),
	    WITH_LEDGER(test_the_pieces_of_a_text_do_not_count),
	    WITH_LEDGER(test_the_same_text_again_on_one_connection_is_new),
	    WITH_LEDGER(test_only_proof_strikes_out),
	    cmocka_unit_test(test_a_mailbox_named_twice),
	    WITH_LEDGER(test_a_refused_mailbox_named_twice),
	    WITH_LEDGER(test_a_mailbox_named_twice_in_one_group),
	    WITH_LEDGER(test_a_message_costs_one_write),
	    WITH_LEDGER(test_joined_outcomes_cost_one_write),
	    cmocka_unit_test(test_sync_comes_before_the_reply),
	    WITH_LEDGER(test_a_failed_write_stays_truthful),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
