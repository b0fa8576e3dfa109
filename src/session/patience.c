/* SPDX-License-Identifier: ISC */
#include "session/patience.h"

#include "record/asking_memory.h"

enum {
	USUAL = 5 * ASKING_MINUTE, /* RFC 5321 4.5.3.2.7 */
	/* A provider may look up something between two messages. */
	SHORTEST = 30 * 1000,
};

int64_t
patience_between(const struct asking_memory *memory, int64_t provider_timeout)
{
	int64_t silence = memory->patience > 0 ? memory->patience : USUAL;

	return silence < provider_timeout ? silence : provider_timeout;
}

void
patience_learn(struct asking_memory *memory, bool progress)
{
	int64_t silence = memory->patience > 0 ? memory->patience : USUAL;

	silence = progress ? silence / 2 : silence * 2;
	if (silence < SHORTEST)
		silence = SHORTEST;
	memory->patience = silence < USUAL ? silence : 0;
}
