/* SPDX-License-Identifier: ISC */
#include "session/asking.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/asking_gap.h"
#include "record/asking_memory.h"
#include "session/asking_agenda.h"

enum {
	/* In a row: whoever limits how often it is asked refuses all of them,
	 * and while three domains of a list are refused the eight parts of the
	 * third halving have one that is not. */
	REFUSALS_MAX = 8,
};

struct asking {
	struct asking_options options;
	struct asking_agenda agenda;
	size_t current; /* of the agenda */
	bool repeated; /* the current question was served before */
	bool over, more;
	unsigned calls, refusals_in_a_row;
	bool served_any;
	bool *served; /* the domains, by their places */
	/* Groups that were refused, and may not have been refused for their
	 * domains. */
	size_t *pending, pending_count;
	size_t first_refused; /* of the agenda, by the first call */
	bool counted; /* that one against its domains */
	bool answered, spaced_before;
	unsigned regular; /* groups, as planned */
	int64_t waited; /* ms before the first call; INT64_MAX: unknown */
	const char **refused; /* news for asking_new_refusal() */
	size_t refused_count, refused_told;
};

static struct asking_memory *
memory_of(const struct asking *asking)
{
	return asking->options.memory;
}

static struct asking_group *
group_at(const struct asking *asking, size_t index)
{
	return &asking->agenda.groups[index];
}

static const char *
name_of(const struct asking *asking, size_t member)
{
	return asking->options.names[member];
}

struct asking *
asking_new(const struct asking_options *options)
{
	struct asking *asking = xcalloc(1, sizeof *asking);
	struct asking_memory *memory = options->memory;

	asking->options = *options;
	asking->first_refused = SIZE_MAX;
	asking->spaced_before = memory->gap > 0;
	asking->served = xcalloc(options->count + 1, sizeof *asking->served);
	asking->waited =
	    memory->last_call > 0 && memory->last_call <= options->now
		? options->now - memory->last_call
		: INT64_MAX;
	asking_memory_keep(memory, options->names, options->count);
	asking_memory_note_marks(memory, options->now);
	asking_agenda_plan(&asking->agenda, options);
	for (size_t i = 0; i < asking->agenda.count; i++)
		asking->regular += asking->agenda.groups[i].regular;
	return asking;
}

void
asking_free(struct asking *asking)
{
	if (asking == NULL)
		return;
	asking_agenda_clear(&asking->agenda);
	free(asking->served);
	free(asking->pending);
	free(asking->refused);
	free(asking);
}

/*
 * Questions
 */

/* One call a session where the provider would refuse the next; who names the
 * account has his reasons. */
static bool
is_spaced(const struct asking *asking)
{
	return memory_of(asking)->gap > 0 && !asking->options.named;
}

/* Those that were served meanwhile, in a trial, are not asked again. */
static bool
drop_served(const struct asking *asking, struct asking_group *group)
{
	size_t kept = 0;

	if (asking->options.count == 0)
		return true;
	for (size_t i = 0; i < group->count; i++)
		if (!asking->served[group->members[i]])
			group->members[kept++] = group->members[i];
	group->count = kept;
	return kept > 0;
}

static void
format(const struct asking *asking, const struct asking_group *group, char *out)
{
	out[0] = '\0';
	for (size_t i = 0; i < group->count; i++) {
		const char *name = name_of(asking, group->members[i]);
		size_t len = strlen(name);
		if (i > 0)
			*out++ = ',';
		memcpy(out, name, len + 1);
		out += len;
	}
}

/* The next group that still has a question in it; SIZE_MAX: none. */
static size_t
find_next(const struct asking *asking, bool regular)
{
	for (size_t i = asking->agenda.next; i < asking->agenda.count; i++) {
		struct asking_group *group = group_at(asking, i);
		if ((group->regular || !regular) && drop_served(asking, group))
			return i;
	}
	return SIZE_MAX;
}

bool
asking_next(struct asking *asking, char *domains)
{
	size_t next = find_next(asking, false);

	if (asking->over || next == SIZE_MAX ||
	    (asking->calls > 0 && is_spaced(asking)))
		return false;
	asking->current = next;
	asking->agenda.next = next + 1;
	asking->repeated = false;
	format(asking, group_at(asking, next), domains);
	return true;
}

void
asking_unasked(struct asking *asking)
{
	asking->agenda.next = asking->current;
	asking->over = true;
}

bool
asking_again(struct asking *asking)
{
	if (!is_spaced(asking))
		return true;
	asking->more = true;
	return false;
}

/*
 * Answers
 */

static void
note_refused(
    struct asking *asking, size_t member, int64_t now, const char *reply)
{
	const char *name = name_of(asking, member);
	const struct asking_domain *known =
	    asking_memory_find(memory_of(asking), name);
	bool new = known == NULL || known->asked == 0;

	asking_memory_refuse(memory_of(asking), name, now, reply);
	if (!new)
		return;
	asking->refused = xreallocarray(asking->refused,
	    asking->refused_count + 1, sizeof *asking->refused);
	asking->refused[asking->refused_count++] = name;
}

/* At most so many of these go into one call. */
static void
limit_together(struct asking *asking, const struct asking_group *group,
    unsigned together, int64_t now)
{
	for (size_t i = 0; i < group->count; i++) {
		struct asking_domain *known = asking_memory_add(
		    memory_of(asking), name_of(asking, group->members[i]), now);
		if (known != NULL && known->asked == 0 &&
		    (known->together == 0 || known->together > together))
			known->together = together;
	}
}

