/* SPDX-License-Identifier: ISC */
#include "command/check_deliver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "deliver/delivery.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/trace.h"
#include "session/destinations.h"

enum {
	/* Above the time that any delivery has for one step; a signal ends the
	 * wait, but not that for the answer to the last dot. */
	DELIVER_MS = 15 * 60 * 1000,
	ANSWER_GRACE_MS = 10 * 1000,
	ID_OCTETS = 8,
};

struct test_message {
	const struct config *config;
	const struct config_account *account;
	struct destinations *destinations;
	struct path rcpt;
	char id[2 * ID_OCTETS + 1];
};

static bool
read_test_address(struct path *path, const char *text)
{
	size_t used, len = strlen(text);

	if (path_parse(path, text, len, &used) == PATH_OK && used == len &&
	    path_domain(path)[0] != '\0')
		return true;
	fprintf(stderr,
	    "odmr-agent: %s is no address; check --deliver needs one with its"
	    " domain, as in anna@example.org\n",
	    text);
	return false;
}

static const struct config_account *
find_accepting(const struct config_account *const *accounts, size_t count,
    const struct path *rcpt)
{
	for (size_t i = 0; i < count; i++)
		if (config_accepts(accounts[i], path_domain(rcpt)))
			return accounts[i];
	printf("%s: refused: no account accepts the domain %s; see \"accept\""
	       " and \"domains\"\n",
	    rcpt->mailbox, path_domain(rcpt));
	return NULL;
}

/* Account, delivery, and what is behind it. */
static void
tell_way(const struct test_message *test)
{
	const struct config_delivery *delivery =
	    destinations_find(test->destinations, &test->rcpt);

	printf("%s: account %s, ", test->rcpt.mailbox, test->account->name);
	if (delivery == NULL) {
		printf("no delivery: no route matches\n");
		return;
	}
	printf("delivery %s: %s ", delivery->name,
	    config_kinds[delivery->kind].name);
	switch (delivery->kind) {
	case CONFIG_LMTP:
	case CONFIG_SMTP:
		if (delivery->address.host == NULL)
			printf("%s\n", delivery->path);
		else
			printf("%s, port %u\n", delivery->address.host,
			    (unsigned)delivery->address.port);
		break;
	case CONFIG_SENDMAIL:
		printf("%s\n", delivery->args.items[0]);
		break;
	case CONFIG_MAILDIR:
		printf("%s\n", delivery->path);
		break;
	}
}

static int
tell_reply(const struct test_message *test, const struct status *status)
{
	static const char *const words[] = {
	    [2] = "delivered", [4] = "deferred", [5] = "refused"};
	static const int exits[] = {
	    [2] = EX_OK, [4] = EX_TEMPFAIL, [5] = EX_NOUSER};
	char line[STATUS_LINE_MAX];
	int class = status_class(status);

	if (class != 2 && class != 5)
		class = 4;
	printf("%s: %s: %s\n", test->rcpt.mailbox, words[class],
	    status_format(status, line, sizeof line));
	if (class == 2)
		printf("%s: look for \"Test message %s\" there\n",
		    test->rcpt.mailbox, test->id);
	return exits[class];
}

static void
give_message(const struct test_message *test, struct delivery *delivery)
{
	char field[TRACE_FIELD_MAX], date[TIMESTAMP_MAIL_SIZE];

	timestamp_format_mail(date, clock_unix_ms());
	struct trace_field trace = {
	    .peer_name = test->config->hostname,
	    .peer_addr = "",
	    .hostname = test->config->hostname,
	    .id = test->id,
	    .rcpt = test->rcpt.mailbox,
	    .date = date,
	    .esmtp = true,
	};
	size_t len = trace_format(&trace, field);
	delivery->ops->body(delivery, field, len);
	char *text = xasprintf(
	    "From: odmr-agent <postmaster@%s>\r\nTo: <%s>\r\n"
	    "Subject: Test message %s\r\nDate: %s\r\n"
	    "Message-ID: <%s.check@%s>\r\nAuto-Submitted: auto-generated\r\n\r\n"
	    "This was sent by `odmr-agent check --deliver %s`.\r\n"
	    "Mail that the provider of account %s has for this address\r\n"
	    "goes the same way.\r\n",
	    path_domain(&test->rcpt), test->rcpt.mailbox, test->id, date,
	    test->id, test->config->hostname, test->rcpt.mailbox,
	    test->account->name);
	delivery->ops->body(delivery, text, strlen(text));
	free(text);
}

/* One message for one recipient, as in a session; the last word on it. */
static void
hand_over_test(const struct test_message *test, struct status *status)
{
	struct delivery *delivery = destinations_delivery(test->destinations);
	struct deadline deadline = deadline_in(DELIVER_MS, ANSWER_GRACE_MS);
	const struct path nobody = {.mailbox = ""};
	const struct recipient recipient = {.path = test->rcpt};
	const struct recipient *rcpt = &recipient;
	const struct envelope envelope = {
	    .sender = &nobody, .rcpt = &rcpt, .rcpts = 1};
	size_t i;

	*status = (struct status){.code = 0};
	delivery->ops->begin(delivery, &envelope);
	delivery->ops->rcpt(delivery, 0);
	delivery->ops->send(delivery, true);
	while (delivery->ops->answer(delivery, &i, status, &deadline))
		continue;
	assert(status->code != 0); /* each recipient has an answer */
	if (status_class(status) != 2) {
		delivery->ops->abort(delivery);
		return;
	}
	give_message(test, delivery);
	if (delivery->ops->ready(delivery, &deadline))
		delivery->ops->finish(delivery, &deadline);
	while (delivery->ops->result(delivery, &i, status, &deadline))
		continue;
}

static int
deliver_test(struct test_message *test)
{
	struct deadline deadline = deadline_in(DELIVER_MS, 0);
	struct status status;
	struct error err;
	uint64_t size_max;

	tell_way(test);
	fflush(stdout);
	if (!destinations_probe(
		test->destinations, &size_max, &deadline, &err)) {
		printf("%s: deferred: %s\n", test->rcpt.mailbox, err.text);
		return EX_TEMPFAIL;
	}
	hand_over_test(test, &status);
	int exit_status = tell_reply(test, &status);
	/* What somebody should mend is logged here. */
	if (!destinations_watch(test->destinations, &err))
		printf("%s: %s\n", test->rcpt.mailbox, err.text);
	return exit_status;
}

int
check_deliver(const struct config *config,
    const struct config_account *const *accounts, size_t count,
    const char *address, bool trace)
{
	struct test_message test = {.config = config};

	if (!read_test_address(&test.rcpt, address))
		return EX_USAGE;
	test.account = find_accepting(accounts, count, &test.rcpt);
	if (test.account == NULL)
		return EX_NOUSER;
	digest_random(test.id, ID_OCTETS);
	test.destinations =
	    destinations_new(config, test.account, config->hostname, trace);
	int status = deliver_test(&test);
	destinations_free(test.destinations);
	return status;
}
