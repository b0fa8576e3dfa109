/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/spawn.h"
#include "base/stop.h"
#include "failed_start.h"

enum { PATIENCE_MS = 60 * 1000, OUTPUT_MAX = 4096 };

static const char *const no_environment[] = {NULL};

/* What the script wrote is put into out, OUTPUT_MAX octets and a NUL. */
static struct spawn_result
run_script(const char *script, int input, int64_t ms, char *out)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	struct deadline deadline = deadline_in(ms, PATIENCE_MS);
	struct spawn_result result;
	struct buf output;

	buf_init(&output, OUTPUT_MAX);
	const struct spawn_options options = {
	    .argv = argv,
	    .env = no_environment,
	    .input = input,
	    .output = &output,
	    .errors = &output,
	};
	spawn_run(&options, &deadline, &result);
	memcpy(out, buf_data(&output), buf_len(&output));
	out[buf_len(&output)] = '\0';
	buf_clear(&output);
	return result;
}

static const struct end_case {
	const char *script;
	enum spawn_end end;
	int code;
	const char *out, *description;
} ends[] = {
    {"exit 0", SPAWN_EXITED, 0, "", "exited with status 0"},
    {"echo one; exit 67", SPAWN_EXITED, 67, "one\n", "exited with status 67"},
    {"exit 127", SPAWN_EXITED, 127, "", "exited with status 127"},
    {"exit 255", SPAWN_EXITED, 255, "", "exited with status 255"},
    {"echo out; echo err >&2", SPAWN_EXITED, 0, "out\nerr\n",
	"exited with status 0"},
    {"kill -SEGV $$", SPAWN_SIGNALLED, SIGSEGV, "",
	"died of signal 11 (Segmentation fault)"},
    {"kill -KILL $$", SPAWN_SIGNALLED, SIGKILL, "",
	"died of signal 9 (Killed)"},
    {"cat", SPAWN_EXITED, 0, "", "exited with status 0"},
    /* What the child gets, and what it does not. */
    {"pwd", SPAWN_EXITED, 0, "/\n", "exited with status 0"},
    {"umask", SPAWN_EXITED, 0, "0077\n", "exited with status 0"},
    {"export -p | grep -v PWD", SPAWN_EXITED, 1, "", "exited with status 1"},
    {"for i in 3 4 5 50; do [ ! -e /proc/$$/fd/$i ] || echo $i; done",
	SPAWN_EXITED, 0, "", "exited with status 0"},
    /* A group of its own, and no terminal to wait at. */
    {"set -- $(cat /proc/$$/stat); [ $1 = $5 ] && [ $7 = 0 ]", SPAWN_EXITED, 0,
	"", "exited with status 0"},
    {"exec grep -E '^Sig(Blk|Ign).*[1-9a-f]$' /proc/self/status", SPAWN_EXITED,
	1, "", "exited with status 1"},
};

static bool
ends_as_expected(const struct end_case *wanted)
{
	char out[OUTPUT_MAX + 1], description[SPAWN_DESCRIPTION_MAX];
	struct spawn_result result =
	    run_script(wanted->script, -1, PATIENCE_MS, out);

	spawn_describe(&result, description);
	if (result.end == wanted->end && result.code == wanted->code &&
	    strcmp(out, wanted->out) == 0 &&
	    strcmp(description, wanted->description) == 0)
		return true;
	print_error("%s: %s: %s\n", wanted->script, description, out);
	return false;
}

static bool
all_end_as_expected(void)
{
	bool all = true;

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		all = ends_as_expected(&ends[i]) && all;
	return all;
}

/* The parent's habits must not reach the child. */
static void
test_each_end_is_told(void **state)
{
	sigset_t set, before;

	(void)state;
	int leaked = dup2(STDERR_FILENO, 50); /* without close-on-exec */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &before);
	assert_true(all_end_as_expected());
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(leaked);
}

/* false: there can be none. */
static bool
take_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		return false;
	const char *name = ptsname(master);
	setsid();
	return name != NULL && open(name, O_RDWR | O_CLOEXEC) >= 0 &&
	       open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0;
}

