/* SPDX-License-Identifier: ISC */
#include "session/asking_agenda.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/mem.h"
#include "protocol/customer.h"
#include "record/asking_memory.h"
#include "session/asking.h"

/* The group that is added must not hold on to a pointer into the array. */
static struct asking_group *
add_group(struct asking_agenda *agenda, const struct asking_group *group)
{
	agenda->groups =
	    array_more(agenda->groups, agenda->count, sizeof *agenda->groups);
	agenda->groups[agenda->count] = *group;
	return &agenda->groups[agenda->count++];
}

static void
add_member(struct asking_group *group, const struct asking_options *options,
    size_t member)
{
	group->members =
	    array_more(group->members, group->count, sizeof *group->members);
	group->members[group->count++] = member;
	group->length += strlen(options->names[member]) + (group->count > 1);
}

/* Whether one more domain can go with those of a group. */
static bool
fits_call(const struct asking_group *group,
    const struct asking_options *options, size_t member, unsigned together)
{
	return group->together == together &&
	       (together == 0 || group->count < together) &&
	       group->length + 1 + strlen(options->names[member]) <=
		   CUSTOMER_DOMAINS_MAX;
}

void
asking_agenda_add_part(struct asking_agenda *agenda,
    const struct asking_options *options, size_t from, size_t at, size_t count)
{
	struct asking_group part = {.suspect = true};

	for (size_t i = 0; i < count; i++)
		add_member(
		    &part, options, agenda->groups[from].members[at + i]);
	add_group(agenda, &part);
}

void
asking_agenda_clear(struct asking_agenda *agenda)
{
	for (size_t i = 0; i < agenda->count; i++) {
		free(agenda->groups[i].members);
		free(agenda->groups[i].reply);
	}
	free(agenda->groups);
	*agenda = (struct asking_agenda){.count = 0};
}

static const struct asking_domain *
mark_of(const struct asking_options *options, size_t member)
{
	const struct asking_domain *known =
	    asking_memory_find(options->memory, options->names[member]);
	bool counts = known != NULL && known->together > 0 &&
		      !options->memory->indivisible;

	return counts ? known : NULL;
}

static bool
is_refused(const struct asking_domain *mark)
{
	return mark != NULL && mark->asked != 0;
}

/* The domain goes to the last group of its kind, or begins another. */
static void
place(struct asking_agenda *agenda, const struct asking_options *options,
    size_t member, size_t *last)
{
	const struct asking_domain *mark = mark_of(options, member);
	bool alone = options->memory->alone && !options->memory->indivisible;
	unsigned together = alone ? 1 : mark != NULL ? mark->together : 0;
	struct asking_group empty = {
	    .regular = true,
	    .suspect = mark != NULL,
	    .together = together,
	};

	if (*last == SIZE_MAX ||
	    !fits_call(&agenda->groups[*last], options, member, together)) {
		*last = agenda->count;
		add_group(agenda, &empty);
	}
	add_member(&agenda->groups[*last], options, member);
}

bool
asking_group_has(const struct asking_group *group,
    const struct asking_options *options, const char *name)
{
	for (size_t i = 0; i < group->count; i++)
		if (strcmp(options->names[group->members[i]], name) == 0)
			return true;
	return false;
}

/* One group comes before those between it and the place; they stay in order. */
static void
move_group(struct asking_agenda *agenda, size_t from, size_t to)
{
	struct asking_group group = agenda->groups[from];

	memmove(&agenda->groups[to + 1], &agenda->groups[to],
	    (from - to) * sizeof group);
	agenda->groups[to] = group;
}

/* What is not refused; from where the last session stopped. */
static void
plan_regular(struct asking_agenda *agenda, const struct asking_options *options)
{
	size_t good = SIZE_MAX, suspect = SIZE_MAX;
	size_t first = agenda->count, at = first;

	for (size_t i = 0; i < options->count; i++) {
		const struct asking_domain *mark = mark_of(options, i);
		if (!is_refused(mark))
			place(agenda, options, i,
			    mark != NULL ? &suspect : &good);
	}
	while (at < agenda->count && !asking_group_has(&agenda->groups[at],
					 options, options->memory->cursor))
		at++;
	for (size_t i = at; i < agenda->count; i++)
		move_group(agenda, i, first + (i - at));
}

/* The lists as they would be if nothing were marked; the one whose turn it is
 * of those that have a mark is added. */
