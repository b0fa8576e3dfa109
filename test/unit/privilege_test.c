/* SPDX-License-Identifier: ISC */
/*
 * Root stays the user that it became at the start, whatever happens to the
 * folder meanwhile. Each case in a process of its own, by root alone.
 */
#include "base/privilege.h"

#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"

enum { OWNER = 54321, OTHER = 54322, OWNED_BY_ROOT = 0 };

static char folder[] = "/tmp/privilege_test.XXXXXX";

static int
make_folder(void **state)
{
	(void)state;
	memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
remove_folder(void **state)
{
	(void)state;
	(void)rmdir(folder);
	return 0;
}

static void
give_to(uid_t owner)
{
	if (chown(folder, owner, owner) != 0)
		_exit(EX_SOFTWARE);
}

static bool
is(uid_t uid)
{
	uid_t real, effective, saved;
	gid_t real_gid, effective_gid, saved_gid;

	if (getresuid(&real, &effective, &saved) != 0 ||
	    getresgid(&real_gid, &effective_gid, &saved_gid) != 0)
		return false;
	return real == uid && effective == uid && saved == uid &&
	       real_gid == uid && effective_gid == uid && saved_gid == uid;
}

/* A process of its own: what it returned, as its exit status. */
static int
in_child(bool (*run)(void))
{
	int status = 0;

	if (getuid() != 0)
		skip();
	pid_t pid = fork();
	if (pid == 0)
		_exit(run() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool
assume_owner(void)
{
	struct error err;

	give_to(OWNER);
	return privilege_assume(folder, &err) && geteuid() == OWNER &&
	       getegid() == OWNER && getuid() == 0;
}

static bool
drop_after_root_took_it(void)
{
	struct error err;

	if (!assume_owner())
		return false;
	privilege_regain();
	give_to(OWNED_BY_ROOT);
	return privilege_drop(&err) && is(OWNER);
}

static bool
drop_after_another_took_it(void)
{
	struct error err;

	if (!assume_owner())
		return false;
	privilege_regain();
	give_to(OTHER);
	return privilege_drop(&err) && is(OWNER);
}

static bool
drop_after_it_vanished(void)
{
	struct error err;

	if (!assume_owner())
		return false;
	privilege_regain();
	return rmdir(folder) == 0 && privilege_drop(&err) && is(OWNER);
}

static bool
resume_after_root_took_it(void)
{
	if (!assume_owner())
		return false;
	privilege_regain();
	give_to(OWNED_BY_ROOT);
	privilege_resume();
	return geteuid() == OWNER && getegid() == OWNER;
}

static void
the_user_of_the_start_is_remembered(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_after_root_took_it), 0);
	assert_int_equal(in_child(drop_after_another_took_it), 0);
	assert_int_equal(in_child(resume_after_root_took_it), 0);
	assert_int_equal(in_child(drop_after_it_vanished), 0);
}

/* root without the right to become somebody else. */
static void
lose_capabilities(void)
{
	struct __user_cap_header_struct header = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) != 0)
		_exit(EX_SOFTWARE);
	data[0].permitted &= ~(1U << CAP_SETUID | 1U << CAP_SETGID);
	data[0].effective = data[0].permitted;
	if (syscall(SYS_capset, &header, data) != 0)
		_exit(EX_SOFTWARE);
}

/* No more than the class of the error is left of what went wrong. */
static bool
drop_without_the_right(void)
{
	struct error err = {.class = ERROR_NONE};

	if (!assume_owner())
		return false;
	privilege_regain();
	lose_capabilities();
	return !privilege_drop(&err) && err.class == ERROR_SYSTEM;
}

static bool
resume_without_the_right(void)
{
	if (!assume_owner())
		return false;
	privilege_regain();
	lose_capabilities();
	privilege_resume();
	return true;
}

static void
what_cannot_become_that_user_ends_with_71(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_without_the_right), EX_OSERR);
	assert_int_equal(in_child(resume_without_the_right), EX_OSERR);
}

static bool
start_without_a_folder(void)
{
	struct error err;

	/* What appears later is no reason to be another user. */
	if (rmdir(folder) != 0 || !privilege_assume(folder, &err) ||
	    mkdir(folder, 0700) != 0)
		return false;
	give_to(OWNER);
	return privilege_assume(folder, &err) && privilege_drop(&err) && is(0);
}

static bool
start_below_a_file(void)
{
	struct error err = {.class = ERROR_NONE};

	return !privilege_assume("/etc/passwd/state", &err) &&
	       err.class == ERROR_SYSTEM &&
	       strstr(err.text, "/etc/passwd/state: Not a directory") != NULL;
}

static void
a_folder_that_cannot_be_looked_at_is_no_root_folder(void **state)
{
	(void)state;
	assert_int_equal(in_child(start_without_a_folder), 0);
	assert_int_equal(in_child(start_below_a_file), 0);
}

#define EACH(test)                                                             \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(the_user_of_the_start_is_remembered),
	    EACH(what_cannot_become_that_user_ends_with_71),
	    EACH(a_folder_that_cannot_be_looked_at_is_no_root_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
