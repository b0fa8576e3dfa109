/*
 * followup - what happens after a session: alarms, pings, commands.
 *
 * In the process of the session. What fails here is logged, and no more.
 */
#ifndef ODMR_TELL_FOLLOWUP_H
#define ODMR_TELL_FOLLOWUP_H

#include <stdbool.h>

struct config;
struct config_account;
struct session_result;

/*
 * Raises the alarm where one is due, before the result of the session is told:
 * then the next one may have the account's lock at once and keep it for hours,
 * and nothing can be noted meanwhile. It takes some seconds where the lock is
 * another process', and a minute once a day where alarm_command hangs. true: the
 * alarm is on that no session succeeds.
 *
 * watched: whoever started the session sees on a terminal what fails. He may be
 * a user who may not use state_dir; that no session is possible for him is no
 * alarm for others.
 */
bool followup_alarm(const struct config *config,
    const struct config_account *account, const struct session_result *result,
    bool watched);
/* Pings, and runs after_mail_command, once the result was told: nothing of it
 * delays the next session. failing: what followup_alarm() has said. */
void followup_session(const struct config_account *account,
    const struct session_result *result, bool failing);

#endif
