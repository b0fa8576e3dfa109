/* SPDX-License-Identifier: ISC */
#include "tell/publish.h"

#include "config/config.h"
#include "tell/log.h"
#include "tell/metrics.h"
#include "tell/status_page.h"

bool
publish_is_wanted(const struct config *config)
{
	return config->metrics_file != NULL || config->status_page != NULL;
}

bool
publish_files(const struct config *config, bool quiet)
{
	struct error metrics, page;
	bool has_metrics = metrics_write(config, &metrics);
	bool has_page = status_page_write(config, &page);

	if (!has_metrics && !quiet)
		log_say(
		    CONFIG_LOG_WARNING, NULL, "metrics", "%s", metrics.text);
	if (!has_page && !quiet)
		log_say(
		    CONFIG_LOG_WARNING, NULL, "status-page", "%s", page.text);
	return has_metrics && has_page;
}
