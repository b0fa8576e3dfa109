/*
 * spawn - runs another program and says how it ended.
 *
 * The child gets a process group of its own, no terminal, default signals,
 * umask 077, / as its folder, the environment given and descriptors 0 to 2
 * alone. What it writes is kept up to a maximum, and read and dropped beyond.
 * It is waited for, not the end of its output, which a grandchild may hold
 * open. At the deadline the whole group is killed. Nothing here fails: a
 * program that cannot be started is a result as well.
 *
 * We wait while it is loaded: a disk that hangs then is not bounded by the
 * deadline, but by whoever waits for our process (run/workers does).
 */
#ifndef ODMR_BASE_SPAWN_H
#define ODMR_BASE_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

struct buf;
struct deadline;

struct spawn_options {
	/* argv[0] is the path of the program, no PATH is searched. Secrets
	 * belong neither in argv nor in env: other users can read them. */
	const char *const *argv; /* NULL at the end */
	const char *const *env; /* "NAME=value", NULL at the end */
	int input; /* becomes descriptor 0, above 2; -1: /dev/null */
	/*
	 * What it writes to descriptors 1 and 2; the same buffer may take both,
	 * NULL is /dev/null. A buffer is allocated at its maximum at once and
	 * never moved, so that a caller can wipe what it wants to keep secret.
	 */
	struct buf *output;
	struct buf *errors;
};

enum spawn_end {
	SPAWN_EXITED, /* code: its exit status */
	SPAWN_SIGNALLED, /* code: the signal that it died of */
	/* code: errno. Under valgrind or qemu it is an exit with 127. */
	SPAWN_NOT_STARTED,
	SPAWN_TIMED_OUT, /* killed at the deadline */
	SPAWN_STOPPED, /* killed at a deadline that a stop request set */
};

struct spawn_result {
	enum spawn_end end;
	int code;
};

enum { SPAWN_DESCRIPTION_MAX = 160 };

/* A program under way; embedded, from spawn_start() to spawn_wait(). */
struct spawn {
	pid_t pid; /* -1: it was not started */
	int pidfd; /* -1 where the system has none */
	int errnum; /* why not */
	struct spawn_pipe {
		int fd; /* -1: not wanted */
		/* The program's end. It stays open here, or the end of the
		 * output would wake us a moment before that of the program. */
		int theirs;
		struct buf *buf;
	} pipes[2];
};

/* Starts it, and returns when the program has been loaded. The buffers are
 * borrowed until spawn_wait() returned. */
void spawn_start(struct spawn *spawn, const struct spawn_options *options);
/*
 * Waits until it ended, and kills it at the deadline. Afterwards nothing is
 * left of it: no child, no descriptor.
 */
void spawn_wait(struct spawn *spawn, const struct deadline *deadline,
    struct spawn_result *result);
/* Both in one. */
void spawn_run(const struct spawn_options *options,
    const struct deadline *deadline, struct spawn_result *result);

/* "exited with status 75", to stand behind the program's name; returns out. */
char *spawn_describe(
    const struct spawn_result *result, char out[SPAWN_DESCRIPTION_MAX]);

#endif
