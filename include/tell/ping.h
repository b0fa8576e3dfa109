/*
 * ping - tells a watching service that a session began or ended.
 *
 * A GET of ping_url, as healthchecks.io and its kin take it. The URL is a
 * secret: no log has it. A failure is a warning and nothing more.
 */
#ifndef ODMR_TELL_PING_H
#define ODMR_TELL_PING_H

#include <sys/types.h>

struct config_account;

enum ping { PING_START, PING_SUCCESS, PING_FAIL };

/* Takes 10 s at most, less after a stop request. Nothing where the account
 * has no ping_url. */
void ping_send(const struct config_account *account, enum ping ping);
/* In a process of its own, as the owner of state_dir and with private closed;
 * for ping_wait(). */
pid_t ping_send_aside(
    const struct config_account *account, enum ping ping, int private);
/* Until that process has ended, so that no later ping overtakes it; a stop
 * request ends it. */
void ping_wait(pid_t aside);
/* The URL that is asked for, to be wiped and freed by the caller. */
char *ping_url(const char *url, enum ping ping);

#endif
