/* SPDX-License-Identifier: ISC */
/*
 * What the agent writes of an account it can read back, whatever providers
 * say: else holds, alarms and the best mechanism would be forgotten.
 */
#include "record/history_json.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "effort.h"
#include "protocol/status.h"
#include "record/history.h"
#include "record/status_file.h"

enum { DOMAINS_SELDOM = 100 };

static uint64_t state_of_chance = 88172645463325252; /* any but 0 */

/* Marsaglia's xorshift: the same histories in each run. */
static uint64_t
chance(uint64_t below)
{
	uint64_t x = state_of_chance;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	state_of_chance = x;
	return x % below;
}

static size_t
count_by_chance(size_t below)
{
	return (size_t)chance(below);
}

/* What JSON, its reader or a terminal could stumble over. */
static const char *const pieces[] = {",", ",,,,,,,,", "[", "{", "}", "]", ":",
    "\"", "\\", "\\\\\"", "\\u0041", "/", "a", "0", " ", "\t", "\r\n", "\x01",
    "\x7f", "null", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x93\xa8",
    "\xef\xbf\xbd", "450 4.7.1 no, none, ever"};
enum { PIECES = sizeof pieces / sizeof *pieces };

/* Fills out with whole characters, in one of three cases to the brim. */
static void
make_text(char *out, size_t size)
{
	size_t wanted = chance(3) == 0 ? size - 1 : count_by_chance(size);
	const char *only = chance(4) == 0 ? pieces[chance(PIECES)] : NULL;

	out[0] = '\0';
	for (size_t used = 0;;) {
		const char *piece =
		    only != NULL ? only : pieces[chance(PIECES)];
		used += strlen(piece);
		if (used > wanted)
			break;
		strcat(out, piece);
	}
	while (strlen(out) < wanted)
		strcat(out, ",");
}

static uint64_t
make_count(void)
{
	return chance(3) == 0 ? INT64_MAX - chance(5) : chance(100000);
}

/* The file has whole seconds. */
static int64_t
make_time(void)
{
	return chance(4) == 0 ? 0 : (int64_t)chance(253402300799) * 1000;
}

static void
make_error(struct error *err)
{
	err->class = (enum error_class)chance(ERROR_CONFIG + 1);
	make_text(err->text, sizeof err->text);
}

static void
make_last(struct session_result *last)
{
	last->outcome = (enum session_outcome)chance(HISTORY_OUTCOMES);
	last->exit_status = (int)chance(128);
	make_error(&last->error);
	last->started = make_time();
	last->ended = make_time();
	last->elapsed = (int64_t)chance(INT64_MAX / 2000);
	last->calls = (unsigned)chance(UINT_MAX);
	last->messages = make_count();
	last->recipients = make_count();
	last->bytes = make_count();
	last->deferred = make_count();
	last->refused = make_count();
	last->more = chance(2) == 0;
	last->mail_seen = chance(2) == 0;
	last->untidy = chance(2) == 0;
	last->reached = chance(2) == 0;
}

/* Refused ones first, as the file has them. */
static void
make_domains(struct asking_memory *asking)
{
	size_t count = chance(DOMAINS_SELDOM) == 0
			   ? ASKING_DOMAINS_MAX - count_by_chance(3)
			   : count_by_chance(5);
	size_t refused = count_by_chance(count + 1);

	for (size_t i = 0; i < count; i++) {
		char begin[HISTORY_HOST_SIZE - 8], name[HISTORY_HOST_SIZE];
		char reply[STATUS_LINE_MAX];
		make_text(begin, sizeof begin);
		snprintf(name, sizeof name, "%s%u", begin,
		    (unsigned)i % ASKING_DOMAINS_MAX);
		struct asking_domain *domain =
		    asking_memory_add(asking, name, 1000 + make_time());
		assert_non_null(domain);
		if (i >= refused) {
			domain->together = (unsigned)chance(40);
			continue;
		}
		make_text(reply, chance(2) == 0 ? 40 : sizeof reply);
		asking_memory_refuse(asking, name, 1000 + make_time(), reply);
	}
}

