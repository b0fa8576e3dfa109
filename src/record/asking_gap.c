/* SPDX-License-Identifier: ISC */
#include "record/asking_gap.h"

#include "record/asking_memory.h"

void
asking_gap_raise(struct asking_memory *memory, int64_t gap, int64_t now)
{
	if (gap < ASKING_MINUTE)
		gap = ASKING_MINUTE;
	if (gap > ASKING_GAP_MAX)
		gap = ASKING_GAP_MAX;
	if (gap > memory->gap) {
		memory->gap = gap;
		memory->enough = 0;
	}
	memory->gap_tried = now;
}

/* The wait is that since the last call that was served: some providers do not
 * count those that they refused. */
void
asking_gap_served(struct asking_memory *memory, int64_t now)
{
	int64_t waited = now - memory->last_served;

	if (memory->last_served == 0 || waited < 0)
		return;
	if (waited < memory->gap)
		memory->gap = waited < ASKING_MINUTE ? 0 : waited;
	if (memory->gap == 0)
		memory->enough = 0;
	else if (memory->last_call == memory->last_served &&
		 (memory->enough == 0 || waited < memory->enough))
		memory->enough = waited;
}

/* As long as was enough before; jitter makes it a bit less. */
bool
asking_gap_is_enough(const struct asking_memory *memory, int64_t waited)
{
	if (waited >= ASKING_HOUR)
		return true;
	return memory->gap > 0 && memory->enough > 0 && memory->refusals == 0 &&
	       waited >= memory->enough / 10 * 9;
}

void
asking_gap_refused(
    struct asking_memory *memory, int64_t waited, bool expected, int64_t now)
{
	if (waited < memory->gap / 10 * 9) {
		memory->gap_tried = now; /* a shorter one was tried */
		return;
	}
	memory->refusals++;
	if (!expected)
		asking_gap_raise(memory,
		    waited > ASKING_GAP_MAX / 2 ? ASKING_GAP_MAX : 2 * waited,
		    now);
}
