/* SPDX-License-Identifier: ISC */
#include "session/soft_bounce.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config/config.h"
#include "record/history.h"

/* One delivery that the account can reach. */
struct place {
	const struct config_delivery *delivery;
	uint64_t digest; /* of it as it is now, and its routes */
	bool proven;
};

struct soft_bounce {
	enum config_soft_bounce mode;
	struct place *places;
	size_t count;
};

struct soft_bounce *
soft_bounce_new(const struct config *config,
    const struct config_account *account, const struct history *history)
{
	struct soft_bounce *soft = xcalloc(1, sizeof *soft);

	soft->mode = account->soft_bounce;
	soft->places = xcalloc(config->deliveries_count, sizeof *soft->places);
	for (size_t i = 0; i < config->deliveries_count; i++) {
		if (!config_reaches(config, account, i))
			continue;
		struct place *place = &soft->places[soft->count++];
		place->delivery = &config->deliveries[i];
		place->digest = config_delivery_digest(config, account, i);
		place->proven = history_is_proven(history, place->digest);
	}
	return soft;
}

void
soft_bounce_free(struct soft_bounce *soft)
{
	if (soft == NULL)
		return;
	free(soft->places);
	free(soft);
}

static size_t
count_proven(const struct soft_bounce *soft)
{
	size_t proven = 0;

	for (size_t i = 0; i < soft->count; i++)
		proven += soft->places[i].proven;
	return proven;
}

static struct place *
find_place(
    const struct soft_bounce *soft, const struct config_delivery *delivery)
{
	for (size_t i = 0; i < soft->count; i++)
		if (soft->places[i].delivery == delivery)
			return &soft->places[i];
	return NULL;
}

/* auto: the first day of this delivery, or of all. */
static bool
is_first_day(
    const struct soft_bounce *soft, const struct config_delivery *delivery)
{
	const struct place *place = find_place(soft, delivery);

	return place != NULL ? !place->proven : count_proven(soft) == 0;
}

bool
soft_bounce_is_on(
    const struct soft_bounce *soft, const struct config_delivery *delivery)
{
	switch (soft->mode) {
	case CONFIG_SOFT_BOUNCE_YES:
		return true;
	case CONFIG_SOFT_BOUNCE_NO:
		return false;
	case CONFIG_SOFT_BOUNCE_AUTO:
		return is_first_day(soft, delivery);
	}
	return true;
}

bool
soft_bounce_is_on_anywhere(const struct soft_bounce *soft)
{
	if (soft->mode == CONFIG_SOFT_BOUNCE_AUTO)
		return count_proven(soft) < soft->count;
	return soft->mode == CONFIG_SOFT_BOUNCE_YES;
}

bool
soft_bounce_doubts(const struct soft_bounce *soft)
{
	return soft->mode == CONFIG_SOFT_BOUNCE_AUTO;
}

void
soft_bounce_accepted(
    struct soft_bounce *soft, const struct config_delivery *delivery)
{
	struct place *place = find_place(soft, delivery);

	if (place != NULL)
		place->proven = true;
}

void
soft_bounce_record(const struct soft_bounce *soft, struct history *history)
{
	history_forget_proven(history);
	for (size_t i = 0; i < soft->count; i++)
		if (soft->places[i].proven)
			history_add_proven(history, soft->places[i].digest);
}
