/* SPDX-License-Identifier: ISC */
/*
 * How accounts stand, in sentences and as a page of HTML, whatever peers and
 * status files say.
 */
#include "tell/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/config.h"
#include "record/expected.h"
#include "record/history.h"
#include "tell/standing.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

enum { PAGE_MAX = 1 << 20 };

static const int64_t now = 1795428000000; /* 2026-11-23T10:00:00Z, Monday */
static const struct config_account account = {.name = "office",
    .every = 5 * MINUTE,
    .jitter = 2 * MINUTE,
    .enabled = true,
    .alarm_after = DAY};

static int
set_zone(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	return 0;
}

static struct history
after(enum session_outcome outcome, enum error_class class, int64_t at)
{
	struct session_result result = {
	    .outcome = outcome, .started = at, .ended = at};
	struct history history;

	if (outcome == SESSION_MAIL)
		result.messages = 3;
	if (class != ERROR_NONE)
		error_set(&result.error, class, "535 5.7.8 <b>no</b>");
	history_init(&history);
	history_add(&history, &result);
	history.next = at;
	return history;
}

static void
a_sentence_and_a_grade_say_how_an_account_stands(void **state)
{
	struct config_account disabled = account;
	struct history rows[] = {
	    after(SESSION_MAIL, ERROR_NONE, now - MINUTE),
	    after(SESSION_NO_MAIL, ERROR_NONE, now - MINUTE),
	    after(SESSION_DEFERRED, ERROR_NONE, now - MINUTE),
	    after(SESSION_REFUSED, ERROR_NONE, now - MINUTE),
	    after(SESSION_FAILED, ERROR_AGAIN, now - MINUTE),
	    after(SESSION_FAILED, ERROR_AUTH, now - MINUTE),
	    after(SESSION_FAILED, ERROR_AGAIN, now - 2 * DAY),
	    after(SESSION_MAIL, ERROR_NONE, now - MINUTE),
	    after(SESSION_MAIL, ERROR_NONE, now - MINUTE),
	    after(SESSION_MAIL, ERROR_NONE, now - MINUTE),
	    {.any = false},
	    {.any = false, .holds = true, .listening = now - MINUTE},
	    after(SESSION_FAILED, ERROR_AGAIN, now - HOUR),
	};
	static const struct {
		enum standing_grade grade;
		const char *sentence;
		size_t notes;
	} expected[] = {
	    {STANDING_GOOD, "Mail is fetched.", 0},
	    {STANDING_GOOD, "Mail is fetched.", 0},
	    {STANDING_WATCH, "Mail is fetched, but some of it is deferred.", 0},
	    {STANDING_WATCH, "Mail is fetched, but the last of it was refused.",
		0},
	    {STANDING_WATCH, "The last session failed; it is tried again.", 1},
	    {STANDING_ACT, "On hold: no mail is fetched until 10:59.", 1},
	    {STANDING_ACT,
		"Alarm: no session has succeeded since 2026-11-21 10:00.", 2},
	    {STANDING_GOOD, "Mail comes as soon as the provider has it.", 0},
	    {STANDING_WATCH, "Mail is fetched, but not for every domain.", 11},
	    {STANDING_WATCH, "Mail is fetched, but some of it is deferred.", 2},
	    {STANDING_OFF, "There was no session yet.", 0},
	    {STANDING_GOOD, "Mail comes as soon as the provider has it.", 0},
	    {STANDING_GOOD, "Mail comes as soon as the provider has it.", 0},
	};
	static struct standing standing;

	(void)state;
	rows[7].holds = true;
	for (int i = 0; i < 12; i++) {
		char name[32];
		snprintf(name, sizeof name, "d%d.example", i);
		asking_memory_refuse(
		    &rows[8].asking, name, now - MINUTE, "450 no");
	}
	history_deferrals_told(&rows[9].deferrals, 1, now - HOUR);
	rows[9].ledger_due = 2;
	/* It failed, and now it waits for mail: that may last for hours. */
	rows[12].holds = true;
	rows[12].listening = now - MINUTE;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		standing_of(&standing, &account, &rows[i],
		    alarm_of(&account, &rows[i], now), now);
		assert_string_equal(standing.sentence, expected[i].sentence);
		assert_int_equal(standing.grade, expected[i].grade);
		assert_int_equal(standing.notes_count, expected[i].notes);
	}
	disabled.enabled = false;
	standing_of(&standing, &disabled, &rows[0], ALARM_NONE, now);
	assert_int_equal(standing.grade, STANDING_OFF);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		history_clear(&rows[i]);
}

