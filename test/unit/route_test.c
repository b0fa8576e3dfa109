/* SPDX-License-Identifier: ISC */
#include "deliver/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deliver/delivery.h"
#include "protocol/address.h"

/*
 * A delivery that says what a recipient's local part asks for, and notes its
 * calls: "no" is refused, "late" is accepted and has 452 for a result.
 */
struct double_delivery {
	struct delivery delivery;
	bool there, ready, gone, dsn;
	uint64_t size_max;
	const struct envelope *envelope;
	size_t queue[8], queued, answered;
	size_t accepted[8], accepted_count, told;
	char calls[600];
};

static struct double_delivery *
double_of(struct delivery *delivery)
{
	return (struct double_delivery *)(void *)delivery;
}

static void
note(struct double_delivery *to, const char *call)
{
	size_t len = strlen(to->calls);

	snprintf(to->calls + len, sizeof to->calls - len, "%s ", call);
}

static bool
double_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	struct double_delivery *to = double_of(delivery);

	(void)deadline;
	can->size_max = to->size_max;
	if (!to->there)
		error_set(err, ERROR_LOCAL, "%s is not there", delivery->name);
	return to->there;
}

static bool
double_takes_dsn(const struct delivery *delivery)
{
	const struct double_delivery *to = (const void *)delivery;

	return to->dsn;
}

static void
double_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct double_delivery *to = double_of(delivery);

	to->envelope = envelope;
	to->queued = to->answered = to->accepted_count = to->told = 0;
	note(to, "begin");
}

static void
double_rcpt(struct delivery *delivery, size_t rcpt)
{
	struct double_delivery *to = double_of(delivery);

	assert_int_equal(rcpt, to->envelope->rcpts - 1);
	note(to, to->envelope->rcpt[rcpt]->path.mailbox);
	/* What was asked for him came along. */
	assert_string_equal(to->envelope->rcpt[rcpt]->notify, "NEVER");
	assert_string_equal(to->envelope->envid, "7");
	to->queue[to->queued++] = rcpt;
}

static void
double_send(struct delivery *delivery, bool text_waits)
{
	note(double_of(delivery), text_waits ? "send+" : "send");
}

static bool
asks_for(const struct double_delivery *to, size_t rcpt, const char *what)
{
	return strncmp(to->envelope->rcpt[rcpt]->path.mailbox, what,
		   strlen(what)) == 0;
}

static bool
double_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct double_delivery *to = double_of(delivery);

	(void)deadline;
	if (to->answered == to->queued)
		return false;
	*rcpt = to->queue[to->answered++];
	bool refused = asks_for(to, *rcpt, "no");
	status_set(status, refused ? 550 : 250, "", "%s", delivery->name);
	if (!refused)
		to->accepted[to->accepted_count++] = *rcpt;
	return true;
}

static void
double_body(struct delivery *delivery, const char *text, size_t len)
{
	char piece[16];

	snprintf(piece, sizeof piece, "[%.*s]", (int)len, text);
	note(double_of(delivery), piece);
}

static bool
double_ready(struct delivery *delivery, const struct deadline *deadline)
{
	(void)deadline;
	note(double_of(delivery), "ready");
	return double_of(delivery)->ready;
}

static void
double_finish(struct delivery *delivery, const struct deadline *deadline)
{
	(void)deadline;
	note(double_of(delivery), "finish");
}

static bool
double_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct double_delivery *to = double_of(delivery);

	(void)deadline;
	if (to->told == to->accepted_count)
		return false;
	*rcpt = to->accepted[to->told++];
	if (!to->ready)
		status_set(status, 452, "", "%s", delivery->name);
	else
		status_set(status, asks_for(to, *rcpt, "late") ? 452 : 250, "",
		    "%s", delivery->name);
	return true;
}

static void
double_abort(struct delivery *delivery)
{
	note(double_of(delivery), "abort");
}

static bool
double_gone(const struct delivery *delivery)
{
	const struct double_delivery *one = (const void *)delivery;

	return one->gone;
}

static const struct delivery_ops double_ops = {
    .probe = double_probe,
    .takes_dsn = double_takes_dsn,
    .begin = double_begin,
    .rcpt = double_rcpt,
    .send = double_send,
    .answer = double_answer,
    .body = double_body,
    .ready = double_ready,
    .finish = double_finish,
    .result = double_result,
    .abort = double_abort,
    .gone = double_gone,
};

/* Two legs: mail for b.example goes to the second one, c.example nowhere. */
struct fixture {
	struct double_delivery legs[2];
	struct delivery *route;
};

static void
fixture_init(struct fixture *fixture)
{
	static const struct route_rule rules[] = {
	    {"b.example", 1}, {"*@a.example", 0}};
	struct delivery *legs[2];

	*fixture = (struct fixture){.route = NULL};
	for (int i = 0; i < 2; i++) {
		fixture->legs[i] = (struct double_delivery){
		    .delivery = {&double_ops, i == 0 ? "first" : "second"},
		    .there = true,
		    .ready = true};
		legs[i] = &fixture->legs[i].delivery;
	}
	fixture->route = route_new(legs, 2, rules, 2);
}

