/*
 * collect - a delivery that takes the whole message before another sees any.
 *
 * For local services that do not bear a slow line. The recipients are accepted
 * unseen, so that what the inner delivery says to them comes with the results.
 */
#ifndef ODMR_DELIVER_COLLECT_H
#define ODMR_DELIVER_COLLECT_H

#include <stdbool.h>

struct delivery;
struct path;
struct status;

struct collect_options {
	const char *spool_dir; /* borrowed */
	/* What must not be accepted unseen: true, and why. NULL: nothing. */
	bool (*refuses)(const struct path *rcpt, struct status *status);
};

/* Takes the inner delivery over, frees it with itself, and has its name. */
struct delivery *collect_new(
    struct delivery *take_inner, const struct collect_options *options);

#endif
