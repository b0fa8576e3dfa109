/*
 * expected - when the next session of an account should begin, by its history.
 *
 * For pages and metrics that are written when a session ends, before `run` has
 * planned the next one. `run` itself knows better: it adds a random delay, and
 * measures by a clock that nobody sets.
 */
#ifndef ODMR_RECORD_EXPECTED_H
#define ODMR_RECORD_EXPECTED_H

#include <stdint.h>

struct config_account;
struct history;

/*
 * ms of Unix time, not before now; 0 where nobody can say: the account is
 * disabled, its schedule has no time, or `run` has never planned it, so that
 * cron or a hook decides.
 */
int64_t expected_next(const struct config_account *account,
    const struct history *history, int64_t now);

#endif
