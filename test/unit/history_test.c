/* SPDX-License-Identifier: ISC */
#include "record/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "record/history_json.h"
#include "schedule/retry.h"

static const int64_t minute = 60000, hour = 3600000;
static const int64_t start = 1795428000000; /* 2026-11-23T10:00:00Z */

static struct session_result
ended(enum session_outcome outcome, enum error_class class, int64_t at)
{
	struct session_result result = {.outcome = outcome,
	    .started = at - 1000,
	    .ended = at,
	    .elapsed = 1000,
	    .calls = 1};

	if (class != ERROR_NONE)
		error_set(&result.error, class, "because of %d", (int)class);
	result.exit_status = error_exit_status(class);
	return result;
}

static void
add(struct history *history, enum session_outcome outcome,
    enum error_class class, int64_t at)
{
	struct session_result result = ended(outcome, class, at);

	/* The table is about the provider itself. */
	result.reached = class != ERROR_AUTH;
	history_add(history, &result);
}

static void
add_unreached(struct history *history, enum error_class class, int64_t at)
{
	struct session_result result = ended(SESSION_FAILED, class, at);

	history_add(history, &result);
}

static void
holds_follow_the_table(void **state)
{
	static const struct {
		enum error_class class;
		int64_t hours[6]; /* after the first, second, ... failure */
	} rows[] = {
	    {ERROR_AGAIN, {0}},
	    {ERROR_LOCAL, {0}},
	    {ERROR_CERTIFICATE, {0}},
	    {ERROR_SECRET, {0}},
	    {ERROR_SYSTEM, {0}},
	    {ERROR_CONFIG, {0}},
	    {ERROR_STOPPED, {0}},
	    {ERROR_INTERNAL, {1, 1, 1, 1, 1, 1}},
	    {ERROR_UNABLE, {1, 2, 4, 6, 6, 6}},
	    {ERROR_PROTOCOL, {1, 2, 4, 6, 6, 6}},
	    {ERROR_REFUSED, {1, 2, 4, 6, 6, 6}},
	    {ERROR_AUTH, {1, 2, 4, 8, 12, 12}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct history history;
		int64_t now = start;
		history_init(&history);
		for (size_t n = 0; n < 6; n++, now += 24 * hour) {
			int64_t length = rows[i].hours[n] * hour;
			add(&history, SESSION_FAILED, rows[i].class, now);
			assert_int_equal(
			    history_hold_left(&history, now), length);
			if (length == 0)
				continue;
			assert_int_equal(
			    history_hold_left(&history, now + length), 0);
			assert_int_equal(history.hold_status,
			    error_exit_status(rows[i].class));
		}
		history_clear(&history);
	}
}

static void
success_ends_a_hold(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	add(&history, SESSION_FAILED, ERROR_AUTH, start);
	/* What is no answer to the login leaves the hold as it is. */
	add_unreached(&history, ERROR_AGAIN, start + minute);
	assert_int_equal(
	    history_hold_left(&history, start + minute), 59 * minute);
	assert_string_equal(history.hold_reason, "because of 12");
	assert_int_equal(history.failures_in_a_row, 2);
	add(&history, SESSION_NO_MAIL, ERROR_NONE, start + 2 * minute);
	assert_int_equal(history_hold_left(&history, start + 2 * minute), 0);
	assert_int_equal(history.failures_in_a_row, 0);
	assert_string_equal(history.hold_reason, "");
	assert_string_equal(history.last_error, "because of 5");
	assert_int_equal(history.last_failure, start + minute);
	add(&history, SESSION_FAILED, ERROR_AUTH, start + 3 * minute);
	assert_int_equal(history.hold_until, start + 3 * minute + hour);
	history_clear(&history);
}

/* The password is right again, or mail came, and then something else failed. */
static void
a_session_that_fails_later_ends_a_hold(void **state)
{
	static const struct {
		enum error_class held, failed;
		bool reached;
		unsigned messages;
		bool ends;
	} rows[] = {
	    {ERROR_AUTH, ERROR_LOCAL, true, 0, true},
	    {ERROR_AUTH, ERROR_STOPPED, true, 0, true},
	    {ERROR_AUTH, ERROR_PROTOCOL, true, 3, true},
	    {ERROR_REFUSED, ERROR_AGAIN, true, 1, true},
	    {ERROR_AUTH, ERROR_STOPPED, false, 0, false},
	    {ERROR_AUTH, ERROR_AGAIN, false, 0, false},
	    {ERROR_REFUSED, ERROR_AGAIN, true, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct history history;
		struct session_result result =
		    ended(SESSION_FAILED, rows[i].failed, start + minute);
		result.reached = rows[i].reached;
		result.messages = rows[i].messages;
		history_init(&history);
		add(&history, SESSION_FAILED, rows[i].held, start);
		history_add(&history, &result);
		assert_int_equal(
		    history_hold_left(&history, start + minute) == 0,
		    rows[i].ends);
		history_clear(&history);
	}
}

/* Seventeen hours behind a captive portal make no first refusal a long one. */
static void
a_hold_by_anybody_does_not_count(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	for (int64_t n = 0; n < 17; n++)
		add_unreached(&history, ERROR_UNABLE, start + n * hour);
	add(&history, SESSION_FAILED, ERROR_AUTH, start + 17 * hour);
	assert_int_equal(history_hold_left(&history, start + 17 * hour), hour);
	history_clear(&history);
}

static void
a_hold_of_another_clock_does_not_count(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	add(&history, SESSION_FAILED, ERROR_AUTH, start);
	assert_int_equal(history_hold_left(&history, 5000), 0);
	assert_int_equal(history_hold_left(&history, start - 12 * hour), 0);
	assert_int_equal(
	    history_hold_left(&history, start - 11 * hour), 12 * hour);
	history_clear(&history);
}

static void
backoff_doubles_and_is_spread(void **state)
{
	(void)state;
	assert_int_equal(retry_backoff(1, 0), minute / 2);
	assert_int_equal(retry_backoff(1, UINT32_MAX), minute * 3 / 2 - 1);
	assert_int_equal(retry_backoff(1, 0x80000000), minute);
	assert_int_equal(retry_backoff(2, 0x80000000), 2 * minute);
	assert_int_equal(retry_backoff(3, 0x80000000), 4 * minute);
	assert_int_equal(
	    retry_backoff(1000, 0x80000000), retry_backoff(11, 0x80000000));
	assert_true(retry_backoff(UINT32_MAX, UINT32_MAX) > 0);
}

static void
add_untidy(struct history *history, int64_t at, enum session_outcome expected)
{
	struct session_result result = ended(SESSION_NO_MAIL, ERROR_NONE, at);

	result.untidy = true;
	history_add(history, &result);
	assert_int_equal(result.outcome, expected);
	assert_int_equal(result.exit_status,
	    expected == SESSION_FAILED ? EX_TEMPFAIL : EX_OK);
}

static void
add_mail(struct history *history, int64_t at)
{
	struct session_result result = ended(SESSION_MAIL, ERROR_NONE, at);

	result.mail_seen = true;
	result.messages = 1;
	history_add(history, &result);
}

/* A connection that is always cut before the first message looks like "no
 * mail": no session of the first day fails, but none is a success either. */
static void
untidy_ends_are_no_success(void **state)
{
	struct history history;
	int64_t at;

	(void)state;
	history_init(&history);
	add_mail(&history, start);
	for (at = start + minute; at < start + 24 * hour; at += hour)
		add_untidy(&history, at, SESSION_NO_MAIL);
	assert_int_equal(history.last_success, start);
	assert_int_equal(history.failures_in_a_row, 0);
	add_untidy(&history, at + hour, SESSION_FAILED);
	assert_int_equal(history.failures_in_a_row, 1);
	add(&history, SESSION_NO_MAIL, ERROR_NONE, at + 2 * hour);
	assert_int_equal(history.untidy_in_a_row, 0);
	assert_int_equal(history.failures_in_a_row, 0);
	assert_int_equal(history.last_success, at + 2 * hour);
	history_clear(&history);
}

/* Exim does so with nothing to send; mail that follows is the proof. */
static void
untidy_ends_that_mail_followed_are_usual(void **state)
{
	struct history history;
	int64_t at = start;

	(void)state;
	history_init(&history);
	add_mail(&history, at);
	for (int i = 0; i < 12; i++)
		add_untidy(&history, at += hour, SESSION_NO_MAIL);
	assert_int_equal(history.last_success, start);
	add_mail(&history, at += hour);
	for (int i = 0; i < 24; i++) {
		add_untidy(&history, at += hour, SESSION_NO_MAIL);
		assert_int_equal(history.last_success, at);
	}
	/* Longer than it ever was: nobody knows. */
	int64_t known = at;
	for (int i = 0; i < 24; i++) {
		at += hour;
		add_untidy(&history, at, SESSION_FAILED);
	}
	assert_int_equal(history.last_success, known);
	history_clear(&history);
}

/* Nobody knows whether the provider would have answered. */
static void
a_wait_that_a_signal_ended_counts_for_nothing(void **state)
{
	struct session_result result =
	    ended(SESSION_NO_MAIL, ERROR_NONE, start + 2 * hour);
	struct history history;

	(void)state;
	history_init(&history);
	add_mail(&history, start);
	add_untidy(&history, start + hour, SESSION_NO_MAIL);
	result.unanswered = true;
	history_add(&history, &result);
	assert_int_equal(result.outcome, SESSION_NO_MAIL);
	assert_int_equal(history.last_success, start);
	assert_int_equal(history.untidy_in_a_row, 1);
	result = ended(SESSION_MAIL, ERROR_NONE, start + 3 * hour);
	result.unanswered = result.mail_seen = true;
	result.messages = 1;
	history_add(&history, &result);
	assert_int_equal(history.last_success, start + 3 * hour);
	assert_int_equal(history.untidy_in_a_row, 0);
	history_clear(&history);
}

/* As where the local server goes away in each session. */
static void
mail_has_come_however_its_session_ended(void **state)
{
	struct session_result result =
	    ended(SESSION_FAILED, ERROR_LOCAL, start);
	struct history history;

	(void)state;
	history_init(&history);
	result.messages = 1;
	history_add(&history, &result);
	assert_int_equal(history.last_mail, start);
	assert_int_equal(history.last_success, 0);
	history_clear(&history);
}

static void
an_untidy_end_of_a_new_account_is_no_failure(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	for (int i = 0; i < 100; i++)
		add_untidy(&history, start + i * hour, SESSION_NO_MAIL);
	assert_int_equal(history.last_success, 0);
	history_clear(&history);
}

static void
what_was_not_asked_yet_is_not_held(void **state)
{
	struct session_result result =
	    ended(SESSION_FAILED, ERROR_REFUSED, start);
	struct history history;

	(void)state;
	history_init(&history);
	result.more = true;
	history_add(&history, &result);
	assert_int_equal(history_hold_left(&history, start), 0);
	assert_int_equal(history.failures_in_a_row, 1);
	history_clear(&history);

	/* But no domain was refused where the login was. */
	history_init(&history);
	result = ended(SESSION_FAILED, ERROR_AUTH, start);
	result.more = true;
	history_add(&history, &result);
	assert_int_equal(history_hold_left(&history, start), hour);
	history_clear(&history);

	/* Unless another call of the session got in by the same password. */
	history_init(&history);
	result.reached = true;
	history_add(&history, &result);
	assert_int_equal(history_hold_left(&history, start), 0);
	history_clear(&history);
}

static void
busy_and_stopped_are_no_failures(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	add(&history, SESSION_FAILED, ERROR_BUSY, start);
	assert_false(history.any);
	assert_int_equal(history.total.sessions[SESSION_FAILED], 0);
	add(&history, SESSION_FAILED, ERROR_STOPPED, start);
	assert_true(history.any);
	assert_int_equal(history.failures_in_a_row, 0);
	assert_int_equal(history.last_failure, 0);
	assert_int_equal(history.last_success, 0);
	history_clear(&history);
}

static void
mail_is_counted(void **state)
{
	struct history history;

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	history_init(&history);
	for (int i = 0; i < 2; i++) {
		struct session_result result =
		    ended(SESSION_DEFERRED, ERROR_NONE, start + i * minute);
		result.messages = 2;
		result.recipients = 3;
		result.bytes = 1000;
		result.deferred = 1;
		result.exit_status = EX_TEMPFAIL;
		history_add(&history, &result);
	}
	assert_int_equal(history.last_mail, start + minute);
	assert_int_equal(history.failures_in_a_row, 0);
	assert_int_equal(history.total.messages, 4);
	assert_int_equal(history.total.sessions[SESSION_DEFERRED], 2);
	assert_int_equal(history_messages_today(&history, start), 4);
	assert_int_equal(
	    history_messages_today(&history, start + 14 * hour), 0);
	add(&history, SESSION_NO_MAIL, ERROR_NONE, start + 15 * hour);
	assert_int_equal(
	    history_messages_today(&history, start + 15 * hour), 0);
	assert_int_equal(history.total.messages, 4);
	history_clear(&history);
}

static void
what_is_refused_is_asked_again_in_time(void **state)
{
	static const struct {
		int64_t refused, last, now; /* ms after start */
		bool due;
	} rows[] = {
	    {0, 0, 59 * 60000, false}, {0, 0, 60 * 60000, true},
	    {0, 3 * 3600000, 5 * 3600000, false},
	    {0, 3 * 3600000, 6 * 3600000, true},
	    {0, 240 * 3600000, 263 * 3600000, false},
	    {0, 240 * 3600000, 264 * 3600000, true},
	    {0, 3600000, 0, true}, /* the clock was set back */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(asking_memory_is_due(start + rows[i].refused,
				     start + rows[i].last, start + rows[i].now),
		    rows[i].due);
}

/* A history in which no member has its first value. */
static void
fill(struct history *history)
{
	struct session_result mail = ended(SESSION_MAIL, ERROR_NONE, start);

	history_init(history);
	mail.messages = 3;
	mail.recipients = 4;
	mail.bytes = 12345678901;
	mail.refused = 1;
	mail.more = mail.reached = true;
	history_add(history, &mail);
	add(history, SESSION_FAILED, ERROR_AUTH, start + minute);
	error_set(&history->last.error, ERROR_AUTH, "it said \"\xc3\xa4\x1b\"");
	history->last.untidy = true;
	history->untidy_in_a_row = 2;
	history->next = start + hour;
	history_deferrals_told(&history->deferrals, 7, start - hour);
	history_deferrals_told(&history->deferrals, 7, start);
	history_alarms_note(&history->alarms, "domain", start - 2 * hour, true);
	history->ledger_entries = 9;
	history->ledger_due = 7;
	history_auth_at(history, "provider.example");
	history_auth_offered(history, "SCRAM-SHA-1");
	snprintf(history->hold_fingerprint, sizeof history->hold_fingerprint,
	    "0123abcd");
	asking_memory_refuse(&history->asking, "a.example", start, "450 no");
	asking_memory_refuse(&history->asking, "b.example", start, "450 \xff");
}

/* Of a clock that ran ahead once, of one that was never set, and right ones. */
static void
times_that_cannot_be_count_as_now(void **state)
{
	static const struct {
		const char *name;
		int64_t kept, settled;
	} rows[] = {
	    {"never", 0, 0},
	    {"a minute ago", start - minute, start - minute},
	    {"now", start, start},
	    {"a minute to come", start + minute, start},
	    {"a year to come", start + 365 * 24 * hour, start},
	    {"1970", minute, start},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct history history;
		print_message("%s\n", rows[i].name);
		history_init(&history);
		history.last.started = history.last.ended = rows[i].kept;
		history.since = history.last_success = rows[i].kept;
		history.last_mail = history.last_failure = rows[i].kept;
		history_deferrals_told(&history.deferrals, 1, rows[i].kept);
		asking_memory_add(&history.asking, "a.example", rows[i].kept);
		history.asking.whole_since = rows[i].kept;
		history_settle_times(&history, start);
		assert_int_equal(history.last.started, rows[i].settled);
		assert_int_equal(history.last.ended, rows[i].settled);
		assert_int_equal(history.since, rows[i].settled);
		assert_int_equal(history.last_success, rows[i].settled);
		assert_int_equal(history.last_mail, rows[i].settled);
		assert_int_equal(history.last_failure, rows[i].settled);
		assert_int_equal(
		    history.deferrals.list[0].since, rows[i].settled);
		assert_int_equal(
		    history.deferrals.list[0].last, rows[i].settled);
		assert_int_equal(
		    history.asking.domains[0].since, rows[i].settled);
		assert_int_equal(history.asking.whole_since, rows[i].settled);
		history_clear(&history);
	}
}

/* A shorter time between calls was tried in a year to come: for so long none
 * would be tried again. */
static void
a_gap_is_tried_again_after_another_clock(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	history.asking.gap = hour;
	history.asking.last_call = start;
	history.asking.gap_tried = start + 365 * 24 * hour;
	assert_int_equal(asking_memory_wait(&history.asking, start), hour);
	history_settle_times(&history, start);
	assert_int_equal(asking_memory_wait(&history.asking, start), hour / 2);
	history_clear(&history);
}

static void
a_clock_that_is_not_set_settles_nothing(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	history.last_success = start;
	history_alarms_note(&history.alarms, "failing", start, false);
	history_settle_times(&history, minute);
	assert_int_equal(history.last_success, start);
	assert_int_equal(history.alarms.list[0].raised, start);
	/* An alarm of the future may be raised now. */
	history_settle_times(&history, start - hour);
	assert_int_equal(history.alarms.list[0].raised, 0);
}

static void
the_best_mechanism_is_that_of_the_host(void **state)
{
	struct history history;

	(void)state;
	history_init(&history);
	history_auth_at(&history, "one.example");
	history_auth_offered(&history, "CRAM-MD5");
	history_auth_offered(&history, "SCRAM-SHA-256");
	history_auth_offered(&history, "PLAIN");
	history_auth_at(&history, "one.example");
	assert_string_equal(history.auth_best, "SCRAM-SHA-256");
	history_auth_at(&history, "two.example");
	assert_string_equal(history.auth_best, "");
	history_auth_offered(&history, "PLAIN");
	assert_string_equal(history.auth_best, "PLAIN");
}

/* Another host, another user there: what was refused and learned was not of
 * them. What became of the mail stays. */
static void
what_was_learned_is_of_its_provider(void **state)
{
	static const struct config_account before = {
	    .provider = {"one.example", 366}, .user = "office"};
	struct config_account after[4];
	struct history history;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		after[i] = before;
	after[0].provider.host = "two.example";
	after[1].provider.port = 25;
	after[2].user = "shop";
	after[3].tls_cert_file = "/shop.pem";
	for (size_t i = 0; i < 4; i++) {
		history_init(&history);
		history_provider_is(&history, &before);
		asking_memory_refuse(&history.asking, "a.example", start, "-");
		history.asking.gap = hour;
		history.holds = true;
		history.untidy_proven = hour;
		history.last_mail = start;
		history_provider_is(&history, &before);
		assert_int_equal(history.asking.domains_count, 1);
		assert_true(history.holds && history.untidy_proven == hour);
		history_provider_is(&history, &after[i]);
		assert_int_equal(history.asking.domains_count, 0);
		assert_int_equal(history.asking.gap, 0);
		assert_false(history.holds);
		assert_int_equal(history.untidy_proven, 0);
		assert_int_equal(history.last_mail, start);
		history_clear(&history);
	}
}

/* An upgrade forgets nothing. */
static void
what_an_older_version_learned_is_kept(void **state)
{
	static const struct config_account account = {
	    .provider = {"one.example", 366}};
	struct history history;

	(void)state;
	history_init(&history);
	asking_memory_refuse(&history.asking, "a.example", start, "-");
	history_provider_is(&history, &account);
	assert_int_equal(history.asking.domains_count, 1);
	history_clear(&history);
}

static void
json_is_the_whole_history(void **state)
{
	struct history history, again;
	struct buf text, second;

	(void)state;
	fill(&history);
	buf_init(&text, 100000);
	buf_init(&second, 100000);
	assert_true(history_json_format("office", &history, &text));
	assert_true(history_json_parse(
	    "office", buf_data(&text), buf_len(&text), &again));
	assert_int_equal(again.last.bytes, 0);
	assert_int_equal(again.total.bytes, 12345678901);
	assert_int_equal(again.hold_class, ERROR_AUTH);
	assert_int_equal(again.hold_until, history.hold_until);
	assert_int_equal(again.asking.domains_count, 2);
	assert_int_equal(again.deferrals.count, 1);
	assert_int_equal(again.deferrals.list[0].since, start - hour);
	assert_int_equal(again.ledger_entries, 9);
	assert_int_equal(again.ledger_due, 7);
	/* An octet that is no UTF-8 changes the first time only. */
	assert_true(history_json_format("office", &again, &second));
	assert_int_equal(buf_len(&second), buf_len(&text));
	assert_memory_equal(buf_data(&second), buf_data(&text), buf_len(&text));
	history_clear(&again);

	assert_false(history_json_parse(
	    "other", buf_data(&text), buf_len(&text), &again));
	for (size_t len = 0; len < buf_len(&text); len++) {
		assert_false(
		    history_json_parse("office", buf_data(&text), len, &again));
		assert_false(again.any);
	}
	buf_clear(&text);
	buf_clear(&second);
	history_clear(&history);
}

static void
foreign_json_is_refused(void **state)
{
	static const struct {
		const char *in;
		bool taken;
	} rows[] = {
	    {"{\"version\":1,\"account\":\"office\"}", true},
	    {"{\"version\":2,\"account\":\"office\"}", false},
	    {"{\"version\":\"1\",\"account\":\"office\"}", false},
	    {"{\"account\":\"office\"}", false},
	    {"{\"version\":1}", false},
	    {"[1]", false},
	    {"null", false},
	    {"{\"version\":1,\"account\":\"office\",\"result\":\"odd\"}",
		false},
	    {"{\"version\":1,\"account\":\"office\",\"result\":\"mail\","
	     "\"error_class\":\"odd\"}",
		false},
	    {"{\"version\":1,\"account\":\"office\",\"hold_class\":\"odd\"}",
		false},
	    {"{\"version\":1,\"account\":\"office\",\"refused_domains\":[1,{}],"
	     "\"failures_in_a_row\":-3,\"exit_status\":99999,\"total\":[]}",
		true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct history history;
		print_message("%s\n", rows[i].in);
		assert_int_equal(history_json_parse("office", rows[i].in,
				     strlen(rows[i].in), &history),
		    rows[i].taken);
		assert_int_equal(history.failures_in_a_row, 0);
		assert_int_equal(history.asking.domains_count, 0);
		history_clear(&history);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holds_follow_the_table),
	    cmocka_unit_test(success_ends_a_hold),
	    cmocka_unit_test(a_session_that_fails_later_ends_a_hold),
	    cmocka_unit_test(a_hold_by_anybody_does_not_count),
	    cmocka_unit_test(a_hold_of_another_clock_does_not_count),
	    cmocka_unit_test(backoff_doubles_and_is_spread),
	    cmocka_unit_test(untidy_ends_are_no_success),
	    cmocka_unit_test(untidy_ends_that_mail_followed_are_usual),
	    cmocka_unit_test(a_wait_that_a_signal_ended_counts_for_nothing),
	    cmocka_unit_test(mail_has_come_however_its_session_ended),
	    cmocka_unit_test(an_untidy_end_of_a_new_account_is_no_failure),
	    cmocka_unit_test(what_was_not_asked_yet_is_not_held),
	    cmocka_unit_test(busy_and_stopped_are_no_failures),
	    cmocka_unit_test(mail_is_counted),
	    cmocka_unit_test(what_is_refused_is_asked_again_in_time),
	    cmocka_unit_test(times_that_cannot_be_count_as_now),
	    cmocka_unit_test(a_gap_is_tried_again_after_another_clock),
	    cmocka_unit_test(a_clock_that_is_not_set_settles_nothing),
	    cmocka_unit_test(the_best_mechanism_is_that_of_the_host),
	    cmocka_unit_test(what_was_learned_is_of_its_provider),
	    cmocka_unit_test(what_an_older_version_learned_is_kept),
	    cmocka_unit_test(json_is_the_whole_history),
	    cmocka_unit_test(foreign_json_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