static void
make_asking(struct asking_memory *asking)
{
	make_domains(asking);
	asking->alone = chance(2) == 0;
	asking->whole_since = make_time();
	asking->whole_asked = make_time();
	asking->whole_turn = (unsigned)chance(UINT_MAX);
	make_text(asking->cursor, sizeof asking->cursor);
	asking->cursor_refused = chance(2) == 0;
	asking->gap = (int64_t)chance(ASKING_GAP_MAX);
	asking->gap_tried = make_time();
	asking->enough = (int64_t)chance(INT64_MAX / 2000);
	asking->last_call = make_time();
	asking->last_served = make_time();
	asking->refusals = (unsigned)chance(UINT_MAX);
	asking->extra_before = chance(2) == 0;
	asking->extra_unanswered = chance(2) == 0;
	asking->patience = (int64_t)chance(ASKING_HOUR);
}

static void
make_deferrals(struct history_deferrals *deferrals)
{
	size_t count =
	    chance(10) == 0 ? HISTORY_DEFERRALS_MAX : count_by_chance(5);

	for (size_t i = 0; i < count; i++) {
		struct history_deferral made = {.id = chance(UINT64_MAX),
		    .since = 1000 + make_time(),
		    .last = 1000 + make_time()};
		history_deferrals_restore(deferrals, &made);
	}
}

static void
make_alarms(struct history_alarms *alarms)
{
	static const char *const names[] = {
	    "failing", "unknown", "domain", "deferred", "of tomorrow"};
	size_t count = (size_t)chance(sizeof names / sizeof *names + 1);

	for (size_t i = 0; i < count; i++)
		history_alarms_note(
		    alarms, names[i], make_time(), chance(2) != 0);
}

/* As a settled list has them; the file has years of four digits. */
static void
make_days(struct history_days *days)
{
	int64_t day = 20000;

	for (size_t i = (size_t)chance(HISTORY_DAYS_MAX + 3); i > 0; i--) {
		struct history_day made = {
		    .day = day += 1 + (int64_t)chance(1000),
		    .sessions = make_count(),
		    .failed = make_count(),
		    .messages = make_count(),
		    .recipients = make_count(),
		    .bytes = make_count(),
		    .deferred = make_count(),
		    .refused = make_count(),
		};
		history_days_add(days, &made);
	}
}

static void
make_history(struct history *history)
{
	history_init(history);
	history->any = chance(8) != 0;
	if (history->any)
		make_last(&history->last);
	history->since = make_time();
	history->failures_in_a_row = (unsigned)chance(UINT_MAX);
	history->untidy_in_a_row = (unsigned)chance(10);
	history->untidy_since = make_time();
	history->untidy_proven = (int64_t)chance(INT64_MAX / 2000);
	history->holds_in_a_row = (unsigned)chance(10);
	history->last_success = make_time();
	history->last_mail = make_time();
	history->last_failure = make_time();
	make_text(history->last_error, sizeof history->last_error);
	history->hold_until = make_time();
	make_text(history->hold_reason, sizeof history->hold_reason);
	history->hold_class = (enum error_class)chance(ERROR_CONFIG + 1);
	history->hold_status = (int)chance(128);
	make_text(history->hold_fingerprint, sizeof history->hold_fingerprint);
	history->next = make_time();
	make_deferrals(&history->deferrals);
	make_alarms(&history->alarms);
	history->ledger_entries = make_count();
	history->ledger_due = make_count();
	make_text(history->auth_best, sizeof history->auth_best);
	make_text(history->auth_host, sizeof history->auth_host);
	history->certificate_end = make_time();
	history->provider = chance(UINT64_MAX);
	history->own_certificate_end = make_time();
	make_asking(&history->asking);
	for (size_t i = count_by_chance(4); i > 0; i--)
		history_add_proven(history, chance(UINT64_MAX));
	make_days(&history->days);
	for (int i = 0; i < HISTORY_OUTCOMES; i++)
		history->total.sessions[i] = make_count();
	history->total.messages = make_count();
	history->total.elapsed = (int64_t)chance(INT64_MAX / 2000);
}

#define SAME(member)      assert_int_equal(a->member, b->member)
#define SAME_TEXT(member) assert_string_equal(a->member, b->member)

static void
assert_same_last(const struct session_result *a, const struct session_result *b)
{
	SAME(outcome);
	SAME(exit_status);
	SAME(error.class);
	SAME_TEXT(error.text);
	SAME(started);
	SAME(ended);
	SAME(elapsed);
	SAME(calls);
	SAME(messages);
	SAME(recipients);
	SAME(bytes);
	SAME(deferred);
	SAME(refused);
	SAME(more);
	SAME(mail_seen);
	SAME(untidy);
	SAME(reached);
}

