/* SPDX-License-Identifier: ISC */
#include "provider/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "provider/dovecot.h"
#include "provider/provider_config.h"
#include "provider/users.h"

enum {
	NONCE_OCTETS = 18, /* 24 characters */
	/* So long its word counts: it does not say who was suspended. */
	DOVECOT_WORD_MS = 60 * 60 * 1000,
	/* Leaves room for what is put before them. */
	LISTED_SIZE = VERIFY_MECHANISMS_SIZE - 32,
};

/* Where an exchange stands. */
enum stage {
	STAGE_NONE,
	STAGE_PLAIN, /* the message is awaited */
	STAGE_LOGIN_USER,
	STAGE_LOGIN_PASSWORD,
	STAGE_SCRAM_FIRST,
	STAGE_SCRAM_FINAL,
	STAGE_SCRAM_LAST, /* the empty response to the signature */
	STAGE_EXTERNAL,
	STAGE_DOVECOT,
};

struct verify {
	struct verify_options options;
	enum stage stage;
	char user[VERIFY_USER_SIZE];
	struct scram_server *scram;
	bool known; /* the user of SCRAM has keys */
	/* What users_file had of the user when he logged in by it. */
	bool has_stored;
	struct users_secret stored;
	char nonce[BASE64_SIZE(NONCE_OCTETS)];
	struct dovecot *dovecot;
	/* clock_ms() when Dovecot let the user in; 0: it did not. */
	int64_t asked_at;
};

struct verify *
verify_new(const struct verify_options *options)
{
	struct verify *verify = xcalloc(1, sizeof *verify);

	verify->options = *options;
	return verify;
}

static void
leave_dovecot(struct verify *verify)
{
	dovecot_free(verify->dovecot);
	verify->dovecot = NULL;
}

void
verify_free(struct verify *verify)
{
	if (verify == NULL)
		return;
	scram_server_free(verify->scram);
	leave_dovecot(verify);
	explicit_bzero(&verify->stored, sizeof verify->stored);
	free(verify);
}

void
verify_cancel(struct verify *verify)
{
	scram_server_free(verify->scram);
	verify->scram = NULL;
	verify->stage = STAGE_NONE;
	if (verify->dovecot != NULL)
		dovecot_cancel(verify->dovecot);
}

const char *
verify_user(const struct verify *verify)
{
	return verify->user;
}

/* A certificate was shown that some account names. */
static bool
has_external(const struct verify *verify)
{
	return verify->options.pin[0] != '\0' &&
	       provider_config_pin(
		   verify->options.config, verify->options.pin) != NULL;
}

/* false and err: the service is not there. */
static bool
ask_dovecot(struct verify *verify, struct error *err)
{
	if (verify->dovecot != NULL)
		return true;
	verify->dovecot =
	    dovecot_open(verify->options.config->dovecot_auth, err);
	if (verify->dovecot != NULL)
		dovecot_set_limit(verify->dovecot, verify->options.limit);
	return verify->dovecot != NULL;
}

bool
verify_mechanisms(struct verify *verify,
    char out[static VERIFY_MECHANISMS_SIZE], struct error *err)
{
	const struct provider_config *config = verify->options.config;
	char listed[LISTED_SIZE] = "SCRAM-SHA-256 PLAIN LOGIN";
	const char *plus = "";

	if (config->dovecot_auth == NULL) {
		if (verify->options.binding != NULL)
			plus = "SCRAM-SHA-256-PLUS ";
	} else {
		if (!ask_dovecot(verify, err))
			return false;
		dovecot_mechanisms(verify->dovecot, listed, sizeof listed);
	}
	snprintf(out, VERIFY_MECHANISMS_SIZE, "%s%s%s",
	    has_external(verify) ? "EXTERNAL " : "", plus, listed);
	return true;
}

/*
 * Verdicts
 */

static enum verify_result
done(struct verify *verify, enum provider_login *login,
    enum provider_login verdict)
{
	verify_cancel(verify);
	*login = verdict;
	return VERIFY_DONE;
}

static bool
note_user(struct verify *verify, const char *user, size_t len)
{
	if (len == 0 || len >= sizeof verify->user ||
	    memchr(user, '\0', len) != NULL)
		return false;
	memcpy(verify->user, user, len);
	verify->user[len] = '\0';
	return true;
}

static void
note_stored(struct verify *verify, const struct users_secret *secret)
{
	verify->stored = *secret;
	verify->has_stored = true;
}

/* A user that there is not takes as long as a wrong password. */
static enum verify_result
judge_password(struct verify *verify, const char *password, size_t len,
    enum provider_login *login, struct error *err)
{
	struct users_secret secret;

