/* SPDX-License-Identifier: ISC */
/* Recipients whose outcomes differ: who is in one transaction with whom. */
#include "ledger_fixture.h"

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void
test_mixed_outcomes_get_451_and_come_back_in_groups(void **state)
{
	struct fixture *f = *state;
	struct offer sized = plain;
	struct offered rcpts[] = {{.mailbox = "taken@x.example"},
	    {.mailbox = "refused@x.example", .local = 554},
	    {.mailbox = "deferred@x.example", .local = 452}};
	bool done[3] = {false};

	sized.size = 3;
	assert_int_equal(kit_offer(f->ledger, &sized, rcpts, 3), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rcpts[i].told, 451);
	assert_int_equal(ledger_due(f->ledger), 1);
	for (int tries = 0; tries < 60; tries++) {
		ledger_connection_begin(f->ledger);
		f->now += LEDGER_DEFER_LONGEST;
		rcpts[2].local = 250;
		(void)kit_offer(f->ledger, &sized, rcpts, 3);
		/* Whoever was deferred hears why when he is kept out. */
		if (rcpts[2].told_rcpt != 250 && !done[2])
			assert_string_equal(
			    rcpts[2].reply, "451 5.1.2 local text");
		for (int i = 0; i < 3; i++) {
			if (i != 2 && rcpts[i].told_rcpt != 250)
				assert_true(
				    starts_with(rcpts[i].reply, "451 4.5.3"));
			/* What is true of him, or later. */
			assert_true(rcpts[i].told == 0 ||
				    rcpts[i].told == 451 ||
				    rcpts[i].told == (i == 1 ? 554 : 250));
			/* Who has it is not given it again. */
			assert_false((i == 0 || (i == 2 && done[2])) &&
				     rcpts[i].delivered);
			done[i] |= rcpts[i].told != 0 && rcpts[i].told != 451;
		}
		if (done[0] && done[1] && done[2])
			break;
	}
	assert_true(done[0] && done[2]);
	/* As the provider does: who was told is offered no more. */
	for (int tries = 0; tries < 60 && !done[1]; tries++) {
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &sized, &rcpts[1], 1);
		done[1] = rcpts[1].told == 554;
	}
	assert_true(done[1]);
	assert_int_equal(ledger_due(f->ledger), 0);
}

/* Whoever is first must not decide: he may be deferred for ever. */
static void
test_chance_lets_each_group_in(void **state)
{
	struct fixture *f = *state;
	struct offer sized = plain;
	struct offered rcpts[] = {{.mailbox = "full@x.example", .local = 452},
	    {.mailbox = "taken@x.example"}};
	int second = 0;

	sized.size = 3;
	(void)kit_offer(f->ledger, &sized, rcpts, 2);
	for (int tries = 0; tries < 60 && second == 0; tries++) {
		ledger_connection_begin(f->ledger);
		f->now += LEDGER_DEFER_LONGEST;
		(void)kit_offer(f->ledger, &sized, rcpts, 2);
		second += rcpts[1].told == 250;
	}
	assert_int_equal(second, 1);
	/* Once it is told, nobody waits any more. */
	assert_int_equal(ledger_due(f->ledger), 0);
	f->now += LEDGER_DEFER_LONGEST;
	(void)kit_offer(f->ledger, &sized, rcpts, 1);
	assert_int_equal(rcpts[0].told_rcpt, 250);
}

/*
 * A sender that bounces all recipients of a transaction with a 5xx at its end
 * (Exim those with 452) must not see one where the ledger kept somebody out.
 */
