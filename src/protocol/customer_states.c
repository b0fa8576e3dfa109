/* SPDX-License-Identifier: ISC */
#include "customer_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/secret.h"
#include "base/transcript.h"

enum {
	SHOWN_MAX = 300, /* of a peer's text in an error */
};

static const struct customer_state ehlo, starttls, auth, cancel, turned, quit;

static void
put_output(struct customer *customer, const char *text, size_t len)
{
	/* One line at a time is under way, and it was measured. */
	bool fits = buf_append(&customer->out, text, len);

	assert(fits);
}

static void
trace_sent(struct customer *customer, const char *line)
{
	transcript_line(customer->options.transcript, '>', line, strlen(line));
}

static void
send_line(struct customer *customer, const char *verb, const char *parameter)
{
	char line[CUSTOMER_COMMAND_MAX];
	int len = snprintf(line, sizeof line, "%s%s%s", verb,
	    parameter[0] != '\0' ? " " : "", parameter);

	assert(len > 0 && (size_t)len <= sizeof line - 2);
	put_output(customer, line, (size_t)len);
	put_output(customer, "\r\n", 2);
	trace_sent(customer, line);
}

static void
hide_in_input(struct customer *customer)
{
	struct buf *in = &customer->in;
	struct secret secret;

	for (size_t i = 0; login_secret(customer->login, i, &secret); i++)
		secret_hide(&secret, in->data + in->start, buf_len(in));
}

/* Octets that came before what they could be an answer to. */
static void
unasked(struct customer *customer)
{
	const char *data = buf_data(&customer->in);
	size_t len = buf_len(&customer->in);
	/* A server may leave at any time (RFC 5321 3.8). */
	bool leaves = len >= 3 && memcmp(data, "421", 3) == 0;
	char shown[SHOWN_MAX];

	hide_in_input(customer);
	escape_text(shown, sizeof shown, data, len);
	outcome_failed(&customer->outcome,
	    leaves ? ERROR_AGAIN : ERROR_PROTOCOL,
	    "the provider said more than %s: %s", customer->state->waits_for,
	    shown);
	customer_enter(customer, &customer_closed);
}

void
customer_enter(struct customer *customer, const struct customer_state *state)
{
	if (state->send != NULL && buf_len(&customer->in) > 0 &&
	    customer->outcome.result == CUSTOMER_PENDING) {
		unasked(customer);
		return;
	}
	customer->state = state;
	customer->reply.line_max = state->line_max;
	if (state->send != NULL)
		state->send(customer);
}

/* Fails by the reply that just came, and says QUIT. */
static void
refused(struct customer *customer, enum error_class permanent, const char *what)
{
	outcome_refused(
	    &customer->outcome, &customer->reply.status, permanent, what);
	customer_enter(customer, &quit);
}

/* Greeting, EHLO, STARTTLS */

static void
on_provider_greeting(struct customer *customer)
{
	customer->outcome.exim =
	    strstr(customer->reply.status.text, " Exim ") != NULL;
	if (customer->reply.status.code == 220)
		customer_enter(customer, &ehlo);
	else
		refused(customer, ERROR_UNABLE, "the provider does not greet");
}

static void
send_ehlo(struct customer *customer)
{
	send_line(customer, "EHLO", customer->options.hostname);
}

static void
on_ehlo(struct customer *customer)
{
	struct customer_outcome *outcome = &customer->outcome;

	if (customer->reply.status.code != 250) {
		/* HELO would not help: there is no AUTH after it. */
		refused(customer, ERROR_UNABLE, "the provider refused EHLO");
		return;
	}
	offer_parse(&outcome->offer, &customer->reply);
	if (customer->options.tls != CUSTOMER_STARTTLS || customer->secured) {
		customer_enter(customer, &auth);
	} else if (outcome->offer.starttls) {
		customer_enter(customer, &starttls);
	} else {
		outcome_failed(outcome, ERROR_UNABLE,
		    "the provider does not offer STARTTLS; a middlebox may "
		    "hide it: try `tls: implicit`, or another port");
		customer_enter(customer, &quit);
	}
}

static void
send_starttls(struct customer *customer)
{
	send_line(customer, "STARTTLS", "");
}

static void
on_starttls(struct customer *customer)
{
	if (customer->reply.status.code != 220) {
		refused(
		    customer, ERROR_UNABLE, "the provider refused STARTTLS");
	} else if (buf_len(&customer->in) > 0) {
		/* RFC 3207 6: it would count as said under TLS. */
		outcome_failed(&customer->outcome, ERROR_PROTOCOL,
		    "unexpected data after the reply to STARTTLS (possible "
		    "command injection); the connection was closed");
		customer_enter(customer, &customer_closed);
	} else {
		customer_enter(customer, &customer_handshake);
	}
}

