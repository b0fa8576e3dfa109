/*
 * desk - one customer's connection, in a process of its own.
 *
 * Drives protocol/provider over net/stream: TLS, login, ATRN; holds the reply
 * to ATRN until Postfix connects or the time is over; then passes octets on
 * both ways until one side ends, or after a stop request until the customer has
 * answered what it was told. It knows its own customer and nobody else.
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

enum {
	/*
	 * After a stop request, for a customer whose connection is turned to
	 * finish a reply that Postfix waits for. The agent gives its deliveries
	 * as long; a reboot must not wait for longer, and services have 90 s by
	 * systemd's default. Without the reply a message may come twice.
	 */
	DESK_REPLY_MS = 60 * 1000,
	/* For all of the end: besides that, what was said last, and both
	 * connections. TimeoutStopSec= of the unit is longer. */
	DESK_STOP_MS = DESK_REPLY_MS + 15 * 1000,
};

/* Returns when the connection is over. */
void desk_run(const struct desk_options *options);

#endif
