/*
 * hold - whether an account is on hold now.
 *
 * As the history has it, but a hold after a refused login ends at once when
 * configuration or secret of the account changed (interface.md 3).
 */
#ifndef ODMR_AGENT_HOLD_H
#define ODMR_AGENT_HOLD_H

#include <stdint.h>

struct config_account;
struct history;

/* ms from now until the hold ends, 0 where there is none. May read the
 * account's password file. */
int64_t hold_left(const char *state_dir, const struct config_account *account,
    const struct history *history, int64_t now);

#endif