static void
assert_same_domains(
    const struct asking_memory *a, const struct asking_memory *b)
{
	SAME(domains_count);
	for (size_t i = 0; i < a->domains_count; i++) {
		SAME_TEXT(domains[i].name);
		SAME(domains[i].since);
		SAME(domains[i].asked);
		SAME(domains[i].together);
		if (a->domains[i].asked != 0)
			SAME_TEXT(domains[i].reply);
	}
}

static void
assert_same_asking(const struct asking_memory *a, const struct asking_memory *b)
{
	assert_same_domains(a, b);
	SAME(alone);
	SAME(whole_since);
	SAME(whole_asked);
	SAME(whole_turn);
	SAME_TEXT(cursor);
	SAME(cursor_refused);
	SAME(gap);
	SAME(gap_tried);
	SAME(enough);
	SAME(last_call);
	SAME(last_served);
	SAME(refusals);
	SAME(extra_before);
	SAME(extra_unanswered);
	SAME(patience);
}

static void
assert_same_deferrals(
    const struct history_deferrals *a, const struct history_deferrals *b)
{
	SAME(count);
	for (size_t i = 0; i < a->count; i++) {
		SAME(list[i].id);
		SAME(list[i].since);
		SAME(list[i].last);
	}
}

static void
assert_same_alarms(
    const struct history_alarms *a, const struct history_alarms *b)
{
	SAME(count);
	for (size_t i = 0; i < a->count; i++) {
		SAME_TEXT(list[i].name);
		SAME(list[i].raised);
		SAME(list[i].unheard);
	}
}

static void
assert_same_days(const struct history_days *a, const struct history_days *b)
{
	SAME(count);
	for (size_t i = 0; i < a->count; i++) {
		SAME(list[i].day);
		SAME(list[i].sessions);
		SAME(list[i].failed);
		SAME(list[i].messages);
		SAME(list[i].recipients);
		SAME(list[i].bytes);
		SAME(list[i].deferred);
		SAME(list[i].refused);
	}
}

static void
assert_same(const struct history *a, const struct history *b)
{
	SAME(any);
	assert_same_last(&a->last, &b->last);
	SAME(since);
	SAME(failures_in_a_row);
	SAME(untidy_in_a_row);
	SAME(untidy_since);
	SAME(untidy_proven);
	SAME(holds_in_a_row);
	SAME(last_success);
	SAME(last_mail);
	SAME(last_failure);
	SAME_TEXT(last_error);
	SAME(hold_until);
	SAME_TEXT(hold_reason);
	SAME(hold_class);
	SAME(hold_status);
	SAME_TEXT(hold_fingerprint);
	SAME(next);
	assert_same_deferrals(&a->deferrals, &b->deferrals);
	assert_same_alarms(&a->alarms, &b->alarms);
	SAME(ledger_entries);
	SAME(ledger_due);
	SAME_TEXT(auth_best);
	SAME_TEXT(auth_host);
	SAME(certificate_end);
	SAME(provider);
	SAME(own_certificate_end);
	assert_same_asking(&a->asking, &b->asking);
	SAME(proven_count);
	for (size_t i = 0; i < a->proven_count; i++)
		SAME(proven[i]);
	assert_same_days(&a->days, &b->days);
	for (int i = 0; i < HISTORY_OUTCOMES; i++)
		SAME(total.sessions[i]);
	SAME(total.messages);
	SAME(total.elapsed);
}

/* Through the text of a status file; again is cleared by the caller. */
static void
write_and_read(const struct history *history, struct history *again)
{
	struct buf text;

	buf_init(&text, STATUS_FILE_MAX);
	assert_true(history_json_format("office", history, &text));
	assert_true(history_json_parse(
	    "office", buf_data(&text), buf_len(&text), again));
	buf_clear(&text);
}

static void
any_history_that_is_written_is_read_back(void **state)
{
	unsigned histories = effort_of(20, 500, 40000);

	(void)state;
	for (unsigned i = 0; i < histories; i++) {
		struct history history, again;
		make_history(&history);
		write_and_read(&history, &again);
		assert_same(&history, &again);
		history_clear(&history);
		history_clear(&again);
	}
}

