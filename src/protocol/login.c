/* SPDX-License-Identifier: ISC */
#include "protocol/login.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/secret.h"
#include "login_private.h"
#include "protocol/customer.h"
#include "protocol/reply.h"

enum {
	COMMAND_MAX = 512, /* RFC 5321 4.5.3.1.4, CRLF included */
	ATTEMPT_DIGITS = 11, /* of an unsigned, and a NUL */
	SERVER_ERROR_SHOWN = 300, /* of a JSON object (RFC 7628 3.2.2) */
};

static void
wipe_login(struct buf *buf)
{
	explicit_bzero(buf->data, buf->size);
	buf_reset(buf);
}

/* At once as large as it may get: growth would leave secrets behind. */
static void
init_secret_buf(struct buf *buf)
{
	size_t room;

	buf_init(buf, LOGIN_LINE_MAX);
	buf_room(buf, LOGIN_LINE_MAX, &room);
}

struct login *
login_new(
    const struct customer_options *options, struct customer_outcome *outcome)
{
	struct login *login = xcalloc(1, sizeof *login);

	assert(strlen(options->random) >= SASL_NONCE_MIN);
	login->options = options;
	login->outcome = outcome;
	login->nonce = xmalloc(strlen(options->random) + ATTEMPT_DIGITS);
	login->credentials = (struct sasl_credentials){
	    .user = options->user,
	    .password = options->password,
	    .token = options->token,
	    .host = options->host,
	    .port = options->port,
	    .nonce = login->nonce,
	};
	init_secret_buf(&login->response);
	init_secret_buf(&login->line);
	return login;
}

void
login_free(struct login *login)
{
	if (login == NULL)
		return;
	sasl_free(login->sasl);
	wipe_login(&login->response);
	wipe_login(&login->line);
	buf_clear(&login->response);
	buf_clear(&login->line);
	free(login->nonce);
	free(login);
}

void
login_secured(struct login *login, const struct customer_binding *binding)
{
	struct sasl_credentials *credentials = &login->credentials;

	credentials->tls = true;
	credentials->certificate = login->options->certificate;
	credentials->binding = binding->type;
	if (binding->type == NULL)
		return;
	assert(binding->len <= sizeof credentials->binding_data);
	memcpy(credentials->binding_data, binding->data, binding->len);
	credentials->binding_len = binding->len;
}

/* Lines */

static void
put_login_line(struct login *login, const char *text)
{
	/* What goes into a line was measured before. */
	bool fits = buf_append(&login->line, text, strlen(text));

	assert(fits);
}

/* Octets that the response takes in base64, with CRLF. */
static size_t
response_size(const struct login *login)
{
	return BASE64_SIZE(buf_len(&login->response)) - 1 + 2;
}

/* The response in base64 and CRLF, behind what is in the line. */
static void
put_response(struct login *login)
{
	size_t room, len = buf_len(&login->response);
	char *to = buf_room(&login->line, BASE64_SIZE(len), &room);

	assert(room == BASE64_SIZE(len));
	buf_filled(
	    &login->line, base64_encode(to, buf_data(&login->response), len));
	put_login_line(login, "\r\n");
	wipe_login(&login->response);
}

/* AUTH, with the first response where the line has room for it. */
static void
make_auth(struct login *login)
{
	const char *name = login->outcome->mechanism;
	bool first = sasl_client_first(login->sasl);

	wipe_login(&login->line);
	put_login_line(login, "AUTH ");
	put_login_line(login, name);
	/* RFC 4954 4: on a longer line it has to wait. */
	bool fits =
	    buf_len(&login->line) + 1 + response_size(login) <= COMMAND_MAX;
	login->first = !first ? LOGIN_FIRST_NONE
		       : fits ? LOGIN_FIRST_SENT
			      : LOGIN_FIRST_WAITS;
	if (login->first != LOGIN_FIRST_SENT) {
		put_login_line(login, "\r\n");
		login->sent_at = buf_len(&login->line);
		snprintf(login->shown, sizeof login->shown, "AUTH %s", name);
		return;
	}
	put_login_line(login, buf_len(&login->response) == 0 ? " =" : " ");
	login->sent_at = buf_len(&login->line);
	put_response(login);
	snprintf(login->shown, sizeof login->shown, "AUTH %s ***", name);
}

