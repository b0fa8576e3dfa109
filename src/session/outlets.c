/* SPDX-License-Identifier: ISC */
#include "session/outlets.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "config/config.h"
#include "deliver/delivery.h"
#include "deliver/maildir.h"
#include "deliver/mailer.h"
#include "deliver/route.h"
#include "deliver/sendmail.h"
#include "tell/log.h"

struct outlets {
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
	struct delivery *route; /* NULL: there is one leg, which takes all */
};

static struct delivery *
make_mailer(
    const struct outlets *outlets, const struct config_delivery *delivery)
{
	struct mailer_options options = {
	    .name = delivery->name,
	    .lmtp = delivery->kind == CONFIG_LMTP,
	    .path = delivery->path,
	    .host = delivery->address.host,
	    .port = delivery->address.port,
	    .timeout = delivery->timeout,
	    .hostname = outlets->hostname,
	    .collect = delivery->collect,
	    .spool_dir = outlets->config->spool_dir,
	    .trace = outlets->trace,
	};

	return mailer_new(&options);
}

static struct delivery *
make_sendmail(
    const struct outlets *outlets, const struct config_delivery *delivery)
{
	struct sendmail_options options = {
	    .name = delivery->name,
	    .command = delivery->args.items,
	    .timeout = delivery->timeout,
	    .spool_dir = outlets->config->spool_dir,
	};

	return sendmail_new(&options);
}

static struct delivery *
make_maildir(
    const struct outlets *outlets, const struct config_delivery *delivery)
{
	struct maildir_options options = {
	    .name = delivery->name,
	    .path = delivery->path,
	    .create = delivery->create,
	    .sync = delivery->sync,
	    .hostname = outlets->hostname,
	};

	return maildir_new(&options);
}

static struct delivery *
make_leg(const struct outlets *outlets, const struct config_delivery *delivery)
{
	switch (delivery->kind) {
	case CONFIG_LMTP:
	case CONFIG_SMTP:
		return make_mailer(outlets, delivery);
	case CONFIG_SENDMAIL:
		return make_sendmail(outlets, delivery);
	case CONFIG_MAILDIR:
		return make_maildir(outlets, delivery);
	}
	abort();
}

/* The leg of a delivery, made when it is first named. */
static size_t
find_leg(struct outlets *outlets, size_t delivery)
{
	const struct config_delivery *kind =
	    &outlets->config->deliveries[delivery];
	size_t leg = 0;

	while (leg < outlets->leg_count && outlets->kinds[leg] != kind)
		leg++;
	if (leg == outlets->leg_count) {
		outlets->kinds[leg] = kind;
		outlets->legs[leg] = make_leg(outlets, kind);
		outlets->leg_count++;
	}
	return leg;
}

static void
add_rule(struct outlets *outlets, const char *pattern, size_t delivery)
{
	outlets->rules = xreallocarray(
	    outlets->rules, outlets->rule_count + 1, sizeof *outlets->rules);
	outlets->rules[outlets->rule_count++] = (struct route_rule){
	    .pattern = pattern, .leg = find_leg(outlets, delivery)};
}

static void
add_routes(struct outlets *outlets)
{
	const struct config *config = outlets->config;

	for (size_t i = 0; i < config->routes_count; i++) {
		const struct config_route *route = &config->routes[i];
		for (size_t k = 0; k < route->recipients.count; k++)
			add_rule(outlets, route->recipients.items[k],
			    route->delivery);
		if (route->recipients.count == 0)
			add_rule(outlets, NULL, route->delivery);
	}
}

struct outlets *
outlets_new(const struct config *config, const struct config_account *account,
    const char *hostname, bool trace)
{
	struct outlets *outlets = xcalloc(1, sizeof *outlets);

	outlets->config = config;
	outlets->account = account;
	outlets->hostname = hostname;
	outlets->trace = trace;
	outlets->legs =
	    xcalloc(config->deliveries_count, sizeof *outlets->legs);
	outlets->kinds =
	    xcalloc(config->deliveries_count, sizeof *outlets->kinds);
	outlets->there =
	    xcalloc(config->deliveries_count, sizeof *outlets->there);
	if (account->delivery != CONFIG_BY_ROUTES)
		add_rule(outlets, NULL, account->delivery);
	else
		add_routes(outlets);
	if (outlets->rule_count != 1 || outlets->rules[0].pattern != NULL)
		outlets->route = route_new(outlets->legs, outlets->leg_count,
		    outlets->rules, outlets->rule_count);
	return outlets;
}

