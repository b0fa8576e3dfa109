/*
 * whole_file - small files read whole, and written whole and renamed.
 *
 * Names are single components in a folder that is open, so that no link in
 * the path can lead elsewhere; a link in place of the file is not followed.
 * Errors are of class ERROR_SYSTEM and name the file.
 */
#ifndef ODMR_BASE_WHOLE_FILE_H
#define ODMR_BASE_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct buf;
struct stat;

enum whole_file_result {
	WHOLE_FILE_READ,
	WHOLE_FILE_MISSING,
	WHOLE_FILE_FAILED, /* err is set: not a plain file, too large, ... */
};

/* A folder, -1 on error. With create it is made, 0750, when it is missing.
 * Errors: ERROR_SYSTEM. */
int whole_file_open_folder(
    int parent, const char *name, bool create, struct error *err);
/* Appends the content to out, up to the maximum of that buffer. Errors:
 * ERROR_SYSTEM. */
enum whole_file_result whole_file_read(
    int folder, const char *name, struct buf *out, struct error *err);
/* NAME.new is written and renamed to NAME; on failure it is taken away. Errors:
 * ERROR_SYSTEM. */
bool whole_file_write(int folder, const char *name, mode_t mode,
    const void *data, size_t len, struct error *err)
    __attribute__((warn_unused_result));
/* The same by an absolute path, whose folder must be there. Errors:
 * ERROR_SYSTEM. */
bool whole_file_write_path(const char *path, mode_t mode, const void *data,
    size_t len, struct error *err) __attribute__((warn_unused_result));

/* Whether nobody wrote or replaced a file between one stat(2) of it and another. */
bool whole_file_is_same(const struct stat *before, const struct stat *now);

#endif
