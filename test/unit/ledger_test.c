/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "agent/ledger_book.h"
#include "agent/ledger_file.h"
#include "ledger_kit.h"

/* A store that counts, and fails when it is told to. */
struct double_store {
	struct ledger_store store;
	size_t appends, syncs;
	bool fails;
	char last[LEDGER_LINE_MAX * 4];
};

struct fixture {
	struct double_store store;
	int64_t now;
	unsigned char salt;
	struct ledger *ledger;
};

static bool
double_append(struct ledger_store *store, const char *lines, size_t len,
    struct error *err)
{
	struct double_store *counted = (struct double_store *)store;

	if (counted->fails) {
		error_set(err, ERROR_LOCAL, "the disk is full");
		return false;
	}
	counted->appends++;
	memcpy(counted->last, lines, len);
	counted->last[len] = '\0';
	return true;
}

static bool
double_sync(struct ledger_store *store, struct error *err)
{
	(void)err;
	((struct double_store *)store)->syncs++;
	return true;
}

static void
double_close(struct ledger_store *store)
{
	(void)store;
}

static int64_t
fixture_now(void *context)
{
	return ((struct fixture *)context)->now;
}

/* Each transaction has the next salt. */
static void
fixture_random(void *context, void *out, size_t len)
{
	memset(out, ((struct fixture *)context)->salt++, len);
}

static void
begin(struct fixture *f, bool sync)
{
	struct ledger_options options = {.keep = 14 * 86400,
	    .sync = sync,
	    .now = fixture_now,
	    .random = fixture_random,
	    .context = f,
	    .boot_id = "boot"};

	*f = (struct fixture){.now = 1800000000};
	f->store.store = (struct ledger_store){.append = double_append,
	    .sync = double_sync,
	    .close = double_close};
	f->ledger = ledger_new(ledger_book_new(), &f->store.store, &options);
	ledger_connection_begin(f->ledger);
}

static int
setup(void **state)
{
	struct fixture *f = malloc(sizeof *f);

	begin(f, false);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	ledger_close(f->ledger);
	free(f);
	return 0;
}

static const struct offer plain = {.sender = "s@y.example", .text = "t\r\n"};

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

static void
test_a_refusal_is_told_again_in_its_words(void **state)
{
	struct fixture *f = *state;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 554};

	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	ledger_connection_begin(f->ledger);
	rcpt.local = 250;
	assert_int_equal(kit_offer(f->ledger, &plain, &rcpt, 1), 0);
	assert_string_equal(rcpt.reply, "554 5.1.2 local text");
}

static void
test_a_softened_refusal_is_not_recalled(void **state)
{
	struct fixture *f = *state;
	struct offer soft = plain;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 554};

	(void)kit_offer(f->ledger, &plain, &rcpt, 1);
	ledger_connection_begin(f->ledger);
	soft.soft = true;
	rcpt.local = 250;
	assert_int_equal(kit_offer(f->ledger, &soft, &rcpt, 1), 1);
	assert_int_equal(rcpt.told, 250);
	assert_int_equal(ledger_entries(f->ledger), 1);
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
		ledger_close(f.ledger);
	}
}

static void
test_the_pieces_of_a_text_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct path sender = kit_path(plain.sender), rcpt;
	struct status status;

	(void)kit_send(f->ledger, "abc\r\n", "a@x.example");
	ledger_connection_begin(f->ledger);
	ledger_mail(f->ledger, &sender, 0, false, false);
	rcpt = kit_path("a@x.example");
	assert_true(ledger_rcpt(f->ledger, 0, &rcpt, false, &status));
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

static void
test_mixed_outcomes_get_451_and_come_back_in_groups(void **state)
{
	struct fixture *f = *state;
	struct offered rcpts[] = {{.mailbox = "taken@x.example"},
	    {.mailbox = "refused@x.example", .local = 554},
	    {.mailbox = "deferred@x.example", .local = 452}};
	bool done[3] = {false};

	assert_int_equal(kit_offer(f->ledger, &plain, rcpts, 3), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rcpts[i].told, 451);
	assert_int_equal(ledger_due(f->ledger), 1);
	for (int tries = 0; tries < 60; tries++) {
		ledger_connection_begin(f->ledger);
		rcpts[2].local = 250;
		(void)kit_offer(f->ledger, &plain, rcpts, 3);
		for (int i = 0; i < 3; i++) {
			if (rcpts[i].told_rcpt != 250)
				assert_memory_equal(
				    rcpts[i].reply, "452 4.5.3", 9);
			else
				assert_int_equal(
				    rcpts[i].told, i == 1 ? 554 : 250);
			/* Only who was deferred is delivered, and once. */
			assert_false((i != 2 || done[2]) && rcpts[i].delivered);
			done[i] |= rcpts[i].told_rcpt == 250;
		}
		if (done[0] && done[1] && done[2])
			break;
	}
	assert_true(done[0] && done[1] && done[2]);
	assert_int_equal(ledger_due(f->ledger), 0);
}

