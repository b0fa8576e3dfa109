/* SPDX-License-Identifier: ISC */
#include "session/call.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/deadline.h"
#include "base/stop.h"
#include "base/transcript.h"
#include "call_private.h"
#include "config/config.h"
#include "net/stream.h"
#include "protocol/customer.h"
#include "record/history.h"

enum {
	/* Slow lines, slow routers; or provider_timeout where that is less. */
	HANDSHAKE_MS = 60 * 1000,
	/* For QUIT and its answer, when all that matters has been said. */
	GOODBYE_MS = 3 * 1000,
	RANDOM_OCTETS = 18, /* of a nonce; no two sessions have the same */
	/* As long as keep-alive, which does not look while a reply of ours is
	 * under way: a router that forgets must cost no more then. */
	ACKS_MS = 60 * 1000,
	EARLY_MAX = 65536, /* as much as the customer's input can hold */
	HELD_SOON_MS = 1000, /* where a provider is known to hold */
};

/* One call under way. */
struct conversation {
	struct call *call;
	struct call_result *result;
	struct customer *customer;
	struct deadline deadline; /* of the reply that is waited for */
	bool asked; /* ATRN was said */
	bool reached; /* the login was accepted, and told of */
};

/* A signal ends the wait at once: nothing is under way that could be lost. */
static struct deadline
limit(int64_t ms)
{
	return deadline_in(ms, 0);
}

void
call_result_clear(struct call_result *result)
{
	stream_free(result->stream);
	result->stream = NULL;
	buf_clear(&result->early);
}

/* Copied, since the customer goes away at the end. */
static void
note_outcome(struct conversation *conversation)
{
	struct customer_outcome *outcome = &conversation->result->outcome;

	*outcome = *customer_outcome(conversation->customer);
}

/* A failure outside the dialogue; an outcome that stands already stays. */
static void
fail_call(struct conversation *conversation, const struct error *err)
{
	struct customer_outcome *outcome = &conversation->result->outcome;

	if (conversation->customer != NULL)
		note_outcome(conversation);
	if (outcome->result == CUSTOMER_PENDING) {
		outcome->result = CUSTOMER_FAILED;
		outcome->error = *err;
	}
}

/* Dialogue */

static bool
start_tls(struct conversation *conversation)
{
	struct call_result *result = conversation->result;
	int64_t patience =
	    conversation->call->options.account->provider_timeout;
	struct deadline deadline =
	    limit(patience < HANDSHAKE_MS ? patience : HANDSHAKE_MS);
	struct customer_binding binding = {.type = NULL};
	struct tls_binding bound;
	struct error err;

	if (!tls_start(
		conversation->call->tls, result->stream, &deadline, &err)) {
		fail_call(conversation, &err);
		return false;
	}
	result->secured = tls_info(result->stream, &result->tls);
	if (tls_binding(result->stream, &bound)) {
		binding.type = bound.name;
		memcpy(binding.data, bound.data, bound.len);
		binding.len = bound.len;
	}
	customer_tls_started(conversation->customer, &binding);
	return true;
}

static void
tell_login(struct conversation *conversation)
{
	const struct call_options *options = &conversation->call->options;

	if (conversation->reached ||
	    !customer_outcome(conversation->customer)->logged_in)
		return;
	conversation->reached = true;
	if (options->reached != NULL)
		options->reached(options->reached_context);
}

/* false: there is no way on. */
static bool
take_events(struct conversation *conversation)
{
	struct transcript *transcript = conversation->call->options.transcript;
	enum customer_event_type event;

	while (customer_next(conversation->customer, &event)) {
		transcript_flush(transcript);
		note_outcome(conversation);
		switch (event) {
		case CUSTOMER_START_TLS:
			if (!start_tls(conversation))
				return false;
			break;
		case CUSTOMER_DONE:
			conversation->deadline = limit(GOODBYE_MS);
			break;
		case CUSTOMER_CLOSE:
			return false;
		}
	}
	transcript_flush(transcript);
	tell_login(conversation);
	return conversation->result->outcome.result != CUSTOMER_TURNED;
}

