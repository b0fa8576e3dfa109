/* SPDX-License-Identifier: ISC */
#include "agent/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* The owner, when this is root and the owner is somebody else. */
static bool
find_owner(const char *path, struct stat *st)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) != 0 || real != 0)
		return false;
	return stat(path, st) == 0 && st->st_uid != 0;
}

/* Supplementary groups are those of the user, as for a service. */
static bool
take_groups(const struct stat *st, gid_t *gid)
{
	const struct passwd *user = getpwuid(st->st_uid);

	*gid = user != NULL ? user->pw_gid : st->st_gid;
	if (user != NULL)
		return initgroups(user->pw_name, user->pw_gid) == 0;
	return setgroups(0, NULL) == 0;
}

static bool
fail(const char *path, const struct stat *st, struct error *err)
{
	error_set_errno(err, ERROR_SYSTEM, errno,
	    "cannot become the owner of %s (uid %u)", path,
	    (unsigned)st->st_uid);
	return false;
}

/* The kernel forgets it when the user changes (prctl(2)). */
void
privilege_guard(void)
{
	struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};

	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0);
}

void
privilege_follow_parent(void)
{
	/* A parent that was killed cannot pass on the next SIGTERM. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

bool
privilege_assume(const char *path, struct error *err)
{
	struct stat st;
	gid_t gid;

	if (geteuid() != 0 || !find_owner(path, &st))
		return true;
	if (take_groups(&st, &gid) && setegid(gid) == 0 &&
	    seteuid(st.st_uid) == 0) {
		privilege_guard();
		return true;
	}
	return fail(path, &st, err);
}

void
privilege_regain(void)
{
	if (getuid() != 0 || geteuid() == 0)
		return;
	/* The order matters: only root may take a group. Where it fails, what
	 * is read next fails and says so. */
	if (seteuid(0) != 0 || setegid(0) != 0)
		return;
	privilege_guard();
}

bool
privilege_drop(const char *path, struct error *err)
{
	struct stat st;
	gid_t gid;

	privilege_regain();
	if (!find_owner(path, &st))
		return true;
	if (take_groups(&st, &gid) && setresgid(gid, gid, gid) == 0 &&
	    setresuid(st.st_uid, st.st_uid, st.st_uid) == 0 && setuid(0) != 0) {
		privilege_guard();
		return true;
	}
	return fail(path, &st, err);
}
