/* SPDX-License-Identifier: ISC */
/*
 * relay PATH [FILE] - the least that can stand between the provider of the
 * benchmark and a local service: it prints its port, and passes on to the socket
 * PATH what comes there, and the replies back. BDAT becomes DATA, since
 * smtp-sink knows no other. With FILE it also does what no message may go
 * without: the digest of its text, and a line to the file before the reply to it.
 *
 * It looks at nothing else, and ends where anything is not as provider.c has it:
 * a group in one piece, no dot at the beginning of a line.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "loopback.h"

enum {
	ROOM = 65536,
	/* What is longer is text, not commands. */
	COMMANDS_MAX = 1000,
	REPLIES_MAX = 1000,
	/* Of what the agent writes for each message. */
	LINE = 190,
};

static const char bdat[] = "\r\nBDAT ", data[] = "\r\nDATA\r\n";
static const char final_dot[] = ".\r\n", go[] = "354 ";

struct relay {
	int provider, service, file; /* -1: no file */
	EVP_MD_CTX *sha;
	bool text; /* some has come, to which there was no reply yet */
	char in[ROOM + sizeof final_dot];
};

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(1);
}

static size_t
take(int fd, char *to, size_t room)
{
	ssize_t n = recv(fd, to, room, 0);

	if (n < 0)
		die("recv");
	return (size_t)n;
}

static void
pass(int fd, const char *from, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, from, len, MSG_NOSIGNAL);
		if (n < 0)
			die("send");
		from += n;
		len -= (size_t)n;
	}
}

static void
note_text(struct relay *relay, const char *text, size_t len)
{
	if (relay->file < 0)
		return;
	if (!relay->text)
		EVP_DigestInit_ex(relay->sha, NULL, NULL);
	EVP_DigestUpdate(relay->sha, text, len);
	relay->text = true;
}

static void
keep(struct relay *relay)
{
	unsigned char line[LINE] = {0};

	if (!relay->text)
		return;
	EVP_DigestFinal_ex(relay->sha, line, NULL);
	if (write(relay->file, line, sizeof line) != sizeof line)
		die("write");
	relay->text = false;
}

/* Replies up to the one that asks for text, which is not counted. */
static size_t
take_replies(struct relay *relay, char *replies)
{
	size_t len = 0;
	char *last;

	do {
		size_t n =
		    take(relay->service, replies + len, REPLIES_MAX - len);
		if (n == 0)
			die("no 354");
		len += n;
		last = memmem(replies, len, go, sizeof go - 1);
	} while (last == NULL || replies[len - 1] != '\n');
	return (size_t)(last - replies);
}

/* A group that ends with a chunk; before is where its verb is. */
static void
turn_chunk(struct relay *relay, size_t len, char *before)
{
	char replies[2 * REPLIES_MAX];
	size_t left = strtoul(before + sizeof bdat - 1, NULL, 10);
	char *text = memchr(before + 2, '\n', ROOM);
	size_t here = (size_t)(relay->in + len - ++text);

	memcpy(before, data, sizeof data - 1);
	pass(relay->service, relay->in,
	    (size_t)(before + sizeof data - 1 - relay->in));
	size_t said = take_replies(relay, replies);
	while (here < left) {
		note_text(relay, text, here);
		pass(relay->service, text, here);
		left -= here;
		text = relay->in;
		here = take(relay->provider, text, ROOM);
		if (here == 0)
			die("half of a chunk");
	}
	note_text(relay, text, left);
	memcpy(text + left, final_dot, sizeof final_dot - 1);
	pass(relay->service, text, left + sizeof final_dot - 1);
	said += take(relay->service, replies + said, REPLIES_MAX);
	keep(relay);
	pass(relay->provider, replies, said);
}

static bool
hear_provider(struct relay *relay)
{
	size_t len = take(relay->provider, relay->in, ROOM);
	char *chunk = memmem(relay->in, len < COMMANDS_MAX ? len : COMMANDS_MAX,
	    bdat, sizeof bdat - 1);

	if (chunk != NULL) {
		turn_chunk(relay, len, chunk);
		return true;
	}
	if (len > COMMANDS_MAX)
		note_text(relay, relay->in, len);
	pass(relay->service, relay->in, len);
	return len > 0;
}

static bool
hear_service(struct relay *relay)
{
	size_t len = take(relay->service, relay->in, ROOM);

	keep(relay);
	pass(relay->provider, relay->in, len);
	return len > 0;
}

static void
join(struct relay *relay)
{
	struct pollfd fds[] = {
	    {.fd = relay->provider, .events = POLLIN},
	    {.fd = relay->service, .events = POLLIN},
	};

	for (bool both = true; both;) {
		if (poll(fds, 2, -1) < 0)
			die("poll");
		if (fds[0].revents != 0)
			both = hear_provider(relay);
		if (fds[1].revents != 0)
			both = both && hear_service(relay);
	}
}

static int
connect_to(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
		die("cannot connect");
	return fd;
}

int
main(int argc, char **argv)
{
	static struct relay relay = {.file = -1};
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;
	const int on = 1;

	if (argc < 2 || argc > 3)
		die("usage: relay PATH [FILE]");
	signal(SIGPIPE, SIG_IGN);
	relay.sha = EVP_MD_CTX_new();
	if (EVP_DigestInit_ex(relay.sha, EVP_sha256(), NULL) != 1)
		die("no SHA-256");
	if (argc == 3 && (relay.file = open(argv[2], flags, 0600)) < 0)
		die(argv[2]);
	for (int listener = listen_anywhere();;) {
		relay.provider = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		setsockopt(
		    relay.provider, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		relay.service = connect_to(argv[1]);
		join(&relay);
		close(relay.provider);
		close(relay.service);
	}
}
