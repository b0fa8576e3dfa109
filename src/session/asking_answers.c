/* SPDX-License-Identifier: ISC */
#include "asking_private.h"

#include "base/array.h"
#include "base/mem.h"
#include "record/asking_gap.h"
#include "record/asking_memory.h"

/*
 * Answers
 */

static void
note_refused(
    struct asking *asking, size_t member, int64_t now, const char *reply)
{
	const char *name = asking_name_of(asking, member);
	const struct asking_domain *known =
	    asking_memory_find(asking_memory_of(asking), name);
	bool new = known == NULL || known->asked == 0;

	asking_memory_refuse(asking_memory_of(asking), name, now, reply);
	if (!new)
		return;
	asking->refused = array_more(
	    asking->refused, asking->refused_count, sizeof *asking->refused);
	asking->refused[asking->refused_count++] = name;
}

/* At most so many of these go into one call. */
static void
limit_together(struct asking *asking, const struct asking_group *group,
    unsigned together, int64_t now)
{
	for (size_t i = 0; i < group->count; i++) {
		struct asking_domain *known =
		    asking_memory_add(asking_memory_of(asking),
			asking_name_of(asking, group->members[i]), now);
		if (known != NULL && known->asked == 0 &&
		    (known->together == 0 || known->together > together))
			known->together = together;
	}
}

/* The provider refused the group for its domains. */
static void
count_refusal(struct asking *asking, size_t index, int64_t now)
{
	const struct asking_group *group = asking_group_at(asking, index);

	if (group->count == 1 && index == asking->first_refused)
		note_refused(asking, group->members[0], now, group->reply);
	else if (group->count > 0)
		limit_together(
		    asking, group, (unsigned)(group->count + 1) / 2, now);
}

static void
count_pending(struct asking *asking, int64_t now)
{
	for (size_t i = 0; i < asking->pending_count; i++)
		count_refusal(asking, asking->pending[i], now);
	asking->pending_count = 0;
}

static void
note_pending(struct asking *asking)
{
	asking->pending = array_more(
	    asking->pending, asking->pending_count, sizeof *asking->pending);
	asking->pending[asking->pending_count++] = asking->current;
}

/* The cursor stands at what a further call was refused: that it is served now
 * shows that it was only asked for too soon. */
static bool
was_too_soon(const struct asking *asking)
{
	const struct asking_memory *memory = asking_memory_of(asking);
	const struct asking_group *group =
	    asking_group_at(asking, asking->current);

	return asking->calls == 1 && memory->cursor_refused &&
	       asking_group_has(group, &asking->options, memory->cursor);
}

static void
on_served(struct asking *asking, int64_t now)
{
	struct asking_memory *memory = asking_memory_of(asking);
	const struct asking_group *group =
	    asking_group_at(asking, asking->current);

	asking->served_any = true;
	asking->refusals_in_a_row = 0;
	asking_gap_served(memory, now);
	if (was_too_soon(asking) && memory->gap == 0)
		asking_gap_raise(memory, 0, now);
	memory->last_served = now;
	memory->refusals = 0;
	count_pending(asking, now);
	if (group->count > 1)
		memory->alone = false;
	for (size_t i = 0; i < group->count; i++) {
		asking->served[group->members[i]] = true;
		asking_memory_remove(
		    memory, asking_name_of(asking, group->members[i]));
	}
}

static void
note_trial(struct asking *asking, int64_t now, const char *reply)
{
	struct asking_memory *memory = asking_memory_of(asking);
	const struct asking_group *group =
	    asking_group_at(asking, asking->current);

	if (group->whole) {
		memory->whole_asked = now;
		memory->whole_turn++;
	} else if (asking->calls == 1) {
		note_refused(asking, group->members[0], now, reply);
	}
}

static void
add_halves(struct asking *asking)
{
	size_t count = asking_group_at(asking, asking->current)->count;
	size_t half = (count + 1) / 2;

	asking_agenda_add_part(
	    &asking->agenda, &asking->options, asking->current, 0, half);
	asking_agenda_add_part(&asking->agenda, &asking->options,
	    asking->current, half, count - half);
}

/* Exim drops recipients outside the domains that were asked for from the first
 * message of a connection, without a bounce: no part of a list may be tried. */
static bool
may_divide(const struct asking *asking)
{
	return !asking_memory_of(asking)->indivisible ||
	       asking_group_at(asking, asking->current)->count < 2;
}

static void
on_refused(struct asking *asking, int64_t now, const char *reply)
{
	struct asking_group *group = asking_group_at(asking, asking->current);

	if (!may_divide(asking))
		return;

	asking->refusals_in_a_row++;
	group->reply = xstrdup(reply);
	if (group->trial) {
		note_trial(asking, now, reply);
		return;
	}
	if (asking->calls == 1) {
		asking->first_refused = asking->current;
		asking->counted = asking_gap_is_enough(
		    asking_memory_of(asking), asking->waited);
	}
	if (asking->calls == 1 && asking->counted)
		count_refusal(asking, asking->current, now);
	else
		note_pending(asking);
	if (group->count > 1 && asking->refusals_in_a_row < ASKING_REFUSALS_MAX)
		add_halves(asking);
}

static void
on_rejected(struct asking *asking, int64_t now, const char *reply)
{
	struct asking_memory *memory = asking_memory_of(asking);
	const struct asking_group *group =
	    asking_group_at(asking, asking->current);

	if (!may_divide(asking))
		return;
	asking->refusals_in_a_row++;
	if (group->count == 1)
		note_refused(asking, group->members[0], now, reply);
	if (group->count < 2)
		return;
	memory->alone = true;
	if (group->whole)
		memory->whole_turn++;
	memory->whole_asked = now;
	if (memory->whole_since == 0)
		memory->whole_since = now;
	size_t from = asking->current, count = group->count;
	for (size_t i = 0; i < count && !asking_group_at(asking, from)->trial;
	     i++)
		asking_agenda_add_part(
		    &asking->agenda, &asking->options, from, i, 1);
}

/* A further call for what was just served is refused: that is no question of
 * rights. */
static void
on_repeat_refused(struct asking *asking, int64_t now)
{
	asking_gap_raise(asking_memory_of(asking), 0, now);
	asking->over = asking->more = true;
}

void
asking_answer(struct asking *asking, enum asking_answer answer, int64_t now,
    const char *reply)
{
	bool repeated = asking->repeated;

	asking->calls++;
	asking->repeated = answer == ASKING_SERVED;
	switch (answer) {
	case ASKING_SERVED:
		on_served(asking, now);
		break;
	case ASKING_REFUSED:
		if (repeated)
			on_repeat_refused(asking, now);
		else
			on_refused(asking, now, reply);
		break;
	case ASKING_REJECTED:
		if (repeated)
			asking->over = true;
		else
			on_rejected(asking, now, reply);
		break;
	case ASKING_NO_ANSWER:
		asking->over = true;
		/* What had no answer is asked for first the next time, but
		 * one that has none again must not keep the others away. */
		if (asking->calls > 1 && !repeated)
			asking_unasked(asking);
		return;
	}
	asking->answered = true;
	asking_memory_of(asking)->last_call = now;
	if (asking->refusals_in_a_row >= ASKING_REFUSALS_MAX &&
	    !asking->options.named)
		asking->over = true;
}