/* The provider refused the group for its domains. */
static void
count_refusal(struct asking *asking, size_t index, int64_t now)
{
	const struct asking_group *group = group_at(asking, index);

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
	asking->pending = xreallocarray(asking->pending,
	    asking->pending_count + 1, sizeof *asking->pending);
	asking->pending[asking->pending_count++] = asking->current;
}

/* The cursor stands at what a further call was refused: that it is served now
 * shows that it was only asked for too soon. */
static bool
was_too_soon(const struct asking *asking)
{
	const struct asking_memory *memory = memory_of(asking);
	const struct asking_group *group = group_at(asking, asking->current);

	return asking->calls == 1 && memory->cursor_refused &&
	       asking_group_has(group, &asking->options, memory->cursor);
}

static void
on_served(struct asking *asking, int64_t now)
{
	struct asking_memory *memory = memory_of(asking);
	const struct asking_group *group = group_at(asking, asking->current);

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
		    memory, name_of(asking, group->members[i]));
	}
}

static void
note_trial(struct asking *asking, int64_t now, const char *reply)
{
	struct asking_memory *memory = memory_of(asking);
	const struct asking_group *group = group_at(asking, asking->current);

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
	size_t count = group_at(asking, asking->current)->count;
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
	return !memory_of(asking)->indivisible ||
	       group_at(asking, asking->current)->count < 2;
}

static void
on_refused(struct asking *asking, int64_t now, const char *reply)
{
	struct asking_group *group = group_at(asking, asking->current);

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
		asking->counted =
		    asking_gap_is_enough(memory_of(asking), asking->waited);
	}
	if (asking->calls == 1 && asking->counted)
		count_refusal(asking, asking->current, now);
	else
		note_pending(asking);
	if (group->count > 1 && asking->refusals_in_a_row < REFUSALS_MAX)
		add_halves(asking);
}

static void
on_rejected(struct asking *asking, int64_t now, const char *reply)
{
	struct asking_memory *memory = memory_of(asking);
	const struct asking_group *group = group_at(asking, asking->current);

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
	for (size_t i = 0; i < count && !group_at(asking, from)->trial; i++)
		asking_agenda_add_part(
		    &asking->agenda, &asking->options, from, i, 1);
}

/* A further call for what was just served is refused: that is no question of
 * rights. */
static void
on_repeat_refused(struct asking *asking, int64_t now)
{
	asking_gap_raise(memory_of(asking), 0, now);
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
	memory_of(asking)->last_call = now;
	if (asking->refusals_in_a_row >= REFUSALS_MAX && !asking->options.named)
		asking->over = true;
}

/*
 * The end
 */

/* The next session begins here; SIZE_MAX: at the beginning. */
static void
set_cursor(struct asking *asking, size_t index, bool refused)
{
	struct asking_memory *memory = memory_of(asking);

	memory->cursor[0] = '\0';
	memory->cursor_refused = refused;
	if (index == SIZE_MAX || group_at(asking, index)->count == 0)
		return;
	const char *name = name_of(asking, group_at(asking, index)->members[0]);
	size_t len = strlen(name);
	if (len < sizeof memory->cursor)
		memcpy(memory->cursor, name, len + 1);
}

/* A further call that got 450, and of which nothing is known yet. */
static size_t
find_unclear(const struct asking *asking)
{
	for (size_t i = 0; i < asking->pending_count; i++)
		if (asking->pending[i] != asking->first_refused)
			return asking->pending[i];
	return SIZE_MAX;
}

/* What was not served waits. */
static void
note_waiting(struct asking *asking)
{
	for (size_t i = 0; i < asking->options.count; i++)
		if (!asking->served[i])
			(void)asking_memory_add(memory_of(asking),
			    name_of(asking, i), asking->options.now);
}

void
asking_end(struct asking *asking, int64_t now)
{
	struct asking_memory *memory = memory_of(asking);
	size_t left = find_next(asking, true), unclear = find_unclear(asking);
	bool refused = !asking->served_any && asking->first_refused != SIZE_MAX;

	if (asking->calls == 0)
		return;
	/* While a list is halved some of its parts are refused, but hardly all
	 * that there is. */
	if (refused)
		asking_gap_refused(memory, asking->waited,
		    asking->counted ||
			(group_at(asking, asking->first_refused)->suspect &&
			    memory->refusals < asking->regular),
		    now);
	memory->extra_before = group_at(asking, 0)->extra;
	if (left != SIZE_MAX)
		set_cursor(asking, left, false);
	else
		set_cursor(asking, unclear, asking->served_any);
	/* Where all was refused the hold is what counts, but where calls are
	 * spaced already it would only add to that. */
	if (asking->refusals_in_a_row < REFUSALS_MAX || asking->served_any)
		asking->more |=
		    left != SIZE_MAX || (refused && asking->spaced_before);
	if (asking->answered)
		note_waiting(asking);
	asking_memory_note_marks(memory, now);
}

const char *
asking_new_refusal(struct asking *asking)
{
	return asking->refused_told < asking->refused_count
		   ? asking->refused[asking->refused_told++]
		   : NULL;
}

bool
asking_has_more(const struct asking *asking)
{
	return asking->more;
}

bool
asking_was_served(const struct asking *asking)
{
	return asking->served_any;
}
