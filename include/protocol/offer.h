/*
 * offer - what a provider offers in its reply to EHLO (RFC 5321 4.1.1.1).
 */
#ifndef ODMR_PROTOCOL_OFFER_H
#define ODMR_PROTOCOL_OFFER_H

#include <stdbool.h>

struct reply;

enum {
	OFFER_NAME_MAX = 255, /* a domain, RFC 5321 4.5.3.1.2 */
	OFFER_MECHANISMS_MAX = 512,
};

struct offer {
	char provider[OFFER_NAME_MAX + 1]; /* its name, printable, cut */
	/* Of AUTH, by blanks, printable; those beyond the room are left out. */
	char mechanisms[OFFER_MECHANISMS_MAX];
	bool starttls;
	bool atrn;
};

/* Reads a 250; what was in the offer before is gone. */
void offer_parse(struct offer *offer, const struct reply *reply);
/* Case does not count. */
bool offer_has_mechanism(const struct offer *offer, const char *name);
/* Some SCRAM that binds the channel is among them. */
bool offer_has_plus(const struct offer *offer);

#endif
