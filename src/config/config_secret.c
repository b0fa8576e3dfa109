/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/spawn.h"

/* How long a password_command or token_command may take. */
enum { COMMAND_MS = 30 * 1000, COMMAND_ERRORS_MAX = 512 };

/* Editors of Windows put one before text. In UTF-8 it is passed over; what is
 * UTF-16 has a NUL in each character, and nobody could tell why. */
static bool
pass_mark(const char **text, size_t *len, struct error *err)
{
	static const char utf8[] = "\xef\xbb\xbf";

	if (*len >= 2 && (memcmp(*text, "\xff\xfe", 2) == 0 ||
			     memcmp(*text, "\xfe\xff", 2) == 0)) {
		error_set(err, ERROR_SECRET,
		    "it is UTF-16; save it as UTF-8 or plain ASCII");
		return false;
	}
	if (*len >= 3 && memcmp(*text, utf8, 3) == 0) {
		*text += 3;
		*len -= 3;
	}
	return true;
}

/* The first line is the secret; a CR before its LF is not part of it. */
static bool
take_first_line(
    struct secret *secret, const char *text, size_t len, struct error *err)
{
	if (!pass_mark(&text, &len, err))
		return false;
	const char *end = memchr(text, '\n', len);
	size_t line = end != NULL ? (size_t)(end - text) : len;

	if (line > 0 && text[line - 1] == '\r')
		line--;
	if (line == 0) {
		error_set(err, ERROR_SECRET, "the first line is empty");
		return false;
	}
	if (line > SECRET_MAX || memchr(text, '\0', line) != NULL) {
		error_set(err, ERROR_SECRET,
		    "the first line cannot be used: it %s",
		    line > SECRET_MAX ? "is too long" : "holds a NUL");
		return false;
	}
	secret_set(secret, text, line);
	return true;
}

/* Opens an absolute path, or a credential of the service manager. */
static int
open_secret(const char *name)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	/* A FIFO nobody writes to must not hold us. */
	const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	if (name[0] == '/')
		return open(name, flags);
	assert(folder != NULL);
	int len = snprintf(path, sizeof path, "%s/%s", folder, name);
	if (len < 0 || (size_t)len >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags);
}

