/* SPDX-License-Identifier: ISC */
/*
 * What a provider can make the ledger compute: linear in what it sent. Counted
 * in instructions where the kernel counts them for us, else in CPU time, of
 * which the smallest of some runs counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ledger/ledger.h"
#include "ledger/ledger_book.h"

enum {
	SMALL = 4000,
	TIMES = 8, /* the large book has so many more */
	RUNS = 5,
};

static int
open_counter(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
	    .size = sizeof attr,
	    .config = PERF_COUNT_HW_INSTRUCTIONS,
	    .exclude_kernel = 1,
	    .exclude_hv = 1};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* Instructions, or nanoseconds of CPU time. */
static uint64_t
read_cost(int counter)
{
	struct timespec used;
	uint64_t count;

	if (counter >= 0 &&
	    read(counter, &count, sizeof count) == (ssize_t)sizeof count)
		return count;
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static void
set_rcpt(struct ledger_record *record, unsigned number)
{
	snprintf(record->rcpt, sizeof record->rcpt, "user%u@x.example", number);
}

static void
apply_to_all(
    struct ledger_book *book, enum ledger_record_type type, unsigned count)
{
	struct ledger_record record = {.type = type, .time = 1800000000};

	for (uint64_t id = 1; id <= count; id++) {
		record.ids[record.ids_len++] = id;
		if (record.ids_len < LEDGER_IDS_MAX && id < count)
			continue;
		ledger_book_apply(book, &record);
		record.ids_len = 0;
	}
}

/* One text with that many recipients. */
static void
one_entry(unsigned count)
{
	struct ledger_book *book = ledger_book_new();
	struct ledger_record record = {
	    .type = LEDGER_TAKEN, .time = 1800000000, .sender = "s@y.example"};

	for (record.id = 1; record.id <= count; record.id++) {
		set_rcpt(&record, (unsigned)record.id);
		ledger_book_apply(book, &record);
	}
	assert_int_equal(book->outcomes, count);
	for (unsigned i = 1; i <= count; i++) {
		set_rcpt(&record, i);
		assert_non_null(
		    ledger_book_outcome(book, book->oldest, record.rcpt));
	}
	apply_to_all(book, LEDGER_DUE, count);
	assert_int_equal(book->due, 1);
	apply_to_all(book, LEDGER_TOLD, count);
	assert_int_equal(book->due, 0);
	apply_to_all(book, LEDGER_STRUCK, count);
	assert_int_equal(book->outcomes, 0);
	ledger_book_free(book);
}

/* More entries than fit, and all of them due. */
static void
many_due(unsigned count)
{
	struct ledger_book *book = ledger_book_new();
	struct ledger_record record = {
	    .type = LEDGER_TAKEN, .time = 1800000000, .sender = "s@y.example"};
	struct ledger_record due = {
	    .type = LEDGER_DUE, .time = 1800000000, .ids_len = 1};

	set_rcpt(&record, 1);
	for (record.id = 1; record.id <= count; record.id++) {
		memcpy(record.digest, &record.id, sizeof record.id);
		ledger_book_apply(book, &record);
		due.ids[0] = record.id;
		ledger_book_apply(book, &due);
	}
	assert_true(book->entries <= LEDGER_ENTRIES_MAX);
	assert_true(book->due <= LEDGER_DUE_MAX);
	ledger_book_free(book);
}

static uint64_t
cost_of(void (*work)(unsigned count), unsigned count)
{
	int counter = open_counter();
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < RUNS; i++) {
		uint64_t before = read_cost(counter);
		work(count);
		uint64_t cost = read_cost(counter) - before;
		least = cost < least ? cost : least;
	}
	if (counter >= 0)
		close(counter);
	return least;
}

static void
expect_linear(void (*work)(unsigned count))
{
	uint64_t small = cost_of(work, SMALL);
	uint64_t large = cost_of(work, SMALL * TIMES);

	/* The square would be TIMES times as much again. */
	if (large > small * TIMES * TIMES / 2)
		fail_msg("%d times the records cost %llu times as much", TIMES,
		    (unsigned long long)(large / small));
}

static void
test_one_entry_with_many_outcomes(void **state)
{
	(void)state;
	expect_linear(one_entry);
}

static void
test_many_due_entries(void **state)
{
	(void)state;
	expect_linear(many_due);
}

static void
test_long_names_and_replies_are_bounded(void **state)
{
	struct ledger_book *book = ledger_book_new();
	struct ledger_record record = {.type = LEDGER_REFUSED,
	    .time = 1800000000,
	    .sender = "s@y.example"};
	char text[STATUS_TEXT_MAX + 1] = "";

	(void)state;
	memset(text, 'x', STATUS_TEXT_MAX);
	status_set(&record.reply, 554, "5.6.0", "%s", text);
	for (record.id = 1; record.id <= LEDGER_OUTCOMES_MAX; record.id++) {
		set_rcpt(&record, (unsigned)record.id);
		record.digest[0] = (unsigned char)(record.id / 1000);
		ledger_book_apply(book, &record);
	}
	assert_true(book->octets <= LEDGER_OCTETS_MAX);
	assert_true(book->outcomes > 20000);
	ledger_book_free(book);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_entry_with_many_outcomes),
	    cmocka_unit_test(test_many_due_entries),
	    cmocka_unit_test(test_long_names_and_replies_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