static void
test_program_does_not_get_our_terminal(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		char out[OUTPUT_MAX + 1];
		if (!take_terminal())
			_exit(2);
		struct spawn_result result = run_script(
		    "true </dev/tty || echo none", -1, PATIENCE_MS, out);
		bool none =
		    result.end == SPAWN_EXITED && strstr(out, "none") != NULL;
		_exit(none && all_end_as_expected() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(status, 0);
}

static void
test_program_that_cannot_start(void **state)
{
	static const struct {
		const char *program;
		int errnum;
	} cases[] = {
	    {"/nonexistent/program", ENOENT},
	    {"/etc", EACCES},
	    {"/etc/passwd", EACCES},
	};

	(void)state;
	if (!failed_start_is_told())
		skip();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const argv[] = {cases[i].program, NULL};
		const struct spawn_options options = {
		    .argv = argv, .env = no_environment, .input = -1};
		struct deadline deadline = deadline_in(PATIENCE_MS, 0);
		struct spawn_result result;
		spawn_run(&options, &deadline, &result);
		assert_int_equal(result.end, SPAWN_NOT_STARTED);
		assert_int_equal(result.code, cases[i].errnum);
	}
}

static void
test_no_descriptor_is_left(void **state)
{
	char out[OUTPUT_MAX + 1];
	int before = dup(STDERR_FILENO);

	(void)state;
	close(before);
	run_script("exit 1", -1, PATIENCE_MS, out);
	run_script("exec sleep 1000", -1, 1, out);
	int after = dup(STDERR_FILENO);
	close(after);
	assert_int_equal(before, after);
}

static void
note_nothing(int number)
{
	(void)number;
}

/* The child may run in our memory for a while. */
static void
test_caller_keeps_what_it_has(void **state)
{
	char out[OUTPUT_MAX + 1], folder[PATH_MAX], again[PATH_MAX];
	struct sigaction action = {.sa_handler = note_nothing}, after;
	sigset_t set, before;

	(void)state;
	sigaction(SIGUSR2, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, &before);
	mode_t mask = umask(S_IWOTH);
	pid_t session = getsid(0);
	assert_non_null(getcwd(folder, sizeof folder));
	assert_int_equal(
	    run_script("exit 0", -1, PATIENCE_MS, out).end, SPAWN_EXITED);
	assert_non_null(getcwd(again, sizeof again));
	assert_string_equal(again, folder);
	assert_int_equal(getsid(0), session);
	assert_int_equal(umask(mask), S_IWOTH);
	sigaction(SIGUSR2, NULL, &after);
	assert_ptr_equal(after.sa_handler, note_nothing);
	sigprocmask(SIG_SETMASK, &before, &set);
	assert_true(sigismember(&set, SIGUSR1));
	assert_false(sigismember(&set, SIGUSR2));
	signal(SIGUSR2, SIG_DFL);
}

/* A zombie counts as gone: nobody but init may reap it. */
static bool
is_gone(pid_t pid)
{
	char path[64], line[512] = "";

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return true;
	bool read = fgets(line, sizeof line, file) != NULL;
	fclose(file);
	const char *behind_name = strrchr(line, ')');
	return !read || behind_name == NULL || behind_name[2] == 'Z';
}

static bool
wait_until_gone(pid_t pid)
{
	struct deadline deadline = deadline_in(PATIENCE_MS, PATIENCE_MS);

	while (!is_gone(pid) && deadline_left(&deadline) > 0) {
		struct deadline look = deadline_in(5, PATIENCE_MS);
		deadline_wait(&look, -1, 0);
	}
	return is_gone(pid);
}

/* A busy machine may take longer to come to the second process: then it has four
 * times as long. */
static bool
deadline_kills_the_group(void)
{
	char out[OUTPUT_MAX + 1];
	pid_t grandchild = 0;
	bool timed_out = true;

	for (int64_t ms = 300; timed_out && grandchild == 0 && ms < PATIENCE_MS;
	     ms *= 4) {
		struct spawn_result result =
		    run_script("trap '' TERM; sleep 1000 & echo $!; sleep 1000",
			-1, ms, out);
		timed_out = result.end == SPAWN_TIMED_OUT;
		grandchild = (pid_t)strtol(out, NULL, 10);
	}
	return timed_out && grandchild > 1 && wait_until_gone(grandchild);
}

static void
test_deadline_kills_the_group(void **state)
{
	(void)state;
	assert_true(deadline_kills_the_group());
}

static void
test_program_that_ends_leaves_its_children_alone(void **state)
{
	char out[OUTPUT_MAX + 1];
	int64_t began = clock_ms();

	(void)state;
	/* The grandchild holds the output open; nobody waits for that. */
	struct spawn_result result =
	    run_script("sleep 1000 & echo $!", -1, PATIENCE_MS, out);
	pid_t grandchild = (pid_t)strtol(out, NULL, 10);
	assert_int_equal(result.end, SPAWN_EXITED);
	assert_true(clock_ms() - began < PATIENCE_MS);
	assert_true(grandchild > 1 && !is_gone(grandchild));
	kill(grandchild, SIGKILL);
}

