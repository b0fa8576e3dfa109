/* SPDX-License-Identifier: ISC */
#include "config/config.h"

const struct config_kind config_kinds[] = {
    /* A probe, then three for the answer at the end. */
    [CONFIG_LMTP] = {.waits = 4},
    [CONFIG_SMTP] = {.waits = 4},
    /* Three for the run for all, three for those for each. */
    [CONFIG_SENDMAIL] = {.waits = 6, .program = true},
    [CONFIG_MAILDIR] = {.writes = true},
};
