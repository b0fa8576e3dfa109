/* SPDX-License-Identifier: ISC */
#include "agent/hold.h"

#include <string.h>

#include "agent/history.h"
#include "agent/status_file.h"

int64_t
hold_left(const char *state_dir, const struct config_account *account,
    const struct history *history, int64_t now)
{
	char fingerprint[CONFIG_FINGERPRINT_SIZE];
	struct error err;
	int64_t left = history_hold_left(history, now);

	if (left == 0 || history->hold_fingerprint[0] == '\0')
		return left;
	/* Where nothing can be said, the hold stands. */
	bool changed =
	    status_file_fingerprint(state_dir, account, fingerprint, &err) &&
	    strcmp(fingerprint, history->hold_fingerprint) != 0;
	return changed ? 0 : left;
}