/* A reply full of commas was counted as so many values. */
static void
commas_in_replies_are_no_values(void **state)
{
	char reply[STATUS_LINE_MAX];
	struct history history, again;

	(void)state;
	memset(reply, ',', sizeof reply - 1);
	reply[sizeof reply - 1] = '\0';
	history_init(&history);
	for (int i = 0; i < 40; i++) {
		char name[32];
		snprintf(name, sizeof name, "d%d.example", i);
		asking_memory_refuse(&history.asking, name, 1000, reply);
	}
	write_and_read(&history, &again);
	assert_same(&history, &again);
	history_clear(&history);
	history_clear(&again);
}

static void
fill(char *out, size_t size, char c)
{
	memset(out, c, size - 1);
	out[size - 1] = '\0';
}

/* As many domains as are kept, with the longest replies of octets that take
 * the most room. Octets that are no UTF-8 are replaced once. */
static void
the_largest_history_is_written_and_read_back(void **state)
{
	char name[HISTORY_HOST_SIZE], reply[STATUS_LINE_MAX];
	struct history history, again, third;

	(void)state;
	history_init(&history);
	history.any = true;
	fill(history.last.error.text, sizeof history.last.error.text, '\xff');
	fill(history.last_error, sizeof history.last_error, '\xff');
	/* Replaced, it ends amid a character. */
	history.last_error[0] = 'a';
	fill(history.hold_reason, sizeof history.hold_reason, '\x01');
	fill(reply, sizeof reply, '\x01');
	fill(name, sizeof name, 'x');
	for (int i = 0; i < ASKING_DOMAINS_MAX + 10; i++) {
		char number[16];
		snprintf(number, sizeof number, "%d", i);
		memcpy(name, number, strlen(number));
		asking_memory_refuse(&history.asking, name, 1000, reply);
	}
	for (uint64_t i = 0; i < HISTORY_DEFERRALS_MAX + 10; i++)
		history_deferrals_told(&history.deferrals, i, 1000);
	write_and_read(&history, &again);
	assert_same_deferrals(&history.deferrals, &again.deferrals);
	assert_int_equal(again.asking.domains_count, ASKING_DOMAINS_MAX);
	assert_same_domains(&history.asking, &again.asking);
	assert_string_equal(history.hold_reason, again.hold_reason);
	write_and_read(&again, &third);
	assert_same(&again, &third);
	history_clear(&history);
	history_clear(&again);
	history_clear(&third);
}

/* Gives the days that the members of a status file lead to. */
static struct history_days
read_days(const char *members)
{
	struct history_days days;
	struct history history;
	char text[2000];

	snprintf(text, sizeof text, "{\"version\":1,\"account\":\"office\"%s}",
	    members);
	assert_true(history_json_parse("office", text, strlen(text), &history));
	days = history.days;
	history_clear(&history);
	return days;
}

static void
a_file_from_before_the_days_keeps_what_it_knows(void **state)
{
	struct history_days days =
	    read_days(",\"today\":\"2026-11-23\",\"today_messages\":7");

	(void)state;
	assert_int_equal(days.count, 1);
	assert_int_equal(days.list[0].day, 20780);
	assert_int_equal(days.list[0].messages, 7);
	assert_int_equal(read_days("").count, 0);
	assert_int_equal(read_days(",\"today\":\"yesterday\"").count, 0);
}

static void
days_that_cannot_be_are_left_out(void **state)
{
	struct history_days days =
	    read_days(",\"days\":[{\"date\":\"2026-11-22\",\"messages\":-5},"
		      "{\"date\":\"2026-11-31\",\"messages\":1},7,null,"
		      "{\"date\":\"2026-11-22\",\"messages\":2},"
		      "{\"date\":\"2026-11-21\",\"messages\":3},{},"
		      "{\"date\":\"2026-11-23\",\"messages\":4,\"new\":true}],"
		      "\"today\":\"2026-11-30\"");

	(void)state;
	assert_int_equal(days.count, 2);
	assert_int_equal(days.list[0].day, 20779);
	assert_int_equal(days.list[0].messages, 0);
	assert_int_equal(days.list[1].day, 20780);
	assert_int_equal(days.list[1].messages, 4);
	assert_int_equal(read_days(",\"days\":\"none\"").count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_history_that_is_written_is_read_back),
	    cmocka_unit_test(commas_in_replies_are_no_values),
	    cmocka_unit_test(the_largest_history_is_written_and_read_back),
	    cmocka_unit_test(a_file_from_before_the_days_keeps_what_it_knows),
	    cmocka_unit_test(days_that_cannot_be_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
