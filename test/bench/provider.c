/* SPDX-License-Identifier: ISC */
/*
 * provider - a fast provider for the benchmark, next to nothing but the wire.
 *
 *	provider [-t CERT KEY] MODE COUNT OCTETS [base64]
 *	provider -d HOST PORT  MODE COUNT OCTETS [base64]
 *
 * As a provider it prints its port, logs in whoever comes, gives the first
 * customer COUNT messages of OCTETS octets and every later one 453. With -d it
 * is the client of an SMTP server instead: the path without an agent. MODE is
 * lockstep, pipelined or bdat. The text is prose, a full stop in each line, or
 * lines of base64. It prints the seconds from the first MAIL to the last reply,
 * and ends at once where a reply is not 2xx or 3xx.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "loopback.h"

enum mode { LOCKSTEP, PIPELINED, BDAT };

struct job {
	enum mode mode;
	unsigned long count;
	size_t octets; /* of the text of a message */
	char *text; /* and behind it the final dot */
};

struct wire {
	int fd;
	SSL *ssl; /* NULL in the clear */
	char in[65536];
	size_t start, end; /* what was read and not used */
};

static const char mail[] = "MAIL FROM:<bench@example.net>\r\n";
static const char rcpt[] = "RCPT TO:<user@example.org>\r\n";
static const char final_dot[] = ".\r\n";
static const char prose[] =
    "The quick brown fox jumps over the lazy dog, again "
    "and again, as mail does.\r\n";
static const char base64[] = "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBs"
			     "YXp5IGRvZywgYWdhaW4gYW5kIGFn\r\n";

