/*
 * outcome - what our dialogue with the provider came to.
 *
 * Plain data that protocol/customer and protocol/login fill in, and that tells
 * a session, a status file and a check what they want to know.
 */
#ifndef ODMR_PROTOCOL_OUTCOME_H
#define ODMR_PROTOCOL_OUTCOME_H

#include <stdbool.h>

#include "base/error.h"
#include "protocol/offer.h"
#include "protocol/status.h"

enum customer_result {
	CUSTOMER_PENDING,
	CUSTOMER_TURNED, /* be the server now; no CUSTOMER_CLOSE follows */
	CUSTOMER_NO_MAIL, /* 453 */
	CUSTOMER_CHECKED, /* check_only, and all went well */
	CUSTOMER_FAILED, /* see error */
};

struct customer_outcome {
	enum customer_result result;
	struct error error; /* FAILED */
	struct status reply; /* the one that decided; code 0: none did */
	bool refused_450; /* ATRN got 450: no right to a domain, or too often */
	bool logged_in; /* 235 came, and the server's proof where it has one */
	bool exim; /* the greeting says so: see asking */
	struct offer offer; /* of the last EHLO */
	/* Names of the sasl table, or NULL. */
	const char *best_offered; /* the strongest that we could have used */
	const char *mechanism; /* tried last, so the one used if logged_in */
	const char *binding; /* channel binding used: its type; else NULL */
	/* Stronger than that, and offered before or at first; else NULL. */
	const char *downgraded_from;
};

/*
 * ATRN was refused for good, and the domains may be why: 5yz but for what says
 * that there is no such command (502), that it comes too early (503, 530) or that
 * the host serves nobody (521). 500 may be about a line that is too long.
 */
bool outcome_is_about_domains(const struct customer_outcome *outcome);
/*
 * FAILED by a reply that is not the one hoped for, and the sentence "WHAT:
 * REPLY": 4yz is ERROR_AGAIN, 5yz what permanent says, else ERROR_PROTOCOL.
 */
void outcome_refused(struct customer_outcome *outcome,
    const struct status *status, enum error_class permanent, const char *what);
/* FAILED by something else; the sentence is a format of printf. */
void outcome_failed(struct customer_outcome *outcome, enum error_class class,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
