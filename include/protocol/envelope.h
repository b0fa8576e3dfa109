/*
 * envelope - sender and recipients of one transaction, as all rooms see it.
 */
#ifndef ODMR_PROTOCOL_ENVELOPE_H
#define ODMR_PROTOCOL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"

/* notify and orcpt are as they came (RFC 3461 4.1, 4.2); NULL: not given. */
struct recipient {
	struct path path;
	const char *notify, *orcpt;
};

/* Owned by the receiver; lives from RECEIVER_MAIL to the end of the
 * transaction. A recipient keeps its index, taken or refused. */
struct envelope {
	const struct path *sender;
	const struct recipient *const
	    *rcpt; /* grows at its end between calls */
	size_t rcpts;
	uint64_t size; /* SIZE= of MAIL in octets, 0 where it had none */
	bool prdr; /* the provider takes one reply per recipient */
	bool eightbit; /* BODY=8BITMIME */
	/* SMTPUTF8 of MAIL: header and paths may be beyond ASCII (RFC 6531);
	 * without it the paths are not */
	bool smtputf8;
	/* as they came (RFC 3461 4.3, 4.4); NULL: not given */
	const char *ret, *envid;
};

#endif
