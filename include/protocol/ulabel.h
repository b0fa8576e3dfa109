/*
 * ulabel - a domain with A-labels ("xn--") as it stands in mail with SMTPUTF8.
 *
 * Punycode (RFC 3492) and no more: whether a label is allowed, whoever
 * registered it has looked at (RFC 5891).
 */
#ifndef ODMR_PROTOCOL_ULABEL_H
#define ODMR_PROTOCOL_ULABEL_H

#include <stdbool.h>

#include "protocol/address.h"

enum {
	/* A label has 63 octets; each of its characters may become four. */
	ULABEL_DOMAIN_MAX = 4 * ADDRESS_DOMAIN_MAX,
};

/* Writes domain with each A-label as a U-label to out. false: it has none, or
 * one that is no punycode or not allowed in an address, or is not ASCII. */
bool ulabel_domain(const char *domain, char out[ULABEL_DOMAIN_MAX + 1]);

#endif
