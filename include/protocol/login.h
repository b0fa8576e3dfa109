/*
 * login - the part of protocol/customer that logs in: which mechanism, and its
 * exchange (RFC 4954).
 *
 * The strongest mechanism comes first; 504 and 534 go on to the next one, and
 * nothing else does. Lines and replies in and out, no descriptor.
 */
#ifndef ODMR_PROTOCOL_LOGIN_H
#define ODMR_PROTOCOL_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

struct customer_binding;
struct customer_options;
struct customer_outcome;
struct login;
struct reply;
struct secret;

enum login_result {
	LOGIN_SEND, /* send login_line(), give the reply to login_reply() */
	LOGIN_DONE, /* we are who we say; the server as well, if it can show */
	LOGIN_CANCEL, /* failed; "*" ends the exchange (RFC 4954 4) */
	LOGIN_FAILED, /* the outcome says why */
};

enum { LOGIN_LINE_MAX = 12288 }; /* octets, CRLF included; RFC 4954 4 */

/* Both are borrowed; the outcome's offer is what may be used. */
struct login *login_new(
    const struct customer_options *options, struct customer_outcome *outcome);
/* Wipes what it knew. */
void login_free(struct login *login);
/* The connection is under verified TLS from here on. */
void login_secured(struct login *login, const struct customer_binding *binding);

/* Begins with the strongest mechanism; LOGIN_SEND or LOGIN_FAILED. */
enum login_result login_begin(struct login *login);
enum login_result login_reply(struct login *login, const struct reply *reply);
/* What is to be sent, with its CRLF; lives until the next call. */
const char *login_line(const struct login *login, size_t *len);
/* The same for a transcript, without CRLF and without secrets. */
const char *login_shown(const struct login *login);
/*
 * What a provider may quote of ours and nobody may see: element index of our
 * secrets, and of what we sent last. false: there are no more; none before the
 * first LOGIN_SEND. The element is borrowed until the next line.
 */
bool login_secret(
    const struct login *login, size_t index, struct secret *secret);

#endif
