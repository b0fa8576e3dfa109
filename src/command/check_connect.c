/* SPDX-License-Identifier: ISC */
#include "command/check_connect.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/privilege.h"
#include "base/stop.h"
#include "base/transcript.h"
#include "config/config.h"
#include "deliver/delivery.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "record/history.h"
#include "record/status_file.h"
#include "session/call.h"
#include "session/destinations.h"

enum {
	/* For one delivery to show itself, and to answer a group of RCPTs. */
	PROBE_MS = 60 * 1000,
	/* Passwords, keys and certificates. */
	SETUP_MS = 60 * 1000,
	/* RCPTs in one transaction; every server takes so many (RFC 5321
	 * 4.5.3.1.8). */
	GROUP = 100,
	LINE_SIZE = ERROR_TEXT_MAX + 64,
	/* A certificate that ends so soon should have been renewed. */
	EXPIRY_DAYS = 14,
};

struct check {
	const struct config *config;
	bool trace;
	int status;
	bool *dsn; /* of each delivery: it is there and lists DSN */
	bool advised; /* of postmaster; once is enough */
	/* A domain that refuses him, or "". */
	char no_postmaster[ADDRESS_MAX + 1];
};

static void
note_error(struct check *check, const char *what, const struct error *err)
{
	printf("%s: failed: %s\n", what, err->text);
	check->status =
	    error_worse_status(check->status, error_exit_status(err->class));
}

/* An account that sends everything to one delivery. */
static struct destinations *
only_destination(
    const struct check *check, struct config_account *account, size_t i)
{
	account->deliver = check->config->deliveries[i].name;
	account->delivery = i;
	return destinations_new(
	    check->config, account, check->config->hostname, check->trace);
}

static void
tell_ready(const char *what, enum config_delivery_kind kind,
    const struct delivery_can *can, bool dsn)
{
	switch (kind) {
	case CONFIG_LMTP:
	case CONFIG_SMTP:
		printf("%s: reachable, announces ", what);
		if (can->size_max == 0)
			printf("no SIZE, ");
		else
			printf("SIZE %" PRIu64 ", ", can->size_max);
		printf("%s DSN\n", dsn ? "lists" : "does not list");
		return;
	case CONFIG_SENDMAIL:
	case CONFIG_MAILDIR:
		printf("%s: ready\n", what);
		return;
	}
}

static void
probe_delivery(struct check *check, size_t i)
{
	struct deadline deadline = deadline_in(PROBE_MS, 0);
	struct config_account account = check->config->accounts[0];
	struct destinations *destinations =
	    only_destination(check, &account, i);
	struct delivery *delivery = destinations_delivery(destinations);
	struct delivery_can can = {.size_max = 0};
	char what[CONFIG_NAME_MAX + 16];
	struct error err;

	snprintf(what, sizeof what, "delivery %s", delivery->name);
	if (!delivery->ops->probe(delivery, &can, &deadline, &err))
		note_error(check, what, &err);
	else {
		check->dsn[i] = delivery_takes_dsn(delivery);
		tell_ready(what, check->config->deliveries[i].kind, &can,
		    check->dsn[i]);
	}
	fflush(stdout);
	destinations_free(destinations);
}

static void
probe_deliveries(struct check *check,
    const struct config_account *const *accounts, size_t count)
{
	for (size_t i = 0; i < check->config->deliveries_count; i++) {
		bool used = false;
		for (size_t k = 0; k < count && !used; k++)
			used = config_reaches(check->config, accounts[k], i);
		if (used && !stop_requested())
			probe_delivery(check, i);
	}
}

/* As a session would decide it. */
static void
tell_dsn(const struct check *check, const struct config_account *account)
{
	const struct config *config = check->config;

	for (size_t i = 0; i < config->deliveries_count; i++) {
		if (!config_reaches(config, account, i) || check->dsn[i])
			continue;
		printf("%s: DSN is not offered to the provider, since delivery"
		       " %s does not list it\n",
		    account->name, config->deliveries[i].name);
		return;
	}
	printf("%s: DSN is offered to the provider\n", account->name);
}

/* That one mailbox is missing says nothing of the others: a warning. */
static void
tell_answer(struct check *check, const struct config_account *account,
    const struct destinations *destinations, const struct path *rcpt,
    const struct status *status)
{
	const struct config_delivery *delivery =
	    destinations_find(destinations, rcpt);
	char line[STATUS_TEXT_MAX + 32];
	int class = status_class(status);

	printf("%s: %s%s to %s: %s\n", account->name,
	    class == 5 ? "warning: " : "", rcpt->mailbox,
	    delivery != NULL ? delivery->name : "no delivery",
	    status_format(status, line, sizeof line));
	if (class == 4)
		check->status = error_worse_status(check->status, EX_TEMPFAIL);
	if (class == 5)
		snprintf(check->no_postmaster, sizeof check->no_postmaster,
		    "%s", path_domain(rcpt));
}

