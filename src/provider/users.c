/* SPDX-License-Identifier: ISC */
#include "provider/users.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/deadline.h"
#include "base/decimal.h"
#include "base/mem.h"
#include "base/whole_file.h"
#include "users_private.h"

enum {
	NAME_LONGEST = SCRAM_USER_MAX,
	/* Another `passwd` takes milliseconds. */
	LOCK_MS = 5000,
	LOCK_LOOK_MS = 20,
	/* Above what `passwd` writes and anybody would wait for. */
	ITERATIONS_MAX = 10000000,
	/* Of a password that crypt(3) takes in every C library; longer ones
	 * fail from 256 or 512 octets on. */
	CRYPT_CERTAIN = 255,
};

static const char scheme[] = "SCRAM-SHA-256$";

bool
users_name_is_valid(const char *user)
{
	size_t len = strlen(user);

	if (len == 0 || len > NAME_LONGEST || user[0] == '#' ||
	    user[0] == ' ' || user[len - 1] == ' ')
		return false;
	for (; *user != '\0'; user++)
		if ((unsigned char)*user < ' ' || *user == 0x7f || *user == ':')
			return false;
	return true;
}

/*
 * The file
 */

/* Opens the folder of path; base is the name in it, owned by the caller. */
static int
open_users_folder(const char *path, char **base, struct error *err)
{
	char *copy = xstrdup(path), *other = xstrdup(path);
	int folder =
	    whole_file_open_folder(AT_FDCWD, dirname(copy), false, err);

	*base = xstrdup(basename(other));
	free(copy);
	free(other);
	return folder;
}

static enum whole_file_result
read_users(const char *path, struct buf *content, struct error *err)
{
	char *base;
	int folder = open_users_folder(path, &base, err);
	enum whole_file_result result = WHOLE_FILE_FAILED;

	if (folder >= 0) {
		result = whole_file_read(folder, base, content, err);
		if (result == WHOLE_FILE_MISSING)
			error_set(err, ERROR_CONFIG, "there is no such file");
		close(folder);
	}
	free(base);
	return result;
}

const char *
users_next_line(const char **rest, const char *end, size_t *len)
{
	const char *line = *rest;

	if (line == end)
		return NULL;
	const char *stop = memchr(line, '\n', (size_t)(end - line));
	*rest = stop != NULL ? stop + 1 : end;
	*len = (size_t)((stop != NULL ? stop : end) - line);
	if (*len > 0 && line[*len - 1] == '\r')
		--*len;
	return line;
}

/* The line is that of the user; behind his name stands a colon. A name that a
 * caller made up of a name and the begin of a secret is nobody's. */
static bool
is_line_of(const char *line, size_t len, const char *user)
{
	size_t name = strlen(user);

	return users_name_is_valid(user) && len > name &&
	       memcmp(line, user, name) == 0 && line[name] == ':';
}

bool
users_is_line(const char *line, size_t len)
{
	return len > 0 && *line != '#' && memchr(line, ':', len) != NULL;
}

const char *
users_find_seed(const struct buf *content, size_t *len)
{
	const char *rest = buf_data(content), *line;
	const char *end = rest + buf_len(content);
	size_t prefix = sizeof USERS_SEED - 1;

	while ((line = users_next_line(&rest, end, len)) != NULL)
		if (*len > prefix && memcmp(line, USERS_SEED, prefix) == 0)
			return line;
	return NULL;
}

/*
 * A secret
 */

/* Octets of exactly len, or up to max where len is 0. */
static bool
decode_hash(const char *text, unsigned char *out, size_t max, size_t *len)
{
	unsigned char octets[USERS_SECRET_MAX];
	ssize_t got = strlen(text) < sizeof octets
			  ? base64_decode(octets, text, strlen(text))
			  : -1;

	if (got <= 0 || (size_t)got > max)
		return false;
	memcpy(out, octets, (size_t)got);
	*len = (size_t)got;
	return true;
}

/* ITERATIONS:SALT$STORED:SERVER, as RFC 5803 and others write them. */
static bool
parse_keys(char *text, struct scram_keys *keys)
{
	char *rest = text;
	size_t stored, server;
	uint64_t iterations;
	const char *count = strsep(&rest, ":");
	const char *salt = rest != NULL ? strsep(&rest, "$") : NULL;
	const char *stored_text = rest != NULL ? strsep(&rest, ":") : NULL;

	if (rest == NULL || stored_text == NULL || salt == NULL)
		return false;
	if (!decimal_read(count, ITERATIONS_MAX, &iterations))
		return false;
	keys->iterations = (int)iterations;
	return iterations > 0 &&
	       decode_hash(salt, keys->salt, SCRAM_SALT_MAX, &keys->salt_len) &&
	       decode_hash(stored_text, keys->stored, SCRAM_KEY, &stored) &&
	       decode_hash(rest, keys->server, SCRAM_KEY, &server) &&
	       stored == SCRAM_KEY && server == SCRAM_KEY;
}

