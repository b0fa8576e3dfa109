/* SPDX-License-Identifier: ISC */
/*
 * Who is connected, as a file for `odmr-provider status` and other programs.
 */
#include "gate_private.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/whole_file.h"
#include "provider/provider_config.h"
#include "tell/log.h"

enum {
	/* Ten thousand calls of 200 octets. */
	STATUS_MAX = 4 << 20,
};

static void
put_call(const struct gate *gate, size_t i, struct json_writer *json)
{
	const struct call *call = &gate->calls[i];
	struct place *place = &gate->places[i];

	json_open(json, NULL, '{');
	json_text(json, "account",
	    call->account != NOBODY ? gate->config->accounts[call->account].name
				    : NULL);
	json_text(json, "state", place_state_name(place->state));
	json_time(json, "since", place->since);
	json_text(json, "address", place->address);
	json_number(json, "pid", (int64_t)place->pid);
	json_number(
	    json, "to_customer", (int64_t)atomic_load(&place->to_customer));
	json_number(
	    json, "from_customer", (int64_t)atomic_load(&place->from_customer));
	json_close(json, '}');
}

void
gate_write_status(struct gate *gate)
{
	struct json_writer json;
	unsigned long others;
	struct error err;
	struct buf out;

	buf_init(&out, STATUS_MAX);
	json_begin(&json, &out);
	json_open(&json, NULL, '{');
	json_number(&json, "version", 1);
	json_time(&json, "written", clock_unix_ms());
	json_number(&json, "pid", getpid());
	json_open(&json, "connections", '[');
	for (size_t i = 0; i < gate->calls_max; i++)
		if (gate->calls[i].pid != 0)
			put_call(gate, i, &json);
	json_close(&json, ']');
	json_close(&json, '}');
	int folder =
	    whole_file_open_folder(AT_FDCWD, gate->config->run_dir, true, &err);
	bool written =
	    folder >= 0 && whole_file_write(folder, "status.json", 0640,
			       buf_data(&out), buf_len(&out), &err);
	if (!written && gate_may_log(&gate->no_status, &others))
		log_say(CONFIG_LOG_WARNING, NULL, "status",
		    "%s (%lu more before)", err.text, others);
	if (folder >= 0)
		close(folder);
	buf_clear(&out);
}

void
gate_remove_status(const struct gate *gate)
{
	struct error ignored;
	int folder = whole_file_open_folder(
	    AT_FDCWD, gate->config->run_dir, false, &ignored);

	if (folder < 0)
		return;
	(void)unlinkat(folder, "status.json", 0);
	close(folder);
}
