/*
 * followup - what happens after a session: pings, commands, alarms.
 *
 * In the process of the session, once its result was told, so that nothing of
 * it delays or fails a session. What fails here is logged, and no more.
 */
#ifndef ODMR_TELL_FOLLOWUP_H
#define ODMR_TELL_FOLLOWUP_H

struct config;
struct config_account;
struct session_result;

void followup_session(const struct config *config,
    const struct config_account *account, const struct session_result *result);

#endif