static void
make_response(struct login *login)
{
	wipe_login(&login->line);
	login->sent_at = 0;
	put_response(login);
	snprintf(login->shown, sizeof login->shown, "***");
}

const char *
login_line(const struct login *login, size_t *len)
{
	*len = buf_len(&login->line);
	return buf_data(&login->line);
}

const char *
login_shown(const struct login *login)
{
	return login->shown;
}

/* The base64 of the last line. */
static struct secret
last_sent(const struct login *login)
{
	struct secret sent = {.text = login->line.data + login->sent_at};
	size_t end = buf_len(&login->line);

	if (login->sent_at + 2 < end)
		sent.len = end - 2 - login->sent_at;
	return sent;
}

bool
login_secret(const struct login *login, size_t index, struct secret *secret)
{
	const struct sasl_credentials *credentials = &login->credentials;
	const struct secret *const owned[] = {
	    credentials->password, credentials->token};
	enum { OWNED = sizeof owned / sizeof *owned };

	if (login->attempts == 0 || index > OWNED)
		return false;
	if (index == OWNED)
		*secret = last_sent(login);
	else if (owned[index] != NULL)
		*secret = *owned[index];
	else
		*secret = (struct secret){.text = NULL};
	return true;
}

/* Exchange */

/* Answers a challenge into the response. */
static bool
respond(struct login *login, const void *challenge, size_t len)
{
	struct customer_outcome *outcome = login->outcome;

	if (!sasl_step(login->sasl, challenge, len, &login->response,
		&outcome->error)) {
		outcome->result = CUSTOMER_FAILED;
		return false;
	}
	if (response_size(login) < LOGIN_LINE_MAX)
		return true;
	outcome_failed(outcome, ERROR_CONFIG,
	    "user and secret are too long for a line of AUTH");
	return false;
}

static enum login_result
begin_mechanism(struct login *login, const struct sasl_mechanism *mechanism)
{
	const struct customer_options *options = login->options;
	struct customer_outcome *outcome = login->outcome;

	outcome->mechanism = sasl_mechanism_name(mechanism);
	outcome->binding =
	    sasl_mechanism_binds(mechanism) ? login->credentials.binding : NULL;
	/* A nonce serves once. */
	snprintf(login->nonce, strlen(options->random) + ATTEMPT_DIGITS, "%s%u",
	    options->random, login->attempts++);
	login->credentials.plus_listed = offer_has_plus(&outcome->offer);
	sasl_free(login->sasl);
	login->sasl = sasl_new(mechanism, &login->credentials);
	wipe_login(&login->response);
	if (sasl_client_first(login->sasl) && !respond(login, "", 0))
		return LOGIN_FAILED;
	make_auth(login);
	return LOGIN_SEND;
}

enum login_result
login_begin(struct login *login)
{
	struct customer_outcome *outcome = login->outcome;
	const struct sasl_mechanism *mechanism = login_choose(login);

	if (mechanism == NULL)
		return login_fail_without_mechanism(login);
	const char *name = sasl_mechanism_name(mechanism);
	if (outcome->best_offered == NULL)
		outcome->best_offered = name;
	outcome->downgraded_from = login_find_stronger(login, name);
	if (outcome->downgraded_from != NULL &&
	    login->options->refuse_downgrade) {
		outcome_failed(outcome, ERROR_AUTH,
		    "%s is weaker than %s, which the provider offered before; "
		    "auth_downgrade refuses it",
		    name, outcome->downgraded_from);
		return LOGIN_FAILED;
	}
	return begin_mechanism(login, mechanism);
}

/* Octets of text without the blanks around it, which begins at *begin. */
static size_t
trim(const char *text, const char **begin)
{
	*begin = text + strspn(text, " ");
	size_t len = strlen(*begin);
	while (len > 0 && (*begin)[len - 1] == ' ')
		len--;
	return len;
}

/*
 * A challenge as octets, to be freed; NULL: it is not base64. Blanks around it
 * and padding that is missing are let pass: they cannot mean anything else.
 */
