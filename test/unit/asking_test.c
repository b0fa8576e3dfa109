/* SPDX-License-Identifier: ISC */
/*
 * Asking a provider for the mail of domains: single rules, and days at providers
 * that limit how often they are asked, or have lost a domain. These are thirty
 * days with each of them in `make model`, and else fewer with some.
 */
#include "session/asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"
#include "effort.h"
#include "protocol/customer.h"
#include "record/history.h"
#include "schedule/schedule.h"
#include "session/patience.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

enum { DOMAINS_MAX = 60, NAME_SIZE = 64, LAPSED_NEVER = -1 };

static const int64_t start = 1795428000000; /* 2026-11-23T10:00:00Z */

/* A provider, and what happens to its customer. */
struct world {
	/* What varies. */
	int64_t limit; /* ms between two calls; 0: none */
	bool counts_refused; /* calls that were refused delay the next too */
	bool refuses_lists; /* 553 to more than one domain */
	int domains, lists; /* names so long that they fill so many calls */
	int lapsed, lapsed_too; /* places, LAPSED_NEVER */
	int64_t lapses, back; /* ms from the start; back 0: never */

	/* How it goes. */
	char names[DOMAINS_MAX][NAME_SIZE + 512];
	const char *list[DOMAINS_MAX];
	int64_t now, last_counted, served[DOMAINS_MAX], worst[DOMAINS_MAX];
	unsigned calls, longest_session;
	struct history history;
	uint64_t random;
};

static uint32_t
chance(struct world *world)
{
	world->random = world->random * UINT64_C(6364136223846793005) +
			UINT64_C(1442695040888963407);
	return (uint32_t)(world->random >> 32);
}

static bool
has_lapsed(const struct world *world, int domain)
{
	int64_t at = world->now - start;

	return (domain == world->lapsed || domain == world->lapsed_too) &&
	       at >= world->lapses && (world->back == 0 || at < world->back);
}

static int
find_name(const struct world *world, const char *name)
{
	for (int i = 0; i < world->domains; i++)
		if (strcmp(world->list[i], name) == 0)
			return i;
	fail_msg("asked for %s", name);
	return 0;
}

static void
note_served(struct world *world, int domain)
{
	int64_t waited = world->now - world->served[domain];

	/* One that the provider had given up has nothing to wait for. */
	if (domain != world->lapsed && domain != world->lapsed_too &&
	    waited > world->worst[domain])
		world->worst[domain] = waited;
	world->served[domain] = world->now;
}

/* ATRN of these domains. */
static enum asking_answer
ask(struct world *world, const char *domains)
{
	char copy[CUSTOMER_DOMAINS_MAX + 1], *rest = copy, *name;
	int members[DOMAINS_MAX], count = 0;
	bool right = true;

	assert_true(strlen(domains) <= CUSTOMER_DOMAINS_MAX);
	world->calls++;
	world->now += 300;
	bool soon = world->limit > 0 && world->last_counted != 0 &&
		    world->now - world->last_counted < world->limit;
	if (!soon || world->counts_refused)
		world->last_counted = world->now;
	snprintf(copy, sizeof copy, "%s", domains);
	while ((name = strsep(&rest, ",")) != NULL) {
		members[count++] = find_name(world, name);
		right &= !has_lapsed(world, members[count - 1]);
	}
	if (world->refuses_lists && count > 1)
		return ASKING_REJECTED;
	if (soon || !right)
		return ASKING_REFUSED;
	for (int i = 0; i < count; i++)
		note_served(world, members[i]);
	return ASKING_SERVED;
}

/* One session, as session/session_calls has it. One in eight brings mail, and
 * asks again. */
static void
fetch(struct world *world, bool named, struct session_result *result)
{
	char domains[CUSTOMER_DOMAINS_MAX + 1];
	unsigned before = world->calls;
	struct asking_options options = {
	    .names = world->list,
	    .count = (size_t)world->domains,
	    .memory = &world->history.asking,
	    .named = named,
	    .now = world->now,
	};
	bool refused = false;

	*result = (struct session_result){
	    .outcome = SESSION_NO_MAIL, .started = world->now};
	struct asking *asking = asking_new(&options);
	while (asking_next(asking, domains)) {
		enum asking_answer answer = ask(world, domains);
		asking_answer(asking, answer, world->now, "450 no");
		refused |= answer != ASKING_SERVED;
		if (answer == ASKING_SERVED && chance(world) % 8 == 0 &&
		    asking_again(asking))
			asking_answer(
			    asking, ask(world, domains), world->now, "450 no");
	}
	asking_end(asking, world->now);
	result->more = asking_has_more(asking);
	if (!asking_was_served(asking) && refused) {
		result->outcome = SESSION_FAILED;
		error_set(&result->error, ERROR_REFUSED, "450");
	}
	asking_free(asking);
	result->ended = world->now;
	if (world->calls - before > world->longest_session)
		world->longest_session = world->calls - before;
}

