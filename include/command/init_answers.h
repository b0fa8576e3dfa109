/*
 * init_answers - the five questions of `init`, and what is made of the answers.
 *
 * On a terminal each answer that was not given as an option is asked for, and
 * asked for again where it will not do. Without one all must be options, and a
 * wrong one is the end.
 */
#ifndef ODMR_COMMAND_INIT_ANSWERS_H
#define ODMR_COMMAND_INIT_ANSWERS_H

#include <stdbool.h>

#include "base/secret.h"

enum { INIT_ANSWER_MAX = 1000 /* as much as a line of a terminal, about */ };

struct init_answers {
	char provider[INIT_ANSWER_MAX + 1];
	char user[INIT_ANSWER_MAX + 1];
	char domains[INIT_ANSWER_MAX + 1]; /* with commas */
	char deliver[INIT_ANSWER_MAX + 1]; /* KIND:WHERE */
	struct secret password;
};

/*
 * argv is what stands behind the command. false: it cannot go on, and a
 * sentence on standard error says why. init_answers_clear() either way.
 */
bool init_answers_get(struct init_answers *answers, int argc, char **argv)
    __attribute__((warn_unused_result));
void init_answers_clear(struct init_answers *answers);

#endif
