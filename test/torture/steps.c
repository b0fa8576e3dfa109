/* SPDX-License-Identifier: ISC */
/*
 * steps - runs a program and breaks it at one of its system calls.
 *
 *	steps FILE MARK N COMMAND...              killed at the N-th
 *	steps FILE MARK N CALL ERRNO COMMAND...   the N-th CALL fails
 *
 * System calls of the program and of the processes that it forks are counted,
 * from the one that opens MARK on; a process that runs another program is left
 * alone from there. CALL is one of the kinds below. With N = 0 nothing breaks.
 * FILE gets how many there were, and whether it was broken. Ends with the
 * status of the program, when all that it has started has ended too; 137 where
 * it was killed.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

enum { PROCESSES = 64, CALLS = 8 };

struct kind {
	const char *name;
	long calls[CALLS]; /* ends with -1 */
};

static const struct kind kinds[] = {
    {"write", {SYS_write, SYS_writev, SYS_sendto, SYS_sendmsg, SYS_pwrite64,
		  SYS_ftruncate, -1}},
    {"sync", {SYS_fsync, SYS_fdatasync, -1}},
#ifdef SYS_rename
    {"rename", {SYS_rename, SYS_link, SYS_renameat, SYS_renameat2, SYS_linkat,
		   SYS_unlinkat, -1}},
    {"open",
	{SYS_open, SYS_openat, SYS_memfd_create, SYS_mkdir, SYS_mkdirat, -1}},
    {"fork", {SYS_fork, SYS_vfork, SYS_clone, SYS_clone3, -1}},
#else
    {"rename", {SYS_renameat2, SYS_linkat, SYS_unlinkat, -1}},
    {"open", {SYS_openat, SYS_memfd_create, SYS_mkdirat, -1}},
    {"fork", {SYS_clone, SYS_clone3, -1}},
#endif
    {"socket", {SYS_socket, SYS_connect, SYS_socketpair, SYS_pipe2, -1}},
    {"memory", {SYS_mmap, SYS_brk, SYS_mremap, SYS_mprotect, -1}},
};

struct job {
	const char *mark;
	unsigned long at;
	const struct kind *kind; /* NULL: any, and the end is SIGKILL */
	int errnum;
	pid_t root;
	pid_t pids[PROCESSES];
	size_t pids_len;
	bool marked;
	unsigned long count;
	bool broken;
	pid_t failing; /* its call was taken away, and fails at its exit */
	int status;
};

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(125);
}

static void
add_pid(struct job *job, pid_t pid)
{
	for (size_t i = 0; i < job->pids_len; i++)
		if (job->pids[i] == pid)
			return;
	if (job->pids_len == PROCESSES)
		die("too many processes");
	job->pids[job->pids_len++] = pid;
}

static void
remove_pid(struct job *job, pid_t pid)
{
	for (size_t i = 0; i < job->pids_len; i++)
		if (job->pids[i] == pid)
			job->pids[i] = job->pids[--job->pids_len];
}

static void
kill_all(struct job *job)
{
	for (size_t i = 0; i < job->pids_len; i++)
		kill(job->pids[i], SIGKILL);
}

/* What the processor calls the number of a call and its result. */
static void
set_number(pid_t pid, long number)
{
#if defined(__x86_64__)
	if (ptrace(PTRACE_POKEUSER, pid,
		offsetof(struct user_regs_struct, orig_rax), number) != 0)
		die("ptrace");
#elif defined(__aarch64__)
	int value = (int)number;
	struct iovec iov = {&value, sizeof value};
	if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &iov) != 0)
		die("ptrace");
#else
#error "unknown processor"
#endif
}

static void
set_result(pid_t pid, long result)
{
#if defined(__x86_64__)
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax),
		result) != 0)
		die("ptrace");
#else
	struct user_regs_struct regs;
	struct iovec iov = {&regs, sizeof regs};
	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov) != 0)
		die("ptrace");
	regs.regs[0] = (unsigned long)result;
	if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov) != 0)
		die("ptrace");
