/* SPDX-License-Identifier: ISC */
/*
 * soft_bounce over the days of an installation: whose refusals reach the
 * provider, as deliveries are added and changed between sessions.
 */
#include "session/soft_bounce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "record/history.h"

enum { DELIVERIES = 3, ROUTES = 3 };

/* Deliveries old, new and unused; sales@* goes to new, the rest to old. */
struct fixture {
	struct config config;
	struct config_account account;
	struct config_delivery deliveries[DELIVERIES];
	struct config_route routes[ROUTES];
	const char *sales, *shop, *args[2];
	struct history history;
	struct soft_bounce *soft;
};

static void
fixture_init(struct fixture *f)
{
	*f = (struct fixture){.sales = "sales@*",
	    .shop = "shop.example",
	    .args = {"/bin/x", "a"}};
	f->deliveries[0] = (struct config_delivery){
	    .name = "old", .kind = CONFIG_LMTP, .path = "/run/old"};
	f->deliveries[1] = (struct config_delivery){.name = "new",
	    .kind = CONFIG_SMTP,
	    .address = {.host = "192.0.2.1", .port = 25}};
	f->deliveries[2] = (struct config_delivery){
	    .name = "unused", .kind = CONFIG_MAILDIR, .path = "/m/{user}"};
	f->routes[0] = (struct config_route){
	    .recipients = {.items = &f->sales, .count = 1},
	    .deliver = "new",
	    .delivery = 1};
	f->routes[1] = (struct config_route){.deliver = "old", .delivery = 0};
	f->config.deliveries = f->deliveries;
	f->config.deliveries_count = DELIVERIES;
	f->config.routes = f->routes;
	f->config.routes_count = 2;
	f->account.delivery = CONFIG_BY_ROUTES;
	f->account.soft_bounce = CONFIG_SOFT_BOUNCE_AUTO;
	history_init(&f->history);
}

static void
fixture_clear(struct fixture *f)
{
	soft_bounce_free(f->soft);
	history_clear(&f->history);
}

/* The session ends, and the next begins. */
static void
next_session(struct fixture *f)
{
	if (f->soft != NULL)
		soft_bounce_record(f->soft, &f->history);
	soft_bounce_free(f->soft);
	f->soft = soft_bounce_new(&f->config, &f->account, &f->history);
}

/* "on off on on": for old, for new, for what no delivery has a part in, and for
 * the size. */
static void
expect(const struct fixture *f, bool old, bool new, bool none, bool anywhere)
{
	const struct soft_bounce *soft = f->soft;

	assert_int_equal(soft_bounce_is_on(soft, &f->deliveries[0]), old);
	assert_int_equal(soft_bounce_is_on(soft, &f->deliveries[1]), new);
	assert_int_equal(soft_bounce_is_on(soft, NULL), none);
	assert_int_equal(soft_bounce_is_on_anywhere(soft), anywhere);
}

/* Both have accepted a message, some days ago. */
static void
prove_both(struct fixture *f)
{
	fixture_init(f);
	next_session(f);
	soft_bounce_accepted(f->soft, &f->deliveries[0]);
	soft_bounce_accepted(f->soft, &f->deliveries[1]);
	next_session(f);
	expect(f, false, false, false, false);
}

static void
each_delivery_has_a_first_day(void **state)
{
	struct fixture f;
	(void)state;

	fixture_init(&f);
	next_session(&f);
	expect(&f, true, true, true, true);
	next_session(&f);
	expect(&f, true, true, true, true);
	soft_bounce_accepted(f.soft, &f.deliveries[0]);
	expect(&f, false, true, false, true);
	next_session(&f);
	expect(&f, false, true, false, true);
	soft_bounce_accepted(f.soft, &f.deliveries[1]);
	next_session(&f);
	expect(&f, false, false, false, false);
	fixture_clear(&f);
}

