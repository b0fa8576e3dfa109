/* SPDX-License-Identifier: ISC */
#include "protocol/login.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/secret.h"
#include "protocol/customer.h"
#include "protocol/reply.h"
#include "protocol/sasl.h"

enum {
	COMMAND_MAX = 512, /* RFC 5321 4.5.3.1.4, CRLF included */
	ATTEMPT_DIGITS = 11, /* of an unsigned, and a NUL */
	SHOWN_MAX = 64, /* "AUTH NAME ***" */
	SERVER_ERROR_SHOWN = 300, /* of a JSON object (RFC 7628 3.2.2) */
};

struct login {
	const struct customer_options *options;
	struct customer_outcome *outcome;
	struct sasl_credentials credentials;
	struct sasl *sasl;
	size_t next; /* of the table of mechanisms, to be tried */
	unsigned attempts;
	char *nonce;
	struct buf response; /* before base64 */
	bool initial_waits; /* it is for the empty challenge to come */
	struct buf line;
	size_t sent_at; /* where in the line base64 begins */
	char shown[SHOWN_MAX];
};

static void
wipe(struct buf *buf)
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
	wipe(&login->response);
	wipe(&login->line);
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

/* Choice */

static bool
is_named(const struct login *login, const char *name)
{
	const char *const *named = login->options->mechanisms;

	for (; named != NULL && *named != NULL; named++)
		if (strcasecmp(*named, name) == 0)
			return true;
	return false;
}

static bool
is_allowed(const struct login *login, const char *name)
{
	return login->options->mechanisms == NULL || is_named(login, name);
}

/* We may and can, whether the provider offers it or not. */
static bool
is_eligible(const struct login *login, const struct sasl_mechanism *mechanism,
    const struct sasl_credentials *credentials)
{
	const char *name = sasl_mechanism_name(mechanism);

	return is_allowed(login, name) &&
	       sasl_mechanism_usable(
		   mechanism, credentials, is_named(login, name));
}

/* We could, if the provider did its part. That TLS cannot be bound is its
 * doing: we always offer what binding takes. */
static bool
could_be_used(const struct login *login, const struct sasl_mechanism *mechanism)
{
	struct sasl_credentials bound = login->credentials;

	if (bound.tls)
		bound.binding = "any";
	return is_eligible(login, mechanism, &bound);
}

static const struct sasl_mechanism *
choose(struct login *login)
{
	const struct sasl_mechanism *mechanism;

	while ((mechanism = sasl_mechanism_at(login->next)) != NULL) {
		login->next++;
		if (is_eligible(login, mechanism, &login->credentials) &&
		    offer_has_mechanism(
			&login->outcome->offer, sasl_mechanism_name(mechanism)))
			return mechanism;
	}
	return NULL;
}

/* The strongest that this provider is known to have had to offer, where that
 * is stronger than this one; else NULL. */
static const char *
find_stronger(const struct login *login, const char *name)
{
	const char *now = login->outcome->best_offered;
	const char *before = login->options->best_before;
	const struct sasl_mechanism *known =
	    before == NULL ? NULL : sasl_mechanism_find(before);

	if (known != NULL && could_be_used(login, known) &&
	    sasl_rank(before) < sasl_rank(now))
		now = sasl_mechanism_name(known);
	return sasl_rank(name) > sasl_rank(now) ? now : NULL;
}

/* Only the characters of the password keep us from an offered mechanism. */
static bool
is_text_to_blame(const struct login *login)
{
	const struct sasl_mechanism *mechanism;
	struct sasl_credentials ascii = login->credentials;
	char letter[] = "x";
	struct secret other = {.text = letter, .len = 1};

	if (ascii.user == NULL || ascii.password == NULL ||
	    ascii.password->len == 0)
		return false;
	ascii.user = letter;
	ascii.password = &other;
	for (size_t i = 0; (mechanism = sasl_mechanism_at(i)) != NULL; i++) {
		const char *name = sasl_mechanism_name(mechanism);

		if (is_allowed(login, name) &&
		    offer_has_mechanism(&login->outcome->offer, name) &&
		    sasl_mechanism_usable(mechanism, &ascii, false))
			return true;
	}
	return false;
}

