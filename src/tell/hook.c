/* SPDX-License-Identifier: ISC */
#include "tell/hook.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "tell/log.h"

enum {
	/* Well below FINISH_MS of run/workers, which ends all of this. */
	HOOK_MS = 60 * 1000,
	OUTPUT_MAX = 512, /* of what it complains of; one line is told */
};

void
hook_env_add(struct hook_env *env, const char *name, const char *value)
{
	/* The last place stays NULL. */
	if (env->count < HOOK_ENV_MAX - 1)
		env->list[env->count++] = xasprintf("%s=%s", name, value);
}

void
hook_env_begin(struct hook_env *env, const char *account)
{
	*env = (struct hook_env){.count = 0};
	hook_env_add(env, "PATH",
	    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	hook_env_add(env, "ODMR_ACCOUNT", account);
}

void
hook_env_clear(struct hook_env *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->list[i]);
}

bool
hook_run(const char *account, const char *key, const char *const *argv,
    const struct hook_env *env)
{
	struct deadline deadline = deadline_in(HOOK_MS, 0);
	char how[SPAWN_DESCRIPTION_MAX];
	struct spawn_result result;
	struct buf errors;

	buf_init(&errors, OUTPUT_MAX);
	struct spawn_options options = {.argv = argv,
	    .env = (const char *const *)env->list,
	    .input = -1,
	    .output = &errors,
	    .errors = &errors};
	spawn_run(&options, &deadline, &result);
	bool failed = result.end != SPAWN_EXITED || result.code != 0;
	if (failed) {
		size_t line = 0;
		while (
		    line < buf_len(&errors) && buf_data(&errors)[line] != '\n')
			line++;
		log_say(CONFIG_LOG_WARNING, account, "command", "%s %s%s%.*s",
		    key, spawn_describe(&result, how), line > 0 ? ": " : "",
		    (int)line, buf_data(&errors));
	}
	buf_clear(&errors);
	return !failed;
}
