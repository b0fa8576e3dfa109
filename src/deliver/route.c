/* SPDX-License-Identifier: ISC */
#include "deliver/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/mem.h"
#include "deliver/delivery.h"
#include "deliver/rcpts.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/status.h"

/* A delivery, and what it sees of the message under way. */
struct leg {
	struct delivery *to;
	bool begun; /* it has the transaction */
	bool ready; /* only the last step is left to it */
	bool queued; /* recipients that were not sent */
	struct envelope envelope; /* of its own recipients */
	const struct recipient **recipients; /* the envelope's array */
	struct rcpts rcpts; /* its recipients, as the route knows them */
	size_t accepted; /* how many of them it accepted */
};

struct route {
	struct delivery delivery;
	struct leg *legs;
	size_t leg_count;
	struct route_rule *rules;
	size_t rule_count;

	const struct envelope *envelope;
	struct rcpts refused; /* no rule takes them */
	const struct leg *told; /* whose result was the last one; or NULL */
};

static bool
same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* On a mismatch only the last '*' can take one octet more. */
static bool
pattern_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			resume = text;
		} else if (same_letter(*pattern, *text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++resume;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

bool
route_matches(const char *pattern, const struct path *path)
{
	bool whole = strchr(pattern, '@') != NULL;

	return pattern_matches(
	    pattern, whole ? path->mailbox : path_domain(path));
}

const struct route_rule *
route_find(
    const struct route_rule *rules, size_t count, const struct path *path)
{
	for (size_t i = 0; i < count; i++)
		if (rules[i].pattern == NULL ||
		    route_matches(rules[i].pattern, path))
			return &rules[i];
	return NULL;
}

static struct route *
route_of(struct delivery *delivery)
{
	return (struct route *)(void *)delivery;
}

/* NULL: no rule takes the recipient. */
static struct leg *
find_leg(struct route *route, const struct path *path)
{
	const struct route_rule *rule =
	    route_find(route->rules, route->rule_count, path);

	return rule != NULL ? &route->legs[rule->leg] : NULL;
}

/* What the account can reach at all: one that is there is enough. */
static bool
route_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	struct route *route = route_of(delivery);
	bool any = false;

	can->size_max = 0;
	for (size_t i = 0; i < route->leg_count; i++) {
		struct delivery *to = route->legs[i].to;
		struct delivery_can one = {.size_max = 0};
		if (!to->ops->probe(to, &one, deadline, err))
			continue;
		any = true;
		if (can->size_max == 0 ||
		    (one.size_max > 0 && one.size_max < can->size_max))
			can->size_max = one.size_max;
	}
	return any;
}

static bool
route_takes_dsn(const struct delivery *delivery)
{
	const struct route *route = (const void *)delivery;
	bool all = true;

	for (size_t i = 0; i < route->leg_count; i++)
		all &= delivery_takes_dsn(route->legs[i].to);
	return all;
}

static void
route_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct route *route = route_of(delivery);

	route->envelope = envelope;
	rcpts_reset(&route->refused);
	route->told = NULL;
	for (size_t i = 0; i < route->leg_count; i++) {
		struct leg *leg = &route->legs[i];
		leg->begun = leg->queued = leg->ready = false;
		leg->accepted = 0;
		rcpts_reset(&leg->rcpts);
	}
}

static void
begin_leg(struct leg *leg, const struct envelope *envelope)
{
	leg->begun = true;
	leg->envelope = *envelope;
	leg->envelope.rcpt = leg->recipients;
	leg->envelope.rcpts = 0;
	leg->to->ops->begin(leg->to, &leg->envelope);
}

static void
add_to_leg(struct leg *leg, size_t rcpt, const struct recipient *recipient)
{
	size_t index = leg->rcpts.count;

	leg->recipients =
	    array_more(leg->recipients, index, sizeof(struct recipient *));
	leg->recipients[index] = recipient;
	leg->envelope.rcpt = leg->recipients;
	leg->envelope.rcpts = index + 1;
	rcpts_add(&leg->rcpts, rcpt);
	leg->queued = true;
	leg->to->ops->rcpt(leg->to, index);
}

static void
route_rcpt(struct delivery *delivery, size_t rcpt)
{
	struct route *route = route_of(delivery);
	const struct recipient *recipient = route->envelope->rcpt[rcpt];
	struct leg *leg = find_leg(route, &recipient->path);

	if (leg == NULL) {
		rcpts_add(&route->refused, rcpt);
		return;
	}
	if (!leg->begun)
		begin_leg(leg, route->envelope);
	add_to_leg(leg, rcpt, recipient);
}

/* All legs work on their answers while the first ones are read. */
static void
route_send(struct delivery *delivery, bool text_waits)
{
	struct route *route = route_of(delivery);

	for (size_t i = 0; i < route->leg_count; i++) {
		struct leg *leg = &route->legs[i];
		if (leg->queued)
			leg->to->ops->send(leg->to, text_waits);
		leg->queued = false;
	}
}

