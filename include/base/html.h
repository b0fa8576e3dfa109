/*
 * html - text as it may stand in a page of HTML or XML.
 */
#ifndef ODMR_BASE_HTML_H
#define ODMR_BASE_HTML_H

#include <stdbool.h>

struct buf;

/*
 * Appends text so that it is nothing but text, in an element as well as in an
 * attribute with quotes. What is no UTF-8, controls, and characters that turn
 * the direction of writing become U+FFFD. false: more than the buffer takes; a
 * part may be in it then.
 */
bool html_text(struct buf *out, const char *text)
    __attribute__((warn_unused_result));

#endif
