/*
 * privilege - root becomes the owner of the state folder.
 *
 * Configuration and secrets may be readable by root alone, mail and network
 * need no root. So the program acts as the owner from the start, takes root
 * back to read those, and a session gives it up for good before it dials.
 * Started by anybody else, or where root owns the folder, nothing happens.
 */
#ifndef ODMR_BASE_PRIVILEGE_H
#define ODMR_BASE_PRIVILEGE_H

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
/* Started set-uid or set-gid: whoever did so would have what is the owner's.
 * The kernel's AT_SECURE says so of harmless starts as well (SELinux). */
bool privilege_is_foreign(void);
/*
 * Acts as the owner of path, which is decided by the first call: afterwards the
 * same user, whoever owns the folder then. Where it is missing root stays root.
 * Errors: ERROR_SYSTEM.
 */
bool privilege_assume(const char *path, struct error *err)
    __attribute__((warn_unused_result));
/* Root again, until privilege_resume() or privilege_drop(). */
void privilege_regain(void);
/* The user of privilege_assume() again. Where that cannot be the program ends
 * (71), rather than go on as root. */
void privilege_resume(void);
/* That user for good; there is no way back. false: it acts as that user as far
 * as can be. Errors: ERROR_SYSTEM. */
bool privilege_drop(struct error *err) __attribute__((warn_unused_result));

#endif
