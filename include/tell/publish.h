/*
 * publish - metrics_file and status_page, which are about all accounts.
 *
 * Both are made of the status files, and hold for the moment at which they are
 * written. When that should be is its caller's to know (run/publisher).
 */
#ifndef ODMR_TELL_PUBLISH_H
#define ODMR_TELL_PUBLISH_H

#include <stdbool.h>

struct config;

/* There is something to be published. */
bool publish_is_wanted(const struct config *config);
/*
 * Writes each of the files that is wanted, also where the other one cannot be
 * written. false: one could not; the log has it, unless quiet.
 */
bool publish_files(const struct config *config, bool quiet)
    __attribute__((warn_unused_result));

#endif
