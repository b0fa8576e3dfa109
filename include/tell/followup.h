/*
 * followup - what happens after a session: pings, commands, alarms.
 *
 * In the process of the session, once its result was told, so that nothing of
 * it delays or fails a session. What fails here is logged, and no more.
 */
#ifndef ODMR_TELL_FOLLOWUP_H
#define ODMR_TELL_FOLLOWUP_H

#include <stdbool.h>

struct config;
struct config_account;
struct session_result;

/*
 * watched: whoever started the session sees on a terminal what fails. He may be
 * a user who may not use state_dir; that no session is possible for him is no
 * alarm for others.
 */
void followup_session(const struct config *config,
    const struct config_account *account, const struct session_result *result,
    bool watched);

#endif
