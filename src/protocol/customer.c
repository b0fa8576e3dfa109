/* SPDX-License-Identifier: ISC */
#include "protocol/customer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/transcript.h"
#include "protocol/login.h"
#include "protocol/reply.h"

enum {
	INPUT_MAX = 65536, /* one read; replies are taken out as they come */
	COMMAND_MAX = 512, /* RFC 5321 4.5.3.1.4, CRLF included */
	OUTPUT_MAX = LOGIN_LINE_MAX + COMMAND_MAX,
	SHOWN_MAX = 300, /* of a peer's text in an error */
};

struct state {
	const char *waits_for;
	size_t line_max; /* of a line of the reply */
	void (*send)(struct customer *); /* NULL: the provider speaks */
	void (*on_reply)(struct customer *); /* NULL: there is none */
};

struct customer {
	struct customer_options options;
	const struct state *state;
	struct customer_outcome outcome;
	struct login *login;
	struct reply reply;
	struct buf in, out;
	bool eof;
	bool secured; /* TLS is up */
	bool tls_asked, done_told, close_told; /* the events given so far */
};

static const struct state greeting, ehlo, starttls, handshake, auth, cancel,
    atrn, turned, quit, closed;

static void
put(struct customer *customer, const char *text, size_t len)
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
	char line[COMMAND_MAX];
	int len = snprintf(line, sizeof line, "%s%s%s", verb,
	    parameter[0] != '\0' ? " " : "", parameter);

	assert(len > 0 && (size_t)len <= sizeof line - 2);
	put(customer, line, (size_t)len);
	put(customer, "\r\n", 2);
	trace_sent(customer, line);
}

static void enter(struct customer *customer, const struct state *state);

/* Some quote what they did not take: "500 Unknown command: cGVuY2ls". */
static void
hide_in_reply(struct customer *customer)
{
	struct secret secret;

	/* A challenge is not shown, and must stay as it is. */
	if (customer->reply.status.code == 334)
		return;
	for (size_t i = 0; login_secret(customer->login, i, &secret); i++)
		reply_hide(&customer->reply, &secret);
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
	enter(customer, &closed);
}

/* The one place where the state changes. */
static void
enter(struct customer *customer, const struct state *state)
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
	enter(customer, &quit);
}

/* Greeting, EHLO, STARTTLS */

static void
on_greeting(struct customer *customer)
{
	customer->outcome.exim =
	    strstr(customer->reply.status.text, " Exim ") != NULL;
	if (customer->reply.status.code == 220)
		enter(customer, &ehlo);
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
		enter(customer, &auth);
	} else if (outcome->offer.starttls) {
		enter(customer, &starttls);
	} else {
		outcome_failed(outcome, ERROR_UNABLE,
		    "the provider does not offer STARTTLS; a middlebox may "
		    "hide it: try `tls: implicit`, or another port");
		enter(customer, &quit);
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
		enter(customer, &closed);
	} else {
		enter(customer, &handshake);
	}
}

void
customer_tls_started(
    struct customer *customer, const struct customer_binding *binding)
{
	bool implicit = customer->options.tls == CUSTOMER_IMPLICIT;

	assert(customer->state == (implicit ? &greeting : &handshake));
	assert(!customer->secured && buf_len(&customer->in) == 0);
	customer->secured = true;
	login_secured(customer->login, binding);
	/* RFC 3207 4.2: nothing that was said in the clear counts. */
	customer->outcome.offer = (struct offer){.starttls = false};
	reply_clear(&customer->reply);
	reply_init(&customer->reply);
	if (!implicit)
		enter(customer, &ehlo);
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
		put(customer, line, len);
		trace_sent(customer, login_shown(customer->login));
		break;
	case LOGIN_DONE:
		if (check_only)
			customer->outcome.result = CUSTOMER_CHECKED;
		enter(customer, check_only ? &quit : &atrn);
		break;
	case LOGIN_CANCEL:
		enter(customer, &cancel);
		break;
	case LOGIN_FAILED:
		enter(customer, &quit);
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
	enter(customer, &quit);
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
		enter(customer, &turned);
		break;
	case 453:
		outcome->result = CUSTOMER_NO_MAIL;
		enter(customer, &quit);
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
	enter(customer, &closed);
}

enum { LINE = REPLY_LINE_MAX, AUTH_LINE = REPLY_AUTH_LINE_MAX };
static const struct state greeting = {"the greeting", LINE, NULL, on_greeting};
static const struct state ehlo = {
    "the reply to EHLO", LINE, send_ehlo, on_ehlo};
static const struct state starttls = {
    "the reply to STARTTLS", LINE, send_starttls, on_starttls};
static const struct state handshake = {"the TLS handshake", LINE, NULL, NULL};
static const struct state auth = {
    "the reply to AUTH", AUTH_LINE, begin_login, on_auth};
static const struct state cancel = {
    "the reply to the end of AUTH", AUTH_LINE, send_cancel, on_cancelled};
static const struct state atrn = {
    "the reply to ATRN", LINE, send_atrn, on_atrn};
static const struct state turned = {"the first command", LINE, NULL, NULL};
static const struct state quit = {
    "the reply to QUIT", LINE, send_quit, on_quit};
static const struct state closed = {"nothing", LINE, NULL, NULL};

