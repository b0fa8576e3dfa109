/*
 * ledger_list - what a ledger holds, for people (odmr-agent ledger).
 *
 * Needs to read the file, which only the agent's user can, and no lock: a
 * session may write meanwhile. A peer's text is escaped.
 */
#ifndef ODMR_LEDGER_LEDGER_LIST_H
#define ODMR_LEDGER_LEDGER_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/*
 * Prints "ACCOUNT: N entries, N due", a line for each entry and one for each of
 * its recipients, the oldest first, then the recipients that are put off. What
 * is older than keep seconds is left out. false: the file cannot be read.
 * Errors: ERROR_LOCAL.
 */
bool ledger_list_print(FILE *out, const char *state_dir, const char *account,
    int64_t now, int64_t keep, struct error *err)
    __attribute__((warn_unused_result));

#endif