static enum login_result
fail_without_mechanism(struct login *login)
{
	struct customer_outcome *outcome = login->outcome;
	const char *offered = outcome->offer.mechanisms;

	if (login->attempts > 0)
		outcome_failed(outcome, ERROR_UNABLE,
		    "the provider took no mechanism that it offers (%s) and "
		    "that may be used here: %d %s",
		    offered, outcome->reply.code, outcome->reply.text);
	else if (offered[0] == '\0')
		outcome_failed(outcome, ERROR_UNABLE,
		    "the provider does not offer AUTH%s",
		    login->credentials.tls ? "" : " without TLS");
	else
		outcome_failed(outcome, ERROR_UNABLE,
		    "the provider offers no mechanism that may be used here, "
		    "only %s%s",
		    offered,
		    is_text_to_blame(login)
			? "; SCRAM takes user and password in ASCII only"
			: "");
	return LOGIN_FAILED;
}

/* Lines */

static void
put(struct login *login, const char *text)
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
	put(login, "\r\n");
	wipe(&login->response);
}

/* AUTH, with the first response where the line has room for it. */
static void
make_auth(struct login *login)
{
	const char *name = login->outcome->mechanism;
	bool first = sasl_client_first(login->sasl);

	wipe(&login->line);
	put(login, "AUTH ");
	put(login, name);
	/* RFC 4954 4: on a longer line it has to wait. */
	login->initial_waits =
	    first &&
	    buf_len(&login->line) + 1 + response_size(login) > COMMAND_MAX;
	if (!first || login->initial_waits) {
		put(login, "\r\n");
		login->sent_at = buf_len(&login->line);
		snprintf(login->shown, sizeof login->shown, "AUTH %s", name);
		return;
	}
	put(login, buf_len(&login->response) == 0 ? " =" : " ");
	login->sent_at = buf_len(&login->line);
	put_response(login);
	snprintf(login->shown, sizeof login->shown, "AUTH %s ***", name);
}

static void
make_response(struct login *login)
{
	wipe(&login->line);
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
	wipe(&login->response);
	if (sasl_client_first(login->sasl) && !respond(login, "", 0))
		return LOGIN_FAILED;
	make_auth(login);
	return LOGIN_SEND;
}

enum login_result
login_begin(struct login *login)
{
	struct customer_outcome *outcome = login->outcome;
	const struct sasl_mechanism *mechanism = choose(login);

	if (mechanism == NULL)
		return fail_without_mechanism(login);
	const char *name = sasl_mechanism_name(mechanism);
	if (outcome->best_offered == NULL)
		outcome->best_offered = name;
	outcome->downgraded_from = find_stronger(login, name);
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

static enum login_result
on_challenge(struct login *login, const struct reply *reply)
{
	const char *text = reply_line(reply, 0);
	size_t len = strlen(text);
	unsigned char *challenge = xmalloc(len + 1);
	ssize_t size =
	    reply->lines == 1 ? base64_decode(challenge, text, len) : -1;
	bool ok = size >= 0;

	if (!ok)
		outcome_failed(login->outcome, ERROR_PROTOCOL,
		    "the provider's challenge is not base64");
	else if (!login->initial_waits)
		ok = respond(login, challenge, (size_t)size);
	login->initial_waits = false;
	free(challenge);
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
	return LOGIN_DONE;
}

/* With what the provider said of it inside the exchange. */
static enum login_result
on_refused(struct login *login, const struct status *status)
{
	const struct secret *token = login->credentials.token;
	const struct customer_outcome *outcome = login->outcome;
	char inside[SERVER_ERROR_SHOWN], shown[SERVER_ERROR_SHOWN];
	char what[SERVER_ERROR_SHOWN + 2 * SHOWN_MAX + 64];

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
		return on_refused(login, status);
	}
}
