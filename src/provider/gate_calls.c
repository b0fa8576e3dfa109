/* SPDX-License-Identifier: ISC */
/*
 * The processes of customers, and who has an account's place.
 */
#include "gate_private.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/stop.h"
#include "provider/desk.h"
#include "provider/inner.h"
#include "provider/note.h"
#include "provider/provider_config.h"
#include "tell/log.h"

enum {
	/* A turned call that says nothing for so long gives way to a newer
	 * one: its line is dead, or it has nothing to lose. */
	SILENCE_MS = 10 * 1000,
	/* Of an account, logged in and without its place. */
	SPARE_CALLS = 3,
	/* And of those that were sent away, on their way out. */
	LEAVING_CALLS = 3,
	/* What a desk may allocate: TLS and two buffers take some 500 kB. */
	DESK_MEMORY = 64 << 20,
};

void
gate_set_state(struct gate *gate, long call, enum place_state state)
{
	struct place *place = &gate->places[call];

	place->state = state;
	place->since = clock_unix_ms();
	gate->changed = true;
}

/*
 * Places
 */

static const char *
peer_name(const struct gate *gate, long account)
{
	return gate->config->accounts[account].name;
}

static void
grant(struct gate *gate, long account, long call)
{
	gate->seats[account].holder = call;
	gate_set_state(gate, call, PLACE_HELD);
	(void)!note_send(gate->calls[call].desk, NOTE_HOLDS, 0, -1);
	gate_join_early(gate, account);
}

/* A newer call of the account came: 421, and the end. */
static void
dismiss(struct gate *gate, long call)
{
	(void)!note_send(gate->calls[call].desk, NOTE_REPLACED, 0, -1);
	gate->calls[call].leaving = true;
	if (gate->places[call].state != PLACE_TURNED)
		gate_set_state(gate, call, PLACE_READY);
}

/* What is under way may be finished: the desk knows what. */
void
gate_stop_call(struct gate *gate, long call, enum place_end end)
{
	atomic_store(&gate->places[call].end, end);
	kill(gate->calls[call].pid, SIGTERM);
	gate->calls[call].leaving = true;
}

bool
gate_is_waiter(const struct gate *gate, long call)
{
	long account = gate->calls[call].account;

	return gate->calls[call].pid != 0 && account != NOBODY &&
	       gate->seats[account].waiter == call;
}

/* The place is free: whoever waits gets it. */
static void
vacate(struct gate *gate, long account)
{
	struct seat *seat = &gate->seats[account];
	long waiter = seat->waiter;

	seat->holder = seat->waiter = NOBODY;
	if (waiter != NOBODY)
		grant(gate, account, waiter);
}

static void
replace(struct gate *gate, long account, long by)
{
	struct seat *seat = &gate->seats[account];

	log_say(CONFIG_LOG_INFO, peer_name(gate, account), "replaced",
	    "a newer call from %s takes the place of the one from %s",
	    gate->places[by].address, gate->places[seat->holder].address);
	dismiss(gate, seat->holder);
	if (seat->waiter != NOBODY && seat->waiter != by)
		dismiss(gate, seat->waiter);
	seat->waiter = NOBODY;
	grant(gate, account, by);
}

/* Whether the call that has the place may be sent away now. */
static bool
gives_way(const struct gate *gate, long holder)
{
	const struct place *place = &gate->places[holder];

	return place->state != PLACE_TURNED ||
	       clock_ms() - atomic_load(&place->heard) >= SILENCE_MS;
}

static void
on_asks(struct gate *gate, long call)
{
	long account = gate->calls[call].account;

	if (account == NOBODY)
		return;
	struct seat *seat = &gate->seats[account];
	if (seat->holder == NOBODY || seat->holder == call) {
		grant(gate, account, call);
	} else if (gives_way(gate, seat->holder)) {
		replace(gate, account, call);
	} else {
		if (seat->waiter != NOBODY && seat->waiter != call)
			dismiss(gate, seat->waiter);
		seat->waiter = call;
		gate_set_state(gate, call, PLACE_WAITS);
	}
}

