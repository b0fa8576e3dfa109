/*
 * customer - our dialogue with the provider, from greeting to turn.
 *
 * RFC 2645 5.1 and 5.2, RFC 3207, RFC 4954, as a pure machine: bytes in, bytes
 * and events out, no descriptor, no clock. EOF is input as well. Only 250 to
 * ATRN turns the connection; the octets behind it belong to the receiver.
 * Everything learnt before TLS is forgotten. A reply that nobody asked for
 * ends it.
 */
#ifndef ODMR_PROTOCOL_CUSTOMER_H
#define ODMR_PROTOCOL_CUSTOMER_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/outcome.h"
#include "protocol/sasl.h"

struct customer;
struct transcript;

enum {
	/* RFC 2645 5.2.1, RFC 5321 4.5.3.1.4: 512 less "ATRN " and CRLF. */
	CUSTOMER_DOMAINS_MAX = 505,
};

enum customer_tls { CUSTOMER_STARTTLS, CUSTOMER_IMPLICIT, CUSTOMER_CLEAR };

/* Borrowed for the life of the customer. */
struct customer_options {
	const char *hostname; /* for EHLO: a name or an address literal */
	enum customer_tls tls;
	const char *host; /* the provider as configured, for messages */
	unsigned port;
	const char *user; /* NULL where there is none */
	const struct secret *password; /* NULL where there is none */
	const struct secret *token; /* NULL where there is none */
	bool certificate; /* we have a client certificate to show */
	/* The only ones allowed, NULL behind the last; NULL: the default. */
	const char *const *mechanisms;
	const char *random; /* a nonce, SASL_NONCE_MIN octets or more */
	/* The best mechanism that this provider ever offered; NULL: unknown */
	const char *best_before;
	bool refuse_downgrade; /* never use a weaker one than was offered */
	const char *domains; /* parameter of ATRN; NULL or "": none */
	bool check_only; /* log in, then QUIT without ATRN */
	struct transcript *transcript;
};

enum customer_event_type {
	CUSTOMER_START_TLS, /* shake hands now, then customer_tls_started() */
	CUSTOMER_DONE, /* the outcome stands; go on a little, to say QUIT */
	CUSTOMER_CLOSE, /* nothing more is to come: close */
};

/* Copies the name and data of sasl.h; type NULL: TLS cannot be bound. */
struct customer_binding {
	const char *type; /* a string that lives as long as the program */
	unsigned char data[SASL_BINDING_MAX];
	size_t len;
};

struct customer *customer_new(const struct customer_options *options);
void customer_free(struct customer *customer);

/* Input: read straight into the room, then say how much came. */
char *customer_room(struct customer *customer, size_t *room);
void customer_filled(struct customer *customer, size_t len);
void customer_eof(struct customer *customer);

/* The next event; false: it wants output written, or input. */
bool customer_next(struct customer *customer, enum customer_event_type *event);
/*
 * TLS is up: answers CUSTOMER_START_TLS, and with CUSTOMER_IMPLICIT comes
 * before anything else.
 */
void customer_tls_started(
    struct customer *customer, const struct customer_binding *binding);
const struct customer_outcome *customer_outcome(
    const struct customer *customer);
/* ATRN was said, and its reply is waited for. */
bool customer_is_asking(const struct customer *customer);
/* What it is waiting for, for an error message: "the reply to EHLO". */
const char *customer_waits_for(const struct customer *customer);

/* Output: what is to be written, then say how much was. */
const char *customer_output(struct customer *customer, size_t *len);
void customer_written(struct customer *customer, size_t len);
/* After CUSTOMER_TURNED: the octets behind the 250, for the receiver. */
const char *customer_rest(const struct customer *customer, size_t *len);

#endif
