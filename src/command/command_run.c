/* SPDX-License-Identifier: ISC */
#include "command/command.h"

#include <sysexits.h>

#include "config/config.h"
#include "run/scheduler.h"
#include "session/session.h"
#include "tell/log.h"

int
command_run(struct command_context *context, int argc, char **argv)
{
	if (argc > 0) {
		log_say(CONFIG_LOG_ERROR, NULL, "start",
		    "run takes no argument: %s", argv[0]);
		return EX_USAGE;
	}
	const struct scheduler_options options = {
	    .config = &context->config,
	    .config_path = context->config_path,
	    .trace = context->trace,
	    .run = session_run,
	};
	session_prepare(context->config);
	return scheduler_run(&options);
}
