/* SPDX-License-Identifier: ISC */
/*
 * Numbers for Prometheus, in its text format.
 */
#include "gate_private.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/whole_file.h"
#include "provider/provider_config.h"
#include "tell/log.h"

enum {
	TEXT_MAX = 4 << 20, /* ten thousand accounts have 1 MB */
};

/* Nothing fails half: what does not fit makes no file. */
static bool
put_head(struct buf *out, const char *name, const char *type, const char *help)
{
	return buf_printf(out,
	    "# HELP odmr_provider_%s %s\n# TYPE odmr_provider_%s %s\n", name,
	    help, name, type);
}

static bool
put_states(struct buf *out, const struct gate *gate)
{
	uint64_t counts[PLACE_TURNED + 1] = {0};
	bool fits = put_head(
	    out, "connections", "gauge", "Connections of customers by state.");

	for (size_t i = 0; i < gate->calls_max; i++)
		if (gate->calls[i].pid != 0)
			counts[gate->places[i].state]++;
	for (int state = PLACE_DIALOGUE; state <= PLACE_TURNED; state++)
		fits = fits && buf_printf(out,
				   "odmr_provider_connections{state=\"%s\"}"
				   " %" PRIu64 "\n",
				   place_state_name((enum place_state)state),
				   counts[state]);
	return fits;
}

/* Who is away, for an alarm; names of accounts need no quoting in a label. */
static bool
put_accounts(struct buf *out, const struct gate *gate)
{
	size_t count = gate->config->accounts_count;
	bool *connected = xcalloc(count, sizeof *connected);
	bool fits = put_head(out, "account_connected", "gauge",
	    "1 where a customer of the account is logged in.");

	for (size_t i = 0; i < gate->calls_max; i++)
		if (gate->calls[i].pid != 0 && gate->calls[i].account != NOBODY)
			connected[gate->calls[i].account] = true;
	for (size_t i = 0; i < count; i++)
		fits = fits &&
		       buf_printf(out,
			   "odmr_provider_account_connected{account=\"%s\"}"
			   " %d\n",
			   gate->config->accounts[i].name, connected[i]);
	free(connected);
	return fits;
}

void
gate_add_totals(struct totals *totals, const struct place *place)
{
	totals->failed_logins += atomic_load(&place->failed_logins);
	totals->to_customer += atomic_load(&place->to_customer);
	totals->from_customer += atomic_load(&place->from_customer);
}

static bool
put_totals(struct buf *out, const struct gate *gate)
{
	struct totals totals = gate->totals;

	for (size_t i = 0; i < gate->calls_max; i++)
		if (gate->calls[i].pid != 0)
			gate_add_totals(&totals, &gate->places[i]);
	return put_head(out, "logins_total", "counter", "Logins by result.") &&
	       buf_printf(out,
		   "odmr_provider_logins_total{result=\"good\"} %" PRIu64 "\n"
		   "odmr_provider_logins_total{result=\"failed\"} %" PRIu64
		   "\n",
		   totals.logins, totals.failed_logins) &&
	       put_head(out, "turned_total", "counter",
		   "Connections that were turned around.") &&
	       buf_printf(out, "odmr_provider_turned_total %" PRIu64 "\n",
		   totals.turned) &&
	       put_head(out, "turned_bytes_total", "counter",
		   "Octets on turned connections.") &&
	       buf_printf(out,
		   "odmr_provider_turned_bytes_total{to=\"customer\"} %" PRIu64
		   "\nodmr_provider_turned_bytes_total{to=\"postfix\"} %" PRIu64
		   "\n",
		   totals.to_customer, totals.from_customer);
}

void
gate_write_metrics(struct gate *gate)
{
	const char *path = gate->config->metrics_file;
	unsigned long others;
	struct error err;
	struct buf out;

	if (path == NULL)
		return;
	buf_init(&out, TEXT_MAX);
	bool written = put_states(&out, gate) && put_accounts(&out, gate) &&
		       put_totals(&out, gate);
	if (!written)
		error_set(&err, ERROR_INTERNAL, "too many accounts for it");
	else
		/* The collector is another user. */
		written = whole_file_write_path(
		    path, 0644, buf_data(&out), buf_len(&out), &err);
	if (!written && gate_may_log(&gate->no_metrics, &others))
		log_say(CONFIG_LOG_WARNING, NULL, "metrics",
		    "%s: %s (%lu more before)", path, err.text, others);
	buf_clear(&out);
}
