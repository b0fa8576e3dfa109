/* SPDX-License-Identifier: ISC */
#include "config/config.h"

const struct config_kind config_kinds[CONFIG_KINDS] = {
    /* A probe, then three for the answer at the end. */
    [CONFIG_LMTP] = {.name = "lmtp", .waits = 4},
    [CONFIG_SMTP] = {.name = "smtp", .waits = 4},
    /* Three for the run for all, three for those for each. */
    [CONFIG_SENDMAIL] = {.name = "sendmail", .waits = 6, .program = true},
    [CONFIG_MAILDIR] = {.name = "maildir", .writes = true},
};
