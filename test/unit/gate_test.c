/* SPDX-License-Identifier: ISC */
/* Who has an account's place: the gate's decisions, each desk a socket. */
#include "../../src/provider/gate_private.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "provider/note.h"

enum {
	CALLS = 8,
	OFFICE = 0,
	SHOP = 1,
	ACCOUNTS = 2,
	FIRST_PID = 1000000,
	LONG_MS = 3600 * 1000,
};

static struct provider_account accounts[ACCOUNTS] = {
    {.name = "office"}, {.name = "shop"}};
static struct provider_config config = {
    .hostname = "mx.example.net",
    .accounts = accounts,
    .accounts_count = ACCOUNTS,
};

struct host {
	struct gate gate;
	int desks[CALLS]; /* the other ends */
	struct seat seats[ACCOUNTS];
};

static struct host *
new_host(void)
{
	struct host *host = xcalloc(1, sizeof *host);

	host->gate = (struct gate){
	    .config = &config,
	    .calls = xcalloc(CALLS, sizeof(struct call)),
	    .places = places_new(CALLS),
	    .calls_room = CALLS,
	    .calls_max = CALLS,
	    .seats = host->seats,
	};
	for (int i = 0; i < ACCOUNTS; i++)
		host->seats[i] =
		    (struct seat){.holder = NOBODY, .waiter = NOBODY};
	for (int i = 0; i < CALLS; i++)
		host->desks[i] = -1;
	return host;
}

static void
free_host(struct host *host)
{
	gate_refuse_early(&host->gate);
	for (int i = 0; i < CALLS; i++) {
		if (host->desks[i] >= 0)
			close(host->desks[i]);
		if (host->gate.calls[i].pid != 0 &&
		    host->gate.calls[i].desk >= 0)
			close(host->gate.calls[i].desk);
	}
	places_free(host->gate.places, CALLS);
	free(host->gate.calls);
	free(host);
}

/* What a desk says, heard by the gate. */
static void
say(struct host *host, int call, enum note_type type, uint32_t account)
{
	assert_true(note_send(host->desks[call], type, account, -1));
	assert_true(gate_take_notes(&host->gate, call));
}

static void
call_in(struct host *host, int call)
{
	int ends[2];

	assert_true(note_pair(ends));
	host->gate.calls[call] = (struct call){
	    .pid = FIRST_PID + call, .desk = ends[0], .account = NOBODY};
	host->desks[call] = ends[1];
}

static void
log_in(struct host *host, int call, uint32_t account)
{
	call_in(host, call);
	say(host, call, NOTE_LOGGED_IN, account);
}

static void
hold(struct host *host, int call)
{
	log_in(host, call, OFFICE);
	say(host, call, NOTE_ASKS, 0);
}

static void
hears(struct host *host, int call, enum note_type type)
{
	struct note note;
	int fd;

	assert_int_equal(
	    note_receive(host->desks[call], &note, &fd), NOTE_READ);
	assert_int_equal(note.type, type);
	if (fd >= 0)
		close(fd);
}

static void
hears_nothing(struct host *host, int call)
{
	struct note note;
	int fd;

	assert_int_equal(
	    note_receive(host->desks[call], &note, &fd), NOTE_NONE);
}

/* Postfix connects; its end. */
static int
connect_postfix(struct host *host, long account)
{
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	gate_connect(&host->gate, account, ends[0]);
	return ends[1];
}

static void
assert_refused(int postfix)
{
	char text[200] = "";

	assert_true(recv(postfix, text, sizeof text - 1, 0) > 0);
	assert_non_null(strstr(text, "421 4.3.2 mx.example.net"));
	assert_int_equal(recv(postfix, text, 1, 0), 0);
	close(postfix);
}

