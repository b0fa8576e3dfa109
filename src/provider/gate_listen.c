/* SPDX-License-Identifier: ISC */
/*
 * The sockets on which customers and Postfix come in.
 */
#include "gate_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "provider/inner.h"
#include "provider/provider_config.h"
#include "tell/log.h"

enum {
	QUEUE = 128, /* the kernel's own limit is often higher */
	FIRST_PASSED = 3, /* sd_listen_fds(3) */
	LOG_EVERY_MS = 60 * 1000,
	ACCEPT_PAUSE_MS = 1000,
};

/* An address of either family; ports in host order. */
struct end {
	struct in6_addr address; /* IPv4 mapped (RFC 4291 2.5.5.2) */
	uint16_t port;
	char text[INET6_ADDRSTRLEN];
};

static void
read_end(const struct sockaddr_storage *from, struct end *end)
{
	memset(end, 0, sizeof *end);
	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;
		end->address = in6->sin6_addr;
		end->port = ntohs(in6->sin6_port);
	} else if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;
		end->address.s6_addr[10] = end->address.s6_addr[11] = 0xff;
		memcpy(&end->address.s6_addr[12], &in->sin_addr, 4);
		end->port = ntohs(in->sin_port);
	}
	if (IN6_IS_ADDR_V4MAPPED(&end->address))
		inet_ntop(AF_INET, &end->address.s6_addr[12], end->text,
		    sizeof end->text);
	else
		inet_ntop(AF_INET6, &end->address, end->text, sizeof end->text);
}

/* Our end of a connection, or of a socket that listens. */
static bool
read_own_end(int fd, struct end *end)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return false;
	read_end(&address, end);
	return true;
}

static void
add_listener(struct gate *gate, int fd, const struct provider_listen *listen)
{
	gate->listeners[gate->listeners_count++] = (struct listener){.fd = fd,
	    .port = listen->port,
	    .implicit_tls = listen->implicit_tls};
}

/* The entry of the configuration for a port; NULL: there is none. */
static const struct provider_listen *
find_port(const struct provider_config *config, unsigned port)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listen[i].port == port)
			return &config->listen[i];
	return NULL;
}

/* A socket that systemd made; it may stand for several entries of the same
 * port, as [::] does for both kinds of IP. */
static void
take_passed(struct gate *gate, int fd)
{
	const struct provider_listen *listen = NULL;
	struct end end = {.port = 0};

	if (read_own_end(fd, &end))
		listen = find_port(gate->config, end.port);
	if (listen == NULL || gate->listeners_count == PROVIDER_LISTEN_MAX) {
		log_say(CONFIG_LOG_WARNING, NULL, "listen",
		    "systemd listens on port %u, which is neither in \"listen\""
		    " nor in \"listen_tls\": nobody is served there",
		    end.port);
		return;
	}
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	add_listener(gate, fd, listen);
}

/* sd_listen_fds(3) */
static void
take_all_passed(struct gate *gate)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	uint64_t number, count;

	if (pid == NULL || fds == NULL ||
	    !decimal_read(pid, INT_MAX, &number) || (pid_t)number != getpid() ||
	    !decimal_read(fds, INT_MAX - FIRST_PASSED, &count))
		return;
	for (int fd = FIRST_PASSED; fd < FIRST_PASSED + (int)count; fd++)
		take_passed(gate, fd);
}

static bool
has_port(const struct gate *gate, size_t count, unsigned port)
{
	for (size_t i = 0; i < count; i++)
		if (gate->listeners[i].port == port)
			return true;
	return false;
}

static int
bind_socket(const struct provider_listen *to, struct error *err)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST,
	    .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char port[8];
	int one = 1, fd = -1;

	snprintf(port, sizeof port, "%u", to->port);
	if (getaddrinfo(to->address, port, &hints, &found) == 0)
		fd = socket(found->ai_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		/* 0.0.0.0 has a socket of its own. */
		if (found->ai_family == AF_INET6)
			(void)setsockopt(
			    fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
		if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
		    listen(fd, QUEUE) != 0) {
			int errnum = errno;
			close(fd);
			errno = errnum;
			fd = -1;
		}
	}
	if (fd < 0)
		error_set_errno(err, ERROR_SYSTEM, errno,
		    "cannot listen on %s, port %u", to->address, to->port);
	if (found != NULL)
		freeaddrinfo(found);
	return fd;
}

bool
gate_listen(struct gate *gate, struct error *err)
{
	const struct provider_config *config = gate->config;

	take_all_passed(gate);
	size_t passed = gate->listeners_count;
	for (size_t i = 0; i < config->listen_count; i++) {
		if (has_port(gate, passed, config->listen[i].port))
			continue;
		int fd = bind_socket(&config->listen[i], err);
		if (fd < 0)
			return false;
		add_listener(gate, fd, &config->listen[i]);
	}
	gate->inner = inner_listen((uint16_t)config->inner_port, err);
	return gate->inner >= 0;
}