static _Noreturn void __attribute__((format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("provider: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void
wire_open(struct wire *wire, int fd, SSL_CTX *tls)
{
	const int on = 1;

	*wire = (struct wire){.fd = fd};
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (tls == NULL)
		return;
	wire->ssl = SSL_new(tls);
	if (wire->ssl == NULL || SSL_set_fd(wire->ssl, fd) != 1 ||
	    SSL_accept(wire->ssl) != 1)
		die("no TLS with the customer");
}

static void
wire_close(struct wire *wire)
{
	if (wire->ssl != NULL) {
		SSL_shutdown(wire->ssl);
		SSL_free(wire->ssl);
	}
	close(wire->fd);
}

static void
wire_write(struct wire *wire, const char *data, size_t len)
{
	while (len > 0) {
		size_t n = 0;
		if (wire->ssl != NULL) {
			if (SSL_write_ex(wire->ssl, data, len, &n) != 1)
				die("the line broke");
		} else {
			ssize_t sent = send(wire->fd, data, len, MSG_NOSIGNAL);
			if (sent < 0)
				die("the line broke: %s", strerror(errno));
			n = (size_t)sent;
		}
		data += n;
		len -= n;
	}
}

static void
wire_text(struct wire *wire, const char *text)
{
	wire_write(wire, text, strlen(text));
}

/* More input; false at its end. */
static bool
wire_fill(struct wire *wire)
{
	size_t n = 0;

	memmove(wire->in, wire->in + wire->start, wire->end - wire->start);
	wire->end -= wire->start;
	wire->start = 0;
	if (wire->end == sizeof wire->in)
		die("a line without end");
	if (wire->ssl != NULL) {
		if (SSL_read_ex(wire->ssl, wire->in + wire->end,
			sizeof wire->in - wire->end, &n) != 1)
			return false;
	} else {
		ssize_t got = recv(wire->fd, wire->in + wire->end,
		    sizeof wire->in - wire->end, 0);
		if (got <= 0)
			return false;
		n = (size_t)got;
	}
	wire->end += n;
	return true;
}

/* A line without its end, until the next call; NULL where the line ended. */
static const char *
wire_line(struct wire *wire)
{
	for (;;) {
		char *line = wire->in + wire->start;
		char *lf = memchr(line, '\n', wire->end - wire->start);
		if (lf != NULL) {
			*lf = '\0';
			if (lf > line && lf[-1] == '\r')
				lf[-1] = '\0';
			wire->start = (size_t)(lf + 1 - wire->in);
			return line;
		}
		if (!wire_fill(wire))
			return NULL;
	}
}

static void
expect_reply(struct wire *wire)
{
	const char *line;

	do {
		line = wire_line(wire);
		if (line == NULL)
			die("the line ended instead of a reply");
		if (line[0] != '2' && line[0] != '3')
			die("not taken: %s", line);
	} while (strlen(line) > 3 && line[3] == '-');
}

static void
send_lockstep(struct wire *wire, const struct job *job)
{
	wire_text(wire, mail);
	expect_reply(wire);
	wire_text(wire, rcpt);
	expect_reply(wire);
	wire_text(wire, "DATA\r\n");
	expect_reply(wire);
	wire_write(wire, job->text, job->octets + sizeof final_dot - 1);
	expect_reply(wire);
}

/* As Postfix does. */
static void
send_pipelined(struct wire *wire, const struct job *job)
{
	char group[sizeof mail + sizeof rcpt + 16];

	snprintf(group, sizeof group, "%s%sDATA\r\n", mail, rcpt);
	wire_text(wire, group);
	for (int i = 0; i < 3; i++)
		expect_reply(wire);
	wire_write(wire, job->text, job->octets + sizeof final_dot - 1);
	expect_reply(wire);
}

/* Envelope and text in one go, in two writes that the kernel may join. */
static void
send_bdat(struct wire *wire, const struct job *job)
{
	char group[sizeof mail + sizeof rcpt + 64];
	const int on = 1, off = 0;

	snprintf(group, sizeof group, "%s%sBDAT %zu LAST\r\n", mail, rcpt,
	    job->octets);
	setsockopt(wire->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
	wire_text(wire, group);
	wire_write(wire, job->text, job->octets);
	setsockopt(wire->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
	for (int i = 0; i < 3; i++)
		expect_reply(wire);
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The client of the SMTP server at the other end. */
static void
send_messages(struct wire *wire, const struct job *job)
{
	expect_reply(wire);
	wire_text(wire, "EHLO bench.example.net\r\n");
	expect_reply(wire);
	double begun = seconds_now();
	for (unsigned long i = 0; i < job->count; i++)
		switch (job->mode) {
		case LOCKSTEP:
			send_lockstep(wire, job);
			break;
		case PIPELINED:
			send_pipelined(wire, job);
			break;
		case BDAT:
			send_bdat(wire, job);
			break;
		}
	printf("%.6f\n", seconds_now() - begun);
	fflush(stdout);
	wire_text(wire, "QUIT\r\n");
	expect_reply(wire);
}

static bool
is_verb(const char *line, const char *verb)
{
	return strncasecmp(line, verb, strlen(verb)) == 0;
}

/* Any mechanism, any secret. */
static void
log_in(struct wire *wire, const char *line)
{
	static const char challenge[] = "334 PDFAYmVuY2guZXhhbXBsZS5uZXQ+\r\n";
	bool challenged = is_verb(line, "AUTH CRAM-MD5");

	if (challenged)
		wire_text(wire, challenge);
	if (challenged && wire_line(wire) == NULL)
		die("the customer left inside AUTH");
	wire_text(wire, "235 2.7.0 welcome\r\n");
}

/* true: the connection is turned. */
static bool
greet_customer(struct wire *wire, bool has_mail)
{
	const char *line;

	wire_text(wire, "220 bench.example.net ODMR\r\n");
	while ((line = wire_line(wire)) != NULL) {
		if (is_verb(line, "EHLO")) {
			wire_text(wire, "250-bench.example.net\r\n"
					"250-AUTH CRAM-MD5 PLAIN\r\n"
					"250 ATRN\r\n");
		} else if (is_verb(line, "AUTH")) {
			log_in(wire, line);
		} else if (is_verb(line, "ATRN")) {
			if (has_mail) {
				wire_text(wire, "250 turning\r\n");
				return true;
			}
			wire_text(wire, "453 no mail\r\n");
		} else if (is_verb(line, "QUIT")) {
			wire_text(wire, "221 bye\r\n");
			return false;
		} else {
			wire_text(wire, "502 not here\r\n");
		}
	}
	return false;
}

static _Noreturn void
serve(SSL_CTX *tls, const struct job *job)
{
	static struct wire wire;
	int listener = listen_anywhere();

	for (bool has_mail = job->count > 0;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			die("cannot accept: %s", strerror(errno));
		wire_open(&wire, fd, tls);
		if (greet_customer(&wire, has_mail)) {
			send_messages(&wire, job);
			has_mail = false;
		}
		wire_close(&wire);
	}
}

static void
send_directly(const char *host, const char *port, const struct job *job)
{
	static struct wire wire;
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		die("no such host: %s", host);
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
		die("cannot connect to %s: %s", host, strerror(errno));
	freeaddrinfo(found);
	wire_open(&wire, fd, NULL);
	send_messages(&wire, job);
	wire_close(&wire);
}

/* TLS 1.3 and nothing else, so that runs can be compared. */
static SSL_CTX *
make_tls(const char *certificate, const char *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (tls == NULL ||
	    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		die("cannot use %s and %s", certificate, key);
	return tls;
}

/* Lines as mail has them, ended by CRLF. */
static char *
make_text(size_t octets, const char *line)
{
	static const char head[] = "From: bench@example.net\r\n"
				   "Subject: bench\r\n\r\n";
	char *text = malloc(octets + sizeof final_dot);
	size_t len = strlen(line);

	if (text == NULL || octets < sizeof head + 2)
		die("a message of %zu octets cannot be", octets);
	memcpy(text, head, sizeof head - 1);
	for (size_t at = sizeof head - 1; at < octets; at++)
		text[at] = line[(at - sizeof head + 1) % len];
	memcpy(text + octets - 4, "--\r\n", 4);
	memcpy(text + octets, final_dot, sizeof final_dot);
	return text;
}

static enum mode
mode_of(const char *name)
{
	static const char *const names[] = {"lockstep", "pipelined", "bdat"};

	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum mode)i;
	die("no such mode: %s", name);
}

int
main(int argc, char **argv)
{
	bool tls = argc > 1 && strcmp(argv[1], "-t") == 0;
	bool directly = argc > 1 && strcmp(argv[1], "-d") == 0;
	int first = tls || directly ? 4 : 1;
	bool coded =
	    argc == first + 4 && strcmp(argv[first + 3], "base64") == 0;

	if (argc != first + 3 && !coded)
		die("usage: provider [-t CERT KEY | -d HOST PORT] MODE COUNT "
		    "OCTETS [base64]");
	signal(SIGPIPE, SIG_IGN);
	struct job job = {
	    .mode = mode_of(argv[first]),
	    .count = strtoul(argv[first + 1], NULL, 10),
	    .octets = strtoul(argv[first + 2], NULL, 10),
	};
	job.text = make_text(job.octets, coded ? base64 : prose);
	if (directly)
		send_directly(argv[2], argv[3], &job);
	else
		serve(tls ? make_tls(argv[2], argv[3]) : NULL, &job);
	free(job.text);
	return 0;
}