/* Whoever gets a command has the whole time for the reply. */
static bool
write_dialogue(struct conversation *conversation)
{
	const struct config_account *account =
	    conversation->call->options.account;
	bool pending = conversation->result->outcome.result == CUSTOMER_PENDING;
	struct error err;
	size_t len;
	const char *output = customer_output(conversation->customer, &len);

	if (len == 0)
		return true;
	if (pending)
		conversation->deadline = limit(account->provider_timeout);
	if (!stream_write(conversation->result->stream, output, len,
		&conversation->deadline, &err)) {
		error_prefix(&err, "writing to the provider");
		fail_call(conversation, &err);
		return false;
	}
	customer_written(conversation->customer, len);
	return true;
}

/* A reply to ATRN that takes its time is told of, and waited for. false: it is
 * not waited for on this call. */
static bool
wait_for_mail(struct conversation *conversation)
{
	const struct call_options *options = &conversation->call->options;
	struct call_result *result = conversation->result;
	struct deadline soon =
	    limit(options->holds ? HELD_SOON_MS : HISTORY_HELD_MS);

	if (result->held || !customer_is_asking(conversation->customer) ||
	    stream_pending(result->stream))
		return true;
	soon = deadline_min(soon, conversation->deadline);
	if (deadline_wait(&soon, stream_fd(result->stream), POLLIN) !=
		DEADLINE_OVER ||
	    deadline_left(&conversation->deadline) == 0)
		return true;
	result->held = true;
	if (options->held == NULL || options->held(options->held_context))
		return true;
	struct error err;
	error_set(&err, ERROR_AGAIN,
	    "the wait for new mail begins anew in a session of its own");
	fail_call(conversation, &err);
	return false;
}

static bool
read_dialogue(struct conversation *conversation)
{
	struct customer *customer = conversation->customer;
	struct error err;
	size_t room;
	char *to = customer_room(customer, &room);

	int64_t begun = clock_ms();
	bool asking = customer_is_asking(customer);
	conversation->asked |= asking;
	if (!wait_for_mail(conversation))
		return false;
	ssize_t n = stream_read(conversation->result->stream, to, room,
	    &conversation->deadline, &err);
	if (asking)
		conversation->result->waited += clock_ms() - begun;
	if (n < 0) {
		error_prefix(
		    &err, "waiting for %s", customer_waits_for(customer));
		fail_call(conversation, &err);
		return false;
	}
	if (n == 0)
		customer_eof(customer);
	else
		customer_filled(customer, (size_t)n);
	return true;
}

static void
converse(struct conversation *conversation)
{
	const struct config_account *account =
	    conversation->call->options.account;

	if (account->tls == CONFIG_TLS_IMPLICIT && !start_tls(conversation))
		return;
	conversation->deadline = limit(account->provider_timeout);
	while (take_events(conversation) && write_dialogue(conversation) &&
	       read_dialogue(conversation))
		continue;
}

/* Set-up */

/* Our name for EHLO; one that is not fit gives way to our address (RFC 5321
 * 4.1.4). */
static void
name_ourselves(const struct config *config, struct call_result *result)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof name;
	char text[INET6_ADDRSTRLEN];
	const void *address = NULL;

	snprintf(
	    result->hostname, sizeof result->hostname, "%s", config->hostname);
	if (config->hostname_fault == NULL ||
	    getsockname(
		stream_fd(result->stream), (struct sockaddr *)&name, &len) != 0)
		return;
	if (name.ss_family == AF_INET)
		address = &((const struct sockaddr_in *)&name)->sin_addr;
	else if (name.ss_family == AF_INET6)
		address = &((const struct sockaddr_in6 *)&name)->sin6_addr;
	if (address != NULL &&
	    inet_ntop(name.ss_family, address, text, sizeof text) != NULL)
		snprintf(result->hostname, sizeof result->hostname, "[%s%s]",
		    name.ss_family == AF_INET6 ? "IPv6:" : "", text);
}

static enum customer_tls
tls_mode(enum config_tls tls)
{
	switch (tls) {
	case CONFIG_TLS_STARTTLS:
		return CUSTOMER_STARTTLS;
	case CONFIG_TLS_IMPLICIT:
		return CUSTOMER_IMPLICIT;
	case CONFIG_TLS_OFF:
		return CUSTOMER_CLEAR;
	}
	return CUSTOMER_STARTTLS;
}

