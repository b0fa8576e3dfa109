/*
 * customer_private - what the sources of protocol/customer share.
 *
 * customer.c is the engine that the driver sees, customer_states.c has a state
 * for each step of the dialogue: what it sends, and what the reply leads to.
 */
#ifndef ODMR_PROTOCOL_CUSTOMER_PRIVATE_H
#define ODMR_PROTOCOL_CUSTOMER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "protocol/customer.h"
#include "protocol/login.h"
#include "protocol/reply.h"

enum {
	CUSTOMER_COMMAND_MAX = 512, /* RFC 5321 4.5.3.1.4, CRLF included */
};

struct customer_state {
	const char *waits_for;
	size_t line_max; /* of a line of the reply */
	void (*send)(struct customer *); /* NULL: the provider speaks */
	void (*on_reply)(struct customer *); /* NULL: there is none */
};

struct customer {
	struct customer_options options;
	const struct customer_state *state;
	struct customer_outcome outcome;
	struct login *login;
	struct reply reply;
	struct buf in, out;
	bool eof;
	bool secured; /* TLS is up */
	bool tls_asked, done_told, close_told; /* the events given so far */
};

/* Where a dialogue begins, waits for TLS, asks for the turn, and ends. */
extern const struct customer_state customer_greeting, customer_handshake,
    customer_atrn, customer_closed;

/* The one place where the state changes. */
void customer_enter(
    struct customer *customer, const struct customer_state *state);

#endif