static void
make_names(struct world *world)
{
	int length = CUSTOMER_DOMAINS_MAX * world->lists / world->domains - 2;

	if (length > 60 || world->lists == 1)
		length = world->lists == 1 ? 7 : length;
	for (int i = 0; i < world->domains; i++) {
		snprintf(world->names[i], sizeof world->names[i], "%.*sd%02d.x",
		    length > 5 ? length - 5 : 0,
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    i);
		world->list[i] = world->names[i];
		world->served[i] = start;
	}
}

/* When `run` begins the next session. */
static int64_t
plan(struct world *world, const struct session_result *last)
{
	static const struct config_account account = {
	    .every = 5 * MINUTE, .jitter = -1};
	const struct history *history = &world->history;
	struct schedule_input input = {
	    .begun = last->started,
	    .ended = last->ended,
	    .failed = last->outcome == SESSION_FAILED ? last->error.class
						      : ERROR_NONE,
	    .failures_in_a_row = history->failures_in_a_row,
	    .hold_until = history->hold_until,
	    .not_before =
		world->now + asking_memory_wait(&history->asking, world->now),
	    .more = last->more,
	    .random = chance(world),
	};

	return schedule_next(&account, &input, world->now);
}

static void
begin_world(struct world *world)
{
	history_init(&world->history);
	world->now = start;
	world->random = 1;
	make_names(world);
}

static void
end_world(struct world *world)
{
	history_clear(&world->history);
}

static void
live(struct world *world, int64_t days)
{
	struct session_result result;

	begin_world(world);
	while (world->now < start + days * DAY) {
		fetch(world, false, &result);
		history_add(&world->history, &result);
		int64_t next = plan(world, &result);
		assert_true(next >= world->now);
		world->now = next + SECOND;
	}
}

static int64_t
worst_wait(struct world *world)
{
	int64_t worst = 0;

	for (int i = 0; i < world->domains; i++) {
		if (i == world->lapsed || i == world->lapsed_too)
			continue;
		note_served(world, i);
		if (world->worst[i] > worst)
			worst = world->worst[i];
	}
	return worst;
}

/* Halvings until a domain stands alone. */
static int
halvings(int domains)
{
	return domains > 1 ? 1 + halvings((domains + 1) / 2) : 0;
}

/*
 * What the limit forces: each list has every second call at least, and where a
 * domain has lapsed each halving takes some more. To find the limit out costs
 * no more than one hold.
 */
static int64_t
longest_wait(const struct world *world)
{
	int64_t call =
	    world->limit < 5 * MINUTE ? 11 * MINUTE : 2 * world->limit;
	int calls = 2 * world->lists + 2;

	if (call > 66 * MINUTE)
		call = 66 * MINUTE;
	if (world->lapsed >= 0)
		calls += 2 + 3 * halvings((world->domains + world->lists - 1) /
					  world->lists);
	return calls * call + HOUR;
}

static void
simulate(const struct world *wanted)
{
	struct world world = *wanted;

	live(&world, effort_of(4, 12, 30));
	int64_t worst = worst_wait(&world), bound = longest_wait(&world);
	print_message("limit %lld s, %d domains in %d lists: at most %.1f h, "
		      "allowed are %.1f h; %u calls\n",
	    (long long)(world.limit / SECOND), world.domains, world.lists,
	    (double)worst / HOUR, (double)bound / HOUR, world.calls);
	assert_true(worst <= bound);
	/* One that is back is found within a day or so. */
	if (world.back > 0 && world.lapsed >= 0)
		assert_true(world.now - world.served[world.lapsed] < 2 * DAY);
	end_world(&world);
}

static const int64_t limits[] = {
    0, 10 * SECOND, 2 * MINUTE, 7 * MINUTE, 20 * MINUTE, HOUR};

