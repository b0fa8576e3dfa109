/* SPDX-License-Identifier: ISC */
#include "session/asking.h"

#include <stdlib.h>
#include <string.h>

#include "asking_private.h"
#include "base/mem.h"
#include "record/asking_gap.h"
#include "record/asking_memory.h"

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
	return asking_memory_of(asking)->gap > 0 && !asking->options.named;
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
format_group(
    const struct asking *asking, const struct asking_group *group, char *out)
{
	out[0] = '\0';
	for (size_t i = 0; i < group->count; i++) {
		const char *name = asking_name_of(asking, group->members[i]);
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
		struct asking_group *group = asking_group_at(asking, i);
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
	format_group(asking, asking_group_at(asking, next), domains);
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
 * The end
 */

/* The next session begins here; SIZE_MAX: at the beginning. */
static void
set_cursor(struct asking *asking, size_t index, bool refused)
{
	struct asking_memory *memory = asking_memory_of(asking);

	memory->cursor[0] = '\0';
	memory->cursor_refused = refused;
	if (index == SIZE_MAX || asking_group_at(asking, index)->count == 0)
		return;
	const char *name =
	    asking_name_of(asking, asking_group_at(asking, index)->members[0]);
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
			(void)asking_memory_add(asking_memory_of(asking),
			    asking_name_of(asking, i), asking->options.now);
}

void
asking_end(struct asking *asking, int64_t now)
{
	struct asking_memory *memory = asking_memory_of(asking);
	size_t left = find_next(asking, true), unclear = find_unclear(asking);
	bool refused = !asking->served_any && asking->first_refused != SIZE_MAX;

	if (asking->calls == 0)
		return;
	/* While a list is halved some of its parts are refused, but hardly all
	 * that there is. */
	if (refused)
		asking_gap_refused(memory, asking->waited,
		    asking->counted ||
			(asking_group_at(asking, asking->first_refused)
				->suspect &&
			    memory->refusals < asking->regular),
		    now);
	memory->extra_before = asking_group_at(asking, 0)->extra;
	memory->extra_unanswered = memory->extra_before && !asking->answered;
	if (left != SIZE_MAX)
		set_cursor(asking, left, false);
	else
		set_cursor(asking, unclear, asking->served_any);
	/* Where all was refused the hold is what counts, but where calls are
	 * spaced already it would only add to that. */
	if (asking->refusals_in_a_row < ASKING_REFUSALS_MAX ||
	    asking->served_any)
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
