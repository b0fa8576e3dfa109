/*
 * outlets - the deliveries that an account can reach, as one delivery.
 */
#ifndef ODMR_SESSION_OUTLETS_H
#define ODMR_SESSION_OUTLETS_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct config_account;
struct config_delivery;
struct deadline;
struct delivery;
struct error;
struct outlets;
struct path;

/* All is borrowed for the life of the outlets; hostname is for LHLO. */
struct outlets *outlets_new(const struct config *config,
    const struct config_account *account, const char *hostname, bool trace);
void outlets_free(struct outlets *outlets);
struct delivery *outlets_delivery(const struct outlets *outlets);
/*
 * Tries each; true when at least one is there. One that is not is told to warn,
 * with the reason. *size_max is the largest that any of them accepts, in octets,
 * 0 where one sets no limit or is not there to say: a recipient is not refused
 * by the limit of another's delivery, and each refuses by its own.
 */
bool outlets_probe(struct outlets *outlets, uint64_t *size_max,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/*
 * To be asked after each message: tells what a delivery complains of, and gives
 * one that went away up for this session, so that its trouble is its own.
 * false: none is left, the session should end, and err (ERROR_LOCAL) says why.
 */
bool outlets_watch(struct outlets *outlets, struct error *err)
    __attribute__((warn_unused_result));
/* Whether the last probe found it, and it did not go away since. */
bool outlets_is_there(
    const struct outlets *outlets, const struct config_delivery *delivery);
/* Where a recipient goes; NULL: no route takes it. */
const struct config_delivery *outlets_find(
    const struct outlets *outlets, const struct path *rcpt);

#endif