/* One that was sent a connection already turns all the same. */
static void
on_leaves(struct gate *gate, long call)
{
	long account = gate->calls[call].account;

	if (account == NOBODY || gate->places[call].state == PLACE_TURNED)
		return;
	struct seat *seat = &gate->seats[account];
	if (seat->waiter == call)
		seat->waiter = NOBODY;
	gate_set_state(gate, call, PLACE_READY);
	(void)!note_send(gate->calls[call].desk, NOTE_LEFT, 0, -1);
	if (seat->holder == call)
		vacate(gate, account);
}

int64_t
gate_look_at_waiters(struct gate *gate)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < gate->calls_max; i++) {
		if (!gate_is_waiter(gate, (long)i))
			continue;
		long account = gate->calls[i].account;
		long holder = gate->seats[account].holder;
		if (gives_way(gate, holder)) {
			replace(gate, account, (long)i);
			continue;
		}
		int64_t look =
		    atomic_load(&gate->places[holder].heard) + SILENCE_MS;
		if (look < next)
			next = look;
	}
	return next;
}

/*
 * Processes
 */

/* The oldest of those that the account has besides the one with the place and
 * the one that waits for it, or of those that were told to end; NOBODY: no more
 * than so many. One that is turned owes Postfix a reply, and is none of them. */
static long
oldest_beyond(const struct gate *gate, long account, bool leaving, size_t max)
{
	const struct seat *seat = &gate->seats[account];
	long oldest = NOBODY;
	size_t count = 0;

	for (long i = 0; i < (long)gate->calls_max; i++) {
		const struct call *call = &gate->calls[i];
		if (call->pid == 0 || call->account != account ||
		    call->leaving != leaving || seat->holder == i ||
		    seat->waiter == i || gate->places[i].state == PLACE_TURNED)
			continue;
		count++;
		if (oldest == NOBODY ||
		    gate->places[i].since < gate->places[oldest].since)
			oldest = i;
	}
	return count > max ? oldest : NOBODY;
}

/* One customer must not take the processes of all. Who does not read the 421
 * stays for a minute. */
static void
limit_calls_of(struct gate *gate, long account)
{
	long spare = oldest_beyond(gate, account, false, SPARE_CALLS);

	if (spare != NOBODY)
		dismiss(gate, spare);
	long leaving = oldest_beyond(gate, account, true, LEAVING_CALLS);
	if (leaving != NOBODY)
		kill(gate->calls[leaving].pid, SIGKILL);
}

static void
on_logged_in(struct gate *gate, long call, uint32_t account)
{
	if (gate->calls[call].account != NOBODY ||
	    account >= gate->config->accounts_count)
		return;
	gate->calls[call].account = (long)account;
	gate->totals.logins++;
	gate_set_state(gate, call, PLACE_READY);
	limit_calls_of(gate, (long)account);
}

bool
gate_take_notes(struct gate *gate, long call)
{
	struct note note;
	int fd;

	while (gate->calls[call].desk >= 0) {
		switch (note_receive(gate->calls[call].desk, &note, &fd)) {
		case NOTE_NONE:
			return true;
		case NOTE_GONE:
			return false;
		case NOTE_READ:
			break;
		}
		if (fd >= 0)
			close(fd);
		if (gate->calls[call].leaving)
			continue;
		if (note.type == NOTE_LOGGED_IN)
			on_logged_in(gate, call, note.account);
		else if (note.type == NOTE_ASKS)
			on_asks(gate, call);
		else if (note.type == NOTE_LEAVES)
			on_leaves(gate, call);
	}
	return false;
}

