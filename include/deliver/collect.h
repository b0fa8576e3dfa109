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

struct collect_options {
	const char *spool_dir; /* borrowed */
	bool plain; /* recipients must be plain (path_is_plain()) */
};

/* Takes the inner delivery over and frees it. */
struct delivery *collect_new(
    struct delivery *take_inner, const struct collect_options *options);

#endif
