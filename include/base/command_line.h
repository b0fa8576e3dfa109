/*
 * command_line - the options that both programs have, and the words beside them.
 *
 * The program's options may stand before and behind the command. What it does
 * not know behind the command is the command's own, and stays among the words;
 * so does all that stands behind "--".
 */
#ifndef ODMR_BASE_COMMAND_LINE_H
#define ODMR_BASE_COMMAND_LINE_H

#include <stdbool.h>

struct command_line {
	const char *config; /* of -c; NULL: it was not there */
	bool verbose, quiet, trace, help, version;
	char **words; /* the command first; NULL behind the last */
	int count;
};

/*
 * false: a word of argv is no option, or lacks its value; *bad is that word.
 * command_line_clear() either way; strings are of argv.
 */
bool command_line_read(struct command_line *line, int argc, char **argv,
    const char **bad) __attribute__((warn_unused_result));
void command_line_clear(struct command_line *line);

#endif
