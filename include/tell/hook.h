/*
 * hook - a program of the administrator's is run for an account.
 *
 * It gets a PATH, the name of the account and what the caller adds as its
 * whole environment, no input, and a minute. A failure is logged with the
 * first line of what it wrote, and changes nothing here.
 */
#ifndef ODMR_TELL_HOOK_H
#define ODMR_TELL_HOOK_H

#include <stdbool.h>
#include <stddef.h>

enum { HOOK_ENV_MAX = 8 /* more than any program gets, and a NULL */ };

/* The environment of a program; strings are freed with it. */
struct hook_env {
	char *list[HOOK_ENV_MAX];
	size_t count;
};

void hook_env_begin(struct hook_env *env, const char *account);
void hook_env_add(struct hook_env *env, const char *name, const char *value);
void hook_env_clear(struct hook_env *env);

/* key: the name in the configuration, for the log. A stop request ends it.
 * false: it failed, which was logged. */
bool hook_run(const char *account, const char *key, const char *const *argv,
    const struct hook_env *env);

#endif
