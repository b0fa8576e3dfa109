/* SPDX-License-Identifier: ISC */
#include "session/destinations.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/error.h"
#include "base/mem.h"
#include "config/config.h"
#include "deliver/delivery.h"
#include "deliver/maildir.h"
#include "deliver/mailer.h"
#include "deliver/route.h"
#include "deliver/sendmail.h"
#include "tell/log.h"

struct destinations {
	const struct config *config;
	const struct config_account *account;
	const char *hostname;
	bool trace;
	struct delivery **legs;
	const struct config_delivery **kinds; /* one for each leg */
	bool *there; /* one for each leg: it can be asked in this session */
	size_t leg_count;
	struct route_rule *rules;
	size_t rule_count;
	struct error complaint; /* of the delivery that was asked last */
	struct delivery *route; /* NULL: there is one leg, which takes all */
};

static struct delivery *
make_mailer(const struct destinations *destinations,
    const struct config_delivery *delivery)
{
	struct mailer_options options = {
	    .name = delivery->name,
	    .lmtp = delivery->kind == CONFIG_LMTP,
	    .path = delivery->path,
	    .host = delivery->address.host,
	    .port = delivery->address.port,
	    .timeout = delivery->timeout,
	    .hostname = destinations->hostname,
	    .collect = delivery->collect,
	    .spool_dir = destinations->config->spool_dir,
	    .trace = destinations->trace,
	};

	return mailer_new(&options);
}

static struct delivery *
make_sendmail(const struct destinations *destinations,
    const struct config_delivery *delivery)
{
	struct sendmail_options options = {
	    .name = delivery->name,
	    .command = delivery->args.items,
	    .timeout = delivery->timeout,
	    .spool_dir = destinations->config->spool_dir,
	};

	return sendmail_new(&options);
}

static struct delivery *
make_maildir(const struct destinations *destinations,
    const struct config_delivery *delivery)
{
	struct maildir_options options = {
	    .name = delivery->name,
	    .path = delivery->path,
	    .create = delivery->create,
	    .sync = delivery->sync,
	    .hostname = destinations->hostname,
	};

	return maildir_new(&options);
}

static struct delivery *
make_leg(const struct destinations *destinations,
    const struct config_delivery *delivery)
{
	switch (delivery->kind) {
	case CONFIG_LMTP:
	case CONFIG_SMTP:
		return make_mailer(destinations, delivery);
	case CONFIG_SENDMAIL:
		return make_sendmail(destinations, delivery);
	case CONFIG_MAILDIR:
		return make_maildir(destinations, delivery);
	}
	abort();
}

/* The leg of a delivery, made when it is first named. */
static size_t
find_leg_of(struct destinations *destinations, size_t delivery)
{
	const struct config_delivery *kind =
	    &destinations->config->deliveries[delivery];
	size_t leg = 0;

	while (
	    leg < destinations->leg_count && destinations->kinds[leg] != kind)
		leg++;
	if (leg == destinations->leg_count) {
		destinations->kinds[leg] = kind;
		destinations->legs[leg] = make_leg(destinations, kind);
		destinations->leg_count++;
	}
	return leg;
}

static void
add_rule(
    struct destinations *destinations, const char *pattern, size_t delivery)
{
	destinations->rules = array_more(destinations->rules,
	    destinations->rule_count, sizeof *destinations->rules);
	destinations->rules[destinations->rule_count++] = (struct route_rule){
	    .pattern = pattern, .leg = find_leg_of(destinations, delivery)};
}

static void
add_routes(struct destinations *destinations)
{
	const struct config *config = destinations->config;

	for (size_t i = 0; i < config->routes_count; i++) {
		const struct config_route *route = &config->routes[i];
		for (size_t k = 0; k < route->recipients.count; k++)
			add_rule(destinations, route->recipients.items[k],
			    route->delivery);
		if (route->recipients.count == 0)
			add_rule(destinations, NULL, route->delivery);
	}
}

struct destinations *
destinations_new(const struct config *config,
    const struct config_account *account, const char *hostname, bool trace)
{
	struct destinations *destinations = xcalloc(1, sizeof *destinations);

	destinations->config = config;
	destinations->account = account;
	destinations->hostname = hostname;
	destinations->trace = trace;
	destinations->legs =
	    xcalloc(config->deliveries_count, sizeof *destinations->legs);
	destinations->kinds =
	    xcalloc(config->deliveries_count, sizeof *destinations->kinds);
	destinations->there =
	    xcalloc(config->deliveries_count, sizeof *destinations->there);
	if (account->delivery != CONFIG_BY_ROUTES)
		add_rule(destinations, NULL, account->delivery);
	else
		add_routes(destinations);
	if (destinations->rule_count != 1 ||
	    destinations->rules[0].pattern != NULL)
		destinations->route =
		    route_new(destinations->legs, destinations->leg_count,
			destinations->rules, destinations->rule_count);
	return destinations;
}

