/*
 * users - the file of user names and what is stored of their passwords.
 *
 * A line is NAME:SECRET; empty lines and lines that begin with '#' do not
 * count. SECRET is the keys of SCRAM-SHA-256, as `odmr-provider passwd` writes
 * them (SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER, in base64), or a hash of
 * crypt(3), which serves PLAIN and LOGIN only. The file is read at each login,
 * so that a change counts at once.
 */
#ifndef ODMR_PROVIDER_USERS_H
#define ODMR_PROVIDER_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "protocol/scram_server.h"

enum {
	/* Ten thousand users of 200 octets. */
	USERS_FILE_MAX = 2 << 20,
	USERS_SECRET_MAX = 512, /* keys have 200 octets, yescrypt 73 */
};

struct users_secret {
	bool has_keys; /* else there is only the hash */
	struct scram_keys keys;
	char hash[USERS_SECRET_MAX]; /* of crypt(3); "" where there are keys */
};

enum users_result {
	USERS_FOUND,
	USERS_UNKNOWN, /* the secret is invented */
	USERS_FAILED, /* err: the file cannot be read, or the line is wrong */
};

/* Before processes are forked that are to invent the same secrets. They are made
 * from key_file, so that they stay the same over restarts, where the file of users
 * has no line "#seed:...", as users_set() writes it: an authority's certificate
 * has another key every few weeks. */
void users_prepare(const char *key_file);
/* Looks for the line of a user. The secret of one that there is not is nobody's,
 * of a kind that others in the file have, and the same for the same name: an
 * exchange with it tells nothing. Errors: ERROR_CONFIG, ERROR_SYSTEM. */
enum users_result users_find(const char *path, const char *user,
    struct users_secret *secret, struct error *err)
    __attribute__((warn_unused_result));

enum users_verdict {
	USERS_RIGHT, /* the password is the user's */
	USERS_WRONG,
	/* err: nobody can know, since crypt(3) has not that kind of hash, or no
	 * memory for it. */
	USERS_UNSURE,
};

/* Takes as long for any secret of its kind. Errors: ERROR_CONFIG. */
enum users_verdict users_check(const struct users_secret *secret,
    const char *password, size_t len, struct error *err)
    __attribute__((warn_unused_result));
/*
 * Sets, or with password NULL removes, the user's line; all others stay as they
 * are. The file is written whole and renamed, mode 0640. false: nothing was
 * changed. Errors: ERROR_CONFIG, ERROR_SYSTEM.
 */
bool users_set(const char *path, const char *user, const char *password,
    size_t len, struct error *err) __attribute__((warn_unused_result));
/* A name that a line can have: 1 to 255 octets, no ':', no control, no blank
 * at either end. */
bool users_name_is_valid(const char *user);

#endif
