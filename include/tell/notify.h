/*
 * notify - tells systemd how the service stands, as sd_notify(3) does.
 *
 * Without libsystemd: one datagram for each message to $NOTIFY_SOCKET. Nothing
 * happens, and nothing fails, where nobody listens.
 */
#ifndef ODMR_TELL_NOTIFY_H
#define ODMR_TELL_NOTIFY_H

#include <stdint.h>

/* state: lines of NAME=value, such as the manager waits for: where many others
 * have told it something, and it has not read that yet, some seconds are spent
 * on it. */
void notify_send(const char *state);
/* "STATUS=text", which is dropped where there is no room for it at once. */
void notify_status(const char *text);
/* "WATCHDOG=1", likewise: there are two in the time of one. */
void notify_alive(void);
/* With the time that Type=notify-reload asks for; READY=1 ends it. */
void notify_reloading(void);
/* ms between two WATCHDOG=1, half of what systemd waits; 0: none wanted. */
int64_t notify_watchdog(void);

#endif