void
destinations_free(struct destinations *destinations)
{
	if (destinations == NULL)
		return;
	if (destinations->route != NULL)
		destinations->route->ops->free(destinations->route);
	for (size_t i = 0; i < destinations->leg_count; i++)
		destinations->legs[i]->ops->free(destinations->legs[i]);
	free(destinations->legs);
	free(destinations->kinds);
	free(destinations->there);
	free(destinations->rules);
	free(destinations);
}

struct delivery *
destinations_delivery(const struct destinations *destinations)
{
	return destinations->route != NULL ? destinations->route
					   : destinations->legs[0];
}

static bool
probe_leg(struct destinations *destinations, size_t leg,
    struct delivery_can *can, const struct deadline *deadline,
    struct error *err)
{
	struct delivery *to = destinations->legs[leg];

	if (to->ops->probe(to, can, deadline, err))
		return true;
	error_prefix(err, "delivery %s", to->name);
	/* The only one is the session's own failure. */
	if (destinations->leg_count > 1)
		log_say(CONFIG_LOG_WARNING, destinations->account->name,
		    "delivery", "%s", err->text);
	return false;
}

bool
destinations_probe(struct destinations *destinations, uint64_t *size_max,
    const struct deadline *deadline, struct error *err)
{
	size_t there = 0;
	bool limited = true;

	*size_max = 0;
	for (size_t i = 0; i < destinations->leg_count; i++) {
		struct delivery_can can = {.size_max = 0};
		destinations->there[i] =
		    probe_leg(destinations, i, &can, deadline, err);
		there += destinations->there[i];
		limited &= can.size_max != 0;
		if (can.size_max > *size_max)
			*size_max = can.size_max;
	}
	if (!limited)
		*size_max = 0;
	return there > 0;
}

/* Tells what the leg complains of; complaint has class NONE where that is
 * nothing. */
static void
log_complaint(const struct destinations *destinations, struct delivery *leg,
    struct error *complaint)
{
	complaint->class = ERROR_NONE;
	if (leg->ops->complains == NULL || !leg->ops->complains(leg, complaint))
		return;
	error_prefix(complaint, "delivery %s", leg->name);
	log_say(CONFIG_LOG_ERROR, destinations->account->name, "delivery", "%s",
	    complaint->text);
}

/* Its recipients are deferred now without asking, as if the probe had not found
 * it: each session would end at its first message, and the mail of the others
 * with it. */
static void
give_up(struct destinations *destinations, size_t leg,
    const struct error *complaint, struct error *err)
{
	const char *name = destinations->legs[leg]->name;

	destinations->there[leg] = false;
	*err = *complaint;
	if (err->class == ERROR_NONE)
		error_set(
		    err, ERROR_LOCAL, "delivery %s became unavailable", name);
	if (destinations->leg_count > 1)
		log_say(CONFIG_LOG_WARNING, destinations->account->name,
		    "delivery",
		    "delivery %s is not used any more in this session; its"
		    " recipients are deferred",
		    name);
}

bool
destinations_watch(struct destinations *destinations, struct error *err)
{
	size_t there = 0;

	for (size_t i = 0; i < destinations->leg_count; i++) {
		struct delivery *leg = destinations->legs[i];
		struct error *complaint = &destinations->complaint;
		if (!destinations->there[i])
			continue;
		log_complaint(destinations, leg, complaint);
		if (leg->ops->gone(leg))
			give_up(destinations, i, complaint, err);
		there += destinations->there[i];
	}
	return there > 0;
}

bool
destinations_is_there(const struct destinations *destinations,
    const struct config_delivery *delivery)
{
	for (size_t i = 0; i < destinations->leg_count; i++)
		if (destinations->kinds[i] == delivery)
			return destinations->there[i];
	return false;
}

const struct config_delivery *
destinations_find(
    const struct destinations *destinations, const struct path *rcpt)
{
	const struct route_rule *rule =
	    route_find(destinations->rules, destinations->rule_count, rcpt);

	return rule != NULL ? destinations->kinds[rule->leg] : NULL;
}
