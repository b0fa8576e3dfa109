/*
 * secret - a password or token, wiped when it is no longer needed.
 *
 * Never passed to a log, an argv or an environment.
 */
#ifndef ODMR_BASE_SECRET_H
#define ODMR_BASE_SECRET_H

#include <stddef.h>

/* The AUTH line of RFC 4954 4 has 12288 octets; base64 of this fits. */
enum { SECRET_MAX = 8192 };

struct secret {
	char *text; /* NUL-terminated, NULL when there is none */
	size_t len;
};

/* Copies len octets; what was in it is wiped first. */
void secret_set(struct secret *secret, const char *text, size_t len);
/*
 * Overwrites with '*' whatever in text repeats the secret, or six octets or
 * more of its beginning, for peers that quote what they did not understand.
 */
void secret_hide(const struct secret *secret, char *text, size_t len);
/* Wipes and frees; the secret is empty afterwards. */
void secret_clear(struct secret *secret);

#endif
