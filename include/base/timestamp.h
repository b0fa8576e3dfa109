/*
 * timestamp - points in time as text, for files, logs and people.
 *
 * Times are ms since 1970-01-01T00:00:00Z; files and logs have UTC, people get
 * local time and words, and mail gets local time with its offset.
 */
#ifndef ODMR_BASE_TIMESTAMP_H
#define ODMR_BASE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TIMESTAMP_UTC_SIZE =
	    32, /* "2026-11-23T10:00:00Z" and a NUL, with room */
	TIMESTAMP_WORDS_SIZE = 48,
	TIMESTAMP_MAIL_SIZE = 64,
};

/* RFC 3339 in whole seconds; out has TIMESTAMP_UTC_SIZE octets; returns out. */
char *timestamp_format_utc(char *out, int64_t ms);
/* false: not the form of timestamp_format_utc(), or no such day. */
bool timestamp_parse_utc(const char *text, int64_t *ms)
    __attribute__((warn_unused_result));
/* "14:00" where it is today, else "2026-11-24 14:00", in local time; out has
 * TIMESTAMP_WORDS_SIZE octets; returns out. */
char *timestamp_format_clock(char *out, int64_t ms, int64_t now);
/* As the Date of a message has it (RFC 5322 3.3): "Mon, 23 Nov 2026 11:00:00
 * +0100"; out has TIMESTAMP_MAIL_SIZE octets and is empty where the time is none
 * of the calendar; returns out. */
char *timestamp_format_mail(char *out, int64_t ms);
/* A span of time with one unit: "45 s", "10 min", "3 h", "2 d". */
char *timestamp_format_span(char *out, int64_t ms);

#endif
