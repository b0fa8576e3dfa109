/*
 * soft_bounce - whether a refusal reaches the provider, or becomes a 4xx.
 *
 * `auto`: a delivery has its first day until it has accepted a message, since
 * what is set up wrongly must not bounce all that was held. A delivery that was
 * changed, or whose routes were, has a first day again: what it proved, it
 * proved as it was. Each delivery has its own, so that one that is new beside
 * an old one is not taken for proven.
 */
#ifndef ODMR_SESSION_SOFT_BOUNCE_H
#define ODMR_SESSION_SOFT_BOUNCE_H

#include <stdbool.h>

struct config;
struct config_account;
struct config_delivery;
struct history;
struct soft_bounce;

/* config and account are borrowed, of history is copied what is needed. */
struct soft_bounce *soft_bounce_new(const struct config *config,
    const struct config_account *account, const struct history *history);
void soft_bounce_free(struct soft_bounce *soft);
/*
 * Whether what this delivery refuses is softened. NULL: what no delivery has a
 * part in, a domain that is not accepted or a recipient without a route; that
 * is softened until any delivery has accepted a message.
 */
bool soft_bounce_is_on(
    const struct soft_bounce *soft, const struct config_delivery *delivery);
/* Whether it is for any delivery, and so for what concerns all of them: the
 * size of messages. */
bool soft_bounce_is_on_anywhere(const struct soft_bounce *soft);
/* auto: whoever had mail and is now unknown is not believed to be gone at once
 * (record/history_known). */
bool soft_bounce_doubts(const struct soft_bounce *soft);
/* The delivery has accepted a message. */
void soft_bounce_accepted(
    struct soft_bounce *soft, const struct config_delivery *delivery);
/* What is proven goes into the history, in place of what was there. */
void soft_bounce_record(
    const struct soft_bounce *soft, struct history *history);

#endif
