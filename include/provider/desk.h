/*
 * desk - one customer's connection, in a process of its own.
 *
 * Drives protocol/provider over net/stream: TLS, login, ATRN; holds the reply
 * to ATRN until Postfix connects or the time is over; then passes octets on
 * both ways until one side ends. It knows its own customer and nobody else.
 */
#ifndef ODMR_PROVIDER_DESK_H
#define ODMR_PROVIDER_DESK_H

#include <stdbool.h>

struct place;
struct provider_config;
struct tls_server;

struct desk_options {
	const struct provider_config *config;
	struct tls_server *tls;
	struct place *place;
	int fd; /* the customer's; taken */
	int gate; /* the end of note_pair(); taken */
	bool implicit_tls;
	const char *peer_addr, *local_addr; /* without ports */
};

/* Returns when the connection is over. */
void desk_run(const struct desk_options *options);

#endif