void
customer_tls_started(
    struct customer *customer, const struct customer_binding *binding)
{
	bool implicit = customer->options.tls == CUSTOMER_IMPLICIT;

	assert(customer->state ==
	       (implicit ? &customer_greeting : &customer_handshake));
	assert(!customer->secured && buf_len(&customer->in) == 0);
	customer->secured = true;
	login_secured(customer->login, binding);
	/* RFC 3207 4.2: nothing that was said in the clear counts. */
	customer->outcome.offer = (struct offer){.starttls = false};
	reply_clear(&customer->reply);
	reply_init(&customer->reply);
	if (!implicit)
		customer_enter(customer, &ehlo);
}

/* AUTH */

static void
take_login(struct customer *customer, enum login_result result)
{
	bool check_only = customer->options.check_only;
	const char *line;
	size_t len;

	switch (result) {
	case LOGIN_SEND:
		if (buf_len(&customer->in) > 0) {
			unasked(customer);
			break;
		}
		line = login_line(customer->login, &len);
		put_output(customer, line, len);
		trace_sent(customer, login_shown(customer->login));
		break;
	case LOGIN_DONE:
		if (check_only)
			customer->outcome.result = CUSTOMER_CHECKED;
		customer_enter(customer, check_only ? &quit : &customer_atrn);
		break;
	case LOGIN_CANCEL:
		customer_enter(customer, &cancel);
		break;
	case LOGIN_FAILED:
		customer_enter(customer, &quit);
		break;
	}
}

static void
begin_login(struct customer *customer)
{
	take_login(customer, login_begin(customer->login));
}

static void
on_auth(struct customer *customer)
{
	take_login(customer, login_reply(customer->login, &customer->reply));
}

static void
send_cancel(struct customer *customer)
{
	send_line(customer, "*", "");
}

static void
on_cancelled(struct customer *customer)
{
	customer_enter(customer, &quit);
}

/* ATRN, QUIT */

static void
send_atrn(struct customer *customer)
{
	const char *domains = customer->options.domains;

	send_line(customer, "ATRN", domains == NULL ? "" : domains);
}

static void
on_atrn(struct customer *customer)
{
	static const char refused_atrn[] = "the provider refused ATRN";
	struct customer_outcome *outcome = &customer->outcome;

	switch (customer->reply.status.code) {
	case 250:
		outcome->result = CUSTOMER_TURNED;
		customer_enter(customer, &turned);
		break;
	case 453:
		outcome->result = CUSTOMER_NO_MAIL;
		customer_enter(customer, &quit);
		break;
	case 450:
		refused(customer, ERROR_REFUSED,
		    "the provider refused ATRN (no right to one of the "
		    "domains, or asked too often)");
		/* The one 4yz that is about rights (RFC 2645 5.2.1). */
		outcome->error.class = ERROR_REFUSED;
		outcome->refused_450 = true;
		break;
	case 500:
	case 501:
	case 502:
	case 503:
	case 504:
		refused(customer, ERROR_UNABLE, refused_atrn);
		break;
	default:
		refused(customer, ERROR_REFUSED, refused_atrn);
	}
}

static void
send_quit(struct customer *customer)
{
	/* What may still be there is no answer to it, and no matter. */
	buf_reset(&customer->in);
	send_line(customer, "QUIT", "");
}

static void
on_quit(struct customer *customer)
{
	customer_enter(customer, &customer_closed);
}

enum { LINE = REPLY_LINE_MAX, AUTH_LINE = REPLY_AUTH_LINE_MAX };
const struct customer_state customer_greeting = {
    "the greeting", LINE, NULL, on_provider_greeting};
static const struct customer_state ehlo = {
    "the reply to EHLO", LINE, send_ehlo, on_ehlo};
static const struct customer_state starttls = {
    "the reply to STARTTLS", LINE, send_starttls, on_starttls};
const struct customer_state customer_handshake = {
    "the TLS handshake", LINE, NULL, NULL};
static const struct customer_state auth = {
    "the reply to AUTH", AUTH_LINE, begin_login, on_auth};
static const struct customer_state cancel = {
    "the reply to the end of AUTH", AUTH_LINE, send_cancel, on_cancelled};
const struct customer_state customer_atrn = {
    "the reply to ATRN", LINE, send_atrn, on_atrn};
static const struct customer_state turned = {
    "the first command", LINE, NULL, NULL};
static const struct customer_state quit = {
    "the reply to QUIT", LINE, send_quit, on_quit};
const struct customer_state customer_closed = {"nothing", LINE, NULL, NULL};
