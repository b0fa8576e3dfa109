/*
 * dsn - the values of RET, ENVID, NOTIFY and ORCPT (RFC 3461 4).
 *
 * Pure syntax. They are handed on octet for octet, so nothing is decoded into
 * a copy: what a value says is for the delivery that took it over. What it
 * decodes to must be printable, since it ends in the header of a report (4.2,
 * 4.4).
 */
#ifndef ODMR_PROTOCOL_DSN_H
#define ODMR_PROTOCOL_DSN_H

#include <stdbool.h>
#include <stddef.h>

enum {
	DSN_ENVID_MAX = 100, /* octets as encoded, RFC 3461 4.4 */
	DSN_ORCPT_MAX = 500, /* with its type, RFC 3461 4.2 */
	DSN_NOTIFY_MAX = 21, /* "SUCCESS,FAILURE,DELAY", in any order */
};

/* Each takes the len octets behind the '='; case does not count. */
bool dsn_is_ret(const char *text, size_t len);
bool dsn_is_envid(const char *text, size_t len);
/* NEVER alone, or some of the others, each once. */
bool dsn_is_notify(const char *text, size_t len);
/* Of one that is good: a report of success is asked for. */
bool dsn_wants_success(const char *notify);
/*
 * Of two that are good, for one mailbox: all reports that one of them asks for; as
 * it came, where one of them asks for all of these. NULL is the same as FAILURE or
 * FAILURE,DELAY, as a server likes (RFC 3461 4.1).
 */
const char *dsn_notify_both(const char *one, const char *other);
/*
 * addr-type ';' address. smtputf8: its transaction has SMTPUTF8, so an address
 * of the type utf-8 may have characters beyond ASCII as they are (RFC 6533 3).
 */
bool dsn_is_orcpt(const char *text, size_t len, bool smtputf8);
/* Of one that is good: its type is rfc822, and it is ASCII. */
bool dsn_is_of_mailbox(const char *orcpt);

#endif
