/* SPDX-License-Identifier: ISC */
#include "tell/status_page.h"

#include "base/clock.h"
#include "config/config.h"
#include "record/history.h"
#include "record/status_file.h"
#include "tell/alarm.h"
#include "tell/page.h"
#include "tell/public_file.h"

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

static bool
format_page(const struct config *config, struct buf *text)
{
	struct page page;

	page_begin(&page, text, config->hostname, clock_unix_ms());
	for (size_t i = 0; i < config->accounts_count; i++)
		add_known(&page, config, &config->accounts[i]);
	return page_end(&page);
}

bool
status_page_write(const struct config *config, struct error *err)
{
	static const struct public_file file = {
	    .lock_name = "page:",
	    .holder = "another process of odmr-agent is writing status_page"
		      " now",
	    .too_large = "the status page would be larger than 64 MB",
	    .format = format_page,
	};

	_Static_assert(PUBLIC_FILE_MAX == 64 << 20, "as the message says");
	return public_file_write(&file, config, config->status_page, err);
}
