/* SPDX-License-Identifier: ISC */
#include "record/asking_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/mem.h"

#define DAY (INT64_C(24) * ASKING_HOUR)

static void
free_domain(struct asking_domain *domain)
{
	free(domain->name);
	free(domain->reply);
}

void
asking_memory_clear(struct asking_memory *memory)
{
	for (size_t i = 0; i < memory->domains_count; i++)
		free_domain(&memory->domains[i]);
	free(memory->domains);
	*memory = (struct asking_memory){.alone = false};
}

struct asking_domain *
asking_memory_find(const struct asking_memory *memory, const char *name)
{
	for (size_t i = 0; i < memory->domains_count; i++)
		if (strcmp(memory->domains[i].name, name) == 0)
			return &memory->domains[i];
	return NULL;
}

struct asking_domain *
asking_memory_add(struct asking_memory *memory, const char *name, int64_t now)
{
	struct asking_domain *known = asking_memory_find(memory, name);

	if (known != NULL || memory->domains_count == ASKING_DOMAINS_MAX)
		return known;
	memory->domains = array_more(
	    memory->domains, memory->domains_count, sizeof *memory->domains);
	known = &memory->domains[memory->domains_count++];
	*known = (struct asking_domain){.name = xstrdup(name), .since = now};
	return known;
}

static void
remove_at(struct asking_memory *memory, size_t index)
{
	free_domain(&memory->domains[index]);
	memory->domains[index] = memory->domains[--memory->domains_count];
}

void
asking_memory_remove(struct asking_memory *memory, const char *name)
{
	struct asking_domain *known = asking_memory_find(memory, name);

	if (known != NULL)
		remove_at(memory, (size_t)(known - memory->domains));
}

void
asking_memory_refuse(struct asking_memory *memory, const char *name,
    int64_t now, const char *reply)
{
	struct asking_domain *known = asking_memory_add(memory, name, now);

	if (known == NULL)
		return;
	known->asked = now;
	known->together = 1;
	free(known->reply);
	known->reply = xstrdup(reply);
}

void
asking_memory_keep(
    struct asking_memory *memory, const char *const *names, size_t count)
{
	for (size_t i = memory->domains_count; i-- > 0;) {
		size_t at = 0;
		while (at < count &&
		       strcmp(names[at], memory->domains[i].name) != 0)
			at++;
		if (at == count)
			remove_at(memory, i);
	}
}

void
asking_memory_note_marks(struct asking_memory *memory, int64_t now)
{
	bool marks = memory->alone;

	for (size_t i = 0; i < memory->domains_count; i++)
		marks |= memory->domains[i].together > 0;
	if (!marks)
		memory->whole_since = memory->whole_asked = 0;
	else if (memory->whole_since == 0)
		memory->whole_since = memory->whole_asked = now;
}

void
asking_memory_settle_times(struct asking_memory *memory, int64_t now)
{
	for (size_t i = 0; i < memory->domains_count; i++)
		memory->domains[i].since =
		    clock_settled(memory->domains[i].since, now);
	memory->whole_since = clock_settled(memory->whole_since, now);
	if (memory->gap_tried > now)
		memory->gap_tried = 0;
}

const struct asking_domain *
asking_memory_longest(const struct asking_memory *memory)
{
	const struct asking_domain *longest = NULL;

	for (size_t i = 0; i < memory->domains_count; i++)
		if (longest == NULL ||
		    memory->domains[i].since < longest->since)
			longest = &memory->domains[i];
	return longest;
}

int64_t
asking_memory_wait(const struct asking_memory *memory, int64_t now)
{
	int64_t gap = memory->gap;

	/* Once a day a shorter one is tried: a provider may have relented. */
	if (now - memory->gap_tried >= DAY)
		gap /= 2;
	int64_t left = memory->last_call + gap - now;
	return left > 0 && left <= gap ? left : 0;
}

bool
asking_memory_is_due(int64_t since, int64_t asked, int64_t now)
{
	int64_t wait = asked - since;

	if (wait < ASKING_HOUR)
		wait = ASKING_HOUR;
	if (wait > DAY)
		wait = DAY;
	return now < asked || now - asked >= wait;
}
