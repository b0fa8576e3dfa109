/*
 * dovecot - Dovecot's auth service, asked as a client of it.
 *
 * The protocol of auth-client sockets, version 1, as Dovecot 2.3 and 2.4 speak
 * it: lines of fields with tabs between them. Dovecot has the mechanisms and
 * the passwords; what the customer says goes through in base64.
 */
#ifndef ODMR_PROVIDER_DOVECOT_H
#define ODMR_PROVIDER_DOVECOT_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct deadline;
struct dovecot;
struct error;

/*
 * Connects and reads what the service offers, within seconds. NULL: it is not
 * there, or is something else. Errors: ERROR_LOCAL, ERROR_AGAIN, ERROR_STOPPED.
 */
struct dovecot *dovecot_open(const char *path, struct error *err)
    __attribute__((warn_unused_result));
void dovecot_free(struct dovecot *dovecot);
/* No answer is awaited beyond that, which is borrowed. */
void dovecot_set_limit(struct dovecot *dovecot, const struct deadline *limit);
/* The mechanisms by blanks, without those that need a channel binding or let
 * anybody in. */
void dovecot_mechanisms(const struct dovecot *dovecot, char *out, size_t size);

struct dovecot_request {
	const char *mechanism;
	const char *peer_addr, *local_addr;
	const char *response; /* the first one; NULL: none was sent */
	size_t response_len;
};

enum dovecot_reply {
	DOVECOT_CONTINUE, /* out has the challenge */
	DOVECOT_GOOD,
	DOVECOT_BAD,
	DOVECOT_LATER, /* a failure of the service; err says which */
};

/* The request, and each response to a challenge. Errors: ERROR_LOCAL,
 * ERROR_AGAIN, ERROR_STOPPED. */
enum dovecot_reply dovecot_begin(struct dovecot *dovecot,
    const struct dovecot_request *request, struct buf *out, struct error *err);
enum dovecot_reply dovecot_respond(struct dovecot *dovecot,
    const char *response, size_t len, struct buf *out, struct error *err);
/* The exchange under way is forgotten. */
void dovecot_cancel(struct dovecot *dovecot);
/* The user that the last answer named; "" where it named none. */
const char *dovecot_user(const struct dovecot *dovecot);

#endif