static void
fixture_clear(struct fixture *fixture)
{
	fixture->route->ops->free(fixture->route);
}

static void
path_set(struct path *path, const char *mailbox)
{
	snprintf(path->mailbox, sizeof path->mailbox, "%s", mailbox);
	const char *at = strrchr(path->mailbox, '@');
	path->local_len =
	    at == NULL ? strlen(mailbox) : (size_t)(at - path->mailbox);
	path->quoted = mailbox[0] == '"';
}

struct split {
	const char *name;
	const char *rcpts[4];
	int not_ready; /* the leg that is not; -1: all are; 2: none is */
	bool abort;
	const char *told; /* index=code, then "/", then index=code */
	const char *first, *second; /* the calls that a leg had */
};

static const struct split splits[] = {
    {"one leg", {"x@a.example", "y@a.example"}, -1, false,
	"0=250 1=250 / 0=250 1=250 ",
	"begin x@a.example y@a.example send+ [te] [xt] ready finish ", ""},
    {"the other leg, with indices of its own",
	{"none@c.example", "x@b.example"}, -1, false, "0=550 1=250 / 1=250 ",
	"", "begin x@b.example send+ [te] [xt] ready finish "},
    {"both", {"x@a.example", "late@b.example", "y@a.example", "z@b.example"},
	-1, false, "0=250 2=250 1=250 3=250 / 0=250 2=250 1=452 3=250 ",
	"begin x@a.example y@a.example send+ [te] [xt] ready finish ",
	"begin late@b.example z@b.example send+ [te] [xt] ready finish "},
    {"a leg that takes nobody gets no text", {"no@a.example", "x@b.example"},
	-1, false, "0=550 1=250 / 1=250 ", "begin no@a.example send+ abort ",
	"begin x@b.example send+ [te] [xt] ready finish "},
    {"the first is not ready: the other is finished",
	{"x@a.example", "y@b.example"}, 0, false, "0=250 1=250 / 0=452 1=250 ",
	"begin x@a.example send+ [te] [xt] ready ",
	"begin y@b.example send+ [te] [xt] ready finish "},
    {"the second is not ready: the other is finished",
	{"x@a.example", "y@b.example", "z@a.example"}, 1, false,
	"0=250 2=250 1=250 / 0=250 2=250 1=452 ",
	"begin x@a.example z@a.example send+ [te] [xt] ready finish ",
	"begin y@b.example send+ [te] [xt] ready "},
    {"the only one with recipients is not ready",
	{"x@a.example", "no@b.example"}, 0, false, "0=250 1=550 / 0=452 ",
	"begin x@a.example send+ [te] [xt] ready ",
	"begin no@b.example send+ abort "},
    {"neither is ready", {"x@a.example", "y@b.example"}, 2, false,
	"0=250 1=250 / 0=452 1=452 ",
	"begin x@a.example send+ [te] [xt] ready ",
	"begin y@b.example send+ [te] [xt] ready "},
    {"abort", {"x@a.example", "y@b.example"}, -1, true, "0=250 1=250 ",
	"begin x@a.example send+ [te] [xt] abort ",
	"begin y@b.example send+ [te] [xt] abort "},
    {"nobody", {"x@c.example"}, -1, true, "0=550 ", "", ""},
};

struct telling {
	char text[300];
};

static void
tell(struct telling *telling, size_t rcpt, const struct status *status)
{
	size_t len = strlen(telling->text);

	snprintf(telling->text + len, sizeof telling->text - len, "%zu=%d ",
	    rcpt, status->code);
}

static void
hand_over(
    struct delivery *route, const struct split *split, struct telling *telling)
{
	struct path sender = {.mailbox = ""};
	struct recipient recipients[4];
	const struct recipient *rcpts[4];
	struct envelope envelope = {
	    .sender = &sender, .rcpt = rcpts, .envid = "7"};
	struct deadline deadline = deadline_in(1000, 0);
	struct status status;
	size_t rcpt;

	route->ops->begin(route, &envelope);
	for (size_t i = 0; i < 4 && split->rcpts[i] != NULL; i++) {
		recipients[i] = (struct recipient){.notify = "NEVER"};
		path_set(&recipients[i].path, split->rcpts[i]);
		rcpts[i] = &recipients[i];
		envelope.rcpts = i + 1;
		route->ops->rcpt(route, i);
	}
	route->ops->send(route, true);
	while (route->ops->answer(route, &rcpt, &status, &deadline))
		tell(telling, rcpt, &status);
	route->ops->body(route, "te", 2);
	route->ops->body(route, "xt", 2);
	if (split->abort) {
		route->ops->abort(route);
		return;
	}
	bool ready = route->ops->ready(route, &deadline);
	assert_int_equal(ready, strstr(split->first, "finish") != NULL ||
				    strstr(split->second, "finish") != NULL);
	if (ready)
		route->ops->finish(route, &deadline);
	snprintf(telling->text + strlen(telling->text), 3, "/ ");
	while (route->ops->result(route, &rcpt, &status, &deadline))
		tell(telling, rcpt, &status);
}