static struct stream *
dial_provider(
    const struct call *call, char address[DIAL_PEER_SIZE], struct error *err)
{
	const struct config_account *account = call->options.account;
	static const enum dial_family families[] = {
	    [CONFIG_IP_ANY] = DIAL_ANY,
	    [CONFIG_IP_4] = DIAL_IPV4,
	    [CONFIG_IP_6] = DIAL_IPV6,
	};
	struct dial_options options = {
	    .host = account->provider.host,
	    .port = account->provider.port,
	    .proxy = account->proxy.text,
	    .source_address = account->source_address,
	    .family = families[account->ip_version],
	    .avoid = call->avoid,
	    .avoid_count = call->avoid_count,
	};
	struct deadline deadline = limit(account->connect_timeout);
	int fd = dial_open(&options, &deadline, address, err);

	if (fd < 0)
		return NULL;
	struct stream *stream = stream_new(fd);
	stream_expect_acks(stream, ACKS_MS);
	return stream;
}

static bool
make_nonce(char nonce[BASE64_SIZE(RANDOM_OCTETS)], struct error *err)
{
	unsigned char octets[RANDOM_OCTETS];

	if (getentropy(octets, sizeof octets) != 0) {
		error_set(
		    err, ERROR_SYSTEM, "the system gives no random numbers");
		return false;
	}
	base64_encode(nonce, octets, sizeof octets);
	return true;
}

static void
talk(struct conversation *conversation, const char *nonce, const char *domains)
{
	const struct call_options *options = &conversation->call->options;
	const struct config_account *account = options->account;
	struct call_result *result = conversation->result;
	struct customer_options dialogue = {
	    .hostname = result->hostname,
	    .tls = tls_mode(account->tls),
	    .host = account->provider.host,
	    .port = account->provider.port,
	    .user = account->user,
	    .password = options->password,
	    .token = options->token,
	    .certificate = account->tls_cert_file != NULL,
	    .mechanisms = account->auth.count > 0 ? account->auth.items : NULL,
	    .random = nonce,
	    .best_before = options->best_before,
	    .refuse_downgrade =
		account->auth_downgrade == CONFIG_AUTH_DOWNGRADE_REFUSE,
	    .domains = domains,
	    .check_only = options->check_only,
	    .transcript = options->transcript,
	};

	conversation->customer = customer_new(&dialogue);
	converse(conversation);
	if (result->outcome.result == CUSTOMER_TURNED) {
		size_t len;
		const char *rest = customer_rest(conversation->customer, &len);
		bool fits = buf_append(&result->early, rest, len);

		assert(fits);
	}
	customer_free(conversation->customer);
}

/* Leaves in order, where the provider did nothing wrong. */
static void
say_quit(const struct call_result *result)
{
	struct deadline deadline = limit(GOODBYE_MS);

	if (result->outcome.result == CUSTOMER_NO_MAIL ||
	    result->outcome.result == CUSTOMER_CHECKED)
		stream_finish(result->stream, &deadline);
}

bool
call_connect(const struct call *call, struct call_result *result)
{
	struct error err;

	*result = (struct call_result){.secured = false};
	buf_init(&result->early, EARLY_MAX);
	result->stream = dial_provider(call, result->address, &err);
	if (result->stream == NULL) {
		result->outcome.result = CUSTOMER_FAILED;
		result->outcome.error = err;
		return false;
	}
	name_ourselves(call->options.config, result);
	return true;
}

void
call_talk(struct call *call, const char *domains, struct call_result *result)
{
	struct conversation conversation = {.call = call, .result = result};
	char nonce[BASE64_SIZE(RANDOM_OCTETS)];
	struct error err;

	if (!make_nonce(nonce, &err)) {
		fail_call(&conversation, &err);
		return;
	}
	talk(&conversation, nonce, domains);
	bool listened =
	    result->held || (call->options.holds && conversation.asked);
	result->let_go =
	    listened && result->outcome.result == CUSTOMER_FAILED &&
	    result->outcome.reply.code == 0 &&
	    (stop_requested() || deadline_left(&conversation.deadline) > 0);
	say_quit(result);
}
