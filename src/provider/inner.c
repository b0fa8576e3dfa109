/* SPDX-License-Identifier: ISC */
#include "provider/inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/digest.h"
#include "base/error.h"

enum {
	/* Postfix opens one connection for each account at a time. */
	QUEUE = 1024,
	REFUSAL_MAX = 300,
	/* 127.64.0.0/10: far from what anybody uses by hand. */
	NET = 0x7f400000,
	HOST_MASK = 0x003fffff,
};

struct in_addr
inner_address(const char *account)
{
	unsigned char digest[DIGEST_SIZE];
	uint32_t host = 0;

	digest_octets(digest, account, strlen(account));
	memcpy(&host, digest, sizeof host);
	host = ntohl(host) & HOST_MASK;
	/* .0 and .255 are addresses like others, and read like mistakes. */
	if ((host & 0xff) == 0 || (host & 0xff) == 0xff)
		host ^= 1;
	return (struct in_addr){.s_addr = htonl(NET | host)};
}

void
inner_format(char out[static INNER_DESTINATION_SIZE], struct in_addr address,
    uint16_t port)
{
	char text[INET_ADDRSTRLEN];

	snprintf(out, INNER_DESTINATION_SIZE, "[%s]:%u",
	    inet_ntop(AF_INET, &address, text, sizeof text), port);
}

unsigned
inner_free_from(void)
{
	FILE *file =
	    fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	char text[DECIMAL_SIZE] = "";
	uint64_t port;

	if (file != NULL) {
		if (fgets(text, sizeof text, file) != NULL)
			text[strcspn(text, "\n")] = '\0';
		fclose(file);
	}
	return decimal_read(text, UINT16_MAX + 1, &port) ? (unsigned)port
							 : IPPORT_RESERVED;
}

int
inner_listen(uint16_t port, struct error *err)
{
	static const char device[] = "lo";
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* Without the device nothing but 127.0.0.0/8 is served all the same;
	 * see inner_accept(). */
	if (fd >= 0) {
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof device);
	}
	if (fd >= 0 &&
	    bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
	    listen(fd, QUEUE) == 0)
		return fd;
	error_set_errno(err, ERROR_SYSTEM, errno,
	    "cannot listen on port %u of the loopback device", port);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Asks the kernel for one connection. */
static bool
ask_owner(int netlink, const struct sockaddr_in *there,
    const struct sockaddr_in *here, uid_t *uid)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} ask = {
	    .header = {.nlmsg_len = sizeof ask,
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST},
	    .request = {.sdiag_family = AF_INET,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = UINT32_MAX,
		.id = {.idiag_sport = there->sin_port,
		    .idiag_dport = here->sin_port,
		    .idiag_src = {there->sin_addr.s_addr},
		    .idiag_dst = {here->sin_addr.s_addr},
		    .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
	};
	union {
		struct nlmsghdr header;
		char octets[1024];
	} answer;

	if (send(netlink, &ask, sizeof ask, 0) != (ssize_t)sizeof ask)
		return false;
	ssize_t len = recv(netlink, &answer, sizeof answer, 0);
	if (len < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) ||
	    answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return false;
	struct inet_diag_msg found;
	memcpy(&found, NLMSG_DATA(&answer.header), sizeof found);
	*uid = found.idiag_uid;
	return true;
}

/* The owner of the other end of a TCP connection within this host, or of the
 * socket that listens there. */
static bool
find_owner(
    const struct sockaddr_in *there, const struct sockaddr_in *here, uid_t *uid)
{
	int netlink =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (netlink < 0)
		return false;
	bool found = ask_owner(netlink, there, here, uid);
	close(netlink);
	return found;
}

static bool
listen_somewhere(int listener, struct sockaddr_in *address)
{
	socklen_t len = sizeof *address;

	*address = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return listener >= 0 &&
	       bind(listener, (struct sockaddr *)address, len) == 0 &&
	       listen(listener, 1) == 0 &&
	       getsockname(listener, (struct sockaddr *)address, &len) == 0;
}

/* A socket that listens has an owner, too: no connection is needed, which
 * somebody's firewall could keep waiting. */
bool
inner_can_verify(struct error *err)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address;
	uid_t uid;
	bool known = false;

	if (!listen_somewhere(listener, &address))
		error_set_errno(err, ERROR_SYSTEM, errno,
		    "cannot try whether the kernel says which user it is that"
		    " connects to inner_port");
	else if (find_owner(&address, &address, &uid))
		known = true;
	else
		error_set(err, ERROR_SYSTEM,
		    "the kernel does not say which user it is that connects to"
		    " inner_port, so that Postfix is refused there like anybody"
		    " else, and no customer gets mail: load its modules"
		    " inet_diag and tcp_diag by `modprobe tcp_diag`, write"
		    " tcp_diag into /etc/modules-load.d/odmr-provider.conf for"
		    " the next boot (on the host, where this is a container),"
		    " and let the unit have AF_NETLINK"
		    " (RestrictAddressFamilies=)");
	if (listener >= 0)
		close(listener);
	return known;
}

int
inner_accept(int listener, struct in_addr *address, uid_t *uid)
{
	struct sockaddr_in there = {.sin_family = AF_INET}, here = there;
	socklen_t len = sizeof there;

	int fd = accept4(listener, (struct sockaddr *)&there, &len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return -1;
	len = sizeof here;
	*uid = INNER_UNKNOWN;
	*address = (struct in_addr){.s_addr = 0};
	if (getsockname(fd, (struct sockaddr *)&here, &len) != 0)
		return fd;
	*address = here.sin_addr;
	if (ntohl(here.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET &&
	    !find_owner(&there, &here, uid))
		*uid = INNER_UNKNOWN;
	return fd;
}

bool
inner_is_gone(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) > 0;
}

void
inner_refuse(int fd, const char *hostname, const char *text)
{
	char line[REFUSAL_MAX];

	int len =
	    snprintf(line, sizeof line, "421 4.3.2 %s %s\r\n", hostname, text);
	if (len > 0 && len < (int)sizeof line)
		(void)!send(fd, line, (size_t)len, MSG_NOSIGNAL);
	close(fd);
}
