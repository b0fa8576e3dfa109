/*
 * asking - which domains a session asks its provider for, and in what order.
 *
 * Pure: the domains, what is remembered, the time and each answer go in, the
 * next question comes out. RFC 2645 5.2.1 gives 450 two meanings, "no right to
 * one of the domains" and "asked too often". What is told by it is decided
 * here:
 *
 * - A 450 counts against the domains where another call was served that had
 *   waited no longer, or where it came after an hour. A list is halved then,
 *   until the domain that is refused stands alone. Only the first call of a
 *   session counts against a single domain.
 * - Any other 450 says that the provider was asked too often. Calls are spaced
 *   then, one a session, and each session begins where the last one stopped.
 * - Refused domains are asked for again, one a session, before all others and
 *   by themselves, and the list as a whole as well: once it is served, nobody
 *   is refused any longer. Where that has no answer the next session begins
 *   with the others.
 * - A list that is refused with 5yz is followed by each domain by itself, but for
 *   what speaks of ATRN or of the host (outcome_is_about_domains()).
 * - Where the provider is Exim, a list is asked for as a whole or not at all
 *   (asking_memory.indivisible): a part of it loses mail there.
 */
#ifndef ODMR_SESSION_ASKING_H
#define ODMR_SESSION_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct asking;
struct asking_memory;

enum asking_answer {
	ASKING_SERVED, /* 250, or 453: access is fine */
	ASKING_REFUSED, /* 450 */
	ASKING_REJECTED, /* 5yz that may be about them */
	ASKING_NO_ANSWER, /* no connection, 4yz, a fault of the protocol */
};

struct asking_options {
	/* Borrowed, the domains of the account; count 0: whatever there is. */
	const char *const *names;
	size_t count;
	struct asking_memory *memory; /* borrowed, and changed */
	bool named; /* the user wants all domains asked for now */
	int64_t now;
};

struct asking *asking_new(const struct asking_options *options);
void asking_free(struct asking *asking);

/*
 * The next question, to be followed by asking_answer(): domains as for ATRN,
 * CUSTOMER_DOMAINS_MAX + 1 octets, "" for all there are. false: there is none
 * in this session.
 */
bool asking_next(struct asking *asking, char *domains);
/* The question could not be put: the next session begins with it. */
void asking_unasked(struct asking *asking);
/* Whether the same question may be put again, after it was served; then
 * asking_answer() follows. */
bool asking_again(struct asking *asking);
/* reply: as one line, for REFUSED and REJECTED. */
void asking_answer(struct asking *asking, enum asking_answer answer,
    int64_t now, const char *reply);
/* The session asks nothing more. Makes the memory what it is to be. */
void asking_end(struct asking *asking, int64_t now);

/* Domains that were found to be refused since the last call of this, one a
 * call, until NULL. */
const char *asking_new_refusal(struct asking *asking);
/* After asking_end(): something was left unasked, so go on soon. */
bool asking_has_more(const struct asking *asking);
/* Some question was served. */
bool asking_was_served(const struct asking *asking);

#endif