static void
test_output_is_bounded(void **state)
{
	char out[OUTPUT_MAX + 1];

	(void)state;
	struct spawn_result result =
	    run_script("printf start; head -c 1000000 /dev/zero | tr '\\0' x; "
		       "exit 3",
		-1, PATIENCE_MS, out);
	assert_int_equal(result.end, SPAWN_EXITED);
	assert_int_equal(result.code, 3);
	assert_int_equal(strlen(out), OUTPUT_MAX);
	assert_memory_equal(out, "startxxx", 8);
	/* One that never stops writing ends at the deadline. */
	result = run_script("exec cat /dev/zero", -1, 200, out);
	assert_int_equal(result.end, SPAWN_TIMED_OUT);
}

static void
test_output_and_errors_apart(void **state)
{
	const char *const argv[] = {
	    "/bin/sh", "-c", "echo secret; echo reason >&2", NULL};
	struct deadline deadline = deadline_in(PATIENCE_MS, 0);
	struct spawn_result result;
	struct buf output, errors;

	(void)state;
	buf_init(&output, 64);
	buf_init(&errors, 64);
	const struct spawn_options options = {
	    .argv = argv,
	    .env = no_environment,
	    .input = -1,
	    .output = &output,
	    .errors = &errors,
	};
	spawn_run(&options, &deadline, &result);
	assert_int_equal(result.end, SPAWN_EXITED);
	assert_int_equal(buf_len(&output), 7);
	assert_memory_equal(buf_data(&output), "secret\n", 7);
	assert_int_equal(buf_len(&errors), 7);
	assert_memory_equal(buf_data(&errors), "reason\n", 7);
	/* Whoever keeps a secret can wipe all of it. */
	assert_int_equal(output.size, output.max);
	buf_clear(&output);
	buf_clear(&errors);
}

static void
test_input_is_the_file_itself(void **state)
{
	char path[] = "/tmp/spawn-test-XXXXXX", out[OUTPUT_MAX + 1];
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, "one\ntwo\n", 8), 8);
	lseek(fd, 0, SEEK_SET);
	struct spawn_result result =
	    run_script("exec cat", fd, PATIENCE_MS, out);
	assert_int_equal(result.end, SPAWN_EXITED);
	assert_string_equal(out, "one\ntwo\n");
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 8);
	close(fd);
}

static void
test_stop_request_leaves_the_grace_alone(void **state)
{
	const char *const argv[] = {"/bin/sleep", "1000", NULL};
	const struct spawn_options options = {
	    .argv = argv, .env = no_environment, .input = -1};
	struct spawn_result result;
	char description[SPAWN_DESCRIPTION_MAX];

	(void)state;
	stop_install();
	stop_request();
	struct deadline deadline = deadline_in(PATIENCE_MS, 100);
	spawn_run(&options, &deadline, &result);
	assert_int_equal(result.end, SPAWN_STOPPED);
	assert_string_equal(spawn_describe(&result, description),
	    "was killed because the agent has to stop");
	stop_install(); /* forgets the request */
}

/* Answers each system call of the list with ENOSYS, as an old kernel or a
 * container does, for this process and its children. */
static bool
forbid_calls(const int *calls, size_t count)
{
	struct sock_filter filter[16];
	struct sock_fprog program = {.filter = filter};

	filter[program.len++] =
	    (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		(uint32_t)offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count; i++) {
		filter[program.len++] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1);
		filter[program.len++] = (struct sock_filter)BPF_STMT(
		    BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	filter[program.len++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void
test_old_kernel(void **state)
{
	static const int calls[] = {SYS_pidfd_open, SYS_close_range};
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		if (!forbid_calls(calls, 2) ||
		    syscall(SYS_pidfd_open, getpid(), 0) >= 0)
			_exit(2);
		dup2(STDERR_FILENO, 50);
		_exit(all_end_as_expected() && deadline_kills_the_group() ? 0
									  : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_end_is_told),
	    cmocka_unit_test(test_program_does_not_get_our_terminal),
	    cmocka_unit_test(test_program_that_cannot_start),
	    cmocka_unit_test(test_no_descriptor_is_left),
	    cmocka_unit_test(test_caller_keeps_what_it_has),
	    cmocka_unit_test(test_deadline_kills_the_group),
	    cmocka_unit_test(test_program_that_ends_leaves_its_children_alone),
	    cmocka_unit_test(test_output_is_bounded),
	    cmocka_unit_test(test_output_and_errors_apart),
	    cmocka_unit_test(test_input_is_the_file_itself),
	    cmocka_unit_test(test_stop_request_leaves_the_grace_alone),
	    cmocka_unit_test(test_old_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