#endif
}

static bool
opens_mark(const struct job *job, pid_t pid, uint64_t path)
{
	char text[256] = "";
	struct iovec here = {text, strlen(job->mark) + 1};
	struct iovec there = {(void *)(uintptr_t)path, here.iov_len};

	return here.iov_len <= sizeof text &&
	       process_vm_readv(pid, &here, 1, &there, 1, 0) ==
		   (ssize_t)here.iov_len &&
	       memcmp(text, job->mark, here.iov_len) == 0;
}

static bool
is_counted(const struct job *job, long call)
{
	if (job->kind == NULL)
		return true;
	for (const long *c = job->kind->calls; *c >= 0; c++)
		if (*c == call)
			return true;
	return false;
}

static void
on_entry(struct job *job, pid_t pid, const struct __ptrace_syscall_info *info)
{
	long call = (long)info->entry.nr;

	if (!job->marked && call == SYS_openat)
		job->marked = opens_mark(job, pid, info->entry.args[1]);
	if (!job->marked || job->broken || !is_counted(job, call))
		return;
	job->count++;
	if (job->count != job->at)
		return;
	job->broken = true;
	if (job->kind == NULL) {
		kill_all(job);
	} else {
		set_number(pid, -1);
		job->failing = pid;
	}
}

static void
on_call(struct job *job, pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0)
		return; /* it was killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		on_entry(job, pid, &info);
	} else if (pid == job->failing) {
		set_result(pid, -job->errnum);
		job->failing = 0;
	}
}

/* What stopped a process; returns the signal to go on with, -1: it is let go. */
static int
on_stop(struct job *job, pid_t pid, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;

	add_pid(job, pid);
	if (signal == (SIGTRAP | 0x80)) {
		on_call(job, pid);
		return 0;
	}
	if (event == PTRACE_EVENT_EXEC)
		return pid == job->root ? 0 : -1;
	/* A new process begins with SIGSTOP. */
	return event != 0 || signal == SIGSTOP ? 0 : signal;
}

static void
watch(struct job *job)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			remove_pid(job, pid);
			if (pid == job->root)
				job->status = WIFEXITED(status)
						  ? WEXITSTATUS(status)
						  : 128 + WTERMSIG(status);
			continue;
		}
		int signal = on_stop(job, pid, status);
		if (signal < 0) {
			remove_pid(job, pid);
			ptrace(PTRACE_DETACH, pid, NULL, NULL);
		} else {
			ptrace(PTRACE_SYSCALL, pid, NULL, (long)signal);
		}
	}
}

static void
start(struct job *job, char **command)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int status;

	/* What the program leaves behind becomes ours, to be waited for. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	job->root = fork();
	if (job->root < 0)
		die("fork");
	if (job->root == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execv(command[0], command);
		die(command[0]);
	}
	if (waitpid(job->root, &status, 0) != job->root ||
	    ptrace(PTRACE_SETOPTIONS, job->root, NULL, options) != 0 ||
	    ptrace(PTRACE_SYSCALL, job->root, NULL, NULL) != 0)
		die("ptrace");
}

static const struct kind *
find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	struct job job = {.marked = false};
	char **command = argv + 4;

	if (argc < 5)
		return 125;
	job.mark = argv[2];
	job.at = strtoul(argv[3], NULL, 10);
	job.kind = find_kind(argv[4]);
	if (job.kind != NULL && argc > 6) {
		job.errnum = (int)strtol(argv[5], NULL, 10);
		command = argv + 6;
	}
	start(&job, command);
	watch(&job);
	FILE *out = fopen(argv[1], "w");
	if (out == NULL ||
	    fprintf(out, "%lu %d\n", job.count, job.broken) < 0 ||
	    fclose(out) != 0)
		die(argv[1]);
	return job.status;
}