/* The engine */

struct customer *
customer_new(const struct customer_options *options)
{
	struct customer *customer = xcalloc(1, sizeof *customer);
	size_t room;

	customer->options = *options;
	customer->login = login_new(&customer->options, &customer->outcome);
	reply_init(&customer->reply);
	buf_init(&customer->in, INPUT_MAX);
	buf_init(&customer->out, OUTPUT_MAX);
	/* At once as large as it gets: growth would leave secrets behind. */
	buf_room(&customer->out, OUTPUT_MAX, &room);
	enter(customer, &greeting);
	return customer;
}

void
customer_free(struct customer *customer)
{
	if (customer == NULL)
		return;
	login_free(customer->login);
	buf_wipe(&customer->out);
	buf_clear(&customer->in);
	buf_clear(&customer->out);
	reply_clear(&customer->reply);
	free(customer);
}

char *
customer_room(struct customer *customer, size_t *room)
{
	return buf_room(&customer->in, INPUT_MAX, room);
}

void
customer_filled(struct customer *customer, size_t len)
{
	buf_filled(&customer->in, len);
}

void
customer_eof(struct customer *customer)
{
	customer->eof = true;
}

static void
on_reply(struct customer *customer)
{
	const struct status *status = &customer->reply.status;
	bool pending = customer->outcome.result == CUSTOMER_PENDING;

	reply_trace(&customer->reply, customer->options.transcript);
	/* RFC 5321 3.8 and RFC 7504: it closes, whatever was asked. */
	if (pending && (status->code == 421 || status->code == 521)) {
		outcome_refused(&customer->outcome, status, ERROR_UNABLE,
		    "the provider closes the connection");
		enter(customer, &closed);
	} else {
		customer->state->on_reply(customer);
	}
}

static void
on_broken(struct customer *customer)
{
	reply_trace(&customer->reply, customer->options.transcript);
	if (customer->outcome.result == CUSTOMER_PENDING)
		outcome_failed(&customer->outcome, ERROR_PROTOCOL, "%s is %s",
		    customer->state->waits_for, customer->reply.why);
	enter(customer, &closed);
}

static void
on_eof(struct customer *customer)
{
	if (customer->outcome.result == CUSTOMER_PENDING)
		outcome_failed(&customer->outcome, ERROR_AGAIN,
		    "the provider ended the connection before %s",
		    customer->state->waits_for);
	enter(customer, &closed);
}

/* Takes one reply, or the end; false: input is wanted. */
static bool
advance(struct customer *customer)
{
	size_t used;

	if (customer->state->on_reply == NULL)
		return false;
	enum reply_result result = reply_parse(&customer->reply,
	    buf_data(&customer->in), buf_len(&customer->in), &used);
	buf_consume(&customer->in, used);
	if (result != REPLY_MORE)
		hide_in_reply(customer);
	switch (result) {
	case REPLY_DONE:
		on_reply(customer);
		return true;
	case REPLY_BROKEN:
		on_broken(customer);
		return true;
	case REPLY_MORE:
		break;
	}
	if (customer->eof)
		on_eof(customer);
	return customer->eof;
}

/* An event that the state or the outcome stands for, and was not told yet. */
static bool
has_event(struct customer *customer, enum customer_event_type *event)
{
	bool *told = NULL;

	if (customer->state == &handshake && !customer->tls_asked) {
		told = &customer->tls_asked;
		*event = CUSTOMER_START_TLS;
	} else if (customer->outcome.result != CUSTOMER_PENDING &&
		   !customer->done_told) {
		told = &customer->done_told;
		*event = CUSTOMER_DONE;
	} else if (customer->state == &closed && !customer->close_told) {
		told = &customer->close_told;
		*event = CUSTOMER_CLOSE;
	}
	if (told != NULL)
		*told = true;
	return told != NULL;
}

bool
customer_next(struct customer *customer, enum customer_event_type *event)
{
	while (!has_event(customer, event))
		if (!advance(customer))
			return false;
	return true;
}

const struct customer_outcome *
customer_outcome(const struct customer *customer)
{
	return &customer->outcome;
}

bool
customer_is_asking(const struct customer *customer)
{
	return customer->state == &atrn;
}

const char *
customer_waits_for(const struct customer *customer)
{
	return customer->state->waits_for;
}

const char *
customer_output(struct customer *customer, size_t *len)
{
	*len = buf_len(&customer->out);
	return buf_data(&customer->out);
}

void
customer_written(struct customer *customer, size_t len)
{
	buf_consume(&customer->out, len);
	if (buf_len(&customer->out) == 0)
		buf_wipe(&customer->out);
}

const char *
customer_rest(const struct customer *customer, size_t *len)
{
	*len = buf_len(&customer->in);
	return buf_data(&customer->in);
}

size_t
customer_join_domains(char *out, const char *const *domains, size_t count)
{
	size_t used = 0, i;

	out[0] = '\0';
	for (i = 0; i < count; i++) {
		size_t len = strlen(domains[i]);
		size_t comma = i > 0 ? 1 : 0;

		if (used + comma + len > CUSTOMER_DOMAINS_MAX)
			break;
		if (comma > 0)
			out[used++] = ',';
		memcpy(out + used, domains[i], len + 1);
		used += len;
	}
	return i;
}
