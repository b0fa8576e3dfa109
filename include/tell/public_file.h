/*
 * public_file - a file about all accounts that other users read: metrics_file and
 * status_page.
 */
#ifndef ODMR_TELL_PUBLIC_FILE_H
#define ODMR_TELL_PUBLIC_FILE_H

#include <stdbool.h>

#include "base/error.h"

struct buf;
struct config;

enum { PUBLIC_FILE_MAX = 64 << 20 }; /* 10,000 accounts have 40 MB */

struct public_file {
	const char *lock_name; /* no account can have it */
	const char *holder; /* who has it, as for lock_take() */
	const char *too_large; /* what is wrong where format() fails */
	/* From the status files. false: it is over PUBLIC_FILE_MAX. */
	bool (*format)(const struct config *config, struct buf *text);
};

/*
 * Writes path whole and renamed, mode 0644; one process at a time. Nothing where
 * path is NULL. Errors: those of lock_take(), ERROR_SYSTEM, ERROR_INTERNAL.
 */
bool public_file_write(const struct public_file *file,
    const struct config *config, const char *path, struct error *err)
    __attribute__((warn_unused_result));

#endif
