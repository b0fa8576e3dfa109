/*
 * status_file - the history of each account in state_dir/status/NAME.json.
 *
 * Written whole and renamed, never through a link. A file that is cut,
 * scribbled on or of another format is not trusted in part: the history is
 * empty then, which costs no mail. Writers hold the account's lock.
 */
#ifndef ODMR_AGENT_STATUS_FILE_H
#define ODMR_AGENT_STATUS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/config.h"
#include "base/error.h"

struct history;
struct session_result;

enum {
	STATUS_FILE_MAX = 1 << 20, /* 1000 refused domains with their replies */
};

/*
 * Fills history, which history_clear() ends. No file is an empty history.
 * false: the file cannot be used; err says why in one sentence, for a warning.
 */
bool status_file_read(const char *state_dir, const char *account,
    struct history *history, struct error *err)
    __attribute__((warn_unused_result));
/* Not synced: after a power cut an empty history costs nothing but memory of
 * holds and totals. */
bool status_file_write(const char *state_dir, const char *account,
    const struct history *history, struct error *err)
    __attribute__((warn_unused_result));
/*
 * What a session does at its end, with the lock held: history_add(), the
 * fingerprint where login was refused, status_file_write().
 */
bool status_file_record(const char *state_dir,
    const struct config_account *account, struct history *history,
    struct session_result *result, struct error *err)
    __attribute__((warn_unused_result));

/*
 * For a hold after login was refused: the digest of what the account is made
 * of and of its password, where that can be read without running a command.
 * Its key is state_dir/key, made when it is missing. false: no key.
 */
bool status_file_fingerprint(const char *state_dir,
    const struct config_account *account,
    char out[static CONFIG_FINGERPRINT_SIZE], struct error *err)
    __attribute__((warn_unused_result));

#endif