long
gate_find_account(const struct gate *gate, const char *name)
{
	for (size_t i = 0; i < gate->config->accounts_count; i++)
		if (strcmp(peer_name(gate, (long)i), name) == 0)
			return (long)i;
	return NOBODY;
}

static long
find_free(struct gate *gate)
{
	for (size_t i = 0; i < gate->calls_max; i++)
		if (gate->calls[i].pid == 0)
			return (long)i;
	if (gate->calls_max == gate->calls_room)
		return NOBODY;
	return (long)gate->calls_max++;
}

/* Nothing of the gate but what the desk needs. */
static void
keep_only(int customer, int desk)
{
	int low = customer < desk ? customer : desk;
	int high = customer < desk ? desk : customer;

	descriptor_close(STDERR_FILENO + 1, low - 1);
	descriptor_close(low + 1, high - 1);
	descriptor_close(high + 1, INT_MAX);
}

/* Not under AddressSanitizer, whose own memory is terabytes of shadow. */
static void
limit_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	const struct rlimit memory = {
	    .rlim_cur = DESK_MEMORY, .rlim_max = DESK_MEMORY};

	setrlimit(RLIMIT_DATA, &memory);
#endif
}

static _Noreturn void
be_desk(const struct desk_options *options, pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Its descriptor becomes another one's; it is opened again. */
	closelog();
	keep_only(options->fd, options->gate);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	stop_install();
	if (getppid() != parent)
		stop_request();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	limit_memory();
	desk_run(options);
	_exit(0);
}

void
gate_start_call(struct gate *gate, int fd, bool implicit_tls,
    const struct in6_addr *from, const char *peer, const char *local)
{
	long call = find_free(gate);
	pid_t parent = getpid();
	int ends[2];

	errno = ENOBUFS; /* where all places are in use */
	if (call == NOBODY || !note_pair(ends)) {
		gate_lacks(gate, "a customer by a process");
		inner_refuse(fd, gate->config->hostname, "is busy");
		return;
	}
	struct place *place = &gate->places[call];
	*place = (struct place){.heard = clock_ms()};
	snprintf(place->address, sizeof place->address, "%s", peer);
	struct desk_options options = {
	    .config = gate->config,
	    .tls = gate->tls,
	    .place = place,
	    .fd = fd,
	    .gate = ends[1],
	    .implicit_tls = implicit_tls,
	    .peer_addr = peer,
	    .local_addr = local,
	};
	pid_t pid = fork();
	if (pid == 0)
		be_desk(&options, parent);
	if (pid < 0)
		gate_lacks(gate, "a customer by a process");
	close(ends[1]);
	if (pid < 0) {
		inner_refuse(fd, gate->config->hostname, "is busy");
		close(ends[0]);
		return;
	}
	close(fd);
	gate->calls[call] = (struct call){
	    .pid = pid, .desk = ends[0], .account = NOBODY, .from = *from};
	place->pid = pid;
	gate_set_state(gate, call, PLACE_DIALOGUE);
}

bool
gate_end_call(struct gate *gate, pid_t pid)
{
	for (size_t i = 0; i < gate->calls_max; i++) {
		struct call *call = &gate->calls[i];
		if (call->pid != pid)
			continue;
		/* What it said last may still be unread. */
		(void)gate_take_notes(gate, (long)i);
		long account = call->account;
		bool told = call->leaving;
		if (call->desk >= 0)
			close(call->desk);
		gate_add_totals(&gate->totals, &gate->places[i]);
		bool turned = gate->places[i].state == PLACE_TURNED;
		*call = (struct call){.pid = 0};
		gate_set_state(gate, (long)i, PLACE_FREE);
		if (account == NOBODY)
			return told;
		if (gate->seats[account].waiter == (long)i)
			gate->seats[account].waiter = NOBODY;
		if (gate->seats[account].holder != (long)i)
			return told;
		if (turned)
			gate_expect_mail(gate, account);
		vacate(gate, account);
		return told;
	}
	return false;
}
