/* SPDX-License-Identifier: ISC */
#include "tell/public_file.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/whole_file.h"
#include "config/config.h"
#include "record/lock.h"

enum { LOCK_MS = 10 * 1000 }; /* for another session that writes it */

bool
public_file_write(const struct public_file *file, const struct config *config,
    const char *path, struct error *err)
{
	struct deadline deadline = deadline_in(LOCK_MS, 0);
	bool written = false;
	struct buf text;

	if (path == NULL)
		return true;
	int lock = lock_take(
	    config->state_dir, file->lock_name, file->holder, &deadline, err);
	if (lock < 0)
		return false;
	buf_init(&text, PUBLIC_FILE_MAX);
	if (!file->format(config, &text))
		error_set(err, ERROR_INTERNAL, "%s", file->too_large);
	else
		written = whole_file_write_path(
		    path, 0644, buf_data(&text), buf_len(&text), err);
	buf_clear(&text);
	close(lock);
	return written;
}
