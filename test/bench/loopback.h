/* SPDX-License-Identifier: ISC */
/*
 * loopback - where a program of the benchmark is called.
 */
#ifndef ODMR_TEST_BENCH_LOOPBACK_H
#define ODMR_TEST_BENCH_LOOPBACK_H

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* At a port that the kernel chooses; the first line of the output says which. */
static inline int
listen_anywhere(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 ||
	    listen(fd, 16) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
		perror("cannot listen");
		exit(1);
	}
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

#endif
