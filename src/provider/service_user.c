/* SPDX-License-Identifier: ISC */
#include "provider/service_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "provider/provider_config.h"

/* NULL: this program is not root's, or there is no such user. */
static const struct passwd *
find_user(const struct provider_config *config)
{
	return getuid() == 0 ? getpwnam(config->user) : NULL;
}

bool
service_user_become(const struct provider_config *config, struct error *err)
{
	if (geteuid() != 0)
		return true;
	const struct passwd *user = find_user(config);
	if (user == NULL) {
		error_set(err, ERROR_CONFIG,
		    "there is no user %s on this system, who is to run the"
		    " service; make it, or name another one (user)",
		    config->user);
		return false;
	}
	if (initgroups(user->pw_name, user->pw_gid) == 0 &&
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) == 0 &&
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0)
		return true;
	error_set_errno(err, ERROR_SYSTEM, errno, "cannot become the user %s",
	    config->user);
	return false;
}

void
service_user_make_run_dir(const struct provider_config *config)
{
	const struct passwd *user = find_user(config);

	/* One that is there may be somebody else's. */
	if (user != NULL && mkdir(config->run_dir, 0750) == 0)
		(void)!chown(config->run_dir, user->pw_uid, user->pw_gid);
}

void
service_user_share_files(const struct provider_config *config)
{
	const struct passwd *user = find_user(config);

	if (getuid() == 0 && user == NULL)
		fprintf(stderr,
		    "odmr-provider: there is no user %s on this system, so that"
		    " only root will be able to read the file; make the user"
		    " first (systemd-sysusers)\n",
		    config->user);
	/* In any other group might be anybody. */
	umask(user != NULL && setegid(user->pw_gid) == 0 ? 027 : 077);
}

void
service_user_try(const struct provider_config *config)
{
	const struct passwd *user = find_user(config);
	const struct group *postdrop = getgrnam("postdrop");
	gid_t own = user != NULL ? user->pw_gid : 0;
	uid_t uid = user != NULL ? user->pw_uid : 0;

	if (uid == 0)
		return;
	if (initgroups(
		config->user, postdrop != NULL ? postdrop->gr_gid : own) == 0 &&
	    setegid(own) == 0)
		(void)!seteuid(uid);
}

void
service_user_return(void)
{
	if (getuid() == 0 && seteuid(0) == 0)
		(void)!setegid(0);
}