static bool
read_secret_file(const char *name, struct secret *secret, struct error *err)
{
	/* Byte order mark, CR, LF, and one octet too many. */
	char text[SECRET_MAX + 6];
	size_t len = 0;
	ssize_t n = -1;
	bool good = false;

	if (name[0] != '/' && getenv("CREDENTIALS_DIRECTORY") == NULL) {
		error_set(err, ERROR_SECRET,
		    "password_file %s: a name without \"/\" is a credential "
		    "of systemd, but CREDENTIALS_DIRECTORY is not set; write "
		    "the whole path, or use LoadCredential= in the unit",
		    name);
		return false;
	}
	int fd = open_secret(name);
	while (fd >= 0 && len < sizeof text &&
	       (n = read(fd, text + len, sizeof text - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		error_set_errno(err, ERROR_SECRET, errno, "it cannot be read");
	else
		good = take_first_line(secret, text, len, err);
	if (fd >= 0)
		close(fd);
	explicit_bzero(text, sizeof text);
	if (!good)
		error_prefix(err, "password_file %s", name);
	return good;
}

bool
config_try_secret_file(const char *name, struct error *err)
{
	struct secret secret = {.text = NULL};
	bool good = read_secret_file(name, &secret, err);

	secret_clear(&secret);
	return good;
}

/* What the command said on standard error, on one line behind the error. */
static void
add_complaint(struct error *err, const struct buf *errors)
{
	char shown[COMMAND_ERRORS_MAX];
	const char *text = buf_data(errors);
	size_t len = buf_len(errors);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	if (len > 0)
		error_set(err, err->class, "%s: %s", err->text,
		    escape_text(shown, sizeof shown, text, len));
}

/* key: what the configuration calls the command. */
static bool
run_secret_command(const char *key, const char *command, struct secret *secret,
    const struct deadline *deadline, struct error *err)
{
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};
	struct deadline limit =
	    deadline_min(*deadline, deadline_in(COMMAND_MS, deadline->grace));
	struct buf output, errors;
	struct spawn_options options = {.argv = argv,
	    .env = (const char *const *)environ,
	    .input = -1,
	    .output = &output,
	    .errors = &errors};
	char what[SPAWN_DESCRIPTION_MAX];
	struct spawn_result result;
	bool good = false;

	buf_init(&output, SECRET_MAX + 5);
	buf_init(&errors, COMMAND_ERRORS_MAX);
	spawn_run(&options, &limit, &result);
	if (result.end == SPAWN_EXITED && result.code == 0)
		good = take_first_line(
		    secret, buf_data(&output), buf_len(&output), err);
	else {
		error_set(err,
		    result.end == SPAWN_STOPPED ? ERROR_STOPPED : ERROR_SECRET,
		    "the command %s", spawn_describe(&result, what));
		add_complaint(err, &errors);
	}
	buf_wipe(&output);
	buf_clear(&output);
	buf_clear(&errors);
	if (!good)
		error_prefix(err, "%s", key);
	return good;
}

bool
config_read_secret(const struct config_account *account, struct secret *secret,
    const struct deadline *deadline, struct error *err)
{
	secret_clear(secret);
	if (account->password_file != NULL)
		return read_secret_file(account->password_file, secret, err);
	if (account->password_command != NULL)
		return run_secret_command("password_command",
		    account->password_command, secret, deadline, err);
	if (account->password.text != NULL)
		secret_set(
		    secret, account->password.text, account->password.len);
	return true;
}

/* RFC 6750 2.1: printable, without blanks. What else a tool prints, such as
 * "please log in", is nothing to send. */
static bool
is_token(const struct secret *token)
{
	for (size_t i = 0; i < token->len; i++)
		if (!escape_is_printable(token->text[i]) ||
		    token->text[i] == ' ')
			return false;
	return true;
}

bool
config_read_token(const struct config_account *account, struct secret *token,
    const struct deadline *deadline, struct error *err)
{
	secret_clear(token);
	if (account->token_command == NULL)
		return true;
	if (!run_secret_command(
		"token_command", account->token_command, token, deadline, err))
		return false;
	if (is_token(token))
		return true;
	secret_clear(token);
	error_set(err, ERROR_SECRET,
	    "token_command: the first line is no token: it holds a blank or"
	    " what is not ASCII");
	return false;
}

static struct secret *
secret_of(struct config_account *account, const struct config_key *key)
{
	return (void *)((char *)account + key->offset);
}

static size_t
room_of_secrets(struct config_account *accounts, size_t count)
{
	const struct config_table *table = &config_account_table;
	size_t room = 0;

	for (size_t k = 0; k < table->count; k++) {
		if (table->keys[k].field != CONFIG_FIELD_SECRET)
			continue;
		for (size_t i = 0; i < count; i++) {
			const struct secret *secret =
			    secret_of(&accounts[i], &table->keys[k]);
			if (secret->text != NULL)
				room += secret->len + 1;
		}
	}
	return room;
}

/* From where it is to the block, which has room for it; where it ends there. */
static char *
move_secret(struct secret *secret, bool gathered, char *to)
{
	size_t len = secret->len;

	if (secret->text == NULL)
		return to;
	memcpy(to, secret->text, len + 1);
	if (!gathered)
		secret_clear(secret);
	*secret = (struct secret){.text = to, .len = len};
	return to + len + 1;
}

/* In one block of the pool; gathered: they are in another one. */
static void
pack_secrets(struct config *config, struct config_account *accounts,
    size_t count, bool gathered)
{
	const struct config_table *table = &config_account_table;
	size_t room = room_of_secrets(accounts, count);
	char *to = pool_zeroed(&config->pool, room);

	config->secrets = (struct secret){.text = to, .len = room};
	for (size_t k = 0; k < table->count; k++) {
		const struct config_key *key = &table->keys[k];
		if (key->field != CONFIG_FIELD_SECRET)
			continue;
		for (size_t i = 0; i < count; i++)
			to = move_secret(
			    secret_of(&accounts[i], key), gathered, to);
	}
}

void
config_gather_secrets(struct config *config)
{
	pack_secrets(config, config->accounts, config->accounts_count, false);
}

/* One step, whatever the number of accounts: every session's process comes
 * here. */
void
config_wipe_secrets(struct config *config, const struct config_account *keep)
{
	struct secret all = config->secrets;

	if (all.len == 0)
		return;
	config->secrets = (struct secret){.text = NULL};
	if (keep != NULL)
		pack_secrets(config,
		    config->accounts + (keep - config->accounts), 1, true);
	explicit_bzero(all.text, all.len);
}
