/*
 * command - one command line of SMTP, parsed (RFC 5321 4.1.1).
 *
 * Pure syntax: what may come when, and whether a size is too large, is for the
 * receiver to say.
 */
#ifndef ODMR_PROTOCOL_COMMAND_H
#define ODMR_PROTOCOL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"
#include "protocol/status.h"

enum command_verb {
	COMMAND_BDAT,
	COMMAND_DATA,
	COMMAND_EHLO,
	COMMAND_HELO,
	COMMAND_HELP,
	COMMAND_MAIL,
	COMMAND_NOOP,
	COMMAND_QUIT,
	COMMAND_RCPT,
	COMMAND_RSET,
	COMMAND_VRFY,
	COMMAND_UNIMPLEMENTED, /* known to RFCs, and not offered here: 502 */
	COMMAND_UNKNOWN,
};

/* A word of the line; text NULL: there is none. */
struct command_word {
	const char *text;
	size_t len;
};

struct command {
	enum command_verb verb;
	struct path path; /* MAIL, RCPT */
	uint64_t size; /* MAIL SIZE=, 0 without; huge ones are UINT64_MAX */
	bool eightbit; /* MAIL BODY=8BITMIME */
	bool prdr; /* MAIL PRDR */
	bool smtputf8; /* MAIL SMTPUTF8 */
	struct command_word ret, envid; /* MAIL (RFC 3461 4.3, 4.4) */
	struct command_word notify, orcpt; /* RCPT (RFC 3461 4.1, 4.2) */
	struct command_word dsn; /* the name of the first one of these four */
	uint64_t chunk; /* BDAT */
	bool last; /* BDAT ... LAST */
	const char *name; /* EHLO, HELO: into the line */
	size_t name_len;
};

/*
 * Parses line, len octets without CRLF. false: fault is the reply to send;
 * command->verb is right even then. RET and NOTIFY are values of RFC 3461 then,
 * ENVID and ORCPT any text.
 */
bool command_parse(struct command *command, const char *line, size_t len,
    struct status *fault) __attribute__((warn_unused_result));
/* Whether its path may be beyond ASCII, which smtputf8 of the transaction says
 * (RFC 6531 3.4); false: fault is the reply. MAIL is looked at already. */
bool command_path_allowed(const struct command *command, bool smtputf8,
    struct status *fault) __attribute__((warn_unused_result));
/* Whether it may have what it has of RET, ENVID, NOTIFY and ORCPT; false: fault
 * is the reply. */
bool command_dsn_allowed(const struct command *command, bool offered,
    struct status *fault) __attribute__((warn_unused_result));
/* The verb that line begins with, as far as it is there. */
enum command_verb command_verb(const char *line, size_t len);

#endif