/*
 * Who comes in
 */

bool
gate_may_log(struct repeated *repeated, unsigned long *others)
{
	*others = repeated->unsaid;
	if (clock_ms() < repeated->next) {
		repeated->unsaid++;
		return false;
	}
	repeated->next = clock_ms() + LOG_EVERY_MS;
	repeated->unsaid = 0;
	return true;
}

/* What the administrator can do. */
static const char *
remedy(int errnum)
{
	switch (errnum) {
	case EMFILE:
		return "raise LimitNOFILE= of the service";
	case ENFILE:
		return "raise fs.file-max by sysctl";
	case EAGAIN: /* of fork(2) */
		return "raise TasksMax= of the service";
	default:
		return "the system is short of memory";
	}
}

void
gate_lacks(struct gate *gate, const char *what)
{
	int errnum = errno;
	unsigned long others;

	if (gate_may_log(&gate->short_of_means, &others))
		log_say(CONFIG_LOG_ERROR, NULL, "start",
		    "cannot serve %s: %s; %s (%lu more before)", what,
		    strerror(errnum), remedy(errnum), others);
}

/* Without descriptors or memory the connection waits, and would wake us at
 * once again. */
static void
on_accept_failed(struct gate *gate)
{
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
	    errno != ENOMEM)
		return;
	gate_lacks(gate, "another connection");
	gate->accept_next = clock_ms() + ACCEPT_PAUSE_MS;
}

static void
turn_away(const struct gate *gate, int fd, bool implicit_tls)
{
	/* Under implicit TLS nobody could read a 421. */
	if (implicit_tls)
		close(fd);
	else
		inner_refuse(fd, gate->config->hostname, "is busy");
}

/* The last descriptors are Postfix', or those who are held would have no mail
 * where too many are. */
static bool
has_descriptors(const struct gate *gate)
{
	rlim_t used = GATE_DESCRIPTORS + gate->early_count;

	for (size_t i = 0; i < gate->calls_max; i++)
		used += gate->calls[i].pid != 0;
	return used < gate->descriptors_max;
}

/* Strangers must not keep customers out: neither many from one address, nor
 * many in all. */
static bool
is_let_in(struct gate *gate, const struct in6_addr *from, const char *peer)
{
	enum gate_crowd crowd = gate_crowd_for(gate, from);
	bool room =
	    crowd == GATE_CROWD_NONE || gate_crowd_make_room(gate, crowd, from);
	unsigned long others;

	if (crowd != GATE_CROWD_NONE && gate_may_log(&gate->crowded, &others))
		log_say(CONFIG_LOG_WARNING, NULL, "crowded",
		    "too many connections are not logged in: one from %s %s"
		    " (%lu more before)",
		    peer,
		    room ? "took the place of an older one" : "was refused",
		    others);
	return room;
}

void
gate_accept(struct gate *gate, const struct listener *listener)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof address;
	struct end there, here;

	int fd = accept4(listener->fd, (struct sockaddr *)&address, &len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		on_accept_failed(gate);
		return;
	}
	read_end(&address, &there);
	if (!read_own_end(fd, &here)) {
		close(fd);
		return;
	}
	if (!is_let_in(gate, &there.address, there.text)) {
		turn_away(gate, fd, listener->implicit_tls);
		return;
	}
	if (!has_descriptors(gate)) {
		errno = EMFILE;
		gate_lacks(gate, "another customer");
		turn_away(gate, fd, listener->implicit_tls);
		return;
	}
	gate_refresh_tls(gate);
	gate_start_call(gate, fd, listener->implicit_tls, &there.address,
	    there.text, here.text);
}

/* Where Postfix itself may be meant: that nobody gets mail must not look like a
 * curious user. */
static void
refuse_intruder(struct gate *gate, int fd, uid_t uid)
{
	unsigned long others;
	struct error err;

	close(fd);
	if (!gate_may_log(&gate->intruders, &others))
		return;
	if (uid != INNER_UNKNOWN)
		log_say(CONFIG_LOG_WARNING, NULL, "inner",
		    "a process of uid %ld was refused at the port for Postfix"
		    " (%lu more before)",
		    (long)uid, others);
	else if (!inner_can_verify(&err))
		log_say(CONFIG_LOG_ERROR, NULL, "inner", "%s", err.text);
	else
		gate->intruders.next = 0; /* It had gone: nothing to tell. */
}

void
gate_accept_inner(struct gate *gate)
{
	struct in_addr address;
	uid_t uid;

	int fd = inner_accept(gate->inner, &address, &uid);
	if (fd < 0) {
		on_accept_failed(gate);
		return;
	}
	if (uid != gate->postfix) {
		refuse_intruder(gate, fd, uid);
		return;
	}
	const struct provider_account *account =
	    provider_config_inner(gate->config, address);
	if (account == NULL)
		inner_refuse(fd, gate->config->hostname, "no such customer");
	else
		gate_connect(
		    gate, (long)(account - gate->config->accounts), fd);
}
