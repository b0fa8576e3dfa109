/* SPDX-License-Identifier: ISC */
#include "base/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"

/* Whom we act as, decided once: the folder may change hands later, by the
 * owner's own doing. uid 0: nobody else. */
static struct {
	bool decided;
	uid_t uid;
	gid_t gid;
} assumed;

static bool
fail_privilege(struct error *err)
{
	error_set_errno(err, ERROR_SYSTEM, errno,
	    "root cannot become the owner of state_dir (user %u)",
	    (unsigned)assumed.uid);
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
privilege_is_foreign(void)
{
	return getuid() != geteuid() || getgid() != getegid();
}

/* Supplementary groups are those of the user, as for a service; they stay
 * where root comes back. */
static bool
take_groups(const struct stat *st)
{
	const struct passwd *user = getpwuid(st->st_uid);

	assumed.gid = user != NULL ? user->pw_gid : st->st_gid;
	if (user != NULL)
		return initgroups(user->pw_name, user->pw_gid) == 0;
	return setgroups(0, NULL) == 0;
}

static bool
decide(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		assumed.uid = st.st_uid;
	} else if (errno != ENOENT) {
		error_set_errno(err, ERROR_SYSTEM, errno,
		    "cannot see who owns state_dir %s", path);
		return false;
	}
	if (assumed.uid != 0 && !take_groups(&st))
		return fail_privilege(err);
	assumed.decided = true;
	return true;
}

static bool
become(void)
{
	if (assumed.uid == 0 || geteuid() != 0)
		return true;
	if (setegid(assumed.gid) != 0 || seteuid(assumed.uid) != 0)
		return false;
	privilege_guard();
	return true;
}

bool
privilege_assume(const char *path, struct error *err)
{
	if (getuid() != 0)
		return true;
	if (!assumed.decided && !decide(path, err))
		return false;
	return become() || fail_privilege(err);
}

void
privilege_resume(void)
{
	static const char sentence[] =
	    "odmr-agent: root cannot become the owner of state_dir again\n";

	if (become())
		return;
	ssize_t ignored = write(STDERR_FILENO, sentence, sizeof sentence - 1);
	(void)ignored;
	_exit(EX_OSERR);
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
privilege_drop(struct error *err)
{
	const uid_t uid = assumed.uid;
	const gid_t gid = assumed.gid;

	if (uid == 0)
		return true;
	privilege_regain();
	if (setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0 &&
	    setuid(0) != 0) {
		privilege_guard();
		return true;
	}
	(void)fail_privilege(err);
	/* What is left to be done is not done as root either. */
	privilege_resume();
	return false;
}