static void
plan_whole(struct asking_agenda *agenda, const struct asking_options *options)
{
	const struct asking_memory *memory = options->memory;
	struct asking_agenda lists = {.count = 0};
	struct asking_group *list = NULL;
	size_t marked = 0, *wanted;

	wanted = xcalloc(options->count + 1, sizeof *wanted);
	for (size_t i = 0; i < options->count; i++) {
		const struct asking_domain *mark = mark_of(options, i);
		/* A list with a domain that is refused can hardly show that
		 * lists are not. */
		if (memory->alone && is_refused(mark))
			continue;
		if (list == NULL || !fits_call(list, options, i, 0))
			list = add_group(&lists, &(struct asking_group){
						     .extra = true,
						     .trial = true,
						     .whole = true,
						 });
		add_member(list, options, i);
		size_t at = lists.count - 1;
		if ((memory->alone || mark != NULL) &&
		    (marked == 0 || wanted[marked - 1] != at))
			wanted[marked++] = at;
	}
	if (marked > 0) {
		size_t turn = wanted[memory->whole_turn % marked];
		add_group(agenda, &lists.groups[turn]);
		lists.groups[turn].members = NULL;
	}
	asking_agenda_clear(&lists);
	free(wanted);
}

/* The refused domain that was not asked for for the longest time. */
static size_t
find_refused(const struct asking_options *options, bool due)
{
	size_t oldest = SIZE_MAX;
	int64_t asked = 0;

	for (size_t i = 0; i < options->count; i++) {
		const struct asking_domain *mark = mark_of(options, i);
		if (!is_refused(mark) ||
		    (due && !asking_memory_is_due(
				mark->since, mark->asked, options->now)))
			continue;
		if (oldest == SIZE_MAX || mark->asked < asked) {
			oldest = i;
			asked = mark->asked;
		}
	}
	return oldest;
}

static void
plan_single(struct asking_agenda *agenda, const struct asking_options *options,
    size_t member)
{
	struct asking_group *group = add_group(
	    agenda, &(struct asking_group){.extra = true, .trial = true});

	add_member(group, options, member);
}

/* A domain that is marked alone has a question of its own. */
static bool
whole_is_due(const struct asking_options *options)
{
	const struct asking_memory *memory = options->memory;
	size_t marks = memory->alone ? 2 : 0;

	for (size_t i = 0; i < memory->domains_count; i++)
		marks += memory->domains[i].together > 0;
	return marks > 1 && memory->whole_since != 0 &&
	       (options->named || asking_memory_is_due(memory->whole_since,
				      memory->whole_asked, options->now));
}

/* One question about what is refused, in front of all others, so that its
 * answer means what it says. */
static void
plan_trial(struct asking_agenda *agenda, const struct asking_options *options)
{
	size_t due = find_refused(options, !options->named);

	if (whole_is_due(options))
		plan_whole(agenda, options);
	if (agenda->count == 0 && due != SIZE_MAX)
		plan_single(agenda, options, due);
}

/* Of the suspects the largest group goes first, for the same reason. */
static void
advance_suspect(struct asking_agenda *agenda)
{
	size_t largest = SIZE_MAX;

	for (size_t i = 0; i < agenda->count; i++) {
		const struct asking_group *group = &agenda->groups[i];
		if (group->suspect &&
		    (largest == SIZE_MAX ||
			group->count > agenda->groups[largest].count))
			largest = i;
	}
	if (largest == SIZE_MAX)
		return;
	move_group(agenda, largest, 0);
	agenda->groups[0].extra = true;
}

/*
 * What is not refused goes first, and soon after what was served, since it
 * shows whether the time between calls is enough.
 */
static void
advance_good(struct asking_agenda *agenda)
{
	size_t at = 0;

	while (at < agenda->count && agenda->groups[at].suspect)
		at++;
	if (at < agenda->count)
		move_group(agenda, at, 0);
}

/* The user wants each of them asked for. */
static void
plan_all_refused(
    struct asking_agenda *agenda, const struct asking_options *options)
{
	for (size_t i = 0; i < options->count; i++)
		if (is_refused(mark_of(options, i)))
			plan_single(agenda, options, i);
}

void
asking_agenda_plan(
    struct asking_agenda *agenda, const struct asking_options *options)
{
	/* Where there is one call a session, what was refused has every second
	 * one at most, and the others go on meanwhile. */
	const struct asking_memory *memory = options->memory;
	bool spaced = memory->gap > 0 && !options->named;
	bool unsure = spaced && memory->enough == 0 && memory->refusals == 0;
	bool extra = !spaced || (!unsure && !memory->extra_before);

	/* A session ends where there is no answer: what comes first each time
	 * and has none would keep all others away. */
	extra &= options->named || !memory->extra_unanswered;

	*agenda = (struct asking_agenda){.count = 0};
	if (options->count == 0) {
		add_group(agenda, &(struct asking_group){.regular = true});
		return;
	}
	if (extra)
		plan_trial(agenda, options);
	size_t trials = agenda->count;
	plan_regular(agenda, options);
	if (extra && trials == 0)
		advance_suspect(agenda);
	if (unsure)
		advance_good(agenda);
	if (options->named)
		plan_all_refused(agenda, options);
	/* Where all are refused none may be left unasked. */
	if (agenda->count == 0)
		plan_single(agenda, options, find_refused(options, false));
}