bool
users_parse_secret(const char *text, size_t len, struct users_secret *secret)
{
	size_t prefix = sizeof scheme - 1;

	*secret = (struct users_secret){.has_keys = false};
	if (len == 0 || len >= sizeof secret->hash)
		return false;
	memcpy(secret->hash, text, len);
	if (strncmp(secret->hash, scheme, prefix) != 0)
		return secret->hash[0] == '$';
	char copy[USERS_SECRET_MAX];
	memcpy(copy, secret->hash, sizeof copy);
	secret->hash[0] = '\0';
	secret->has_keys = true;
	return parse_keys(copy + prefix, &secret->keys);
}

/* Looks for the line of a user. */
static enum users_result
find_in(const struct buf *content, const char *path, const char *user,
    struct users_secret *secret, struct error *err)
{
	const char *rest = buf_data(content), *line;
	const char *end = rest + buf_len(content);
	size_t name = strlen(user) + 1, len;
	enum users_result result = USERS_UNKNOWN;
	unsigned number = 0;

	/* To the end, wherever the user stands: the time would tell. */
	while ((line = users_next_line(&rest, end, &len)) != NULL) {
		number++;
		if (result != USERS_UNKNOWN || !is_line_of(line, len, user))
			continue;
		result = USERS_FOUND;
		if (users_parse_secret(line + name, len - name, secret))
			continue;
		result = USERS_FAILED;
		error_set(err, ERROR_CONFIG,
		    "%s, line %u: this is neither a line of"
		    " `odmr-provider passwd` nor a hash of crypt(3)",
		    path, number);
	}
	return result;
}

enum users_result
users_find(const char *path, const char *user, struct users_secret *secret,
    struct error *err)
{
	enum users_result result = USERS_FAILED;
	struct users_secret invented;
	struct buf content;

	buf_init(&content, USERS_FILE_MAX);
	if (read_users(path, &content, err) == WHOLE_FILE_READ) {
		result = find_in(&content, path, user, secret, err);
		/* Whether it is of use or not: it takes most of the time. */
		users_invent(&invented, user, &content);
		if (result == USERS_UNKNOWN)
			*secret = invented;
	} else {
		error_prefix(err, "%s", path);
	}
	buf_wipe(&content);
	buf_clear(&content);
	return result;
}

static enum users_verdict
check_hash(
    const char *hash, const char *password, size_t len, struct error *err)
{
	struct crypt_data data;
	char *copy = xstrndup(password, len);

	memset(&data, 0, sizeof data);
	const char *made = crypt_r(copy, hash, &data);
	/* "*0" stands for a failure, too (crypt(3)). */
	bool failed = made == NULL || made[0] == '*';
	bool same = !failed && strlen(made) == strlen(hash) &&
		    CRYPTO_memcmp(made, hash, strlen(hash)) == 0;
	if (failed)
		error_set(err, ERROR_CONFIG,
		    "crypt(3) of this system cannot check the hash in the"
		    " users_file; `odmr-provider passwd` makes one that can be"
		    " checked");
	explicit_bzero(&data, sizeof data);
	explicit_bzero(copy, len);
	free(copy);
	/* What is too long for it is nobody's password: told from others, it
	 * would tell a guesser who has a hash. */
	if (failed && len <= CRYPT_CERTAIN)
		return USERS_UNSURE;
	return same ? USERS_RIGHT : USERS_WRONG;
}

enum users_verdict
users_check(const struct users_secret *secret, const char *password, size_t len,
    struct error *err)
{
	const struct scram_keys *keys = &secret->keys;
	struct scram_keys made;

	if (memchr(password, '\0', len) != NULL)
		return USERS_WRONG;
	if (!secret->has_keys)
		return check_hash(secret->hash, password, len, err);
	bool same = scram_keys_make(&made, password, len, keys->salt,
			keys->salt_len, keys->iterations) &&
		    CRYPTO_memcmp(made.stored, keys->stored, SCRAM_KEY) == 0;
	explicit_bzero(&made, sizeof made);
	return same ? USERS_RIGHT : USERS_WRONG;
}

/*
 * Writing
 */

static bool
put_user_line(
    struct buf *out, const char *user, const char *password, size_t len)
{
	unsigned char salt[USERS_NEW_SALT];
	char shown[3][BASE64_SIZE(SCRAM_KEY)];
	struct scram_keys keys;