/* All of them in `make model`, and else one in five: such a stride meets each
 * limit and each size. */
static bool
is_chosen(unsigned number)
{
	unsigned stride = effort_of(23, 5, 1);

	return number % stride == stride / 2;
}

static void
no_good_domain_starves(void **state)
{
	static const int sizes[][2] = {{1, 1}, {4, 4}, {60, 4}};
	unsigned number = 0;

	(void)state;
	for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
		for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
			if (!is_chosen(number++))
				continue;
			simulate(&(const struct world){
			    .limit = limits[l],
			    .counts_refused = n == 1,
			    .domains = sizes[n][0],
			    .lists = sizes[n][1],
			    .lapsed = LAPSED_NEVER,
			    .lapsed_too = LAPSED_NEVER,
			});
		}
}

static void
none_starves_beside_a_lapsed_one(void **state)
{
	static const int sizes[][2] = {{3, 1}, {60, 1}, {20, 2}, {60, 4}};
	unsigned number = 0;

	(void)state;
	for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
		for (size_t n = l % 2; n < sizeof sizes / sizeof *sizes; n += 2)
			for (int refused = 0; refused < 2; refused++) {
				if (!is_chosen(number++))
					continue;
				simulate(&(const struct world){
				    .limit = limits[l],
				    .counts_refused = refused != 0,
				    .domains = sizes[n][0],
				    .lists = sizes[n][1],
				    .lapsed = sizes[n][0] / 2,
				    .lapsed_too = LAPSED_NEVER,
				    .lapses = 3 * DAY,
				    .back = refused ? 10 * DAY : 0,
				});
			}
}

static void
none_starves_beside_two(void **state)
{
	(void)state;
	for (size_t l = 0; l < sizeof limits / sizeof *limits; l += 5) {
		struct world world = {.limit = limits[l],
		    .domains = 20,
		    .lists = 1,
		    .lapsed = 2,
		    .lapsed_too = 15,
		    .lapses = 3 * DAY};
		live(&world, 30);
		int64_t worst = worst_wait(&world);
		print_message("at most %.1f h\n", (double)worst / HOUR);
		assert_true(worst <= (limits[l] == 0 ? 1 : 40) * HOUR);
		end_world(&world);
	}
}

static void
lists_that_are_refused_for_good(void **state)
{
	struct world world = {.domains = 8,
	    .lists = 1,
	    .lapsed = LAPSED_NEVER,
	    .lapsed_too = LAPSED_NEVER,
	    .refuses_lists = true};

	(void)state;
	live(&world, 3);
	assert_true(worst_wait(&world) < 10 * MINUTE);
	/* The list itself is tried now and then, and then it is served. */
	assert_true(world.longest_session < 20);
	world.refuses_lists = false;
	struct session_result result;
	world.now += DAY;
	fetch(&world, false, &result);
	world.now += 5 * MINUTE;
	world.longest_session = 0;
	fetch(&world, false, &result);
	assert_true(world.longest_session <= 2);
	end_world(&world);
}

/* What is refused is not asked for in each session, but by its name always. */
static void
by_name_all_are_asked_for(void **state)
{
	struct world world = {.domains = 20,
	    .lists = 2,
	    .lapsed = 3,
	    .lapsed_too = 17,
	    .lapses = 0};
	struct session_result result;

	(void)state;
	live(&world, 1);
	world.lapsed = world.lapsed_too = LAPSED_NEVER;
	for (int i = 0; i < world.domains; i++)
		world.served[i] = 0;
	int64_t before = world.now;
	fetch(&world, true, &result);
	for (int i = 0; i < world.domains; i++)
		assert_true(world.served[i] >= before);
	assert_int_equal(world.history.asking.domains_count, 0);
	end_world(&world);
}

/*
 * Single rules: a session by what is asked and answered.
 */

static struct asking_memory memory;

static struct asking *
begin(const char *const *names, size_t count, int64_t now)
{
	struct asking_options options = {
	    .names = names, .count = count, .memory = &memory, .now = now};

	return asking_new(&options);
}

static void
expect(struct asking *asking, const char *question, enum asking_answer answer,
    int64_t now)
{
	char domains[CUSTOMER_DOMAINS_MAX + 1];

	assert_true(asking_next(asking, domains));
	assert_string_equal(domains, question);
	asking_answer(asking, answer, now, "450 no");
}

