/*
 * summary - what came of a session, in one line for people.
 */
#ifndef ODMR_TELL_SUMMARY_H
#define ODMR_TELL_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#include "record/result.h"

struct config_account;
struct history;

enum {
	SUMMARY_SIZE = ERROR_TEXT_MAX + 256,
	SUMMARY_BYTES_SIZE = 32,
};

/* "812 B", "12.4 kB", "3.1 MB"; powers of 1000; returns out. */
char *summary_bytes(char out[static SUMMARY_BYTES_SIZE], uint64_t bytes);
/* text with '?' for what is no printable ASCII; returns out. */
char *summary_plain(char out[static SUMMARY_SIZE], const char *text);
/* "3 messages, 12.4 kB, 0.8 s", "no mail", "failed: ..."; returns out. */
char *summary_result(
    char out[static SUMMARY_SIZE], const struct session_result *result);
/* "3 messages, 12.4 kB, 24.0 kB/s", after ms of it; returns out. */
char *summary_progress(char out[static SUMMARY_SIZE],
    const struct session_result *so_far, int64_t ms);
/* "on hold until 14:00: ..."; returns out. */
char *summary_hold(
    char out[static SUMMARY_SIZE], const struct history *history, int64_t now);
/* What to do about it, in whole sentences: what ends the hold; returns out. */
char *summary_hold_advice(char out[static SUMMARY_SIZE],
    const struct config_account *account, const struct history *history);
/* "listening since 14:02": its provider holds the reply to ATRN until it has
 * mail. */
char *summary_listening(
    char out[static SUMMARY_SIZE], const struct history *history, int64_t now);
/* "not asked before 12:30, ..." */
char *summary_spaced(
    char out[static SUMMARY_SIZE], const struct history *history, int64_t now);

#endif
