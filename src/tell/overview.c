/* SPDX-License-Identifier: ISC */
#include "tell/overview.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "record/history.h"
#include "tell/plot.h"
#include "tell/summary.h"

enum {
	NAME_MIN = 7, /* "ACCOUNT" */
	NAME_MAX_WIDTH = 20,
	LAST_WIDTH = 27,
	NEXT_WIDTH = 12,
	TODAY_WIDTH = 5,
	TOTAL_WIDTH = 7,
	FAILED_WIDTH = 4,
	INDENT = 4,
	CELL_SIZE = 64,
	LATE_MS = 5 * 60 * 1000, /* a session may wait for a free place */
};
_Static_assert(NAME_MAX_WIDTH + LAST_WIDTH + NEXT_WIDTH + TODAY_WIDTH +
		       TOTAL_WIDTH + FAILED_WIDTH + 5 ==
		   OVERVIEW_COLUMNS,
    "the table fills the line");

static void add_cell(struct overview *overview, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
add_cell(struct overview *overview, const char *format, ...)
{
	char text[SUMMARY_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)!buf_append(overview->out, text, strlen(text));
}

void
overview_begin(struct overview *overview, struct buf *out, size_t longest,
    bool colour, unsigned columns, int64_t now)
{
	int width = longest > NAME_MAX_WIDTH ? NAME_MAX_WIDTH : (int)longest;

	if (width < NAME_MIN)
		width = NAME_MIN;
	*overview = (struct overview){
	    .out = out,
	    .name_width = width,
	    .colour = colour,
	    .plot = (int)columns >=
		    OVERVIEW_COLUMNS - NAME_MAX_WIDTH + width + 1 + PLOT_DAYS,
	    .now = now,
	};
	add_cell(overview, "%-*s %-*s %-*s %*s %*s %*s%s\n", width, "ACCOUNT",
	    LAST_WIDTH, "LAST SESSION", NEXT_WIDTH, "NEXT", TODAY_WIDTH,
	    "TODAY", TOTAL_WIDTH, "TOTAL", FAILED_WIDTH, "FAIL",
	    overview->plot ? " 14 DAYS" : "");
}

static void
count_of(char out[static CELL_SIZE], uint64_t count, const char *what)
{
	snprintf(out, CELL_SIZE, "%" PRIu64 " %s%s", count, what,
	    count == 1 ? "" : "s");
}

/* "3 messages, 5 min ago" */
static void
format_last(
    char out[static CELL_SIZE], const struct history *history, int64_t now)
{
	const struct session_result *last = &history->last;
	char result[CELL_SIZE] = "failed", span[TIMESTAMP_WORDS_SIZE];

	if (!history->any) {
		snprintf(out, CELL_SIZE, "none yet");
		return;
	}
	switch (last->outcome) {
	case SESSION_MAIL:
		count_of(result, last->messages, "message");
		break;
	case SESSION_NO_MAIL:
		snprintf(result, sizeof result, "no mail");
		break;
	case SESSION_DEFERRED:
		snprintf(result, sizeof result, "%" PRIu64 " deferred",
		    last->deferred);
		break;
	case SESSION_REFUSED:
		snprintf(result, sizeof result, "%" PRIu64 " refused",
		    last->refused);
		break;
	case SESSION_FAILED:
		break;
	}
	snprintf(out, CELL_SIZE, "%.40s, %s ago", result,
	    timestamp_format_span(span, now - last->ended));
}

static void
format_next(char out[static CELL_SIZE], const struct config_account *account,
    const struct history *history, int64_t now)
{
	int64_t left = history->next - now;
	char span[TIMESTAMP_WORDS_SIZE];

	if (!account->enabled)
		snprintf(out, CELL_SIZE, "disabled");
	else if (history_hold_left(history, now) > 0)
		snprintf(out, CELL_SIZE, "on hold");
	else if (history->next == 0)
		snprintf(out, CELL_SIZE, "-");
	else if (left < -LATE_MS)
		snprintf(out, CELL_SIZE, "overdue");
	else if (left < 0)
		snprintf(out, CELL_SIZE, "now");
	else
		snprintf(
		    out, CELL_SIZE, "in %s", timestamp_format_span(span, left));
}

static const char *
colour_of(const struct history *history)
{
	if (!history->any)
		return "";
	switch (history->last.outcome) {
	case SESSION_MAIL:
	case SESSION_NO_MAIL:
		return "\033[32m";
	case SESSION_DEFERRED:
	case SESSION_REFUSED:
		return "\033[33m";
	case SESSION_FAILED:
		return "\033[31m";
	}
	return "";
}

/* Text in lines of the table's width, broken at spaces, indented. */
static void
add_wrapped(struct overview *overview, const char *text)
{
	const size_t width = OVERVIEW_COLUMNS - INDENT;

	while (*text != '\0') {
		size_t len = strlen(text);
		if (len > width) {
			len = width;
			while (len > 0 && text[len] != ' ')
				len--;
			if (len == 0)
				len = width;
		}
		add_cell(overview, "%*s%.*s\n", INDENT, "", (int)len, text);
		text += len;
		while (*text == ' ')
			text++;
	}
}

static void
add_reasons(struct overview *overview, const struct config_account *account,
    const struct history *history, enum alarm alarm)
{
	char text[SUMMARY_SIZE], plain[SUMMARY_SIZE];

	if (alarm != ALARM_NONE) {
		char words[ALARM_TEXT_SIZE];
		snprintf(text, sizeof text, "ALARM: %s",
		    alarm_format(
			words, alarm, account, history, overview->now));
		add_wrapped(overview, text);
	}
	if (account->enabled && history_hold_left(history, overview->now) > 0) {
		add_wrapped(
		    overview, summary_hold(text, history, overview->now));
		add_wrapped(
		    overview, summary_hold_advice(text, account, history));
	} else if (history->failures_in_a_row > 0) {
		add_wrapped(
		    overview, summary_plain(plain, history->last_error));
	}
	if (history->listening != 0)
		add_wrapped(
		    overview, summary_listening(text, history, overview->now));
	if (history->ledger_due > 0) {
		char count[CELL_SIZE];
		count_of(count, history->ledger_due, "message");
		snprintf(text, sizeof text,
		    "%s to be sent again (odmr-agent ledger)", count);
		add_wrapped(overview, text);
	}
	for (size_t i = 0; i < history->asking.domains_count; i++) {
		const struct asking_domain *domain =
		    &history->asking.domains[i];
		if (domain->asked == 0)
			continue;
		snprintf(text, sizeof text, "%s is refused: %s", domain->name,
		    domain->reply);
		add_wrapped(overview, summary_plain(plain, text));
	}
}

/* A number that is too long for its column must not shift the others. */
static void
format_count(char *out, int width, uint64_t count)
{
	char text[CELL_SIZE];

	snprintf(text, sizeof text, "%" PRIu64, count);
	if ((int)strlen(text) > width)
		snprintf(text, sizeof text, "%" PRIu64 "k", count / 1000);
	if ((int)strlen(text) > width)
		snprintf(text, sizeof text, ">%.*s", width - 1, "99999999");
	snprintf(out, CELL_SIZE, "%*s", width, text);
}

void
overview_add(struct overview *overview, const struct config_account *account,
    const struct history *history, enum alarm alarm)
{
	char last[CELL_SIZE], next[CELL_SIZE];
	char today[CELL_SIZE], total[CELL_SIZE], failed[CELL_SIZE];
	const char *colour = overview->colour ? colour_of(history) : "";
	char plot[PLOT_SIZE] = "";

	if (overview->plot)
		plot_days(
		    plot, &history->days, history_days_date(overview->now));
	format_last(last, history, overview->now);
	format_next(next, account, history, overview->now);
	format_count(
	    today, TODAY_WIDTH, history_messages_today(history, overview->now));
	format_count(total, TOTAL_WIDTH, history->total.messages);
	format_count(failed, FAILED_WIDTH, history->failures_in_a_row);
	add_cell(overview, "%-*.*s %s%-*.*s%s %-*.*s %s %s %s%s%s\n",
	    overview->name_width, overview->name_width, account->name, colour,
	    LAST_WIDTH, LAST_WIDTH, last, colour[0] != '\0' ? "\033[0m" : "",
	    NEXT_WIDTH, NEXT_WIDTH, next, today, total, failed,
	    overview->plot ? " " : "", plot);
	add_reasons(overview, account, history, alarm);
}
