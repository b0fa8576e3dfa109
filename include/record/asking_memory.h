/*
 * asking_memory - what an account remembers of asking its provider for mail.
 *
 * Plain data with rules, no file and no clock, kept in the status file as part
 * of record/history. Times are ms of Unix time, 0 for never.
 */
#ifndef ODMR_RECORD_ASKING_MEMORY_H
#define ODMR_RECORD_ASKING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Domains that wait. Beyond, a domain is asked for as if nothing were
	 * known of it, which costs calls and no mail. */
	ASKING_DOMAINS_MAX = 1000,
	ASKING_NAME_SIZE = 256, /* a domain, RFC 5321 4.5.3.1.2 */
	ASKING_MINUTE = 60 * 1000,
	ASKING_HOUR = 60 * ASKING_MINUTE,
	/* The longest that calls are spaced: an hour is the longest that is
	 * known of providers, and their clocks are not ours. */
	ASKING_GAP_MAX = 65 * ASKING_MINUTE,
};

/* A domain that was not served in the last session. */
struct asking_domain {
	char *name;
	int64_t since; /* the first session that did not serve it */
	int64_t asked; /* when it was refused by itself; 0: it is not refused */
	char *reply; /* with that; else NULL */
	unsigned together; /* at most so many in one call; 0: any number */
};

struct asking_memory {
	struct asking_domain *domains; /* those that wait */
	size_t domains_count;
	bool alone; /* the provider refuses every list with 5yz */
	/* The provider loses recipients of a message whose domains were not
	 * asked for: the list is asked for as a whole, or not at all. */
	bool indivisible;
	/* Marks exist since; the whole list was asked last. 0: there are no
	 * marks. */
	int64_t whole_since, whole_asked;
	unsigned whole_turn; /* which of several lists is the next one */

	char cursor[ASKING_NAME_SIZE]; /* the next session begins here */
	bool cursor_refused; /* a further call for it got 450 */

	/* The provider limits how often it is asked: ms between calls, 0 where
	 * nothing is known of a limit. */
	int64_t gap;
	int64_t gap_tried; /* when a shorter one was tried last */
	/* ms after which a call was served that directly followed one which was
	 * served; 0: not known yet */
	int64_t enough;
	int64_t last_call, last_served; /* times of answers to ATRN */
	unsigned refusals; /* sessions in a row that began with 450 */
	bool extra_before; /* the last session began with refused ones */
	bool extra_unanswered; /* and got no answer to them */

	/* ms of silence after which a connection is given up; 0: the usual */
	int64_t patience;
};

void asking_memory_clear(struct asking_memory *memory);
/* NULL where the domain does not wait. */
struct asking_domain *asking_memory_find(
    const struct asking_memory *memory, const char *name);
/* The domain waits, since now where it did not. NULL: there are too many. */
struct asking_domain *asking_memory_add(
    struct asking_memory *memory, const char *name, int64_t now);
void asking_memory_remove(struct asking_memory *memory, const char *name);
/* The domain was refused by itself. */
void asking_memory_refuse(struct asking_memory *memory, const char *name,
    int64_t now, const char *reply);
/* Forgets whatever is not one of these. */
void asking_memory_keep(
    struct asking_memory *memory, const char *const *names, size_t count);
/* Notes whether there are marks, for the whole list to be tried in time. */
void asking_memory_note_marks(struct asking_memory *memory, int64_t now);
/* Times of another clock, ahead or not set, say nothing: waits begin now, and a
 * shorter time between calls may be tried. */
void asking_memory_settle_times(struct asking_memory *memory, int64_t now);

/* The domain that waits for the longest time; NULL: none does. */
const struct asking_domain *asking_memory_longest(
    const struct asking_memory *memory);
/*
 * ms until the provider should be asked again, 0 where it may be now. A time
 * to come was written by another clock and does not count.
 */
int64_t asking_memory_wait(const struct asking_memory *memory, int64_t now);
/* What was refused since, and asked for again last, is due: after an hour,
 * later after as long again as it was refused, and at least once a day. */
bool asking_memory_is_due(int64_t since, int64_t asked, int64_t now);

#endif
