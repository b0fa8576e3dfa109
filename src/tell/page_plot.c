/* SPDX-License-Identifier: ISC */
#include "page_private.h"

#include <inttypes.h>

#include "record/history_days.h"

enum {
	/* Units of the picture, which is scaled to the width of its card. */
	STEP = 10, /* from one day to the next */
	BAR = 8, /* wide */
	HIGHEST = 60,
	MARK = 8, /* the room below the bars for a cross */
	FLAT = 2, /* what is left of HIGHEST where no bar stands */
};

struct month {
	int64_t first; /* day */
	uint64_t sum, most;
	unsigned known; /* days with a session */
	bool crosses; /* on one of them every session failed */
};

static bool
all_failed(const struct history_day *day)
{
	return day->failed > 0 && day->failed == day->sessions;
}

static struct month
sum_up(const struct history_days *days, int64_t today)
{
	struct month month = {.first = today - (PAGE_DAYS - 1)};

	for (size_t i = 0; i < days->count; i++) {
		const struct history_day *day = &days->list[i];
		if (day->day < month.first || day->day > today)
			continue;
		month.known++;
		month.crosses |= all_failed(day);
		month.sum += day->messages;
		if (day->messages > month.most)
			month.most = day->messages;
	}
	return month;
}

/* Whole units: a bar is seen however few messages it stands for. */
static int
height_of(uint64_t messages, uint64_t most)
{
	return 2 + (int)((double)messages / (double)most * (HIGHEST - 2));
}

static void
add_title(struct page *page, const struct history_day *day)
{
	char date[HISTORY_DATE_SIZE];

	page_markup(page,
	    "<title>%s: %" PRIu64 " message%s, %" PRIu64 " session%s, %" PRIu64
	    " failed</title>",
	    history_days_format(date, day->day), day->messages,
	    day->messages == 1 ? "" : "s", day->sessions,
	    day->sessions == 1 ? "" : "s", day->failed);
}

/* A bar; where there was no mail a flat one, and where every session failed a
 * cross below it. A day without a session has nothing. */
static void
add_day_bar(
    struct page *page, const struct history_day *day, const struct month *month)
{
	int x = (int)(day->day - month->first) * STEP + 1;
	int height =
	    day->messages > 0 ? height_of(day->messages, month->most) : 1;

	page_markup(page, "<g role=\"img\">");
	add_title(page, day);
	page_markup(page,
	    "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\""
	    " height=\"%d\"/>",
	    day->messages > 0 ? "bar" : "none", x, HIGHEST - height, BAR,
	    height);
	if (all_failed(day))
		page_markup(page,
		    "<path class=\"fail\" d=\"M%d %dl6 6m0-6l-6 6\"/>", x + 1,
		    HIGHEST + 2);
	page_markup(page, "</g>\n");
}

static void
add_caption(struct page *page, const struct month *month)
{
	char first[HISTORY_DATE_SIZE];

	history_days_format(first, month->first);
	page_markup(page, "<figcaption>");
	if (month->sum == 0)
		page_markup(page, "No message since %s.", first);
	else
		page_markup(page,
		    "Messages of each day from %s to today: %" PRIu64
		    " in all, at most %" PRIu64 " a day.",
		    first, month->sum, month->most);
	if (month->crosses)
		page_markup(
		    page, " A cross: every session of that day failed.");
	page_markup(page, "</figcaption></figure>\n");
}

/* The bars are pictures of a group, so that a screen reader gets to each. */
void
page_plot(struct page *page, const struct history_days *days)
{
	int64_t today = history_days_date(page->now);
	struct month month = sum_up(days, today);
	int top = month.most > 0 ? 0 : HIGHEST - FLAT;

	if (month.known == 0)
		return;
	page_markup(page,
	    "<figure><svg role=\"group\" aria-label=\"Messages of each of the"
	    " last %d days\" viewBox=\"0 %d %d %d\">\n"
	    "<path class=\"base\" d=\"M0 %dh%d\"/>\n",
	    PAGE_DAYS, top, PAGE_DAYS * STEP, HIGHEST + MARK - top, HIGHEST,
	    PAGE_DAYS * STEP);
	for (int64_t day = month.first; day <= today; day++) {
		const struct history_day *found = history_days_find(days, day);
		if (found != NULL)
			add_day_bar(page, found, &month);
	}
	page_markup(page, "</svg>");
	add_caption(page, &month);
}
