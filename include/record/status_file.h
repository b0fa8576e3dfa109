/*
 * status_file - the history of each account in state_dir/status/NAME.json.
 *
 * Written whole and renamed, never through a link. A file that is cut,
 * scribbled on or of another format is not trusted in part: the history is
 * empty then, which costs no mail. Writers hold the account's lock.
 */
#ifndef ODMR_RECORD_STATUS_FILE_H
#define ODMR_RECORD_STATUS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct history;
struct session_result;

enum {
	/* 1000 refused domains with the longest replies, each octet of them
	 * escaped to six; what is written must fit, and be read back. */
	STATUS_FILE_MAX = 4 << 20,
};

/*
 * Fills history, which history_clear() ends. No file is an empty history; its
 * times are settled (history_settle_times()), and so they are written back.
 * false: the file cannot be used, which is worth a warning. Errors:
 * ERROR_SYSTEM.
 */
bool status_file_read(const char *state_dir, const char *account,
    struct history *history, struct error *err)
    __attribute__((warn_unused_result));
/* Not synced: after a power cut an empty history costs nothing but memory of
 * holds and totals. Errors: ERROR_SYSTEM, ERROR_INTERNAL. */
bool status_file_write(const char *state_dir, const char *account,
    const struct history *history, struct error *err)
    __attribute__((warn_unused_result));
/*
 * What a session does at its end, with the lock held: history_add(), then
 * status_file_write(). fingerprint is what hold_fingerprint() told when the
 * session read its secret, or "". Errors: ERROR_SYSTEM, ERROR_INTERNAL.
 */
bool status_file_record(const char *state_dir, const char *account,
    struct history *history, struct session_result *result,
    const char *fingerprint, struct error *err)
    __attribute__((warn_unused_result));

#endif