	if (getrandom(salt, sizeof salt, 0) != sizeof salt ||
	    !scram_keys_make(
		&keys, password, len, salt, sizeof salt, SCRAM_ITERATIONS))
		return false;
	base64_encode(shown[0], salt, sizeof salt);
	base64_encode(shown[1], keys.stored, SCRAM_KEY);
	base64_encode(shown[2], keys.server, SCRAM_KEY);
	explicit_bzero(&keys, sizeof keys);
	return buf_printf(out, "%s:%s%d:%s$%s:%s\n", user, scheme,
	    SCRAM_ITERATIONS, shown[0], shown[1], shown[2]);
}

/* Once for all: who sees it change knows which users are invented. */
static bool
put_seed(struct buf *out, const struct buf *content)
{
	unsigned char seed[SCRAM_KEY];
	char shown[BASE64_SIZE(SCRAM_KEY)];
	size_t ignored;

	if (users_find_seed(content, &ignored) != NULL)
		return true;
	if (getrandom(seed, sizeof seed, 0) != sizeof seed)
		return false;
	base64_encode(shown, seed, sizeof seed);
	return buf_printf(out, USERS_SEED "%s\n", shown);
}

/* All lines of the file but the user's. */
static bool
put_others(struct buf *out, const struct buf *content, const char *user)
{
	const char *rest = buf_data(content), *line;
	const char *end = rest + buf_len(content);
	size_t len;

	while ((line = users_next_line(&rest, end, &len)) != NULL)
		if (!is_line_of(line, len, user) &&
		    (!buf_append(out, line, len) || !buf_append(out, "\n", 1)))
			return false;
	return true;
}

/* The owner stays who it was: the service must be able to read it. */
static bool
write_users(const char *path, const struct buf *made, struct error *err)
{
	struct stat before;
	char *base;
	int folder = open_users_folder(path, &base, err);
	bool written = false;

	if (folder >= 0) {
		bool there =
		    fstatat(folder, base, &before, AT_SYMLINK_NOFOLLOW) == 0;
		written = whole_file_write(folder, base,
		    there ? before.st_mode & 07777 : 0640, buf_data(made),
		    buf_len(made), err);
		if (written && there && geteuid() == 0 &&
		    fchownat(folder, base, before.st_uid, before.st_gid,
			AT_SYMLINK_NOFOLLOW) != 0) {
			error_set_errno(err, ERROR_SYSTEM, errno,
			    "cannot give %s back to its owner, who must be"
			    " able to read it",
			    path);
			written = false;
		}
		close(folder);
	}
	free(base);
	return written;
}

/* The folder, locked until it is closed; the file itself is replaced. Whoever
 * may read the folder can lock it, and so could keep a password from being
 * changed for ever. */
static int
lock_users(const char *path, struct error *err)
{
	const struct deadline end = deadline_in(LOCK_MS, 0);
	char *base;
	int folder = open_users_folder(path, &base, err);

	free(base);
	while (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) != 0) {
		const struct deadline look = deadline_in(LOCK_LOOK_MS, 0);
		int why = errno;
		if ((why == EWOULDBLOCK || why == EINTR) &&
		    deadline_left(&end) > 0 &&
		    deadline_wait(&look, -1, 0) != DEADLINE_STOPPED)
			continue;
		if (why == EWOULDBLOCK)
			error_set(err, ERROR_SYSTEM,
			    "the folder of %s is locked by another process, and"
			    " nothing was changed: `lslocks` shows which one;"
			    " end it, and try again",
			    path);
		else
			error_set_errno(err, ERROR_SYSTEM, why,
			    "cannot lock the folder of %s", path);
		close(folder);
		return -1;
	}
	return folder;
}

bool
users_set(const char *path, const char *user, const char *password, size_t len,
    struct error *err)
{
	struct buf line, content, made;
	bool written = false;
	int lock = -1;

	buf_init(&line, USERS_SECRET_MAX + NAME_LONGEST);
	buf_init(&content, USERS_FILE_MAX);
	buf_init(&made, USERS_FILE_MAX + 2 * USERS_SECRET_MAX + NAME_LONGEST);
	/* Not under the lock: the keys take long, and others wait for it. */
	if (password != NULL && !put_user_line(&line, user, password, len)) {
		error_set(err, ERROR_SYSTEM, "%s: no keys for the user", path);
		goto out;
	}
	/* Who sets another user's at the same time waits, and both count. */
	lock = lock_users(path, err);
	if (lock < 0 || read_users(path, &content, err) == WHOLE_FILE_FAILED)
		goto out;
	if (!put_others(&made, &content, user) ||
	    (password != NULL &&
		(!buf_append(&made, buf_data(&line), buf_len(&line)) ||
		    !put_seed(&made, &content)))) {
		error_set(err, ERROR_SYSTEM, "%s: no room for the user", path);
		goto out;
	}
	written = write_users(path, &made, err);
out:
	buf_clear(&line);
	buf_clear(&content);
	buf_clear(&made);
	if (lock >= 0)
		close(lock);
	return written;
}
