/* SPDX-License-Identifier: ISC */
/*
 * What becomes of Postfix' connections. One customer's go to whoever has his
 * place. Those that come while he is turned, or shortly after, wait for his next
 * call: otherwise a message at which his software always breaks the connection
 * would keep all mail behind it away. Postfix would try that, too, find nobody,
 * and begin at each of his calls with the same message.
 */
#include "gate_private.h"

#include <unistd.h>

#include "base/clock.h"
#include "provider/inner.h"
#include "provider/note.h"
#include "provider/provider_config.h"
#include "tell/log.h"

enum {
	/* After the end of a turned call Postfix comes with its next message at
	 * once, if it has one. */
	NEXT_MAIL_MS = 60 * 1000,
	/* Most customers call each hour, and more often: an hour, and the time
	 * by which such a call may be late. Postfix waits for a little longer
	 * (wanted.c). */
	NEXT_CALL_MS = 85 * 60 * 1000,
};

/* NULL: none of that account waits. */
static struct early *
find_early(struct gate *gate, long account)
{
	for (size_t i = 0; i < gate->early_count; i++)
		if (gate->early[i].account == account)
			return &gate->early[i];
	return NULL;
}

/* Its descriptor is the caller's. */
static int
claim_early(struct gate *gate, struct early *early)
{
	int fd = early->fd;

	*early = gate->early[--gate->early_count];
	return fd;
}

static void
refuse_mail(const struct gate *gate, int fd, const char *text)
{
	inner_refuse(fd, gate->config->hostname, text);
}

static bool
pass_connection(struct gate *gate, long account, int fd)
{
	long holder = gate->seats[account].holder;

	if (holder == NOBODY || gate->places[holder].state != PLACE_HELD ||
	    !note_send(gate->calls[holder].desk, NOTE_CONNECTION, 0, fd))
		return false;
	atomic_store(&gate->places[holder].heard, clock_ms());
	gate_set_state(gate, holder, PLACE_TURNED);
	gate->totals.turned++;
	close(fd);
	return true;
}

/* The customer is here and busy, or was here a moment ago. */
static bool
will_call_again(const struct gate *gate, long account)
{
	const struct seat *seat = &gate->seats[account];

	return seat->holder != NOBODY || clock_ms() < seat->mail_until;
}

/* Postfix was stopped, or waits for less than that. */
static void
drop_early_that_are_over(struct gate *gate)
{
	for (size_t i = gate->early_count; i-- > 0;)
		if (inner_is_gone(gate->early[i].fd))
			close(claim_early(gate, &gate->early[i]));
}

static bool
keep_early(struct gate *gate, long account, int fd)
{
	drop_early_that_are_over(gate);
	if (!will_call_again(gate, account) ||
	    find_early(gate, account) != NULL ||
	    gate->early_count == GATE_EARLY_MAX)
		return false;
	gate->early[gate->early_count++] = (struct early){
	    .fd = fd, .account = account, .until = clock_ms() + NEXT_CALL_MS};
	log_say(CONFIG_LOG_INFO, gate->config->accounts[account].name,
	    "more-mail",
	    "Postfix has more mail, and waits for the customer's next call");
	return true;
}

void
gate_connect(struct gate *gate, long account, int fd)
{
	if (table_leads_astray(&gate->table, gate->config, (size_t)account))
		refuse_mail(gate, fd,
		    "the table of domains is not that of odmr-provider.yaml");
	else if (!pass_connection(gate, account, fd) &&
		 !keep_early(gate, account, fd))
		refuse_mail(gate, fd,
		    gate->seats[account].holder == NOBODY
			? "the customer is not connected"
			: "the customer's connection is in use");
}

void
gate_expect_mail(struct gate *gate, long account)
{
	gate->seats[account].mail_until = clock_ms() + NEXT_MAIL_MS;
}

void
gate_join_early(struct gate *gate, long account)
{
	drop_early_that_are_over(gate);
	struct early *early = find_early(gate, account);
	if (early != NULL)
		gate_connect(gate, account, claim_early(gate, early));
}

int64_t
gate_look_at_early(struct gate *gate)
{
	int64_t next = INT64_MAX, now = clock_ms();

	for (size_t i = gate->early_count; i-- > 0;) {
		struct early *early = &gate->early[i];
		if (now >= early->until)
			refuse_mail(gate, claim_early(gate, early),
			    "the customer has not called again");
		else if (early->until < next)
			next = early->until;
	}
	return next;
}

void
gate_refuse_early(struct gate *gate)
{
	while (gate->early_count > 0)
		refuse_mail(gate, claim_early(gate, &gate->early[0]),
		    "the customer is not connected");
}
