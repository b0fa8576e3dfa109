/*
 * privilege - root becomes the owner of the state folder.
 *
 * Configuration and secrets may be readable by root alone, mail and network
 * need no root. So the program acts as the owner from the start, takes root
 * back to read those, and a session gives it up for good before it dials.
 * Started by anybody else, or where root owns the folder, nothing happens.
 */
#ifndef ODMR_AGENT_PRIVILEGE_H
#define ODMR_AGENT_PRIVILEGE_H

#include <stdbool.h>

struct error;

/*
 * No core file, and no look into our memory by other processes of the same
 * user. The functions below see to it that this stays so.
 */
void privilege_guard(void);
/*
 * SIGTERM when the parent is gone. To be called again after the user changed,
 * when the kernel forgets it.
 */
void privilege_follow_parent(void);
/* Acts as the owner of path; an owner that is missing is root itself. */
bool privilege_assume(const char *path, struct error *err)
    __attribute__((warn_unused_result));
/* Root again, until privilege_assume() or privilege_drop(). */
void privilege_regain(void);
/* The owner for good; there is no way back. */
bool privilege_drop(const char *path, struct error *err)
    __attribute__((warn_unused_result));

#endif
