/*
 * asking_agenda - the questions that a session has still to put.
 *
 * For session/asking alone. A question is a set of domains, by their places in
 * the account's list, that fits one ATRN.
 */
#ifndef ODMR_SESSION_ASKING_AGENDA_H
#define ODMR_SESSION_ASKING_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct asking_options;

struct asking_group {
	size_t *members; /* places in options->names */
	size_t count; /* 0: whatever domains there are */
	size_t length; /* octets of the list */
	unsigned together; /* members that it may have at most; 0: any number */
	bool regular; /* else a trial, or a part of one that was refused */
	bool extra; /* in front of all others, for what was refused */
	bool trial; /* asks for what is marked as refused */
	bool whole; /* a trial of a whole list */
	bool suspect; /* its domains were in a list that was refused */
	char *reply; /* that refused it; NULL: none did */
};

struct asking_agenda {
	struct asking_group *groups;
	size_t count, next;
};

/* Everything that is to be asked in a session which begins as it does. */
void asking_agenda_plan(
    struct asking_agenda *agenda, const struct asking_options *options);
/* A copy of some members of a group, as a question behind all others. */
void asking_agenda_add_part(struct asking_agenda *agenda,
    const struct asking_options *options, size_t from, size_t at, size_t count);
void asking_agenda_clear(struct asking_agenda *agenda);
bool asking_group_has(const struct asking_group *group,
    const struct asking_options *options, const char *name);

#endif
