/*
 * hold - whether an account is on hold now.
 *
 * As the history has it, but it ends at once when configuration or secret of the
 * account changed: that is how the cause is mended here. Of the secret a keyed
 * digest is kept; its key is state_dir/key, for us alone.
 */
#ifndef ODMR_RECORD_HOLD_H
#define ODMR_RECORD_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct history;
struct error;

/*
 * The digest of what the account is made of and of its secret, which does not
 * count where it comes out of a command, since none is run just to compare. The
 * key is made where it is missing. false: no key. Errors: ERROR_SYSTEM.
 */
bool hold_fingerprint(const struct config *config,
    const struct config_account *account, const struct secret *secret,
    char out[static CONFIG_FINGERPRINT_SIZE], struct error *err)
    __attribute__((warn_unused_result));
/* What the account is made of is not what it was when the hold began. May read
 * the account's password file. */
bool hold_is_obsolete(const struct config *config,
    const struct config_account *account, const struct history *history);
/* ms from now until the hold ends, 0 where there is none. */
int64_t hold_left(const struct config *config,
    const struct config_account *account, const struct history *history,
    int64_t now);

#endif
