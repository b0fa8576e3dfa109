/*
 * destinations - the deliveries that an account can reach, as one delivery.
 */
#ifndef ODMR_SESSION_DESTINATIONS_H
#define ODMR_SESSION_DESTINATIONS_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct config_account;
struct config_delivery;
struct deadline;
struct delivery;
struct error;
struct destinations;
struct path;

/* All is borrowed for the life of the destinations; hostname is for LHLO. */
struct destinations *destinations_new(const struct config *config,
    const struct config_account *account, const char *hostname, bool trace);
void destinations_free(struct destinations *destinations);
struct delivery *destinations_delivery(const struct destinations *destinations);
/*
 * Tries each; true when at least one is there. One that is not is told to warn,
 * with the reason. *size_max is the largest that any of them accepts, in
 * octets, 0 where one sets no limit or is not there to say: a recipient is not
 * refused by the limit of another's delivery, and each refuses by its own.
 * Errors: ERROR_LOCAL.
 */
bool destinations_probe(struct destinations *destinations, uint64_t *size_max,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/*
 * To be asked after each message: tells what a delivery complains of, and gives
 * one that went away up for this session, so that its trouble is its own.
 * false: none is left, the session should end, and err says why. Errors:
 * ERROR_LOCAL.
 */
bool destinations_watch(struct destinations *destinations, struct error *err)
    __attribute__((warn_unused_result));
/* Whether the last probe found it, and it did not go away since. */
bool destinations_is_there(const struct destinations *destinations,
    const struct config_delivery *delivery);
/* Where a recipient goes; NULL: no route takes it. */
const struct config_delivery *destinations_find(
    const struct destinations *destinations, const struct path *rcpt);

#endif
