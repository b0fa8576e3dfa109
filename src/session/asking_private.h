/*
 * asking_private - what the sources of session/asking share.
 *
 * asking.c has the questions and the end, asking_answers.c what each answer
 * means.
 */
#ifndef ODMR_SESSION_ASKING_PRIVATE_H
#define ODMR_SESSION_ASKING_PRIVATE_H

#include "session/asking.h"
#include "session/asking_agenda.h"

enum {
	/* In a row: whoever limits how often it is asked refuses all of them,
	 * and while three domains of a list are refused the eight parts of the
	 * third halving have one that is not. */
	ASKING_REFUSALS_MAX = 8,
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

static inline struct asking_memory *
asking_memory_of(const struct asking *asking)
{
	return asking->options.memory;
}

static inline struct asking_group *
asking_group_at(const struct asking *asking, size_t index)
{
	return &asking->agenda.groups[index];
}

static inline const char *
asking_name_of(const struct asking *asking, size_t member)
{
	return asking->options.names[member];
}

#endif
