/*
 * place - how one customer's connection stands, in memory that gate and desk
 * share.
 *
 * The gate writes who and what, the desk how much went through and when. Each
 * field has one writer.
 */
#ifndef ODMR_PROVIDER_PLACE_H
#define ODMR_PROVIDER_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum place_state {
	PLACE_FREE,
	PLACE_DIALOGUE, /* not logged in yet */
	PLACE_READY, /* logged in; it has not asked, or was answered 453 */
	PLACE_WAITS, /* for an older call of the account to end */
	PLACE_HELD, /* ATRN is to be answered */
	PLACE_TURNED,
};

/* Why a call that gets SIGTERM is to end. */
enum place_end {
	PLACE_STOP, /* the program ends */
	PLACE_RELOAD, /* it knows the configuration of before */
	PLACE_REMOVED, /* its account is gone from the configuration */
};

enum { PLACE_ADDRESS_SIZE = 64 };

struct place {
	/* Of the gate. */
	enum place_state state;
	pid_t pid;
	int64_t since; /* of this state, Unix ms */
	char address[PLACE_ADDRESS_SIZE];
	_Atomic enum place_end end; /* set before the signal */
	/* Of the desk. */
	_Atomic int64_t heard; /* clock_ms() of the last octet, turned */
	_Atomic uint64_t to_customer, from_customer; /* octets, turned */
	_Atomic uint32_t failed_logins;
	/* While a login is checked and after a wrong one, clock_ms() of the
	 * answer to a wrong one; 0: none is awaited. */
	_Atomic int64_t waits_until;
};

/* So many free ones, shared with processes forked afterwards. Dies without
 * memory. */
struct place *places_new(size_t count);
void places_free(struct place *places, size_t count);
/* The name of a state, as in `status`. */
const char *place_state_name(enum place_state state);

#endif