static void
a_changed_delivery_has_a_first_day_again(void **state)
{
	(void)state;
	for (int change = 0; change < 7; change++) {
		struct fixture f;
		prove_both(&f);
		struct config_delivery *new = &f.deliveries[1];
		switch (change) {
		case 0:
			new->address.port = 26;
			break;
		case 1:
			new->address.host = "192.0.2.2";
			break;
		case 2:
			new->kind = CONFIG_LMTP;
			break;
		case 3:
			*new = (struct config_delivery){.name = "new",
			    .kind = CONFIG_SENDMAIL,
			    .args = {.items = f.args, .count = 2}};
			break;
		case 4:
			*new = (struct config_delivery){.name = "new",
			    .kind = CONFIG_MAILDIR,
			    .path = "/m/{user}"};
			break;
		case 5:
			new->create = true;
			break;
		case 6:
			/* How long it may take decides no refusal. */
			new->timeout = 1000;
			new->line = 7;
			break;
		}
		next_session(&f);
		expect(&f, false, change < 6, false, change < 6);
		fixture_clear(&f);
	}
}

static void
changed_routes_begin_anew_for_all(void **state)
{
	(void)state;
	for (int change = 0; change < 4; change++) {
		struct fixture f;
		prove_both(&f);
		switch (change) {
		case 0:
			f.routes[0].recipients.items = &f.shop;
			break;
		case 1:
			f.routes[2] = f.routes[1];
			f.routes[1] = f.routes[0];
			f.routes[1].recipients.items = &f.shop;
			f.config.routes_count = 3;
			break;
		case 2:
			f.routes[0].delivery = 0;
			f.routes[0].deliver = "old";
			f.routes[1].delivery = 1;
			f.routes[1].deliver = "new";
			break;
		case 3: /* the rest has no route now */
			f.routes[1].recipients = f.routes[0].recipients;
			break;
		}
		next_session(&f);
		expect(&f, true, true, true, true);
		fixture_clear(&f);
	}
}

static void
an_account_without_routes_has_one_delivery(void **state)
{
	struct fixture f;
	(void)state;

	fixture_init(&f);
	f.account.delivery = 0;
	next_session(&f);
	expect(&f, true, true, true, true);
	soft_bounce_accepted(f.soft, &f.deliveries[0]);
	next_session(&f);
	assert_false(soft_bounce_is_on(f.soft, &f.deliveries[0]));
	assert_false(soft_bounce_is_on_anywhere(f.soft));
	/* Routes of other accounts are not its own. */
	f.routes[0].recipients.items = &f.shop;
	next_session(&f);
	assert_false(soft_bounce_is_on(f.soft, &f.deliveries[0]));
	fixture_clear(&f);
}

static void
what_was_proven_before_is_forgotten(void **state)
{
	struct fixture f;
	(void)state;

	prove_both(&f);
	for (uint16_t port = 1; port < 100; port++) {
		f.deliveries[1].address.port = port;
		next_session(&f);
		soft_bounce_accepted(f.soft, &f.deliveries[1]);
	}
	next_session(&f);
	assert_int_equal(f.history.proven_count, 2);
	fixture_clear(&f);
}

static void
yes_and_no_are_always(void **state)
{
	struct fixture f;
	(void)state;

	prove_both(&f);
	f.account.soft_bounce = CONFIG_SOFT_BOUNCE_YES;
	next_session(&f);
	expect(&f, true, true, true, true);
	fixture_clear(&f);
	fixture_init(&f);
	f.account.soft_bounce = CONFIG_SOFT_BOUNCE_NO;
	next_session(&f);
	expect(&f, false, false, false, false);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_delivery_has_a_first_day),
	    cmocka_unit_test(a_changed_delivery_has_a_first_day_again),
	    cmocka_unit_test(changed_routes_begin_anew_for_all),
	    cmocka_unit_test(an_account_without_routes_has_one_delivery),
	    cmocka_unit_test(what_was_proven_before_is_forgotten),
	    cmocka_unit_test(yes_and_no_are_always),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
