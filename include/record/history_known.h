/*
 * history_known - recipients of an account who have had mail.
 *
 * A list of users that is lost (a directory server that is away, a map that was
 * made empty, a tree that is not mounted) refuses everybody for good, as the
 * removal of a mailbox refuses one. Whoever never had mail is nobody's loss; who
 * had some is not believed to be gone at once. Plain data; times are ms of Unix
 * time.
 */
#ifndef ODMR_RECORD_HISTORY_KNOWN_H
#define ODMR_RECORD_HISTORY_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* 60 KB of the status file, and as much again when all are refused. Who
	 * had no mail for the longest time makes room, and nobody else does:
	 * some mailboxes have mail once a year. */
	HISTORY_KNOWN_MAX = 1000,
};

struct history_rcpt {
	uint64_t id; /* history_known_id() */
	int64_t delivered; /* the last time that mail was */
	/* The first and the last refusal as unknown since; 0: none. */
	int64_t refused, refused_last;
};

/* Begins zeroed. */
struct history_known {
	struct history_rcpt *list; /* in the order of ids */
	size_t count;
};

/* Of those that are refused now. */
struct history_unknown {
	size_t refused; /* how many they are */
	size_t delivered; /* others that had mail since the first refusal */
	int64_t since,
	    last; /* of their refusals the first and the last; or 0 */
};

void history_known_clear(struct history_known *known);
/* A mailbox without regard to case and to what comes behind a '+': a list may
 * make an address of its own for each message. That there is one counts: many
 * servers know of no tags, and mail without one does not show that they do. */
uint64_t history_known_id(const char *mailbox);
/* A message was delivered. */
void history_known_delivered(
    struct history_known *known, uint64_t id, int64_t now);
/*
 * The recipient is refused as one that does not exist. true: it had mail, and is
 * to be deferred, until *until as far as one can tell now. false: it never had
 * any, or has been refused for long enough to be believed, and is forgotten.
 */
bool history_known_refused(
    struct history_known *known, uint64_t id, int64_t now, int64_t *until);
void history_known_count(const struct history_known *known, int64_t now,
    struct history_unknown *unknown);
/* More are refused than had mail meanwhile: it is no single mailbox. */
bool history_unknown_is_loss(const struct history_unknown *unknown);
/* As a status file has it; a second one of an id counts for nothing. */
void history_known_restore(
    struct history_known *known, const struct history_rcpt *rcpt);

#endif
