/* SPDX-License-Identifier: ISC */
#include "provider/place.h"

#include <sys/mman.h>

#include "base/mem.h"

struct place *
places_new(size_t count)
{
	void *shared = mmap(NULL, count * sizeof(struct place),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		mem_exhausted();
	return shared;
}

void
places_free(struct place *places, size_t count)
{
	if (places != NULL)
		munmap(places, count * sizeof *places);
}

const char *
place_state_name(enum place_state state)
{
	switch (state) {
	case PLACE_FREE:
		return "free";
	case PLACE_DIALOGUE:
		return "login";
	case PLACE_READY:
		return "logged-in";
	case PLACE_WAITS:
		return "waits";
	case PLACE_HELD:
		return "held";
	case PLACE_TURNED:
		return "turned";
	}
	return "free";
}