static void
notes_say_what_to_do(void **state)
{
	struct history held = after(SESSION_FAILED, ERROR_AUTH, now - MINUTE);
	static struct standing standing;

	(void)state;
	held.ledger_due = 1;
	standing_of(&standing, &account, &held, ALARM_NONE, now);
	assert_int_equal(standing.notes_count, 2);
	assert_string_equal(standing.notes[0].what,
	    "The account is on hold until 10:59: 535 5.7.8 <b>no</b>");
	assert_non_null(strstr(standing.notes[0].advice, "password"));
	assert_string_equal(standing.notes[1].what,
	    "The provider will send 1 message again, since it has not shown"
	    " that it read our answer; whoever has it already gets no second"
	    " copy.");
	history_clear(&held);
}

static void
the_next_session_is_what_the_schedule_leads_to(void **state)
{
	struct history mail = after(SESSION_MAIL, ERROR_NONE, now - MINUTE);
	struct history failed = after(SESSION_FAILED, ERROR_AGAIN, now);
	struct history held = after(SESSION_FAILED, ERROR_AUTH, now);
	struct config_account disabled = account;

	(void)state;
	assert_in_range(expected_next(&account, &mail, now), now + 4 * MINUTE,
	    now + 6 * MINUTE);
	/* An old one counts from now. */
	assert_in_range(expected_next(&account, &mail, now + DAY), now + DAY,
	    now + DAY + 2 * MINUTE);
	assert_in_range(expected_next(&account, &failed, now), now + MINUTE / 2,
	    now + 2 * MINUTE);
	assert_in_range(expected_next(&account, &held, now), now + HOUR,
	    now + HOUR + 7 * MINUTE);
	mail.holds = true;
	assert_int_equal(expected_next(&account, &mail, now), now);
	mail.next = 0;
	assert_int_equal(expected_next(&account, &mail, now), 0);
	disabled.enabled = false;
	assert_int_equal(expected_next(&disabled, &failed, now), 0);
	history_clear(&mail);
	history_clear(&failed);
	history_clear(&held);
}

/* As a text of its own, to be freed. */
static char *
page_of(const struct history *history, const char *host)
{
	struct page page;
	struct buf out;

	buf_init(&out, PAGE_MAX);
	page_begin(&page, &out, host, now);
	page_add(&page, &account, history, alarm_of(&account, history, now));
	assert_true(page_end(&page));
	assert_true(buf_append(&out, "", 1));
	char *text = strdup(buf_data(&out));
	assert_non_null(text);
	buf_clear(&out);
	return text;
}

static size_t
count_of(const char *text, char c)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == c;
	return count;
}

static void
nothing_in_the_page_leads_elsewhere(void **state)
{
	struct history mail = after(SESSION_MAIL, ERROR_NONE, now - MINUTE);
	static const char *const never[] = {"<script", "<link", "<img",
	    "<iframe", "http:", "https:", "//", "url(", "@import",
	    " style=", " onload", " src=", " href="};
	char *page = page_of(&mail, "mail.example.org");

	(void)state;
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (strstr(page, never[i]) != NULL)
			fail_msg("%s", never[i]);
	assert_non_null(strstr(page, "default-src 'none'; style-src 'sha256-"));
	free(page);
	history_clear(&mail);
}