static void
advise_of_postmaster(struct check *check)
{
	const char *domain = check->no_postmaster;

	if (domain[0] == '\0' || check->advised)
		return;
	check->advised = true;
	printf("    Each domain must accept mail for postmaster (RFC 5321,"
	       " section 4.5.1), so that\n"
	       "    others can report trouble. In Dovecot, make a user of that"
	       " name. In Postfix, add\n"
	       "    \"postmaster@%s NAME@%s\" to virtual_alias_maps, or"
	       " \"postmaster: NAME\"\n"
	       "    to /etc/aliases. No other mailbox was tried; try one of"
	       " yours with\n"
	       "    odmr-agent -c %s check --deliver NAME@%s\n",
	    domain, domain, check->config->path, domain);
}

/* MAIL FROM:<>, RCPT TO:<postmaster@DOMAIN> for each of a group, RSET. */
static void
ask_group(struct check *check, const struct config_account *account,
    const struct destinations *destinations, const struct recipient *group,
    size_t count)
{
	struct delivery *delivery = destinations_delivery(destinations);
	struct deadline deadline = deadline_in(PROBE_MS, 0);
	const struct path nobody = {.mailbox = ""};
	const struct recipient *rcpt[GROUP];
	struct envelope envelope = {
	    .sender = &nobody, .rcpt = rcpt, .rcpts = count};
	struct status status;
	size_t i;

	for (i = 0; i < count; i++)
		rcpt[i] = &group[i];
	delivery->ops->begin(delivery, &envelope);
	for (i = 0; i < count; i++)
		delivery->ops->rcpt(delivery, i);
	delivery->ops->send(delivery, false);
	while (delivery->ops->answer(delivery, &i, &status, &deadline))
		tell_answer(
		    check, account, destinations, &rcpt[i]->path, &status);
	delivery->ops->abort(delivery);
	fflush(stdout);
}

static void
ask_account(struct check *check, const struct config_account *account)
{
	const struct config_texts *domains = &account->accept;
	struct destinations *destinations = destinations_new(
	    check->config, account, check->config->hostname, check->trace);
	struct recipient *group = xcalloc(GROUP, sizeof *group);
	size_t count = 0;

	for (size_t i = 0; i < domains->count && !stop_requested(); i++) {
		char *text = xasprintf("<postmaster@%s>", domains->items[i]);
		size_t used;
		if (path_parse(&group[count].path, text, strlen(text), &used) ==
		    PATH_OK)
			count++;
		free(text);
		if (count > 0 && (count == GROUP || i + 1 == domains->count)) {
			ask_group(check, account, destinations, group, count);
			count = 0;
		}
	}
	free(group);
	destinations_free(destinations);
	advise_of_postmaster(check);
}

static void
tell_tls(const struct config_account *account, const struct tls_info *tls)
{
	time_t now = time(NULL);
	char day[32] = "unknown";
	struct tm utc;

	printf("%s: %s, %s\n", account->name, tls->version, tls->cipher);
	if (tls->not_after != -1 && gmtime_r(&tls->not_after, &utc) != NULL)
		strftime(day, sizeof day, "%Y-%m-%d", &utc);
	printf("%s: certificate of %s, valid until %s\n", account->name,
	    tls->subject, day);
	if (tls->not_after != -1 &&
	    tls->not_after - now < (time_t)EXPIRY_DAYS * 24 * 60 * 60)
		printf("%s: warning: that is less than %d days\n",
		    account->name, EXPIRY_DAYS);
	printf("%s: tls_pins: %s\n", account->name, tls->pin);
}

static void
tell_offer(const struct config_account *account,
    const struct customer_outcome *outcome)
{
	printf("%s: offers AUTH %s\n", account->name,
	    outcome->offer.mechanisms[0] != '\0' ? outcome->offer.mechanisms
						 : "not at all");
	if (outcome->logged_in)
		printf("%s: logged in by %s%s%s\n", account->name,
		    outcome->mechanism,
		    outcome->binding != NULL ? ", bound by " : "",
		    outcome->binding != NULL ? outcome->binding : "");
	if (outcome->downgraded_from != NULL)
		printf("%s: warning: %s has offered %s before: possible man"
		       " in the middle\n",
		    account->name, account->provider.host,
		    outcome->downgraded_from);
	if (outcome->offer.atrn)
		printf("%s: offers ATRN\n", account->name);
	else
		printf("%s: warning: does not list ATRN, which is used"
		       " anyway\n",
		    account->name);
}