static void
test_no_5xx_ends_a_text_that_others_were_kept_out_of(void **state)
{
	int alone = 0;

	(void)state;
	for (unsigned char salt = 0; salt < 20; salt++) {
		struct fixture f;
		struct offered rcpts[] = {{.mailbox = "taken@x.example"},
		    {.mailbox = "refused@x.example", .local = 554}};
		begin(&f, false);
		f.salt = (unsigned char)(10 * salt);
		do {
			ledger_connection_begin(f.ledger);
			(void)kit_offer(f.ledger, &plain, rcpts, 2);
			for (int i = 0; i < 2; i++)
				assert_int_not_equal(rcpts[i].told_rcpt, 452);
			assert_int_not_equal(rcpts[1].told, 554);
			alone += rcpts[1].told == 451 && rcpts[0].told == 0;
		} while (rcpts[0].told != 250);
		/* With the others gone he is told at once. */
		do {
			ledger_connection_begin(f.ledger);
			(void)kit_offer(f.ledger, &plain, &rcpts[1], 1);
		} while (rcpts[1].told == 0);
		assert_int_equal(rcpts[1].told, 554);
		end(&f);
	}
	assert_true(alone > 0);
}

/* Somebody who is deferred for ever does not keep the truth from the others. */
static void
test_who_is_deferred_for_ever_holds_no_refusal_up(void **state)
{
	struct fixture *f = *state;
	struct offered rcpts[] = {{.mailbox = "full@x.example", .local = 452},
	    {.mailbox = "refused@x.example", .local = 554}};

	(void)kit_offer(f->ledger, &plain, rcpts, 2);
	for (int tries = 0; tries < 100 && rcpts[1].told != 554; tries++) {
		begin_session(f);
		(void)kit_offer(f->ledger, &plain, rcpts, 2);
	}
	assert_int_equal(rcpts[1].told, 554);
	assert_string_equal(rcpts[0].reply, "451 5.1.2 local text");
}

/* Whoever says it: the delivery at RCPT, or the ledger in its words. */
static void
test_nobody_is_told_452_at_rcpt(void **state)
{
	struct fixture *f = *state;
	struct offered rcpt = {.mailbox = "a@x.example", .local_rcpt = 452};

	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	assert_string_equal(rcpt.reply, "451 local rcpt");
}

static void
test_other_senders_do_not_wait(void **state)
{
	struct fixture *f = *state;
	struct offer other = {.sender = "o@y.example", .text = "t\r\n"};
	struct offered rcpts[] = {{.mailbox = "a@x.example"},
	    {.mailbox = "b@x.example", .local = 452}};

	(void)kit_offer(f->ledger, &plain, rcpts, 2);
	rcpts[1].local = 250;
	for (int tries = 0; tries < 10; tries++) {
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &other, rcpts, 2);
		assert_int_equal(rcpts[0].told, 250);
		assert_int_equal(rcpts[1].told, 250);
	}
}

/* One that the provider gave up, or changed, holds its sender's mail no more. */
static void
test_a_due_entry_that_is_not_seen_holds_nobody_up(void **state)
{
	struct fixture *f = *state;
	struct offer other = {.sender = "s@y.example", .text = "other\r\n"};
	struct offered rcpts[] = {{.mailbox = "a@x.example"},
	    {.mailbox = "b@x.example", .local = 452}};

	(void)kit_offer(f->ledger, &plain, rcpts, 2);
	f->now += LEDGER_DUE_KEEP;
	begin_session(f);
	assert_int_equal(ledger_due(f->ledger), 1);
	f->now += 1;
	begin_session(f);
	assert_int_equal(ledger_due(f->ledger), 0);
	rcpts[1].local = 250;
	for (int i = 0; i < 10; i++) {
		(void)kit_offer(f->ledger, &other, rcpts, 2);
		assert_int_equal(rcpts[0].told, 250);
		assert_int_equal(rcpts[1].told, 250);
	}
	/* That it was taken stays, and it may come after all. */
	ledger_connection_begin(f->ledger);
	assert_int_equal(kit_offer(f->ledger, &plain, rcpts, 2), 0);
	assert_int_equal(rcpts[0].told, 451);
	assert_int_equal(ledger_due(f->ledger), 1);
}

