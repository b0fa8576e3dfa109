/* SPDX-License-Identifier: ISC */
#include "record/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/privilege.h"
#include "base/whole_file.h"
#include "record/history.h"

/* A password file is there at once; commands are not asked. */
enum { KEY_SIZE = 32, READ_MS = 1000 };

/* Reads state_dir/key or makes it. */
static bool
read_hold_key(int state, struct buf *key, struct error *err)
{
	char random[KEY_SIZE];

	if (whole_file_read(state, "key", key, err) == WHOLE_FILE_READ &&
	    buf_len(key) == KEY_SIZE)
		return true;
	buf_reset(key);
	if (getrandom(random, sizeof random, 0) != KEY_SIZE) {
		error_set_errno(err, ERROR_SYSTEM, errno,
		    "the system gives no random numbers");
		return false;
	}
	return buf_append(key, random, sizeof random) &&
	       whole_file_write(state, "key", 0600, random, sizeof random, err);
}

bool
hold_fingerprint(const struct config *config,
    const struct config_account *account, const struct secret *secret,
    char out[static CONFIG_FINGERPRINT_SIZE], struct error *err)
{
	static const struct secret none;
	struct buf key;
	int state =
	    whole_file_open_folder(AT_FDCWD, config->state_dir, false, err);

	if (state < 0)
		return false;
	buf_init(&key, KEY_SIZE + 1);
	bool known = read_hold_key(state, &key, err);
	if (known)
		config_fingerprint(config, account,
		    account->password_command != NULL ? &none : secret,
		    buf_data(&key), buf_len(&key), out);
	buf_clear(&key);
	close(state);
	return known;
}

/* As a session would read it. One that cannot be read is an empty one. */
static void
read_secret(const struct config_account *account, struct secret *secret)
{
	struct deadline deadline = deadline_in(READ_MS, READ_MS);
	struct error ignored;

	*secret = (struct secret){.text = NULL};
	if (account->password_command != NULL)
		return;
	privilege_regain();
	(void)!config_read_secret(account, secret, &deadline, &ignored);
	privilege_resume();
}

bool
hold_is_obsolete(const struct config *config,
    const struct config_account *account, const struct history *history)
{
	char fingerprint[CONFIG_FINGERPRINT_SIZE];
	struct secret secret;
	struct error err;

	if (history->hold_fingerprint[0] == '\0')
		return false;
	read_secret(account, &secret);
	/* Where nothing can be said, the hold stands. */
	bool changed =
	    hold_fingerprint(config, account, &secret, fingerprint, &err) &&
	    strcmp(fingerprint, history->hold_fingerprint) != 0;
	secret_clear(&secret);
	return changed;
}

int64_t
hold_left(const struct config *config, const struct config_account *account,
    const struct history *history, int64_t now)
{
	int64_t left = history_hold_left(history, now);

	if (left > 0 && hold_is_obsolete(config, account, history))
		left = 0;
	return left;
}
