/* SPDX-License-Identifier: ISC */
#include "tell/status_page.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/whole_file.h"
#include "config/config.h"
#include "record/history.h"
#include "record/lock.h"
#include "record/status_file.h"
#include "tell/alarm.h"
#include "tell/page.h"

enum {
	TEXT_MAX = 64 << 20, /* 10,000 accounts have 40 MB */
	LOCK_MS = 10 * 1000, /* for another session that writes it */
};

/* No account can have this name. */
static const char lock_name[] = "page:";

static void
add_known(struct page *page, const struct config *config,
    const struct config_account *account)
{
	struct history history;
	struct error ignored; /* the session that wrote it has warned */

	(void)!status_file_read(
	    config->state_dir, account->name, &history, &ignored);
	page_add(page, account, &history,
	    account->enabled ? alarm_of(account, &history, page->now)
			     : ALARM_NONE);
	history_clear(&history);
}

bool
status_page_write(const struct config *config, struct error *err)
{
	struct deadline deadline = deadline_in(LOCK_MS, 0);
	bool written = false;
	struct page page;
	struct buf text;

	if (config->status_page == NULL)
		return true;
	int lock = lock_take(config->state_dir, lock_name, &deadline, err);
	if (lock < 0)
		return false;
	buf_init(&text, TEXT_MAX);
	page_begin(&page, &text, config->hostname, clock_unix_ms());
	for (size_t i = 0; i < config->accounts_count; i++)
		add_known(&page, config, &config->accounts[i]);
	if (!page_end(&page))
		error_set(err, ERROR_INTERNAL,
		    "the status page would be larger than %d MB",
		    TEXT_MAX >> 20);
	else
		/* The web server is another user. */
		written = whole_file_write_path(config->status_page, 0644,
		    buf_data(&text), buf_len(&text), err);
	buf_clear(&text);
	close(lock);
	return written;
}