static bool
route_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct route *route = route_of(delivery);

	if (rcpts_next(&route->refused, rcpt)) {
		status_set(status, 550, "5.1.1", "No route for this recipient");
		status->cause = CAUSE_ROUTE;
		return true;
	}
	for (size_t i = 0; i < route->leg_count; i++) {
		struct leg *leg = &route->legs[i];
		if (!leg->begun ||
		    !leg->to->ops->answer(leg->to, rcpt, status, deadline))
			continue;
		*rcpt = leg->rcpts.items[*rcpt];
		leg->accepted += status_class(status) == 2;
		return true;
	}
	return false;
}

static bool
has_accepted(const struct leg *leg)
{
	return leg->begun && leg->accepted > 0;
}

static void
route_body(struct delivery *delivery, const char *text, size_t len)
{
	struct route *route = route_of(delivery);

	for (size_t i = 0; i < route->leg_count; i++) {
		struct leg *leg = &route->legs[i];
		if (has_accepted(leg))
			leg->to->ops->body(leg->to, text, len);
	}
}

static void
abort_leg(struct leg *leg)
{
	if (leg->begun)
		leg->to->ops->abort(leg->to);
	leg->begun = leg->ready = false;
}

/*
 * A leg that is not ready keeps its transaction, to tell its results; its
 * trouble is not that of the others.
 */
static bool
route_ready(struct delivery *delivery, const struct deadline *deadline)
{
	struct route *route = route_of(delivery);
	bool any = false;

	for (size_t i = 0; i < route->leg_count; i++) {
		struct leg *leg = &route->legs[i];
		if (!has_accepted(leg)) {
			abort_leg(leg);
			continue;
		}
		leg->ready = leg->to->ops->ready(leg->to, deadline);
		any |= leg->ready;
	}
	return any;
}

static void
route_finish(struct delivery *delivery, const struct deadline *deadline)
{
	struct route *route = route_of(delivery);

	for (size_t i = 0; i < route->leg_count; i++) {
		struct leg *leg = &route->legs[i];
		if (leg->ready)
			leg->to->ops->finish(leg->to, deadline);
	}
}

static bool
route_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct route *route = route_of(delivery);

	for (size_t i = 0; i < route->leg_count; i++) {
		struct leg *leg = &route->legs[i];
		if (leg->begun &&
		    leg->to->ops->result(leg->to, rcpt, status, deadline)) {
			*rcpt = leg->rcpts.items[*rcpt];
			route->told = leg;
			return true;
		}
	}
	return false;
}

static bool
route_result_joined(const struct delivery *delivery)
{
	const struct route *route = (const void *)delivery;

	return route->told != NULL && delivery_result_joined(route->told->to);
}

static void
route_abort(struct delivery *delivery)
{
	struct route *route = route_of(delivery);

	for (size_t i = 0; i < route->leg_count; i++)
		abort_leg(&route->legs[i]);
}

/* While one of them is left there is mail to hand over. */
static bool
route_gone(const struct delivery *delivery)
{
	const struct route *route = (const struct route *)delivery;

	for (size_t i = 0; i < route->leg_count; i++) {
		const struct delivery *to = route->legs[i].to;
		if (!to->ops->gone(to))
			return false;
	}
	return true;
}

static void
route_free(struct delivery *delivery)
{
	struct route *route = route_of(delivery);

	for (size_t i = 0; i < route->leg_count; i++) {
		free(route->legs[i].recipients);
		rcpts_clear(&route->legs[i].rcpts);
	}
	rcpts_clear(&route->refused);
	free(route->legs);
	free(route->rules);
	free(route);
}

static const struct delivery_ops route_ops = {
    .probe = route_probe,
    .takes_dsn = route_takes_dsn,
    .begin = route_begin,
    .rcpt = route_rcpt,
    .send = route_send,
    .answer = route_answer,
    .body = route_body,
    .ready = route_ready,
    .finish = route_finish,
    .result = route_result,
    .result_joined = route_result_joined,
    .abort = route_abort,
    .gone = route_gone,
    .free = route_free,
};

struct delivery *
route_new(struct delivery *const *legs, size_t leg_count,
    const struct route_rule *rules, size_t rule_count)
{
	struct route *route = xcalloc(1, sizeof *route);

	route->delivery.ops = &route_ops;
	route->delivery.name = "routes";
	route->legs = xcalloc(leg_count, sizeof *route->legs);
	route->leg_count = leg_count;
	for (size_t i = 0; i < leg_count; i++)
		route->legs[i].to = legs[i];
	route->rules = xcalloc(rule_count, sizeof *rules);
	route->rule_count = rule_count;
	if (rule_count > 0)
		memcpy(route->rules, rules, rule_count * sizeof *rules);
	return &route->delivery;
}
