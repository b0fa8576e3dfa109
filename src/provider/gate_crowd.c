/* SPDX-License-Identifier: ISC */
/*
 * Who is not logged in, and who of them makes room where too many are.
 *
 * A stranger may keep silent for a minute, a customer is logged in after a
 * second or two. So the newest comes in and the oldest leaves: a few idle
 * connections a minute keep no customer out. It leaves from the address that
 * has most of them, since customers come one by one.
 *
 * At one address, which may be a NAT's with customers and strangers behind it,
 * only who has been here for a while makes room: of many customers who call at
 * once some come in, while each would send the one before him away.
 *
 * Who waits after a wrong password leaves, too, or guessers at ten addresses
 * would have all places. His address owes the rest of the wait: else he would
 * end it by calling again.
 */
#include "gate_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "provider/provider_config.h"

enum {
	/* A login takes a customer less, over a satellite too. */
	LOGIN_TAKES_MS = 5000,
};

/* One who is not logged in. */
struct stranger {
	struct in6_addr source;
	int64_t since;
	bool waits; /* after a wrong login */
	long call;
};

static bool
is_stranger(const struct gate *gate, size_t call)
{
	return gate->calls[call].pid != 0 && !gate->calls[call].leaving &&
	       gate->calls[call].account == NOBODY;
}

/* One network of IPv6 is one customer's; of IPv4 an address is. */
static struct in6_addr
source_of(const struct in6_addr *from)
{
	struct in6_addr source = *from;

	if (!IN6_IS_ADDR_V4MAPPED(from))
		memset(source.s6_addr + 8, 0, 8);
	return source;
}

static bool
same_source(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* Waits that one source owes. */
static size_t
count_debts(const struct gate *gate, const struct in6_addr *source)
{
	int64_t now = clock_ms();
	size_t count = 0;

	for (size_t i = 0; i < GATE_DEBTS_MAX; i++)
		count += gate->debts[i].until > now &&
			 same_source(&gate->debts[i].source, source);
	return count;
}

/* In place of one that is over, or of the one that is over first. */
static void
note_debt(struct gate *gate, const struct in6_addr *source, int64_t until)
{
	struct debt *debt = &gate->debts[0];

	for (size_t i = 1; i < GATE_DEBTS_MAX; i++)
		if (gate->debts[i].until < debt->until)
			debt = &gate->debts[i];
	*debt = (struct debt){.source = *source, .until = until};
}

enum gate_crowd
gate_crowd_for(const struct gate *gate, const struct in6_addr *from)
{
	struct in6_addr source = source_of(from);
	size_t same = count_debts(gate, &source), all = 0;

	for (size_t i = 0; i < gate->calls_max; i++) {
		if (!is_stranger(gate, i))
			continue;
		struct in6_addr other = source_of(&gate->calls[i].from);
		all++;
		same += same_source(&other, &source);
	}
	if (same >= gate->config->max_per_address)
		return GATE_CROWD_ADDRESS;
	return all >= gate->config->max_connections ? GATE_CROWD_ALL
						    : GATE_CROWD_NONE;
}

/* Those of one source together; who waits last, the oldest first. */
static int
compare_strangers(const void *one, const void *other)
{
	const struct stranger *a = one, *b = other;
	int order = memcmp(&a->source, &b->source, sizeof a->source);

	if (order == 0)
		order = (int)a->waits - (int)b->waits;
	if (order == 0)
		order = (a->since > b->since) - (a->since < b->since);
	return order;
}

static size_t
list_strangers(const struct gate *gate, struct stranger *list)
{
	size_t count = 0;

	for (size_t i = 0; i < gate->calls_max; i++)
		if (is_stranger(gate, i))
			list[count++] = (struct stranger){
			    .source = source_of(&gate->calls[i].from),
			    .since = gate->places[i].since,
			    .waits =
				atomic_load(&gate->places[i].waits_until) != 0,
			    .call = (long)i};
	qsort(list, count, sizeof *list, compare_strangers);
	return count;
}

/* The first of the next source; count: there is none. */
static size_t
next_source(const struct stranger *list, size_t first, size_t count)
{
	size_t end = first + 1;

	while (
	    end < count && same_source(&list[end].source, &list[first].source))
		end++;
	return end;
}

long
gate_crowd_leaver(const struct gate *gate)
{
	struct stranger *list = xcalloc(gate->calls_max, sizeof *list);
	size_t count = list_strangers(gate, list), most = 0;
	struct stranger leaver = {.call = NOBODY};

	for (size_t first = 0, end; first < count; first = end) {
		const struct stranger *here = &list[first];
		end = next_source(list, first, count);
		size_t same = end - first;
		bool before = here->waits == leaver.waits
				  ? here->since < leaver.since
				  : leaver.waits;
		if (same < most || (same == most && !before))
			continue;
		most = same;
		leaver = *here;
	}
	free(list);
	return leaver.call;
}

/* The oldest at that address, where he has had time enough. */
static long
leaver_at(const struct gate *gate, const struct in6_addr *from)
{
	struct in6_addr source = source_of(from);
	int64_t since = clock_unix_ms() - LOGIN_TAKES_MS;
	long leaver = NOBODY;

	for (size_t i = 0; i < gate->calls_max; i++) {
		struct in6_addr other = source_of(&gate->calls[i].from);
		if (!is_stranger(gate, i) || !same_source(&other, &source) ||
		    atomic_load(&gate->places[i].waits_until) != 0 ||
		    gate->places[i].since >= since)
			continue;
		since = gate->places[i].since;
		leaver = (long)i;
	}
	return leaver;
}

bool
gate_crowd_make_room(
    struct gate *gate, enum gate_crowd crowd, const struct in6_addr *from)
{
	long leaver = crowd == GATE_CROWD_ALL ? gate_crowd_leaver(gate)
					      : leaver_at(gate, from);

	if (leaver == NOBODY)
		return false;
	/* He may have logged in just now. */
	(void)gate_take_notes(gate, leaver);
	if (!is_stranger(gate, (size_t)leaver))
		return true;
	struct in6_addr source = source_of(&gate->calls[leaver].from);
	int64_t until = atomic_load(&gate->places[leaver].waits_until);
	/* He owes nothing else, and must not stay for a farewell that he does
	 * not read. */
	kill(gate->calls[leaver].pid, SIGKILL);
	gate->calls[leaver].leaving = true;
	if (until > clock_ms())
		note_debt(gate, &source, until);
	return true;
}
