/*
 * page_private - what the sources of tell/page share.
 */
#ifndef ODMR_TELL_PAGE_PRIVATE_H
#define ODMR_TELL_PAGE_PRIVATE_H

#include "tell/page.h"

struct history_days;

/* The style sheet, whose digest is in the policy. */
extern const char page_style[];

/* Markup of ours; what a peer or the configuration said goes through
 * page_text(). */
void page_markup(struct page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void page_text(struct page *page, const char *text);
/* Bars of the last PAGE_DAYS days, today last, with a caption. */
void page_plot(struct page *page, const struct history_days *days);

#endif
