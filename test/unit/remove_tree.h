/* SPDX-License-Identifier: ISC */
/*
 * remove_tree - what a test has made goes away with it.
 */
#ifndef ODMR_TEST_UNIT_REMOVE_TREE_H
#define ODMR_TEST_UNIT_REMOVE_TREE_H

#include <ftw.h>
#include <stdio.h>

static inline int
remove_tree_entry(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

/* A folder with all that is in it, if it is there; links are not followed. What
 * another process puts there meanwhile may be left. */
static inline void
remove_tree(const char *folder)
{
	(void)nftw(folder, remove_tree_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
