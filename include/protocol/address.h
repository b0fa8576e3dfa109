/*
 * address - a reverse path or forward path of RFC 5321 4.1.2, parsed once.
 *
 * The one parsed form is what the relay guard, the routes, the deliveries, the
 * ledger and the log use. Source routes are taken off (4.1.1.3), needless
 * quotes too, so that "abc"@x and abc@x are one mailbox, and a dot at the end
 * of the domain. What may be beyond ASCII, protocol/international says; whether
 * SMTPUTF8 was asked for, which that needs, is for the caller to look at.
 *
 * More is accepted than the RFC allows, as MTAs do, since a syntax error
 * bounces the message: local parts of any length (4.5.3.1.1 says 64; VERP and
 * SRS need more) and with dots anywhere, no domain, no angle brackets. Whether
 * there is such a mailbox, the delivery knows.
 */
#ifndef ODMR_PROTOCOL_ADDRESS_H
#define ODMR_PROTOCOL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	ADDRESS_DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1.2 */
	/* Twice the 512 octets of a command line (4.5.3.1.4), about: three
	 * domains rewritten into one local part fit, and an envelope of 1000
	 * recipients stays at a megabyte. */
	ADDRESS_MAX = 1000,
};

struct path {
	/* As it is passed on, without <>; "" is the null reverse path. */
	char mailbox[ADDRESS_MAX + 1];
	size_t local_len; /* octets of mailbox before the '@' */
	bool quoted; /* the local part needs its quotes and has them */
};

enum path_result { PATH_OK, PATH_SYNTAX, PATH_NON_ASCII, PATH_TOO_LONG };

/*
 * Parses a path at text, of at most len octets, "<...>" included where it is
 * there. *used gets the octets it took; what may stand behind them is for the
 * caller to say. "<>" gives mailbox "".
 */
enum path_result path_parse(
    struct path *path, const char *text, size_t len, size_t *used);
/* The domain or address literal, "" where there is none; inside the path. */
const char *path_domain(const struct path *path);
/* Gives a path without domain this one; NULL leaves it as it is. */
void path_complete(struct path *path, const char *domain);
/* No octet of it is beyond ASCII: no SMTPUTF8 is needed for it. */
bool path_is_ascii(const struct path *path);
/* The local part needs no quotes, has no '%' or '!', no '/' beside dots that a
 * dot-string of RFC 5321 4.1.2 does not have, and does not begin with '-', '/'
 * or '|': safe where an MTA may read more into it. */
bool path_is_plain(const struct path *path);
/* A domain of RFC 2645 5.2.1: two labels or more, letters, digits, hyphens. */
bool address_is_domain(const char *text);

#endif
