/*
 * address - a reverse path or forward path of RFC 5321 4.1.2, parsed once.
 *
 * The one parsed form is what the relay guard, the routes, the deliveries, the
 * ledger and the log use. Source routes are taken off (4.1.1.3), needless
 * quotes too, so that "abc"@x and abc@x are one mailbox.
 */
#ifndef ODMR_PROTOCOL_ADDRESS_H
#define ODMR_PROTOCOL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	ADDRESS_LOCAL_MAX = 64, /* RFC 5321 4.5.3.1.1 */
	ADDRESS_DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1.2 */
	ADDRESS_MAX = ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX,
};

struct path {
	/* As it is passed on, without <>; "" is the null reverse path. */
	char mailbox[ADDRESS_MAX + 1];
	size_t local_len; /* octets of mailbox before the '@' */
	bool quoted; /* the local part needs its quotes and has them */
};

enum path_result { PATH_OK, PATH_SYNTAX, PATH_NON_ASCII, PATH_TOO_LONG };

/*
 * Parses a path at text, of at most len octets, "<...>" included. *used gets
 * the octets it took. A path without domain is only taken where its local part
 * is postmaster in any case (4.5.1); an empty one gives mailbox "".
 */
enum path_result path_parse(
    struct path *path, const char *text, size_t len, size_t *used);
/* The domain or address literal, "" where there is none; inside the path. */
const char *path_domain(const struct path *path);
/* Gives a path without domain this one; NULL leaves it as it is. */
void path_complete(struct path *path, const char *domain);
/* The local part is a dot-string of RFC 5321 4.1.2, without '%' and '!', and
 * does not begin with '-', '/' or '|': safe where an MTA may read more into
 * it. */
bool path_is_plain(const struct path *path);
/* A domain of RFC 2645 5.2.1: two labels or more, letters, digits, hyphens. */
bool address_is_domain(const char *text);

#endif