/* Neither a greeting nor a refusal. */
static void
assert_waits(int postfix)
{
	char octet;

	assert_int_equal(recv(postfix, &octet, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void
silent_for(struct host *host, int call, int64_t ms)
{
	atomic_store(&host->gate.places[call].heard, clock_ms() - ms);
}

static void
the_newest_wins_at_once_where_the_old_one_is_held(void **state)
{
	struct host *host = new_host();

	(void)state;
	hold(host, 0);
	hears(host, 0, NOTE_HOLDS);
	hold(host, 1);
	hears(host, 0, NOTE_REPLACED);
	hears(host, 1, NOTE_HOLDS);
	assert_int_equal(host->seats[OFFICE].holder, 1);
	/* The old one cannot take it back. */
	say(host, 0, NOTE_ASKS, 0);
	assert_int_equal(host->seats[OFFICE].holder, 1);
	free_host(host);
}

static void
a_turned_one_gives_way_after_ten_seconds_of_silence(void **state)
{
	struct host *host = new_host();

	(void)state;
	hold(host, 0);
	hears(host, 0, NOTE_HOLDS);
	int postfix = connect_postfix(host, OFFICE);
	hears(host, 0, NOTE_CONNECTION);
	hold(host, 1);
	assert_int_equal(host->gate.places[1].state, PLACE_WAITS);
	silent_for(host, 0, 5000);
	assert_true(gate_look_at_waiters(&host->gate) ==
		    atomic_load(&host->gate.places[0].heard) + 10000);
	hears_nothing(host, 0);
	silent_for(host, 0, 10000);
	assert_true(gate_look_at_waiters(&host->gate) == INT64_MAX);
	hears(host, 0, NOTE_REPLACED);
	hears(host, 1, NOTE_HOLDS);
	close(postfix);
	free_host(host);
}

/* Wherever they stand in the table. */
static void
of_two_that_wait_the_newest_wins(void **state)
{
	(void)state;
	for (int old = 1; old <= 2; old++) {
		struct host *host = new_host();
		int new = 3 - old;
		hold(host, 0);
		int postfix = connect_postfix(host, OFFICE);
		hold(host, old);
		hold(host, new);
		hears(host, old, NOTE_REPLACED);
		silent_for(host, 0, 20000);
		(void)gate_look_at_waiters(&host->gate);
		(void)gate_look_at_waiters(&host->gate);
		assert_int_equal(host->seats[OFFICE].holder, new);
		hears(host, new, NOTE_HOLDS);
		hears_nothing(host, new);
		close(postfix);
		free_host(host);
	}
}

static void
one_that_waits_is_told_when_a_newer_one_gets_the_place(void **state)
{
	struct host *host = new_host();

	(void)state;
	hold(host, 0);
	int postfix = connect_postfix(host, OFFICE);
	hold(host, 1);
	silent_for(host, 0, 20000);
	hold(host, 2);
	hears(host, 1, NOTE_REPLACED);
	hears(host, 2, NOTE_HOLDS);
	assert_int_equal(host->seats[OFFICE].waiter, NOBODY);
	close(postfix);
	free_host(host);
}

static void
leaving_crosses_a_connection(void **state)
{
	struct host *host = new_host();

	(void)state;
	hold(host, 0);
	hears(host, 0, NOTE_HOLDS);
	int postfix = connect_postfix(host, OFFICE);
	say(host, 0, NOTE_LEAVES, 0);
	hears(host, 0, NOTE_CONNECTION);
	hears_nothing(host, 0);
	assert_int_equal(host->gate.places[0].state, PLACE_TURNED);
	/* Whoever left first is told so, and Postfix is refused. */
	close(postfix);
	free_host(host);
	host = new_host();
	hold(host, 0);
	hears(host, 0, NOTE_HOLDS);
	say(host, 0, NOTE_LEAVES, 0);
	hears(host, 0, NOTE_LEFT);
	assert_refused(connect_postfix(host, OFFICE));
	free_host(host);
}

static void
a_desk_dies_with_a_connection_on_its_way(void **state)
{
	struct host *host = new_host();
	char octet;

	(void)state;
	hold(host, 0);
	int postfix = connect_postfix(host, OFFICE);
	close(host->desks[0]);
	host->desks[0] = -1;
	assert_false(gate_end_call(&host->gate, FIRST_PID));
	assert_int_equal(recv(postfix, &octet, 1, 0), 0);
	assert_int_equal(host->seats[OFFICE].holder, NOBODY);
	assert_int_equal(gate_crowd_leaver(&host->gate), NOBODY);
	close(postfix);
	hold(host, 1);
	hears(host, 1, NOTE_HOLDS);
	free_host(host);
}

static void
a_place_that_is_left_goes_to_whoever_waits(void **state)
{
	struct host *host = new_host();

	(void)state;
	hold(host, 0);
	int postfix = connect_postfix(host, OFFICE);
	hold(host, 1);
	gate_end_call(&host->gate, FIRST_PID);
	hears(host, 1, NOTE_HOLDS);
	assert_int_equal(host->gate.places[1].state, PLACE_HELD);
	close(postfix);
	free_host(host);
}

/* Its connection was over before it was turned. */
static void
a_desk_holds_again(void **state)
{
	struct host *host = new_host();

	(void)state;
	hold(host, 0);
	hears(host, 0, NOTE_HOLDS);
	int postfix = connect_postfix(host, OFFICE);
	close(postfix);
	hears(host, 0, NOTE_CONNECTION);
	say(host, 0, NOTE_ASKS, 0);
	hears(host, 0, NOTE_HOLDS);
	postfix = connect_postfix(host, OFFICE);
	hears(host, 0, NOTE_CONNECTION);
	close(postfix);
	free_host(host);
}

static void
one_connection_at_a_time(void **state)
{
	struct host *host = new_host();

	(void)state;
	assert_refused(connect_postfix(host, OFFICE));
	hold(host, 0);
	int postfix = connect_postfix(host, OFFICE);
	int next = connect_postfix(host, OFFICE);
	assert_waits(next);
	assert_refused(connect_postfix(host, OFFICE));
	assert_refused(connect_postfix(host, SHOP));
	close(postfix);
	close(next);
	free_host(host);
}

/* Whichever side ended it: the message at which a customer's software breaks the
 * connection keeps none behind it away. */
static void
mail_after_a_turned_call_waits_for_the_next_one(void **state)
{
	(void)state;
	for (int while_turned = 0; while_turned < 2; while_turned++) {
		struct host *host = new_host();
		hold(host, 0);
		close(connect_postfix(host, OFFICE));
		int next = while_turned ? connect_postfix(host, OFFICE) : -1;
		gate_end_call(&host->gate, FIRST_PID);
		if (!while_turned)
			next = connect_postfix(host, OFFICE);
		assert_waits(next);
		hold(host, 1);
		hears(host, 1, NOTE_HOLDS);
		hears(host, 1, NOTE_CONNECTION);
		assert_int_equal(host->gate.places[1].state, PLACE_TURNED);
		assert_int_equal(host->gate.early_count, 0);
		close(next);
		free_host(host);
	}
}

static void
turn_once(struct host *host, int call)
{
	hold(host, call);
	hears(host, call, NOTE_HOLDS);
	close(connect_postfix(host, OFFICE));
	hears(host, call, NOTE_CONNECTION);
	gate_end_call(&host->gate, FIRST_PID + call);
}

/* One that Postfix gave up is nobody's, and makes room for the next. */
static void
mail_that_waited_and_is_gone(void **state)
{
	struct host *host = new_host();

	(void)state;
	turn_once(host, 0);
	close(connect_postfix(host, OFFICE));
	int next = connect_postfix(host, OFFICE);
	assert_waits(next);
	close(next);
	hold(host, 1);
	hears(host, 1, NOTE_HOLDS);
	hears_nothing(host, 1);
	assert_int_equal(host->gate.places[1].state, PLACE_HELD);
	free_host(host);
}

/* Who calls once an hour, a few minutes late, finds it. */
static void
mail_that_waits_for_an_hourly_call(void **state)
{
	struct host *host = new_host();

	(void)state;
	turn_once(host, 0);
	int next = connect_postfix(host, OFFICE);
	assert_true(gate_look_at_early(&host->gate) >
		    clock_ms() + (int64_t)65 * 60 * 1000);
	close(next);
	free_host(host);
}

/* Neither for a customer who was only held, nor long after a call, nor for longer
 * than Postfix waits, a stop or a reload. */
static void
mail_that_does_not_wait(void **state)
{
	struct host *host = new_host();

	(void)state;
	hold(host, 0);
	gate_end_call(&host->gate, FIRST_PID);
	assert_refused(connect_postfix(host, OFFICE));
	turn_once(host, 1);
	host->seats[OFFICE].mail_until = clock_ms();
	assert_refused(connect_postfix(host, OFFICE));
	turn_once(host, 2);
	int next = connect_postfix(host, OFFICE);
	int64_t look = gate_look_at_early(&host->gate);
	assert_true(look > clock_ms() && look <= clock_ms() + 5400 * 1000);
	assert_waits(next);
	host->gate.early[0].until = clock_ms();
	assert_true(gate_look_at_early(&host->gate) == INT64_MAX);
	assert_refused(next);
	next = connect_postfix(host, OFFICE);
	gate_refuse_early(&host->gate);
	assert_refused(next);
	free_host(host);
}

/* Postfix' processes are for those who are here, first of all. */
static void
few_connections_wait(void **state)
{
	struct host *host = new_host();
	int others[GATE_EARLY_MAX];

	(void)state;
	turn_once(host, 0);
	for (size_t i = 0; i < GATE_EARLY_MAX; i++) {
		int ends[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		host->gate.early[i] = (struct early){
		    .fd = ends[0], .account = SHOP, .until = INT64_MAX};
		host->gate.early_count++;
		others[i] = ends[1];
	}
	assert_refused(connect_postfix(host, OFFICE));
	for (size_t i = 0; i < GATE_EARLY_MAX; i++)
		close(others[i]);
	int next = connect_postfix(host, OFFICE);
	assert_waits(next);
	assert_int_equal(host->gate.early_count, 1);
	close(next);
	free_host(host);
}

/* After a reload an index is another account's. */
static void
what_a_call_says_that_was_told_to_end(void **state)
{
	struct host *host = new_host();

	(void)state;
	call_in(host, 0);
	host->gate.calls[0].leaving = true;
	say(host, 0, NOTE_LOGGED_IN, SHOP);
	say(host, 0, NOTE_ASKS, 0);
	assert_int_equal(host->gate.calls[0].account, NOBODY);
	assert_int_equal(host->seats[SHOP].holder, NOBODY);
	assert_true(gate_end_call(&host->gate, FIRST_PID));
	free_host(host);
}

static void
nonsense_of_a_desk(void **state)
{
	struct host *host = new_host();

	(void)state;
	call_in(host, 0);
	say(host, 0, NOTE_LOGGED_IN, 7);
	assert_int_equal(host->gate.calls[0].account, NOBODY);
	say(host, 0, NOTE_ASKS, 0);
	say(host, 0, NOTE_LEAVES, 0);
	say(host, 0, NOTE_LOGGED_IN, OFFICE);
	say(host, 0, NOTE_LOGGED_IN, SHOP);
	assert_int_equal(host->gate.calls[0].account, OFFICE);
	assert_int_equal(gate_crowd_leaver(&host->gate), NOBODY);
	assert_int_equal(send(host->desks[0], "x", 1, 0), 1);
	assert_false(gate_take_notes(&host->gate, 0));
	free_host(host);
}

static void
idle_calls_of_one_account_are_few(void **state)
{
	struct host *host = new_host();

	(void)state;
	hold(host, 0);
	hears(host, 0, NOTE_HOLDS);
	for (int i = 1; i <= 4; i++) {
		log_in(host, i, OFFICE);
		host->gate.places[i].since = i;
	}
	hears(host, 1, NOTE_REPLACED);
	for (int i = 2; i <= 4; i++)
		hears_nothing(host, i);
	log_in(host, 5, SHOP);
	hears_nothing(host, 0);
	hears_nothing(host, 5);
	free_host(host);
}

/* A stranger who came so many seconds ago, from 2001:db8:0:N::1. */
static void
stranger(struct host *host, int call, int network, int64_t seconds)
{
	call_in(host, call);
	host->gate.calls[call].from =
	    (struct in6_addr){.s6_addr = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0,
				  (uint8_t)network, [15] = (uint8_t)call}};
	host->gate.places[call].since = clock_unix_ms() - seconds * 1000;
}

/* After a wrong password, for so long. */
static void
waits(struct host *host, int call, int64_t ms)
{
	atomic_store(&host->gate.places[call].waits_until, clock_ms() + ms);
}

static void
of_strangers_the_oldest_of_the_most_crowded_network_leaves(void **state)
{
	struct host *host = new_host();

	(void)state;
	assert_int_equal(gate_crowd_leaver(&host->gate), NOBODY);
	stranger(host, 0, 1, 50); /* alone, as customers come */
	stranger(host, 1, 2, 10);
	stranger(host, 2, 2, 20);
	stranger(host, 3, 3, 5);
	stranger(host, 4, 3, 1);
	log_in(host, 5, OFFICE);
	assert_int_equal(gate_crowd_leaver(&host->gate), 2);
	/* Who waits after a wrong password is not the first to leave. */
	waits(host, 2, LONG_MS);
	assert_int_equal(gate_crowd_leaver(&host->gate), 1);
	waits(host, 1, LONG_MS);
	assert_int_equal(gate_crowd_leaver(&host->gate), 3);
	/* Who is on his way out is there no more. */
	host->gate.calls[3].leaving = true;
	assert_int_equal(gate_crowd_leaver(&host->gate), 2);
	free_host(host);
}

/* A process that can be ended, in the place of a desk. */
static void
give_process(struct host *host, int call)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	host->gate.calls[call].pid = pid;
}

static void
has_been_killed(struct host *host, int call)
{
	int status;

	assert_int_equal(waitpid(host->gate.calls[call].pid, &status, 0),
	    host->gate.calls[call].pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* Where all who are there wait after a wrong password, a customer comes in all the
 * same, and the guesser's address is as full as before. */
static void
who_guesses_keeps_no_place_and_ends_no_wait(void **state)
{
	struct host *host = new_host();

	(void)state;
	config.max_per_address = 2;
	config.max_connections = 3;
	for (int i = 0; i < 3; i++) {
		stranger(host, i, i / 2, 3 - i);
		waits(host, i, LONG_MS);
	}
	give_process(host, 0);
	struct in6_addr guesser = host->gate.calls[0].from;
	struct in6_addr from = {.s6_addr = {0x20, 0x01, [15] = 1}};
	assert_int_equal(gate_crowd_for(&host->gate, &from), GATE_CROWD_ALL);
	assert_true(gate_crowd_make_room(&host->gate, GATE_CROWD_ALL, &from));
	has_been_killed(host, 0);
	assert_int_equal(gate_crowd_for(&host->gate, &from), GATE_CROWD_NONE);
	assert_int_equal(
	    gate_crowd_for(&host->gate, &guesser), GATE_CROWD_ADDRESS);
	assert_false(
	    gate_crowd_make_room(&host->gate, GATE_CROWD_ADDRESS, &guesser));
	host->gate.debts[0].until = clock_ms();
	assert_int_equal(
	    gate_crowd_for(&host->gate, &guesser), GATE_CROWD_NONE);
	free_host(host);
}

/* Customers and strangers may share an address. */
static void
who_stays_gives_way_at_his_own_address(void **state)
{
	struct host *host = new_host();

	(void)state;
	config.max_per_address = 2;
	config.max_connections = 8;
	stranger(host, 0, 1, 0);
	stranger(host, 1, 2, 0);
	stranger(host, 2, 2, 0);
	struct in6_addr from = host->gate.calls[1].from;
	assert_int_equal(
	    gate_crowd_for(&host->gate, &from), GATE_CROWD_ADDRESS);
	/* They may be customers, who are about to log in. */
	assert_false(
	    gate_crowd_make_room(&host->gate, GATE_CROWD_ADDRESS, &from));
	for (int i = 0; i < 3; i++)
		host->gate.places[i].since -= (20 - i) * 1000;
	give_process(host, 1);
	give_process(host, 2);
	waits(host, 1, LONG_MS);
	assert_true(
	    gate_crowd_make_room(&host->gate, GATE_CROWD_ADDRESS, &from));
	has_been_killed(host, 2);
	assert_false(
	    gate_crowd_make_room(&host->gate, GATE_CROWD_ADDRESS, &from));
	kill(host->gate.calls[1].pid, SIGKILL);
	has_been_killed(host, 1);
	free_host(host);
}

static void
a_crowd_is_of_one_network_or_of_all(void **state)
{
	struct host *host = new_host();
	struct in6_addr from = {
	    .s6_addr = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 2, [15] = 9}};

	(void)state;
	config.max_per_address = 2;
	config.max_connections = 4;
	stranger(host, 0, 2, 1);
	stranger(host, 1, 1, 1);
	assert_int_equal(gate_crowd_for(&host->gate, &from), GATE_CROWD_NONE);
	stranger(host, 2, 2, 1);
	assert_int_equal(
	    gate_crowd_for(&host->gate, &from), GATE_CROWD_ADDRESS);
	from.s6_addr[7] = 3;
	assert_int_equal(gate_crowd_for(&host->gate, &from), GATE_CROWD_NONE);
	stranger(host, 3, 4, 1);
	assert_int_equal(gate_crowd_for(&host->gate, &from), GATE_CROWD_ALL);
	/* A reload sends away many, who call again at once. */
	host->gate.calls[3].leaving = true;
	assert_int_equal(gate_crowd_for(&host->gate, &from), GATE_CROWD_NONE);
	free_host(host);
}

/* One customer who does not read the farewell keeps no process for it. */
static void
calls_that_do_not_leave_are_few(void **state)
{
	struct host *host = new_host();
	int last = CALLS - 2;

	(void)state;
	for (int i = 0; i < last; i++)
		log_in(host, i, OFFICE);
	for (int i = 0; i < last - 3; i++) {
		assert_true(host->gate.calls[i].leaving);
		host->gate.places[i].since -= (last - i) * 1000;
	}
	give_process(host, 0);
	log_in(host, last, OFFICE);
	has_been_killed(host, 0);
	free_host(host);
}

static void
strangers_fill_no_disk(void **state)
{
	struct repeated repeated = {.next = 0};
	unsigned long others;

	(void)state;
	assert_true(gate_may_log(&repeated, &others));
	assert_int_equal(others, 0);
	for (int i = 0; i < 10000; i++)
		assert_false(gate_may_log(&repeated, &others));
	repeated.next = clock_ms();
	assert_true(gate_may_log(&repeated, &others));
	assert_int_equal(others, 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_newest_wins_at_once_where_the_old_one_is_held),
	    cmocka_unit_test(
		a_turned_one_gives_way_after_ten_seconds_of_silence),
	    cmocka_unit_test(of_two_that_wait_the_newest_wins),
	    cmocka_unit_test(
		one_that_waits_is_told_when_a_newer_one_gets_the_place),
	    cmocka_unit_test(leaving_crosses_a_connection),
	    cmocka_unit_test(a_desk_dies_with_a_connection_on_its_way),
	    cmocka_unit_test(a_place_that_is_left_goes_to_whoever_waits),
	    cmocka_unit_test(a_desk_holds_again),
	    cmocka_unit_test(one_connection_at_a_time),
	    cmocka_unit_test(mail_after_a_turned_call_waits_for_the_next_one),
	    cmocka_unit_test(mail_that_waited_and_is_gone),
	    cmocka_unit_test(mail_that_waits_for_an_hourly_call),
	    cmocka_unit_test(mail_that_does_not_wait),
	    cmocka_unit_test(few_connections_wait),
	    cmocka_unit_test(what_a_call_says_that_was_told_to_end),
	    cmocka_unit_test(nonsense_of_a_desk),
	    cmocka_unit_test(idle_calls_of_one_account_are_few),
	    cmocka_unit_test(
		of_strangers_the_oldest_of_the_most_crowded_network_leaves),
	    cmocka_unit_test(a_crowd_is_of_one_network_or_of_all),
	    cmocka_unit_test(who_guesses_keeps_no_place_and_ends_no_wait),
	    cmocka_unit_test(who_stays_gives_way_at_his_own_address),
	    cmocka_unit_test(calls_that_do_not_leave_are_few),
	    cmocka_unit_test(strangers_fill_no_disk),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
