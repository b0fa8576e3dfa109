/*
 * users_private - what the sources of provider/users share.
 *
 * users.c has the file, users_invent.c whom it does not have.
 */
#ifndef ODMR_PROVIDER_USERS_PRIVATE_H
#define ODMR_PROVIDER_USERS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct users_secret;

enum {
	USERS_NEW_SALT = 16, /* octets, as RFC 5802 examples have */
};

/* What the line begins with that users_invent() goes by; a comment for others. */
#define USERS_SEED "#seed:"

/* The next line of what is left, without its end; NULL: none. */
const char *users_next_line(const char **rest, const char *end, size_t *len);
/* Neither a comment nor empty. */
bool users_is_line(const char *line, size_t len);
/* The line with the seed, and its length; NULL: there is none. */
const char *users_find_seed(const struct buf *content, size_t *len);
/* What stands behind the name and its colon. false: it is no secret. */
bool users_parse_secret(
    const char *text, size_t len, struct users_secret *secret);
/*
 * A secret that is nobody's, of a kind that the file has, as often as it has it:
 * whether there are keys, and after how many iterations, would else tell who has
 * a line of his own.
 */
void users_invent(
    struct users_secret *secret, const char *user, const struct buf *content);

#endif
