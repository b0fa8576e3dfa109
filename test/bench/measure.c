/* SPDX-License-Identifier: ISC */
/*
 * measure PROGRAM ARG... - runs it and prints "STATUS CPU-SECONDS PEAK-KIB
 * SECONDS", the last line of standard error. Small itself, since a child begins with the peak
 * of whoever forked it.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	double begun = seconds_now();
	pid_t pid = fork();

	if (argc < 2 || pid < 0)
		return 1;
	if (pid == 0) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) != pid)
		return 1;
	fprintf(stderr, "%d %.6f %ld %.6f\n",
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	    seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime),
	    usage.ru_maxrss, seconds_now() - begun);
	return 0;
}