void
outlets_free(struct outlets *outlets)
{
	if (outlets == NULL)
		return;
	if (outlets->route != NULL)
		outlets->route->ops->free(outlets->route);
	for (size_t i = 0; i < outlets->leg_count; i++)
		outlets->legs[i]->ops->free(outlets->legs[i]);
	free(outlets->legs);
	free(outlets->kinds);
	free(outlets->there);
	free(outlets->rules);
	free(outlets);
}

struct delivery *
outlets_delivery(const struct outlets *outlets)
{
	return outlets->route != NULL ? outlets->route : outlets->legs[0];
}

static bool
probe_leg(struct outlets *outlets, size_t leg, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	struct delivery *to = outlets->legs[leg];

	if (to->ops->probe(to, can, deadline, err))
		return true;
	error_prefix(err, "delivery %s", to->name);
	/* The only one is the session's own failure. */
	if (outlets->leg_count > 1)
		log_say(CONFIG_LOG_WARNING, outlets->account->name, "delivery",
		    "%s", err->text);
	return false;
}

bool
outlets_probe(struct outlets *outlets, uint64_t *size_max,
    const struct deadline *deadline, struct error *err)
{
	size_t there = 0;
	bool limited = true;

	*size_max = 0;
	for (size_t i = 0; i < outlets->leg_count; i++) {
		struct delivery_can can = {.size_max = 0};
		outlets->there[i] = probe_leg(outlets, i, &can, deadline, err);
		there += outlets->there[i];
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
log_complaint(const struct outlets *outlets, struct delivery *leg,
    struct error *complaint)
{
	*complaint = (struct error){.class = ERROR_NONE};
	if (leg->ops->complains == NULL || !leg->ops->complains(leg, complaint))
		return;
	error_prefix(complaint, "delivery %s", leg->name);
	log_say(CONFIG_LOG_ERROR, outlets->account->name, "delivery", "%s",
	    complaint->text);
}

/* Its recipients are deferred now without asking, as if the probe had not found
 * it: each session would end at its first message, and the mail of the others
 * with it. */
static void
give_up(struct outlets *outlets, size_t leg, const struct error *complaint,
    struct error *err)
{
	const char *name = outlets->legs[leg]->name;

	outlets->there[leg] = false;
	*err = *complaint;
	if (err->class == ERROR_NONE)
		error_set(
		    err, ERROR_LOCAL, "delivery %s became unavailable", name);
	if (outlets->leg_count > 1)
		log_say(CONFIG_LOG_WARNING, outlets->account->name, "delivery",
		    "delivery %s is not used any more in this session; its"
		    " recipients are deferred",
		    name);
}

bool
outlets_watch(struct outlets *outlets, struct error *err)
{
	size_t there = 0;

	for (size_t i = 0; i < outlets->leg_count; i++) {
		struct delivery *leg = outlets->legs[i];
		struct error complaint;
		if (!outlets->there[i])
			continue;
		log_complaint(outlets, leg, &complaint);
		if (leg->ops->gone(leg))
			give_up(outlets, i, &complaint, err);
		there += outlets->there[i];
	}
	return there > 0;
}

bool
outlets_is_there(
    const struct outlets *outlets, const struct config_delivery *delivery)
{
	for (size_t i = 0; i < outlets->leg_count; i++)
		if (outlets->kinds[i] == delivery)
			return outlets->there[i];
	return false;
}

const struct config_delivery *
outlets_find(const struct outlets *outlets, const struct path *rcpt)
{
	const struct route_rule *rule =
	    route_find(outlets->rules, outlets->rule_count, rcpt);

	return rule != NULL ? outlets->kinds[rule->leg] : NULL;
}