static unsigned char *
decode_challenge(const struct reply *reply, size_t *size)
{
	const char *begin;
	size_t len = trim(reply_line(reply, 0), &begin);
	char *padded = xasprintf("%.*s==", (int)len, begin);
	unsigned char *challenge = xmalloc(len + 3);

	len += len % 4 > 1 ? 4 - len % 4 : 0;
	ssize_t decoded =
	    reply->lines == 1 ? base64_decode(challenge, padded, len) : -1;
	free(padded);
	*size = (size_t)decoded;
	if (decoded >= 0)
		return challenge;
	free(challenge);
	return NULL;
}

static bool
answer_challenge(struct login *login, const struct reply *reply)
{
	size_t size;

	/* Prompts may say anything. */
	if (!sasl_reads_challenge(login->sasl))
		return respond(login, "", 0);
	unsigned char *challenge = decode_challenge(reply, &size);
	if (challenge == NULL) {
		outcome_failed(login->outcome, ERROR_PROTOCOL,
		    "the provider's challenge is not base64");
		return false;
	}
	bool ok = respond(login, challenge, size);
	free(challenge);
	return ok;
}

/*
 * Some servers pass over what stands behind the mechanism in AUTH, and ask for
 * it: by an empty challenge, or, where none has a meaning, by any.
 */
static bool
asks_for_first(const struct login *login, const struct reply *reply)
{
	const char *begin;

	return login->first == LOGIN_FIRST_SENT &&
	       (!sasl_reads_challenge(login->sasl) ||
		   (reply->lines == 1 &&
		       trim(reply_line(reply, 0), &begin) == 0));
}

static enum login_result
on_challenge(struct login *login, const struct reply *reply)
{
	bool ok = true;

	if (asks_for_first(login, reply)) {
		sasl_restart(login->sasl);
		ok = respond(login, "", 0);
	} else if (login->first != LOGIN_FIRST_WAITS) {
		ok = answer_challenge(login, reply);
	}
	login->first = LOGIN_FIRST_NONE;
	if (!ok)
		return LOGIN_CANCEL;
	make_response(login);
	return LOGIN_SEND;
}

/* A 235. */
static enum login_result
on_accepted(struct login *login)
{
	struct customer_outcome *outcome = login->outcome;

	if (!sasl_finish(login->sasl, &outcome->error)) {
		outcome->result = CUSTOMER_FAILED;
		return LOGIN_FAILED;
	}
	outcome->logged_in = true;
	/* A 504 was about a mechanism, and decided nothing. */
	outcome->reply = (struct status){.code = 0};
	return LOGIN_DONE;
}

/* With what the provider said of it inside the exchange. */
static enum login_result
on_login_refused(struct login *login, const struct status *status)
{
	const struct secret *token = login->credentials.token;
	const struct customer_outcome *outcome = login->outcome;
	char inside[SERVER_ERROR_SHOWN], shown[SERVER_ERROR_SHOWN];
	char what[SERVER_ERROR_SHOWN + 2 * LOGIN_SHOWN_MAX + 64];

	snprintf(inside, sizeof inside, "%s", sasl_server_error(login->sasl));
	if (token != NULL)
		secret_hide(token, inside, strlen(inside));
	escape_text(shown, sizeof shown, inside, strlen(inside));
	/* Some servers know another binding than the one of this TLS. */
	snprintf(what, sizeof what,
	    "the provider refused the login by %s%s%s%s%s", outcome->mechanism,
	    outcome->binding != NULL ? ", bound by " : "",
	    outcome->binding != NULL ? outcome->binding : "",
	    inside[0] != '\0' ? ": " : "", shown);
	outcome_refused(login->outcome, status, ERROR_AUTH, what);
	return LOGIN_FAILED;
}

enum login_result
login_reply(struct login *login, const struct reply *reply)
{
	const struct status *status = &reply->status;

	switch (status->code) {
	case 235:
		return on_accepted(login);
	case 334:
		return on_challenge(login, reply);
	case 504: /* it does not have the mechanism after all */
	case 534: /* it wants a stronger one than this */
		login->outcome->reply = *status;
		return login_begin(login);
	default:
		return on_login_refused(login, status);
	}
}