/* Whoever is first must not decide: he may be deferred for ever. */
static void
test_chance_lets_each_group_in(void **state)
{
	struct fixture *f = *state;
	struct offered rcpts[] = {{.mailbox = "full@x.example", .local = 452},
	    {.mailbox = "taken@x.example"}};
	int second = 0;

	(void)kit_offer(f->ledger, &plain, rcpts, 2);
	for (int tries = 0; tries < 60 && second == 0; tries++) {
		ledger_connection_begin(f->ledger);
		(void)kit_offer(f->ledger, &plain, rcpts, 2);
		second += rcpts[1].told == 250;
	}
	assert_int_equal(second, 1);
	/* Once it is told, nobody waits any more. */
	assert_int_equal(ledger_due(f->ledger), 0);
	(void)kit_offer(f->ledger, &plain, rcpts, 1);
	assert_int_equal(rcpts[0].told_rcpt, 250);
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
	/* The replies were lost: each its own again, and 451 to the rest. */
	ledger_connection_begin(f->ledger);
	assert_int_equal(kit_offer(f->ledger, &prdr, rcpts, 3), 0);
	assert_int_equal(rcpts[0].told, 250);
	assert_int_equal(rcpts[1].told, 554);
	assert_int_equal(rcpts[2].told, 451);
	assert_int_equal(ledger_due(f->ledger), 0);
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

static void
test_a_mailbox_named_twice(void **state)
{
	struct fixture *f = *state;
	struct offered rcpts[] = {{.mailbox = "a@x.example"},
	    {.mailbox = "a@x.example", .local = 554}};

	(void)kit_offer(f->ledger, &plain, rcpts, 2);
	ledger_connection_begin(f->ledger);
	for (int tries = 0; tries < 40 && rcpts[0].told != 250; tries++)
		assert_int_equal(kit_offer(f->ledger, &plain, rcpts, 2), 0);
	assert_int_equal(rcpts[0].told, 250);
	assert_int_equal(rcpts[1].told, 250);
}

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
		f->now += waits[i] * 60 - 1;
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
		assert_int_equal(rcpt.told_rcpt, 452);
		assert_string_equal(rcpt.reply, "452 5.1.2 local text");
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

static void
test_a_mailbox_with_room_again_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct offer sized = plain;
	struct offered rcpt = {.mailbox = "a@x.example", .local = 452};

	sized.size = 5;
	for (int i = 0; i < 3; i++) {
		(void)kit_offer(f->ledger, &sized, &rcpt, 1);
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
		assert_string_equal(rcpts[1].reply, "452 5.1.2 local text");
		assert_int_equal(rcpts[1].told_rcpt, 452);
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

static void
test_sync_comes_before_the_reply(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, true);
	(void)kit_send(f.ledger, "t\r\n", "a@x.example");
	assert_int_equal(f.store.syncs, 1);
	ledger_close(f.ledger);
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
#define WITH_LEDGER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	    WITH_LEDGER(test_a_lost_reply_delivers_once),
	    WITH_LEDGER(test_a_refusal_is_told_again_in_its_words),
	    WITH_LEDGER(test_a_softened_refusal_is_not_recalled),
	    cmocka_unit_test(test_what_makes_it_the_same_message),
	    WITH_LEDGER(test_the_pieces_of_a_text_do_not_count),
	    WITH_LEDGER(test_the_same_text_again_on_one_connection_is_new),
	    WITH_LEDGER(test_only_proof_strikes_out),
	    WITH_LEDGER(test_mixed_outcomes_get_451_and_come_back_in_groups),
	    WITH_LEDGER(test_chance_lets_each_group_in),
	    WITH_LEDGER(test_other_senders_do_not_wait),
	    WITH_LEDGER(test_prdr_tells_each_its_own),
	    WITH_LEDGER(test_some_have_it_and_some_do_not),
	    WITH_LEDGER(test_who_has_it_is_not_refused_at_rcpt),
	    WITH_LEDGER(test_a_mailbox_named_twice),
	    WITH_LEDGER(test_a_deferred_recipient_is_put_off),
	    WITH_LEDGER(test_a_mailbox_with_room_again_begins_anew),
	    WITH_LEDGER(test_who_has_it_is_not_put_off),
	    WITH_LEDGER(test_too_many_deferrals_are_named_once),
	    WITH_LEDGER(test_a_message_costs_one_write),
	    cmocka_unit_test(test_sync_comes_before_the_reply),
	    WITH_LEDGER(test_a_failed_write_stays_truthful),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
