/*
 * inner - the port on which Postfix reaches customers.
 *
 * One socket on the loopback device serves all accounts: each has an address of
 * its own in 127.0.0.0/8, which is the host itself on any Linux. Only processes
 * of one user get through, which the kernel is asked for (sock_diag(7)).
 */
#ifndef ODMR_PROVIDER_INNER_H
#define ODMR_PROVIDER_INNER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/* The address of an account, made from its name: always the same, and another
 * one for another name, but for a chance in four millions. */
struct in_addr inner_address(const char *account);
/* "[127.81.2.3]:336", as Postfix wants a destination. */
enum { INNER_DESTINATION_SIZE = 32 };
void inner_format(char out[static INNER_DESTINATION_SIZE],
    struct in_addr address, uint16_t port);

/* The first port that any user of this host may listen at: 1024, unless the
 * administrator or a container's runtime has set another one. */
unsigned inner_free_from(void);
/* Close-on-exec, not blocking. -1 where it cannot be. Errors: ERROR_SYSTEM. */
int inner_listen(uint16_t port, struct error *err)
    __attribute__((warn_unused_result));
/* Nobody's: the kernel does not say whose it is. */
#define INNER_UNKNOWN ((uid_t)-1)
/* Whether the kernel says whose a connection is. false: Postfix cannot be told
 * from anybody else; err says what to do. Errors: ERROR_SYSTEM. */
bool inner_can_verify(struct error *err) __attribute__((warn_unused_result));
/*
 * The next connection, close-on-exec and not blocking; -1: there is none now.
 * address: whom it is for. *uid: whose process is on the other end;
 * INNER_UNKNOWN where the kernel does not say, or it has gone again.
 */
int inner_accept(int listener, struct in_addr *address, uid_t *uid);
/* Postfix has given the connection up. It waits for the greeting, and says nothing
 * before: what can be read is the end. */
bool inner_is_gone(int fd);
/* Says 421 with the text, and closes: the mail stays in the queue. */
void inner_refuse(int fd, const char *hostname, const char *text);

#endif
