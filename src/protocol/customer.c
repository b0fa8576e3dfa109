/* SPDX-License-Identifier: ISC */
#include "protocol/customer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "customer_private.h"

enum {
	INPUT_MAX = 65536, /* one read; replies are taken out as they come */
	OUTPUT_MAX = LOGIN_LINE_MAX + CUSTOMER_COMMAND_MAX,
};

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
	customer_enter(customer, &customer_greeting);
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
		customer_enter(customer, &customer_closed);
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
	customer_enter(customer, &customer_closed);
}

static void
on_eof(struct customer *customer)
{
	if (customer->outcome.result == CUSTOMER_PENDING)
		outcome_failed(&customer->outcome, ERROR_AGAIN,
		    "the provider ended the connection before %s",
		    customer->state->waits_for);
	customer_enter(customer, &customer_closed);
}

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

	if (customer->state == &customer_handshake && !customer->tls_asked) {
		told = &customer->tls_asked;
		*event = CUSTOMER_START_TLS;
	} else if (customer->outcome.result != CUSTOMER_PENDING &&
		   !customer->done_told) {
		told = &customer->done_told;
		*event = CUSTOMER_DONE;
	} else if (customer->state == &customer_closed &&
		   !customer->close_told) {
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
	return customer->state == &customer_atrn;
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
