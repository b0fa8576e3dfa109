/* SPDX-License-Identifier: ISC */
#include "base/command_line.h"

#include <getopt.h>
#include <stdlib.h>

#include "base/mem.h"

enum { WORD = 1, TRACE, VERSION };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"trace", no_argument, NULL, TRACE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

/* false: it is none of ours. */
static bool
take_option(struct command_line *line, int option)
{
	switch (option) {
	case 'c':
		line->config = optarg;
		return true;
	case 'v':
		line->verbose = true;
		return true;
	case 'q':
		line->quiet = true;
		return true;
	case 'h':
		line->help = true;
		return true;
	case TRACE:
		line->trace = true;
		return true;
	case VERSION:
		line->version = true;
		return true;
	default:
		return false;
	}
}

bool
command_line_read(
    struct command_line *line, int argc, char **argv, const char **bad)
{
	int option, at = 1;

	*line = (struct command_line){
	    .words = xcalloc((size_t)argc + 1, sizeof *line->words)};
	opterr = 0;
	optind = 0; /* from the start, whoever has called it before */
	/* "-": in order, with words among the options; ":": a missing value is
	 * told from an unknown option. */
	for (;
	     (option = getopt_long(argc, argv, "-:c:vqh", options, NULL)) != -1;
	     at = optind) {
		if (take_option(line, option))
			continue;
		/* A short one is no command's. */
		if (option != WORD &&
		    (option == ':' || optopt != 0 || line->count == 0)) {
			*bad = argv[at];
			return false;
		}
		line->words[line->count++] = argv[at];
	}
	for (at = optind; at < argc; at++)
		line->words[line->count++] = argv[at];
	return true;
}

void
command_line_clear(struct command_line *line)
{
	free(line->words);
	*line = (struct command_line){.words = NULL};
}