static void
test_splits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
		const struct split *split = &splits[i];
		struct fixture fixture;
		fixture_init(&fixture);
		for (int k = 0; k < 2; k++)
			fixture.legs[k].ready =
			    split->not_ready != k && split->not_ready != 2;
		/* Twice: nothing of one message is left for the next. */
		for (int round = 0; round < 2; round++) {
			struct telling telling = {.text = ""};
			fixture.legs[0].calls[0] = '\0';
			fixture.legs[1].calls[0] = '\0';
			hand_over(fixture.route, split, &telling);
			if (strcmp(telling.text, split->told) != 0)
				fail_msg("%s: told \"%s\"", split->name,
				    telling.text);
			assert_string_equal(
			    fixture.legs[0].calls, split->first);
			assert_string_equal(
			    fixture.legs[1].calls, split->second);
		}
		fixture_clear(&fixture);
	}
}

static void
test_probe(void **state)
{
	struct fixture fixture;
	struct delivery_can can;
	struct error err;
	struct deadline deadline = deadline_in(1000, 0);
	(void)state;

	fixture_init(&fixture);
	struct delivery *route = fixture.route;
	assert_true(route->ops->probe(route, &can, &deadline, &err));
	assert_int_equal(can.size_max, 0);
	assert_false(delivery_takes_dsn(route));
	fixture.legs[0].dsn = true;
	assert_false(delivery_takes_dsn(route));
	fixture.legs[1].dsn = true;
	assert_true(delivery_takes_dsn(route));
	fixture.legs[0].size_max = 2000;
	fixture.legs[1].size_max = 1000;
	assert_true(route->ops->probe(route, &can, &deadline, &err));
	assert_int_equal(can.size_max, 1000);
	fixture.legs[1].there = false;
	assert_true(route->ops->probe(route, &can, &deadline, &err));
	assert_int_equal(can.size_max, 2000);
	fixture.legs[0].there = false;
	assert_false(route->ops->probe(route, &can, &deadline, &err));
	assert_int_equal(err.class, ERROR_LOCAL);
	assert_false(route->ops->gone(route));
	/* The trouble of one is its own. */
	fixture.legs[1].gone = true;
	assert_false(route->ops->gone(route));
	fixture.legs[0].gone = true;
	assert_true(route->ops->gone(route));
	fixture_clear(&fixture);
}

static void
test_patterns(void **state)
{
	static const struct {
		const char *pattern, *mailbox;
		bool matches;
	} cases[] = {
	    {"example.org", "a@example.org", true},
	    {"example.org", "a@EXAMPLE.org", true},
	    {"Example.Org", "a@example.org", true},
	    {"example.org", "a@sub.example.org", false},
	    {"example.org", "a@example.orgy", false},
	    {"*.example.org", "a@sub.example.org", true},
	    {"*.example.org", "a@example.org", false},
	    {"*", "a@example.org", true},
	    {"*", "postmaster", true},
	    {"example.org", "postmaster", false},
	    {"", "a@example.org", false},
	    {"sales@*", "sales@example.org", true},
	    {"sales@*", "SALES@example.org", true},
	    {"sales@*", "presales@example.org", false},
	    {"sales@*", "sales", false},
	    {"*@example.org", "a@example.org", true},
	    {"*@example.org", "\"x@example.org\"@example.com", false},
	    {"*sales*@*.org", "presales2@example.org", true},
	    {"a*b*c@x", "aXbXbXc@x", true},
	    {"a*b*c@x", "aXbXbX@x", false},
	    {"a**c@x", "ac@x", true},
	    {"ex?mple.org", "a@example.org", false},
	    {"*a*a*a*a*a*a*a*a*a*a*b", "x@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		false},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct path path;
		path_set(&path, cases[i].mailbox);
		if (route_matches(cases[i].pattern, &path) != cases[i].matches)
			fail_msg("%s, %s", cases[i].pattern, cases[i].mailbox);
	}
}

static void
test_first_rule_wins(void **state)
{
	static const struct route_rule rules[] = {
	    {"sales@*", 1}, {"a.example", 0}, {NULL, 1}};
	struct fixture fixture;
	struct telling telling = {.text = ""};
	const struct split split = {
	    .rcpts = {"sales@a.example", "x@a.example", "x@d.example"},
	    .not_ready = -1,
	    .first = "finish",
	    .second = "finish"};
	(void)state;

	fixture_init(&fixture);
	fixture_clear(&fixture);
	struct delivery *legs[2] = {
	    &fixture.legs[0].delivery, &fixture.legs[1].delivery};
	fixture.route = route_new(legs, 2, rules, 3);
	hand_over(fixture.route, &split, &telling);
	assert_string_equal(fixture.legs[0].calls,
	    "begin x@a.example send+ [te] [xt] ready finish ");
	assert_string_equal(fixture.legs[1].calls,
	    "begin sales@a.example x@d.example send+ [te] [xt] ready finish ");
	fixture_clear(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_splits),
	    cmocka_unit_test(test_probe),
	    cmocka_unit_test(test_patterns),
	    cmocka_unit_test(test_first_rule_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
