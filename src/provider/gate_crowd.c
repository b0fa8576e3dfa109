/* SPDX-License-Identifier: ISC */
/*
 * Who is not logged in, and who of them makes room where too many are.
 *
 * A stranger may keep silent for a minute, a customer is logged in after a
 * second or two. So the newest comes in and the oldest leaves: a few idle
 * connections a minute keep no customer out. It leaves from the address that
 * has most of them, since customers come one by one. Those of one address are
 * refused instead, and who waits after a wrong password keeps his place: else
 * a guesser would end his own wait by calling again.
 */
#include "gate_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "provider/provider_config.h"

/* One who is not logged in. */
struct stranger {
	struct in6_addr source;
	int64_t since;
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

enum gate_crowd
gate_crowd_for(const struct gate *gate, const struct in6_addr *from)
{
	struct in6_addr source = source_of(from);
	size_t same = 0, all = 0;

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

/* Those of one source together, the oldest first. */
static int
compare_strangers(const void *one, const void *other)
{
	const struct stranger *a = one, *b = other;
	int order = memcmp(&a->source, &b->source, sizeof a->source);

	if (order == 0)
		order = (a->since > b->since) - (a->since < b->since);
	return order;
}

static size_t
list_strangers(const struct gate *gate, struct stranger *list)
{
	size_t count = 0;

	for (size_t i = 0; i < gate->calls_max; i++)
		if (is_stranger(gate, i) &&
		    !atomic_load(&gate->places[i].waits_after_login))
			list[count++] = (struct stranger){
			    .source = source_of(&gate->calls[i].from),
			    .since = gate->places[i].since,
			    .call = (long)i};
	qsort(list, count, sizeof *list, compare_strangers);
	return count;
}

long
gate_crowd_leaver(const struct gate *gate)
{
	struct stranger *list = xcalloc(gate->calls_max, sizeof *list);
	size_t count = list_strangers(gate, list), most = 0;
	long leaver = NOBODY;
	int64_t since = 0;

	for (size_t first = 0, end; first < count; first = end) {
		for (end = first + 1; end < count; end++)
			if (!same_source(
				&list[end].source, &list[first].source))
				break;
		size_t same = end - first;
		if (same < most || (same == most && list[first].since >= since))
			continue;
		most = same;
		since = list[first].since;
		leaver = list[first].call;
	}
	free(list);
	return leaver;
}

bool
gate_crowd_make_room(struct gate *gate)
{
	long leaver = gate_crowd_leaver(gate);

	if (leaver == NOBODY)
		return false;
	/* He may have logged in just now. */
	(void)gate_take_notes(gate, leaver);
	if (!is_stranger(gate, (size_t)leaver))
		return true;
	/* He owes nothing, and must not stay for a farewell that he does not
	 * read. */
	kill(gate->calls[leaver].pid, SIGKILL);
	gate->calls[leaver].leaving = true;
	return true;
}