	enum users_result found = users_find(
	    verify->options.config->users_file, verify->user, &secret, err);
	if (found == USERS_FAILED)
		return done(verify, login, PROVIDER_LOGIN_LATER);
	enum users_verdict verdict = users_check(&secret, password, len, err);
	note_stored(verify, &secret);
	explicit_bzero(&secret, sizeof secret);
	if (verdict == USERS_UNSURE && found == USERS_FOUND)
		return done(verify, login, PROVIDER_LOGIN_LATER);
	return done(verify, login,
	    verdict == USERS_RIGHT && found == USERS_FOUND
		? PROVIDER_LOGIN_GOOD
		: PROVIDER_LOGIN_BAD);
}

/*
 * Mechanisms
 */

static enum verify_result
challenge(
    struct verify *verify, enum stage next, const char *text, struct buf *out)
{
	verify->stage = next;
	buf_reset(out);
	(void)!buf_append(out, text, strlen(text));
	return VERIFY_CHALLENGE;
}

/* [authzid] NUL authcid NUL passwd (RFC 4616 2); nobody acts for another. */
static enum verify_result
take_plain(struct verify *verify, const char *text, size_t len,
    enum provider_login *login, struct error *err)
{
	const char *end = text + len;
	const char *user = memchr(text, '\0', len);
	const char *password =
	    user != NULL ? memchr(user + 1, '\0', (size_t)(end - user - 1))
			 : NULL;

	if (password == NULL ||
	    !note_user(verify, user + 1, (size_t)(password - user - 1)))
		return done(verify, login, PROVIDER_LOGIN_MALFORMED);
	if (user != text &&
	    ((size_t)(user - text) != strlen(verify->user) ||
		memcmp(text, verify->user, strlen(verify->user)) != 0))
		return done(verify, login, PROVIDER_LOGIN_BAD);
	return judge_password(
	    verify, password + 1, (size_t)(end - password - 1), login, err);
}

static enum verify_result
take_scram_first(struct verify *verify, const char *text, size_t len,
    struct buf *out, enum provider_login *login, struct error *err)
{
	struct users_secret secret;

	enum scram_result result =
	    scram_server_first(verify->scram, text, len, verify->user);
	if (result != SCRAM_GOOD)
		return done(verify, login,
		    result == SCRAM_MALFORMED ? PROVIDER_LOGIN_MALFORMED
					      : PROVIDER_LOGIN_BAD);
	enum users_result found = users_find(
	    verify->options.config->users_file, verify->user, &secret, err);
	if (found == USERS_FAILED)
		return done(verify, login, PROVIDER_LOGIN_LATER);
	verify->known = found == USERS_FOUND;
	/* A hash of crypt(3) has no keys; PLAIN does for such a user. */
	if (!secret.has_keys)
		return done(verify, login, PROVIDER_LOGIN_UNABLE);
	buf_reset(out);
	scram_server_challenge(verify->scram, &secret.keys, out);
	note_stored(verify, &secret);
	explicit_bzero(&secret, sizeof secret);
	verify->stage = STAGE_SCRAM_FINAL;
	return VERIFY_CHALLENGE;
}

static enum verify_result
take_scram_final(struct verify *verify, const char *text, size_t len,
    struct buf *out, enum provider_login *login)
{
	buf_reset(out);
	enum scram_result result =
	    scram_server_final(verify->scram, text, len, out);
	if (result == SCRAM_MALFORMED)
		return done(verify, login, PROVIDER_LOGIN_MALFORMED);
	if (result != SCRAM_GOOD || !verify->known)
		return done(verify, login, PROVIDER_LOGIN_BAD);
	verify->stage = STAGE_SCRAM_LAST;
	return VERIFY_CHALLENGE;
}

/* An identity that is asked for must be the certificate's own. */
static enum verify_result
take_external(struct verify *verify, const char *text, size_t len,
    enum provider_login *login)
{
	const struct provider_account *account =
	    provider_config_pin(verify->options.config, verify->options.pin);

	if (account == NULL)
		return done(verify, login, PROVIDER_LOGIN_BAD);
	snprintf(verify->user, sizeof verify->user, "%s", account->user);
	bool asked = len > 0;
	if (asked && (len != strlen(account->user) ||
			 memcmp(text, account->user, len) != 0))
		return done(verify, login, PROVIDER_LOGIN_BAD);
	return done(verify, login, PROVIDER_LOGIN_GOOD);
}

static enum verify_result
take_dovecot(
    struct verify *verify, enum dovecot_reply reply, enum provider_login *login)
{
	switch (reply) {
	case DOVECOT_CONTINUE:
		verify->stage = STAGE_DOVECOT;
		return VERIFY_CHALLENGE;
	case DOVECOT_GOOD:
		snprintf(verify->user, sizeof verify->user, "%s",
		    dovecot_user(verify->dovecot));
		verify->asked_at = clock_ms();
		/* It serves a thousand connections by default, and he may be
		 * held for days. */
		leave_dovecot(verify);
		return done(verify, login, PROVIDER_LOGIN_GOOD);
	case DOVECOT_BAD:
		snprintf(verify->user, sizeof verify->user, "%s",
		    dovecot_user(verify->dovecot));
		return done(verify, login, PROVIDER_LOGIN_BAD);
	case DOVECOT_LATER:
		break;
	}
	/* The next try begins with a connection of its own. */
	leave_dovecot(verify);
	return done(verify, login, PROVIDER_LOGIN_LATER);
}

