/*
 * scheduler - `run`: fetches each account when it is due, until SIGTERM.
 *
 * Sleeps until something is due, a signal comes, a session tells something or
 * the wall clock is set. SIGHUP reads the configuration again, SIGUSR1 fetches
 * everything now. systemd is told how it stands.
 */
#ifndef ODMR_AGENT_SCHEDULER_H
#define ODMR_AGENT_SCHEDULER_H

#include "agent/child.h"

struct command_context;

/* The exit status. run is session_run(), but in tests. */
int scheduler_run(struct command_context *context, child_function *run);

#endif