/* The next step, for the mistakes that are made most. */
static const char *
advise_of_call(
    const struct config_account *account, const struct call_result *result)
{
	enum error_class class = result->outcome.error.class;
	bool spoke = result->secured || result->address[0] == '\0';

	if (class == ERROR_AUTH)
		return "correct \"user\" and the password, or ask the provider";
	if (class == ERROR_UNABLE)
		return "ask the provider for host and port of ODMR, mostly"
		       " port 366";
	if ((class != ERROR_AGAIN && class != ERROR_PROTOCOL) || spoke)
		return NULL;
	return account->tls == CONFIG_TLS_IMPLICIT
		   ? "where the port is right, try \"tls: starttls\""
		   : "where the port is right, try \"tls: implicit\"";
}

static void
tell_failure(struct check *check, const struct config_account *account,
    const struct call_result *result)
{
	const char *advice = advise_of_call(account, result);

	note_error(check, account->name, &result->outcome.error);
	if (advice != NULL)
		printf("    %s:%u: %s\n", account->provider.host,
		    (unsigned)account->provider.port, advice);
}

static void
tell_call(struct check *check, const struct config_account *account,
    const struct call_result *result)
{
	printf("%s: provider %s:%u%s%s%s\n", account->name,
	    account->provider.host, (unsigned)account->provider.port,
	    result->address[0] != '\0' ? " at " : "", result->address,
	    result->secured || result->outcome.offer.provider[0] == '\0'
		? ""
		: ", in the clear");
	if (result->secured)
		tell_tls(account, &result->tls);
	if (result->outcome.offer.provider[0] != '\0')
		tell_offer(account, &result->outcome);
	if (result->outcome.result == CUSTOMER_FAILED)
		tell_failure(check, account, result);
}

/* What a session would compare the offer with. */
static void
read_check_history(const struct check *check,
    const struct config_account *account, struct history *history)
{
	struct error err;

	if (!status_file_read(
		check->config->state_dir, account->name, history, &err))
		printf("%s: warning: %s\n", account->name, err.text);
	history_provider_is(history, account);
}

static void
tell_other_address(void *context, const char *address, const struct error *why)
{
	const struct config_account *const *account = context;

	printf("%s: warning: the provider could not be used at the address %s:"
	       " %s\n",
	    (*account)->name, address, why->text);
}

static void
check_call(struct check *check, const struct config_account *account)
{
	struct deadline deadline = deadline_in(SETUP_MS, 0);
	struct history history;
	struct transcript transcript;
	struct call_options options = {
	    .config = check->config,
	    .account = account,
	    .best_before = history.auth_best,
	    .check_only = true,
	    .passed_over = tell_other_address,
	    .passed_over_context = &account,
	    .transcript = &transcript,
	};
	struct call_result result;
	struct error err;

	transcript_init(&transcript, "provider", check->trace);
	read_check_history(check, account, &history);
	struct call *call = call_prepare(&options, &deadline, &err);
	privilege_resume(); /* nothing else is done as root */
	if (call == NULL)
		note_error(check, account->name, &err);
	else {
		call_run(call, NULL, &result);
		tell_call(check, account, &result);
		call_result_clear(&result);
	}
	fflush(stdout);
	call_free(call);
	transcript_clear(&transcript);
	history_clear(&history);
}

int
check_connect(const struct config *config,
    const struct config_account *const *accounts, size_t count, bool trace)
{
	struct check check = {
	    .config = config,
	    .trace = trace,
	    .dsn = xcalloc(config->deliveries_count, sizeof *check.dsn),
	};
	const struct passwd *user = getpwuid(geteuid());

	if (user != NULL)
		printf("trying as user %s\n", user->pw_name);
	else
		printf("trying as user number %lu\n", (unsigned long)geteuid());
	probe_deliveries(&check, accounts, count);
	for (size_t i = 0; i < count && !stop_requested(); i++) {
		tell_dsn(&check, accounts[i]);
		ask_account(&check, accounts[i]);
		check_call(&check, accounts[i]);
	}
	if (stop_requested())
		check.status = error_worse_status(check.status, EX_TEMPFAIL);
	free(check.dsn);
	return check.status;
}
