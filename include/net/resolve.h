/*
 * resolve - the addresses of a name, where a name server may answer by half.
 *
 * getaddrinfo(3) for both families waits until each is answered, 10 to 15 s
 * where a name server or a router passes over one of them in silence. Here it
 * has a short head start; then each family is asked for by itself, and one that
 * has answered is used. The look-ups run in threads, since nothing else ends
 * the wait for them in time; a thread whose answer is not needed any more ends
 * by itself, at the latest when its resolver gives up.
 */
#ifndef ODMR_NET_RESOLVE_H
#define ODMR_NET_RESOLVE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct deadline;
struct error;

enum { RESOLVE_MAX = 16 }; /* no deadline lasts for a try of more */

struct resolve_addresses {
	size_t count;
	char text[RESOLVE_MAX][INET6_ADDRSTRLEN]; /* the best first */
};

/*
 * family is AF_UNSPEC, AF_INET or AF_INET6. Link-local addresses are left out:
 * they mean nothing without an interface. Errors: ERROR_AGAIN, no address or no
 * answer in time; ERROR_STOPPED, ERROR_SYSTEM.
 */
bool resolve_name(const char *host, int family, const struct deadline *deadline,
    struct resolve_addresses *addresses, struct error *err)
    __attribute__((warn_unused_result));

#endif
