/* SPDX-License-Identifier: ISC */
#include "record/status_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/whole_file.h"
#include "record/history.h"
#include "record/history_json.h"

/* The name of the file; account names have at most CONFIG_NAME_MAX octets. */
static void
file_name(char out[static NAME_MAX + 1], const char *account)
{
	snprintf(out, NAME_MAX + 1, "%s.json", account);
}

/* state_dir/status, -1 on error. */
static int
open_status_folder(const char *state_dir, bool create, struct error *err)
{
	int state = whole_file_open_folder(AT_FDCWD, state_dir, false, err);

	if (state < 0)
		return -1;
	int folder = whole_file_open_folder(state, "status", create, err);
	close(state);
	return folder;
}

static bool
read_folder(
    int folder, const char *account, struct history *history, struct error *err)
{
	char name[NAME_MAX + 1];
	struct buf text;
	bool usable = true;

	file_name(name, account);
	buf_init(&text, STATUS_FILE_MAX);
	enum whole_file_result result =
	    whole_file_read(folder, name, &text, err);
	if (result == WHOLE_FILE_FAILED) {
		usable = false;
	} else if (result == WHOLE_FILE_READ &&
		   !history_json_parse(
		       account, buf_data(&text), buf_len(&text), history)) {
		error_set(err, ERROR_SYSTEM,
		    "the status file %s is damaged, or of another version; "
		    "a new one is begun",
		    name);
		usable = false;
	}
	buf_clear(&text);
	return usable;
}

bool
status_file_read(const char *state_dir, const char *account,
    struct history *history, struct error *err)
{
	history_init(history);
	int state = whole_file_open_folder(AT_FDCWD, state_dir, false, err);
	if (state < 0)
		return false;
	if (faccessat(state, "status", F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
	    errno == ENOENT) {
		close(state);
		return true; /* there was no session yet */
	}
	int folder = whole_file_open_folder(state, "status", false, err);
	close(state);
	if (folder < 0)
		return false;
	bool read = read_folder(folder, account, history, err);
	close(folder);
	history_settle_times(history, clock_unix_ms());
	return read;
}

bool
status_file_write(const char *state_dir, const char *account,
    const struct history *history, struct error *err)
{
	char name[NAME_MAX + 1];
	struct buf text;
	int folder = open_status_folder(state_dir, true, err);

	if (folder < 0)
		return false;
	file_name(name, account);
	buf_init(&text, STATUS_FILE_MAX);
	bool written = false;
	if (!history_json_format(account, history, &text) ||
	    !buf_append(&text, "\n", 1))
		error_set(err, ERROR_INTERNAL,
		    "the status file %s would be too large", name);
	else
		written = whole_file_write(
		    folder, name, 0640, buf_data(&text), buf_len(&text), err);
	buf_clear(&text);
	close(folder);
	return written;
}

/* One that began before keeps what the account was made of then. */
static bool
began_hold(const struct history *history, const struct session_result *result)
{
	return result->outcome == SESSION_FAILED &&
	       history->hold_class == result->error.class &&
	       history->hold_fingerprint[0] == '\0' &&
	       history_hold_left(history, result->ended) > 0;
}

bool
status_file_record(const char *state_dir, const char *account,
    struct history *history, struct session_result *result,
    const char *fingerprint, struct error *err)
{
	history_add(history, result);
	if (began_hold(history, result))
		snprintf(history->hold_fingerprint,
		    sizeof history->hold_fingerprint, "%s", fingerprint);
	return status_file_write(state_dir, account, history, err);
}
