/*
 * page - the accounts as one page of HTML, for a web server or a wall.
 *
 * Pure: histories and now go in, octets come out. The page needs nothing but
 * itself: no script, no file, no address; its Content-Security-Policy forbids
 * all of them. It is also well-formed XML. What peers said is text in it
 * (base/html). Colours have words and shapes beside them.
 */
#ifndef ODMR_TELL_PAGE_H
#define ODMR_TELL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "tell/alarm.h"

struct buf;
struct config_account;
struct history;

enum {
	PAGE_DAYS = 30, /* a month; one bar each */
	/* For whoever leaves it open: a session takes seconds, and `every` is
	 * minutes. */
	PAGE_RELOAD_SECONDS = 60,
};

struct page {
	struct buf *out; /* borrowed */
	int64_t now;
	bool cut; /* the buffer was full: what is in it is no page */
};

/* host: whose mail it is. */
void page_begin(
    struct page *page, struct buf *out, const char *host, int64_t now);
/* One account; alarm as in standing_of(). */
void page_add(struct page *page, const struct config_account *account,
    const struct history *history, enum alarm alarm);
/* false: more than the buffer takes. */
bool page_end(struct page *page) __attribute__((warn_unused_result));

#endif
