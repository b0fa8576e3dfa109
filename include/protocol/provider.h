/*
 * provider - the SMTP server that a customer calls, from greeting to turn.
 *
 * RFC 2645 5, RFC 3207, RFC 4954 as a pure machine: octets in, octets and
 * events out; no descriptor, no clock, no log, no password. EHLO, STARTTLS,
 * AUTH, ATRN and QUIT are all it knows (RFC 2645 5.4). It lists AUTH under TLS
 * only. What was learnt before TLS is forgotten. After 250 to ATRN its work is
 * over: all that follows on the connection belongs to somebody else.
 */
#ifndef ODMR_PROTOCOL_PROVIDER_H
#define ODMR_PROTOCOL_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/status.h"

struct provider;
struct transcript;

enum {
	/* A line of AUTH with its CRLF (RFC 4954 4). Commands are shorter:
	 * RFC 5321 4.5.3.1.4 asks for 512 octets, EHLO and ATRN included. */
	PROVIDER_LINE_MAX = 12288,
	/* Octets of a decoded response. */
	PROVIDER_RESPONSE_MAX = PROVIDER_LINE_MAX / 4 * 3,
	/* RFC 4954 4 wants a limit of at least three failed tries. */
	PROVIDER_TRIES_MAX = 3,
	/* Commands that make no sense: no customer of ours is there. Logins that
	 * cannot be checked and domains of others count as well, since each has
	 * a line in the log. */
	PROVIDER_ERRORS_MAX = 10,
	/* EHLO, NOOP and RSET without a login or ATRN between them: as fast as
	 * they can be written, they would take a processor for a minute, and of
	 * one who is logged in for ever. */
	PROVIDER_IDLE_MAX = 100,
};

/* Borrowed for the life of the machine. */
struct provider_options {
	const char *hostname; /* our name in greeting and EHLO */
	bool implicit_tls; /* TLS is up before the greeting */
	/* For AUTH under TLS, by blanks, the strongest first; never empty. */
	const char *mechanisms;
	struct transcript *transcript;
};

enum provider_event_type {
	/* Once the output is written: shake hands, provider_tls_started(). */
	PROVIDER_START_TLS,
	/* AUTH: name and, with initial, the first response; to be answered by
	 * provider_challenge() or provider_logged_in(). */
	PROVIDER_AUTH,
	/* A response to the challenge; to be answered in the same way. */
	PROVIDER_RESPONSE,
	/* The customer gave the exchange up; it has its reply. */
	PROVIDER_CANCELLED,
	/* ATRN with these domains, none for all: provider_answer(). */
	PROVIDER_ATRN,
	/* The customer spoke, or went away, before ATRN was answered. The
	 * request is void. */
	PROVIDER_VOID,
	PROVIDER_CLOSE, /* write the output, then close */
};

/* Why the connection ends, at PROVIDER_CLOSE. */
enum provider_end {
	PROVIDER_OPEN,
	PROVIDER_QUIT,
	PROVIDER_EOF, /* the customer ended the connection without QUIT */
	PROVIDER_STOPPED, /* provider_stop() */
	PROVIDER_REFUSED, /* too many failed logins */
	PROVIDER_BROKEN, /* no customer would speak so; `reason` says how */
};

struct provider_event {
	enum provider_event_type type;
	/* AUTH: the mechanism in capitals. Lives until the next call. */
	const char *mechanism;
	/* AUTH: there was an initial response, which may be empty. */
	bool initial;
	/* AUTH with initial, RESPONSE: octets, base64 undone. */
	const char *response;
	size_t response_len;
	/* ATRN: names in lower case, as RFC 2645 5.2.1 has them. */
	const char *const *domains;
	size_t domains_count;
	enum provider_end end; /* CLOSE */
	const char *reason; /* CLOSE with PROVIDER_BROKEN: for the log */
};

enum provider_login {
	PROVIDER_LOGIN_GOOD, /* 235 */
	PROVIDER_LOGIN_BAD, /* 535: user or password */
	PROVIDER_LOGIN_LATER, /* 454: it cannot be said now */
	PROVIDER_LOGIN_UNABLE, /* 504: that mechanism is not offered */
	PROVIDER_LOGIN_MALFORMED, /* 501: the response is not the mechanism's */
};

struct provider *provider_new(const struct provider_options *options);
void provider_free(struct provider *provider);

/* Input: read straight into the room, then say how much came. NULL and *room
 * 0: the customer must be answered first. */
char *provider_room(struct provider *provider, size_t *room);
void provider_filled(struct provider *provider, size_t len);
void provider_eof(struct provider *provider);

/* The next event; false: it wants an answer, its output written, or input. */
bool provider_next(struct provider *provider, struct provider_event *event);
/* TLS is up, after PROVIDER_START_TLS. Everything before is forgotten. */
void provider_tls_started(struct provider *provider);
/* 334 with these octets (RFC 4954 4); at most PROVIDER_RESPONSE_MAX of them. */
void provider_challenge(
    struct provider *provider, const void *octets, size_t len);
/* Ends the exchange. After PROVIDER_TRIES_MAX that were BAD it is the end. */
void provider_logged_in(struct provider *provider, enum provider_login login);
/* The reply to ATRN. With 250 the machine is done: provider_turned(). */
void provider_answer(struct provider *provider, const struct status *status);
/* status, a 421, is said now and the connection ends, whatever is open. */
void provider_stop(struct provider *provider, const struct status *status);

/* Output: what is to be written, then say how much was. */
const char *provider_output(struct provider *provider, size_t *len);
void provider_written(struct provider *provider, size_t len);

/* ATRN was answered with 250. */
bool provider_is_turned(const struct provider *provider);

#endif
