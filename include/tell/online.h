/*
 * online - online_command runs beside the session that reached the provider.
 *
 * A process of its own is made before the session, when there is no lock, no
 * secret and no connection that it could keep, and waits for the word. So the
 * fetch is not delayed, and the command has its minute from then on, however
 * long the session takes or waits for mail.
 */
#ifndef ODMR_TELL_ONLINE_H
#define ODMR_TELL_ONLINE_H

#include <sys/types.h>

struct config_account;

struct online {
	pid_t pid; /* -1: the account has no online_command */
	int word; /* pipe to it; -1: the word was given */
};

/* In the process of a session; private: a descriptor that it shall not keep. A
 * process that cannot be made is logged. */
void online_prepare(
    struct online *online, const struct config_account *account, int private);
/* The provider was reached; once, and at once. */
void online_start(struct online *online);
/* At the end: until the command ended, where it was started. A stop request
 * ends it, also one that comes meanwhile. */
void online_wait(struct online *online);

#endif
