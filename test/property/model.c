/* SPDX-License-Identifier: ISC */
/* Who has what, who was told what, and whether that may be. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

void
tell(const struct world *w, int message, const char *format, ...)
{
	va_list args;

	if (!w->verbose || (w->only != ALL_MESSAGES && message != w->only &&
			       message != NO_MESSAGE))
		return;
	printf("%12.3f ", (double)w->now / 1000);
	if (message >= 0)
		printf("[%d] ", message);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void
blame(struct world *w, int message, const char *format, ...)
{
	va_list args;

	if (w->fault[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(w->fault, sizeof w->fault, format, args);
	va_end(args);
	w->guilty = message;
	tell(w, message, "WRONG: %s", w->fault);
}

static int
number_of(const struct world *w, const struct message *m)
{
	return (int)(m - w->messages);
}

/* Answers that are not written yet, on connections that may be dead. */
static unsigned
held_back(const struct world *w, int message, unsigned box)
{
	unsigned count = 0;

	for (size_t i = 0; i < w->config.deliveries_count; i++)
		for (size_t k = 0; k < CONNS; k++) {
			const struct conn *c = &w->services[i].conns[k];
			if (c->answering)
				continue;
			for (unsigned n = 0; n < c->given_count; n++)
				count += c->given[n].message == message &&
					 c->given[n].box == box &&
					 c->given[n].end > c->written;
		}
	return count;
}

/* Copies whose answer may have got lost. */
static unsigned
unheard(const struct world *w, int message, unsigned box)
{
	return w->messages[message].unheard[box] + held_back(w, message, box);
}

void
model_delivered(struct world *w, int message, unsigned box)
{
	struct message *m = &w->messages[message];

	tell(w, message, "%s has it", w->boxes[box].user);
	m->changes++;
	m->copies[box]++;
	if ((m->boxes >> box & 1) == 0)
		blame(w, message, "%s is no recipient, and got it",
		    w->boxes[box].user);
	else if (m->copies[box] > 1 + unheard(w, message, box))
		blame(w, message, "%s got it %u times", w->boxes[box].user,
		    m->copies[box]);
}

void
model_unheard(struct world *w, const struct given *given)
{
	tell(w, given->message, "the answer for %s does not arrive",
	    w->boxes[given->box].user);
	w->messages[given->message].unheard[given->box]++;
}

/* At RCPT a service knows the sender alone. */
void
model_refused(struct world *w, const char *sender, unsigned box, int message)
{
	for (int i = 0; i < (int)w->message_count; i++) {
		struct message *m = &w->messages[i];
		if (i != message &&
		    (message != NO_MESSAGE || strcmp(m->sender, sender) != 0))
			continue;
		m->changes += !m->refused[box];
		m->refused[box] = true;
	}
}

void
model_told(struct world *w, struct message *m, unsigned box, int code)
{
	const char *user = w->boxes[box].user;
	int number = number_of(w, m);

	tell(w, number, "the provider hears %d for %s", code, user);
	maildir_look(w, box);
	if (code / 100 == 2) {
		if (m->copies[box] == 0)
			blame(w, number, "250 for %s, who does not have it",
			    user);
		m->fate[box] = FATE_TAKEN;
		m->changes++;
	} else if (code / 100 == 5) {
		if (m->copies[box] > unheard(w, number, box))
			blame(w, number, "bounced for %s, who has it", user);
		else if (!m->refused[box])
			blame(w, number,
			    "bounced for %s, whose service did not refuse it",
			    user);
		m->fate[box] = FATE_BOUNCED;
		m->changes++;
	}
}

bool
model_is_done(struct world *w, bool blames)
{
	bool done = true;

	for (size_t i = 0; i < w->message_count; i++) {
		const struct message *m = &w->messages[i];
		for (unsigned box = 0; box < BOXES; box++) {
			if ((m->boxes >> box & 1) == 0 ||
			    m->fate[box] != FATE_PENDING)
				continue;
			if (service_defers(w, (int)i, box) &&
			    m->copies[box] == 0)
				continue;
			/* On its first day it may defer for ever. */
			if (m->refused[box] && m->copies[box] == 0 &&
			    w->account.soft_bounce != CONFIG_SOFT_BOUNCE_NO)
				continue;
			done = false;
			if (blames)
				blame(w, (int)i,
				    "%s still waits after all is well",
				    w->boxes[box].user);
		}
	}
	return done;
}