static void
begin_scram(struct verify *verify, bool plus)
{
	const struct tls_binding *binding = verify->options.binding;
	unsigned char chance[NONCE_OCTETS] = {0};

	/* 18 octets never come short (getrandom(2)). */
	ssize_t ignored = getrandom(chance, sizeof chance, 0);
	(void)ignored;
	base64_encode(verify->nonce, chance, sizeof chance);
	struct scram_server_options options = {
	    .plus = plus,
	    .plus_offered = binding != NULL,
	    .nonce = verify->nonce,
	};
	if (binding != NULL) {
		options.binding = binding->name;
		options.binding_data = binding->data;
		options.binding_len = binding->len;
	}
	scram_server_free(verify->scram);
	verify->scram = scram_server_new(&options);
}

/* Where the exchange of a mechanism begins; NONE: it is not ours. */
static enum stage
first_stage(struct verify *verify, const char *mechanism)
{
	if (strcmp(mechanism, "EXTERNAL") == 0)
		return STAGE_EXTERNAL;
	if (verify->options.config->dovecot_auth != NULL)
		return STAGE_NONE;
	if (strcmp(mechanism, "PLAIN") == 0)
		return STAGE_PLAIN;
	if (strcmp(mechanism, "LOGIN") == 0)
		return STAGE_LOGIN_USER;
	begin_scram(verify, strcmp(mechanism, "SCRAM-SHA-256-PLUS") == 0);
	return STAGE_SCRAM_FIRST;
}

enum verify_result
verify_begin(struct verify *verify, const char *mechanism, const char *response,
    size_t len, struct buf *out, enum provider_login *login, struct error *err)
{
	verify->user[0] = '\0';
	verify->has_stored = false;
	verify->asked_at = 0;
	verify->stage = first_stage(verify, mechanism);
	if (verify->stage == STAGE_NONE) {
		if (!ask_dovecot(verify, err))
			return done(verify, login, PROVIDER_LOGIN_LATER);
		const struct dovecot_request request = {
		    .mechanism = mechanism,
		    .peer_addr = verify->options.peer_addr,
		    .local_addr = verify->options.local_addr,
		    .response = response,
		    .response_len = len,
		};
		return take_dovecot(verify,
		    dovecot_begin(verify->dovecot, &request, out, err), login);
	}
	if (response != NULL)
		return verify_respond(verify, response, len, out, login, err);
	return challenge(verify, verify->stage,
	    verify->stage == STAGE_LOGIN_USER ? "Username:" : "", out);
}

enum verify_result
verify_respond(struct verify *verify, const char *response, size_t len,
    struct buf *out, enum provider_login *login, struct error *err)
{
	switch (verify->stage) {
	case STAGE_NONE:
		break;
	case STAGE_PLAIN:
		return take_plain(verify, response, len, login, err);
	case STAGE_LOGIN_USER:
		if (!note_user(verify, response, len))
			break;
		return challenge(
		    verify, STAGE_LOGIN_PASSWORD, "Password:", out);
	case STAGE_LOGIN_PASSWORD:
		return judge_password(verify, response, len, login, err);
	case STAGE_SCRAM_FIRST:
		return take_scram_first(verify, response, len, out, login, err);
	case STAGE_SCRAM_FINAL:
		return take_scram_final(verify, response, len, out, login);
	case STAGE_SCRAM_LAST:
		if (len > 0)
			break;
		return done(verify, login, PROVIDER_LOGIN_GOOD);
	case STAGE_EXTERNAL:
		return take_external(verify, response, len, login);
	case STAGE_DOVECOT:
		return take_dovecot(verify,
		    dovecot_respond(verify->dovecot, response, len, out, err),
		    login);
	}
	return done(verify, login, PROVIDER_LOGIN_MALFORMED);
}

static bool
is_same_secret(const struct users_secret *a, const struct users_secret *b)
{
	if (a->has_keys != b->has_keys)
		return false;
	return a->has_keys
		   ? memcmp(a->keys.stored, b->keys.stored, SCRAM_KEY) == 0
		   : strcmp(a->hash, b->hash) == 0;
}

bool
verify_stands(const struct verify *verify)
{
	struct users_secret now;
	struct error ignored; /* the next login tells it */

	if (!verify->has_stored)
		return true;
	enum users_result found = users_find(
	    verify->options.config->users_file, verify->user, &now, &ignored);
	bool stands =
	    found == USERS_FAILED ||
	    (found == USERS_FOUND && is_same_secret(&verify->stored, &now));
	explicit_bzero(&now, sizeof now);
	return stands;
}

bool
verify_is_old(const struct verify *verify, int64_t now)
{
	return verify->asked_at != 0 &&
	       now - verify->asked_at >= DOVECOT_WORD_MS;
}
