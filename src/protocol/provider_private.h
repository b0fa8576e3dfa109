/*
 * provider_private - what the sources of protocol/provider share.
 *
 * provider.c has the interface, the input and the answers of the driver,
 * provider_commands.c what each command does.
 */
#ifndef ODMR_PROTOCOL_PROVIDER_PRIVATE_H
#define ODMR_PROTOCOL_PROVIDER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "protocol/limits.h"
#include "protocol/provider.h"

enum provider_state {
	STATE_COMMAND, /* a command is next */
	STATE_TLS, /* the handshake is next */
	STATE_RESPONSE, /* a line of the exchange is next */
	STATE_LOGIN, /* the driver owes a challenge or the outcome */
	STATE_HELD, /* the driver owes the reply to ATRN */
	STATE_TURNED,
	STATE_CLOSED,
};

enum {
	/* Replies that are not written yet before input waits: a challenge in
	 * base64, and an EHLO reply beside it. */
	OUTPUT_HELD = 1024,
	OUTPUT_MAX = 2 * PROVIDER_LINE_MAX,
	/* Domains that one line can name: two octets and a comma each. */
	DOMAINS_MAX = PROVIDER_LINE_MAX / 4,
	EVENTS_MAX = 2,
};

struct provider {
	struct provider_options options;
	enum provider_state state;
	bool secure, logged_in, greeted;
	bool eof, close_told;
	enum provider_end end;
	const char *reason;
	unsigned errors, tries, idle;
	char mechanism[32]; /* the longest that there is has 20 octets */

	struct provider_event events[EVENTS_MAX];
	size_t event_count, event_next;
	char response[PROVIDER_RESPONSE_MAX];
	char names[PROVIDER_LINE_MAX]; /* of ATRN, cut at the commas */
	const char *domains[DOMAINS_MAX];

	struct buf output;
	size_t in_len;
	char in[PROVIDER_LINE_MAX];
};

/* A line of output, without its CRLF. */
void provider_say(struct provider *p, const char *line);
void provider_reply(struct provider *p, int code, const char *enhanced,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* To what no customer says; too many of them end the connection. */
void provider_complain(
    struct provider *p, int code, const char *enhanced, const char *text);
/* After a command that brings the customer no further; too many of them end the
 * connection. */
void provider_count_idle(struct provider *p);
/* 421, and the end; reason is a string that lives as long as the program. */
void provider_break_off(struct provider *p, const char *reason);
void provider_close_down(
    struct provider *p, enum provider_end end, const char *reason);
/* An event that provider_next() is to give out; to be filled in. */
struct provider_event *provider_emit(
    struct provider *p, enum provider_event_type type);

/* A command line without its end; it is cut into words. */
void provider_run_command(struct provider *p, char *line);
/* A line of an exchange of AUTH. */
void provider_run_response(struct provider *p, const char *line);

#endif