static void
test_prdr_tells_each_its_own(void **state)
{
	struct fixture *f = *state;
	struct offer prdr = plain;
	struct offered rcpts[] = {{.mailbox = "a@x.example"},
	    {.mailbox = "b@x.example", .local = 554},
	    {.mailbox = "c@x.example", .local = 452}};

	prdr.prdr = true;
	(void)kit_offer(f->ledger, &prdr, rcpts, 3);
	assert_int_equal(rcpts[0].told, 250);
	assert_int_equal(rcpts[1].told, 554);
	assert_int_equal(rcpts[2].told, 452);
	assert_int_equal(ledger_due(f->ledger), 0);
	/* The replies were lost: 250 again, and 451 to the rest. */
	begin_session(f);
	assert_int_equal(kit_offer(f->ledger, &prdr, rcpts, 3), 0);
	assert_int_equal(rcpts[0].told, 250);
	assert_int_equal(rcpts[1].told, 451);
	assert_int_equal(rcpts[2].told, 451);
	assert_int_equal(ledger_due(f->ledger), 0);
	/* With the first one gone they are asked again. */
	ledger_connection_begin(f->ledger);
	assert_int_equal(kit_offer(f->ledger, &prdr, rcpts + 1, 1), 1);
	assert_int_equal(rcpts[1].told, 554);
}

static void
test_some_have_it_and_some_do_not(void **state)
{
	struct fixture *f = *state;
	struct offered rcpts[] = {
	    {.mailbox = "a@x.example"}, {.mailbox = "b@x.example"}};

	(void)kit_offer(f->ledger, &plain, rcpts, 1);
	ledger_connection_begin(f->ledger);
	assert_int_equal(kit_offer(f->ledger, &plain, rcpts, 2), 0);
	assert_int_equal(rcpts[0].told, 451);
	assert_int_equal(rcpts[1].told, 451);
	assert_int_equal(ledger_due(f->ledger), 1);
}

/* It filled the mailbox, which therefore refuses: no bounce for it. */
static void
test_who_has_it_is_not_refused_at_rcpt(void **state)
{
	struct fixture *f = *state;
	struct offer other = {.sender = "s@y.example", .text = "other\r\n"};
	struct offered rcpt = {.mailbox = "a@x.example"};

	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	ledger_connection_begin(f->ledger);
	rcpt.local_rcpt = 552;
	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	assert_int_equal(rcpt.told_rcpt, 250);
	assert_int_equal(rcpt.told, 250);
	/* Another message is refused as it would have been at RCPT. */
	ledger_connection_begin(f->ledger);
	assert_int_equal(kit_offer(f->ledger, &other, &rcpt, 1), 0);
	assert_int_equal(rcpt.told_rcpt, 250);
	assert_string_equal(rcpt.reply, "552 local rcpt");
	/* And who never had anything of this sender, at RCPT. */
	rcpt.mailbox = "b@x.example";
	(void)kit_offer(f->ledger, &other, &rcpt, 1);
	assert_int_equal(rcpt.told_rcpt, 552);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_LEDGER(test_mixed_outcomes_get_451_and_come_back_in_groups),
	    WITH_LEDGER(test_chance_lets_each_group_in),
	    cmocka_unit_test(
		test_no_5xx_ends_a_text_that_others_were_kept_out_of),
	    WITH_LEDGER(test_who_is_deferred_for_ever_holds_no_refusal_up),
	    WITH_LEDGER(test_nobody_is_told_452_at_rcpt),
	    WITH_LEDGER(test_other_senders_do_not_wait),
	    WITH_LEDGER(test_a_due_entry_that_is_not_seen_holds_nobody_up),
	    WITH_LEDGER(test_prdr_tells_each_its_own),
	    WITH_LEDGER(test_some_have_it_and_some_do_not),
	    WITH_LEDGER(test_who_has_it_is_not_refused_at_rcpt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
