/*
 * patience - how long a provider may be silent between two commands.
 *
 * Pure. RFC 5321 4.5.3.2.7 asks a server for five minutes. Where both sides
 * wait for each other only a new call helps, so the time is halved each time
 * that the call after such a silence brought something.
 */
#ifndef ODMR_SESSION_PATIENCE_H
#define ODMR_SESSION_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct asking_memory;

/* ms; provider_timeout, in ms, is the longest. */
int64_t patience_between(
    const struct asking_memory *memory, int64_t provider_timeout);
/* A connection was given up in silence, and the next call brought something,
 * or did not. */
void patience_learn(struct asking_memory *memory, bool progress);

#endif
