/* SPDX-License-Identifier: ISC */
/*
 * The keys of the top level; those of the sections are in config_table.c.
 */
#include "config/config_rows.h"

#define TIB (UINT64_C(1) << 40)

#define TOP(member) MEMBER(#member, struct config, member)

static const struct config_key top_keys[] = {
    {TOP(hostname), TEXT(config_to_hostname), .towards_provider = true},
    {TOP(state_dir), TEXT(config_to_path)},
    {.name = "defaults", .read = config_read_defaults},
    {.name = "accounts", .read = config_read_accounts, .required = true},
    {.name = "deliveries", .read = config_read_deliveries, .required = true},
    {.name = "routes", .read = config_read_routes},
    {TOP(max_sessions), PLAIN(config_to_number), .value = "4", .min = 1,
	.max = 1000},
    {TOP(max_message_size), PLAIN(config_to_size), .value = "100M", .max = TIB,
	.towards_provider = true},
    {TOP(spool_dir), TEXT(config_to_path)},
    {TOP(bare_newline), ONE_OF("normalize", "reject"), .value = "normalize",
	.towards_provider = true},
    {TOP(ledger_keep), DURATION(SECOND, 365 * DAY), .value = "14d"},
    {TOP(ledger_sync), YES_NO, .value = "no"},
    {TOP(metrics_file), TEXT(config_to_path)},
    {TOP(status_page), TEXT(config_to_path)},
    {TOP(log), ONE_OF("auto", "stderr", "syslog"), .value = "auto"},
    {TOP(log_format), ONE_OF("text", "json"), .value = "text"},
    {TOP(log_level), ONE_OF("error", "warning", "info", "debug"),
	.value = "info"},
};

FITS(top_keys);

const struct config_table config_top_table = TABLE("the top level", top_keys);