static void
end(struct asking *asking, int64_t now, bool more)
{
	char domains[CUSTOMER_DOMAINS_MAX + 1];

	assert_false(asking_next(asking, domains));
	asking_end(asking, now);
	assert_int_equal(asking_has_more(asking), more);
	asking_free(asking);
}

static const char *const three[] = {"a.x", "b.x", "c.x"};
static char long_names[2][300];
static const char *const two_lists[] = {long_names[0], long_names[1]};

static int
forget(void **state)
{
	(void)state;
	asking_memory_clear(&memory);
	memset(long_names[0], 'a', 254);
	memset(long_names[1], 'b', 254);
	return 0;
}

static void
a_450_to_a_further_call_says_nothing_of_the_domain(void **state)
{
	struct asking *asking = begin(two_lists, 2, start);

	(void)state;
	expect(asking, two_lists[0], ASKING_SERVED, start);
	expect(asking, two_lists[1], ASKING_REFUSED, start + 1);
	end(asking, start + 1, false);
	assert_int_equal(memory.domains_count, 1);
	assert_int_equal(memory.domains[0].asked, 0);
	/* It is the first of the next session, and served: too soon it was. */
	asking = begin(two_lists, 2, start + 5 * MINUTE);
	expect(asking, two_lists[1], ASKING_SERVED, start + 5 * MINUTE);
	end(asking, start + 5 * MINUTE, true);
	assert_int_equal(memory.gap, MINUTE);
	assert_int_equal(
	    asking_memory_wait(&memory, start + 5 * MINUTE + 1), MINUTE - 1);
}

static void
a_lapsed_domain_is_found_by_halves(void **state)
{
	struct asking *asking = begin(three, 3, start);

	(void)state;
	expect(asking, "a.x,b.x,c.x", ASKING_REFUSED, start);
	expect(asking, "a.x,b.x", ASKING_REFUSED, start);
	expect(asking, "c.x", ASKING_SERVED, start);
	expect(asking, "a.x", ASKING_SERVED, start);
	expect(asking, "b.x", ASKING_REFUSED, start);
	end(asking, start, false);
	assert_null(asking_memory_find(&memory, "a.x"));
	/* As the first of a session its refusal means what it says. */
	asking = begin(three, 3, start + MINUTE);
	expect(asking, "b.x", ASKING_REFUSED, start + MINUTE);
	assert_null(asking_new_refusal(asking));
	expect(asking, "a.x,c.x", ASKING_SERVED, start + MINUTE);
	assert_string_equal(asking_new_refusal(asking), "b.x");
	end(asking, start + MINUTE, false);
	/* Only the others, until it is due. */
	asking = begin(three, 3, start + 2 * MINUTE);
	expect(asking, "a.x,c.x", ASKING_SERVED, start + 2 * MINUTE);
	end(asking, start + 2 * MINUTE, false);
}

static void
the_whole_list_clears_all_marks(void **state)
{
	struct asking *asking;

	(void)state;
	asking_memory_refuse(&memory, "a.x", start - 2 * HOUR, "450");
	asking_memory_refuse(&memory, "b.x", start - 2 * HOUR, "450");
	asking_memory_note_marks(&memory, start - 2 * HOUR);
	asking = begin(three, 3, start);
	expect(asking, "a.x,b.x,c.x", ASKING_SERVED, start);
	end(asking, start, false);
	assert_int_equal(memory.domains_count, 0);
}

static void
where_all_are_refused_one_is_asked_for(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		asking_memory_refuse(&memory, three[i], start + i, "450");
	asking_memory_note_marks(&memory, start);
	struct asking *asking = begin(three, 3, start + MINUTE);
	expect(asking, "a.x", ASKING_REFUSED, start + MINUTE);
	end(asking, start + MINUTE, false);
}

static void
a_session_begins_where_the_last_one_stopped(void **state)
{
	struct asking *asking = begin(two_lists, 2, start);

	(void)state;
	expect(asking, two_lists[0], ASKING_SERVED, start);
	expect(asking, two_lists[1], ASKING_NO_ANSWER, start);
	end(asking, start, true);
	asking = begin(two_lists, 2, start + MINUTE);
	/* What has no answer as the first either must not stop the others. */
	expect(asking, two_lists[1], ASKING_NO_ANSWER, start + MINUTE);
	end(asking, start + MINUTE, true);
	asking = begin(two_lists, 2, start + 2 * MINUTE);
	expect(asking, two_lists[0], ASKING_SERVED, start + 2 * MINUTE);
	expect(asking, two_lists[1], ASKING_SERVED, start + 2 * MINUTE);
	end(asking, start + 2 * MINUTE, false);
	assert_int_equal(memory.domains_count, 0);
}

