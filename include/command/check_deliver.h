/*
 * check_deliver - `check --deliver`: a test message goes the way of mail.
 *
 * The same guard, routes and deliveries as in a session, with a message of our
 * own in the place of the provider's. The delivery's own reply is printed,
 * not softened; nothing of it is kept in ledger or status.
 */
#ifndef ODMR_COMMAND_CHECK_DELIVER_H
#define ODMR_COMMAND_CHECK_DELIVER_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct config_account;

/*
 * The account is the one of these that accepts the address's domain. Returns
 * the exit status: EX_OK where it was delivered, EX_NOUSER where it was refused,
 * EX_TEMPFAIL where it was deferred, EX_USAGE where address is none.
 */
int check_deliver(const struct config *config,
    const struct config_account *const *accounts, size_t count,
    const char *address, bool trace);

#endif
