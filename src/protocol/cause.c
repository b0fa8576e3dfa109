/* SPDX-License-Identifier: ISC */
#include "protocol/cause.h"

#include <stddef.h>

static const char *const names[CAUSE_COUNT] = {
    [CAUSE_ADDRESS] = "address",
    [CAUSE_COMMAND] = "command",
    [CAUSE_CONNECTION] = "connection",
    [CAUSE_CONTENT] = "content",
    [CAUSE_DEFERRED_BEFORE] = "deferred-before",
    [CAUSE_DEFERRED_IN_SESSION] = "deferred-in-session",
    [CAUSE_DELIVERY] = "delivery",
    [CAUSE_DELIVERY_SETUP] = "delivery-setup",
    [CAUSE_DOMAIN] = "domain",
    [CAUSE_DSN] = "dsn",
    [CAUSE_GROUP] = "group",
    [CAUSE_LOOP] = "loop",
    [CAUSE_MIXED] = "mixed",
    [CAUSE_OTHER_ACCOUNT] = "other-account",
    [CAUSE_OTHERS_FIRST] = "others-first",
    [CAUSE_RECALLED] = "recalled",
    [CAUSE_RECIPIENTS] = "recipients",
    [CAUSE_ROUTE] = "route",
    [CAUSE_SIZE] = "size",
    [CAUSE_SOFT_BOUNCE] = "soft-bounce",
    [CAUSE_UNANSWERED] = "unanswered",
    [CAUSE_VANISHED] = "vanished",
};

const char *
cause_name(enum cause cause)
{
	return names[cause];
}