/* A day is one bar, at its place; the highest reaches the top. */
static void
bars_stand_for_days(void **state)
{
	struct history mail = after(SESSION_MAIL, ERROR_NONE, now - MINUTE);
	struct history_day *day = mail.days.list;

	(void)state;
	day[0] = (struct history_day){.day = 20780 - 30, .messages = 9999};
	day[1] = (struct history_day){
	    .day = 20780 - 29, .sessions = 2, .messages = 5};
	day[2] =
	    (struct history_day){.day = 20780 - 1, .sessions = 2, .failed = 2};
	day[3] =
	    (struct history_day){.day = 20780, .sessions = 1, .messages = 10};
	mail.days.count = 4;
	char *page = page_of(&mail, "mail.example.org");
	assert_int_equal(strstr(page, "9999") == NULL, 1);
	assert_non_null(strstr(page,
	    "<title>2026-10-25: 5 messages, 2 sessions, 0 failed</title>"
	    "<rect class=\"bar\" x=\"1\" y=\"29\" width=\"8\" height=\"31\"/>"));
	assert_non_null(strstr(page,
	    "<rect class=\"none\" x=\"281\" y=\"59\" width=\"8\""
	    " height=\"1\"/><path class=\"fail\" d=\"M282 62l6 6m0-6l-6 6\"/>"));
	assert_non_null(
	    strstr(page, "<rect class=\"bar\" x=\"291\" y=\"0\" width=\"8\""
			 " height=\"60\"/>"));
	assert_non_null(strstr(page, "from 2026-10-25 to today: 15 in all, at"
				     " most 10 a day."));
	free(page);
	history_clear(&mail);
}

static void
fill_by_chance(char *out, size_t size, unsigned *chance)
{
	static const char likely[] = "<>&\"'/=\x01\x1b\x7f\xc3\xe2\x80\xae-!";

	for (size_t at = 0; at + 1 < size; at++) {
		*chance = *chance * 1103515245 + 12345;
		unsigned pick = *chance >> 12;
		char c = pick % 3 == 0
			     ? (char)(pick >> 4)
			     : likely[(pick >> 4) % (sizeof likely - 1)];
		out[at] = c != '\0' ? c : 'x';
	}
	out[size - 1] = '\0';
}

/* Whatever the texts are, the markup around them is the same. */
static void
no_text_becomes_markup(void **state)
{
	unsigned chance = 7;
	char host[100] = "mail", name[60] = "domain", reply[200] = "450 no";
	char *page = NULL;
	size_t tags = 0, quotes = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct history history =
		    after(SESSION_FAILED, ERROR_AUTH, now - 2 * DAY);
		history.hold_until = now + HOUR;
		history.ledger_due = 1;
		if (i > 0) {
			fill_by_chance(host, sizeof host, &chance);
			fill_by_chance(name, sizeof name, &chance);
			fill_by_chance(reply, sizeof reply, &chance);
			fill_by_chance(history.hold_reason,
			    sizeof history.hold_reason, &chance);
			fill_by_chance(history.last_error,
			    sizeof history.last_error, &chance);
			fill_by_chance(history.last.error.text,
			    sizeof history.last.error.text, &chance);
		}
		asking_memory_refuse(&history.asking, name, now, reply);
		page = page_of(&history, host);
		if (i == 0) {
			tags = count_of(page, '<');
			quotes = count_of(page, '"');
		}
		assert_int_equal(count_of(page, '<'), tags);
		assert_int_equal(count_of(page, '"'), quotes);
		for (const char *at = page; *at != '\0'; at++)
			assert_true((unsigned char)*at >= 0x20 || *at == '\n');
		free(page);
		history_clear(&history);
	}
}

static void
a_page_that_does_not_fit_is_none(void **state)
{
	struct history mail = after(SESSION_MAIL, ERROR_NONE, now - MINUTE);

	(void)state;
	for (size_t room = 0; room < 9000; room += 97) {
		struct page page;
		struct buf out;
		buf_init(&out, room);
		page_begin(&page, &out, "mail.example.org", now);
		page_add(&page, &account, &mail, ALARM_NONE);
		if (page_end(&page))
			assert_non_null(memmem(buf_data(&out), buf_len(&out),
			    "</html>", strlen("</html>")));
		buf_clear(&out);
	}
	history_clear(&mail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sentence_and_a_grade_say_how_an_account_stands),
	    cmocka_unit_test(notes_say_what_to_do),
	    cmocka_unit_test(the_next_session_is_what_the_schedule_leads_to),
	    cmocka_unit_test(nothing_in_the_page_leads_elsewhere),
	    cmocka_unit_test(bars_stand_for_days),
	    cmocka_unit_test(no_text_becomes_markup),
	    cmocka_unit_test(a_page_that_does_not_fit_is_none),
	};

	return cmocka_run_group_tests(tests, set_zone, NULL);
}
