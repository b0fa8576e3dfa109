/* SPDX-License-Identifier: ISC */
#include "tell/page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/html.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "page_private.h"
#include "record/expected.h"
#include "record/history.h"
#include "tell/standing.h"
#include "tell/summary.h"

void
page_markup(struct page *page, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (page->cut || !buf_vprintf(page->out, format, args))
		page->cut = true;
	va_end(args);
}

void
page_text(struct page *page, const char *text)
{
	if (page->cut || !html_text(page->out, text))
		page->cut = true;
}

/* The style is ours and always the same; a digest of it lets nothing else be
 * style (CSP Level 3, 2.3.1 and 6.7.3). */
static void
add_policy(struct page *page)
{
	unsigned char digest[DIGEST_SIZE];
	char base64[BASE64_SIZE(DIGEST_SIZE)];

	digest_octets(digest, page_style, strlen(page_style));
	base64_encode(base64, digest, sizeof digest);
	page_markup(page,
	    "<meta http-equiv=\"Content-Security-Policy\" content=\""
	    "default-src 'none'; style-src 'sha256-%s'; base-uri 'none';"
	    " form-action 'none'\"/>\n",
	    base64);
}

static void
add_style(struct page *page)
{
	page_markup(page, "<style>");
	if (page->cut || !buf_append(page->out, page_style, strlen(page_style)))
		page->cut = true;
	page_markup(page, "</style>\n");
}

static void
add_moment(struct page *page, int64_t ms)
{
	char utc[TIMESTAMP_UTC_SIZE], clock[TIMESTAMP_WORDS_SIZE];

	page_markup(page, "<time datetime=\"%s\">%s</time>",
	    timestamp_format_utc(utc, ms),
	    timestamp_format_clock(clock, ms, page->now));
}

void
page_begin(struct page *page, struct buf *out, const char *host, int64_t now)
{
	char utc[TIMESTAMP_UTC_SIZE], clock[TIMESTAMP_WORDS_SIZE];

	*page = (struct page){.out = out, .now = now};
	page_markup(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
			  "<meta charset=\"utf-8\"/>\n");
	add_policy(page);
	page_markup(page,
	    "<meta http-equiv=\"refresh\" content=\"%d\"/>\n"
	    "<meta name=\"viewport\""
	    " content=\"width=device-width, initial-scale=1\"/>\n"
	    "<meta name=\"robots\" content=\"noindex\"/>\n<title>Mail of ",
	    PAGE_RELOAD_SECONDS);
	page_text(page, host);
	page_markup(page, "</title>\n");
	add_style(page);
	page_markup(page, "</head>\n<body>\n<header><h1>Mail of ");
	page_text(page, host);
	/* With its date, for a page that is days old. */
	page_markup(page,
	    "</h1>\n<p>As of <time datetime=\"%s\">%s</time></p></header>\n"
	    "<main>\n",
	    timestamp_format_utc(utc, now),
	    timestamp_format_clock(clock, now, 0));
}

static const char *
class_of(enum standing_grade grade)
{
	switch (grade) {
	case STANDING_GOOD:
		return "good";
	case STANDING_WATCH:
		return "watch";
	case STANDING_ACT:
		return "act";
	case STANDING_OFF:
		return "off";
	}
	return "off";
}

static void
add_last(struct page *page, const struct history *history)
{
	char text[SUMMARY_SIZE];

	if (!history->any) {
		page_markup(page, "none yet");
		return;
	}
	add_moment(page, history->last.ended);
	page_markup(page, ": ");
	/* The notes say why. */
	if (history->last.outcome == SESSION_FAILED &&
	    history->failures_in_a_row > 0)
		page_markup(page, "failed");
	else
		page_text(page, summary_result(text, &history->last));
}

static void
add_facts(struct page *page, const struct config_account *account,
    const struct history *history)
{
	int64_t next = expected_next(account, history, page->now);

	page_markup(page, "<dl><dt>Last session</dt><dd>");
	add_last(page, history);
	page_markup(page, "</dd>\n<dt>Next session</dt><dd>");
	if (!account->enabled)
		page_markup(page, "none");
	else if (next == 0)
		page_markup(page, "not planned yet, or started by cron");
	else if (history->holds && next <= page->now)
		page_markup(page, "at once: it waits for mail");
	else {
		page_markup(page, "about ");
		add_moment(page, next);
	}
	page_markup(page, "</dd>\n<dt>Today</dt><dd>%" PRIu64 " message%s</dd>",
	    history_messages_today(history, page->now),
	    history_messages_today(history, page->now) == 1 ? "" : "s");
	page_markup(page, "</dl>\n");
}

static void
add_notes(struct page *page, const struct standing *standing)
{
	if (standing->notes_count == 0)
		return;
	page_markup(page, "<ul>\n");
	for (size_t i = 0; i < standing->notes_count; i++) {
		page_markup(page, "<li>");
		page_text(page, standing->notes[i].what);
		page_markup(page, " <span class=\"advice\">");
		page_text(page, standing->notes[i].advice[0] != '\0'
				    ? standing->notes[i].advice
				    : "Nothing needs to be done.");
		page_markup(page, "</span></li>\n");
	}
	page_markup(page, "</ul>\n");
}

void
page_add(struct page *page, const struct config_account *account,
    const struct history *history, enum alarm alarm)
{
	struct standing standing;

	standing_of(&standing, account, history, alarm, page->now);
	page_markup(
	    page, "<section class=\"%s\">\n<h2>", class_of(standing.grade));
	page_text(page, account->name);
	page_markup(page,
	    "</h2>\n<p class=\"state\"><span class=\"word\">%s</span> ",
	    standing_word(standing.grade));
	page_text(page, standing.sentence);
	page_markup(page, "</p>\n");
	add_facts(page, account, history);
	add_notes(page, &standing);
	page_plot(page, &history->days);
	page_markup(page, "</section>\n");
}

bool
page_end(struct page *page)
{
	page_markup(page,
	    "</main>\n<footer><p>odmr-agent %s writes this page after each"
	    " session. Where a next session is over and the page has not"
	    " changed, the agent is not running: see its log.</p></footer>\n"
	    "</body>\n</html>\n",
	    ODMR_VERSION);
	return !page->cut;
}