static void
a_cursor_that_is_gone_is_the_beginning(void **state)
{
	(void)state;
	snprintf(memory.cursor, sizeof memory.cursor, "gone.x");
	struct asking *asking = begin(three, 3, start);
	expect(asking, "a.x,b.x,c.x", ASKING_SERVED, start);
	end(asking, start, false);
}

static void
a_list_refused_for_good_is_asked_one_by_one(void **state)
{
	struct asking *asking = begin(three, 3, start);

	(void)state;
	expect(asking, "a.x,b.x,c.x", ASKING_REJECTED, start);
	expect(asking, "a.x", ASKING_SERVED, start);
	expect(asking, "b.x", ASKING_REJECTED, start);
	expect(asking, "c.x", ASKING_SERVED, start);
	assert_string_equal(asking_new_refusal(asking), "b.x");
	end(asking, start, false);
	asking = begin(three, 3, start + MINUTE);
	expect(asking, "a.x", ASKING_SERVED, start + MINUTE);
	expect(asking, "c.x", ASKING_SERVED, start + MINUTE);
	end(asking, start + MINUTE, false);
	/* Later the good ones together. */
	asking = begin(three, 3, start + 2 * HOUR);
	expect(asking, "a.x,c.x", ASKING_SERVED, start + 2 * HOUR);
	end(asking, start + 2 * HOUR, false);
	assert_false(memory.alone);
}

static void
a_repeated_call_that_is_refused_was_too_soon(void **state)
{
	struct asking *asking = begin(three, 3, start);

	(void)state;
	expect(asking, "a.x,b.x,c.x", ASKING_SERVED, start);
	assert_true(asking_again(asking));
	asking_answer(asking, ASKING_REFUSED, start + 1, "450 too often");
	end(asking, start + 1, true);
	assert_int_equal(memory.gap, MINUTE);
	assert_int_equal(memory.domains_count, 0);
	asking = begin(three, 3, start + MINUTE + 1);
	expect(asking, "a.x,b.x,c.x", ASKING_SERVED, start + MINUTE + 1);
	assert_false(asking_again(asking));
	end(asking, start + MINUTE + 1, true);
}

static void
silence_is_borne_shorter_where_a_call_helps(void **state)
{
	(void)state;
	assert_int_equal(patience_between(&memory, 10 * MINUTE), 5 * MINUTE);
	assert_int_equal(patience_between(&memory, MINUTE), MINUTE);
	patience_learn(&memory, true);
	assert_int_equal(patience_between(&memory, 10 * MINUTE), 150 * SECOND);
	for (int i = 0; i < 9; i++)
		patience_learn(&memory, true);
	assert_int_equal(patience_between(&memory, 10 * MINUTE), 30 * SECOND);
	for (int i = 0; i < 9; i++)
		patience_learn(&memory, false);
	assert_int_equal(patience_between(&memory, 10 * MINUTE), 5 * MINUTE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_good_domain_starves),
	    cmocka_unit_test(none_starves_beside_a_lapsed_one),
	    cmocka_unit_test(none_starves_beside_two),
	    cmocka_unit_test(lists_that_are_refused_for_good),
	    cmocka_unit_test(by_name_all_are_asked_for),
	    cmocka_unit_test_setup(
		a_450_to_a_further_call_says_nothing_of_the_domain, forget),
	    cmocka_unit_test_setup(a_lapsed_domain_is_found_by_halves, forget),
	    cmocka_unit_test_setup(the_whole_list_clears_all_marks, forget),
	    cmocka_unit_test_setup(
		where_all_are_refused_one_is_asked_for, forget),
	    cmocka_unit_test_setup(
		a_session_begins_where_the_last_one_stopped, forget),
	    cmocka_unit_test_setup(
		a_cursor_that_is_gone_is_the_beginning, forget),
	    cmocka_unit_test_setup(
		a_list_refused_for_good_is_asked_one_by_one, forget),
	    cmocka_unit_test_setup(
		a_repeated_call_that_is_refused_was_too_soon, forget),
	    cmocka_unit_test_setup(
		silence_is_borne_shorter_where_a_call_helps, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
