/*
 * asking_gap - how often a provider may be asked, as its answers show it.
 *
 * For session/asking alone; pure. The gap is doubled with each call that was
 * refused too soon, up to a little over an hour, and a shorter one is tried
 * once a day. All times are ms of Unix time.
 */
#ifndef ODMR_RECORD_ASKING_GAP_H
#define ODMR_RECORD_ASKING_GAP_H

#include <stdbool.h>
#include <stdint.h>

struct asking_memory;

/* The provider limits how often it is asked, to this gap at least. */
void asking_gap_raise(struct asking_memory *memory, int64_t gap, int64_t now);
/* A call was served; to be called before memory notes its time. */
void asking_gap_served(struct asking_memory *memory, int64_t now);
/* Whether a call that waited so long cannot have come too soon. */
bool asking_gap_is_enough(const struct asking_memory *memory, int64_t waited);
/* A session's first call got 450 after so long, and nothing was served after
 * it. expected: for its domains, as far as one can tell. */
void asking_gap_refused(
    struct asking_memory *memory, int64_t waited, bool expected, int64_t now);

#endif
