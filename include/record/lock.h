/*
 * lock - one session of an account at a time, and one writer of a file that is
 * about all accounts, in state_dir/lock/.
 *
 * Held by an open descriptor, so that a process that dies gives it back.
 */
#ifndef ODMR_RECORD_LOCK_H
#define ODMR_RECORD_LOCK_H

#include <stdbool.h>
#include <stddef.h>

struct config_account;
struct deadline;
struct error;

/* An account's, or another name without '/'; NAME_MAX is 255. */
enum { LOCK_NAME_MAX = 220 };

/*
 * Takes the lock; closing the descriptor gives it back. holder says in a
 * sentence who has it where another process does, for the error; deadline NULL
 * does not wait. Errors: ERROR_BUSY, another holds it; ERROR_LOCAL, the folder
 * cannot be used; ERROR_STOPPED.
 */
int lock_take(const char *state_dir, const char *name, const char *holder,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/* The same of an account. Errors: ERROR_BUSY, ERROR_LOCAL, ERROR_STOPPED. */
int lock_account(const char *state_dir, const char *account,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/* Only the file that lock_take() locks, whoever has it. Errors: ERROR_LOCAL. */
int lock_open(const char *state_dir, const char *name, struct error *err)
    __attribute__((warn_unused_result));
/*
 * The name of the lock of the account's user at its provider, which accounts may
 * share; no account can have that name.
 */
void lock_provider_name(
    char out[LOCK_NAME_MAX], const struct config_account *account);
/* A process has that lock now: whoever takes it would have to wait. Where the
 * folder cannot be used nobody has it. */
bool lock_provider_is_held(
    const char *state_dir, const struct config_account *account);

#endif
