/*
 * standing - how an account stands: one sentence, and what to do.
 *
 * Pure: history and now go in, sentences come out. What peers said is in them,
 * in the plain ASCII of tell/summary; it is not escaped for any page.
 */
#ifndef ODMR_TELL_STANDING_H
#define ODMR_TELL_STANDING_H

#include <stdint.h>

#include "tell/alarm.h"
#include "tell/summary.h"

struct config_account;
struct history;

enum standing_grade {
	STANDING_GOOD,
	STANDING_WATCH, /* something failed, and is tried again by itself */
	STANDING_ACT, /* somebody has to do something */
	STANDING_OFF, /* disabled, or no session yet: nothing to judge */
};

enum {
	STANDING_TEXT_SIZE = SUMMARY_SIZE + ALARM_TEXT_SIZE,
	/* Alarm, hold or failure, deferred, ledger, ... */
	STANDING_OTHERS_MAX = 4,
	/* ... and of a thousand refused domains these, and how many more. */
	STANDING_DOMAINS_MAX = 10,
	STANDING_NOTES_MAX = STANDING_OTHERS_MAX + STANDING_DOMAINS_MAX + 1,
};

/* Something that is not as it should be. */
struct standing_note {
	char what[STANDING_TEXT_SIZE];
	char advice[STANDING_TEXT_SIZE]; /* "": nothing needs to be done */
};

struct standing {
	enum standing_grade grade;
	char sentence[STANDING_TEXT_SIZE];
	struct standing_note notes[STANDING_NOTES_MAX];
	size_t notes_count;
};

/* alarm is that of an account that is enabled, else ALARM_NONE. */
void standing_of(struct standing *standing,
    const struct config_account *account, const struct history *history,
    enum alarm alarm, int64_t now);
/* One word for those who see no colours: "OK", "Watch", "Act", "Off". */
const char *standing_word(enum standing_grade grade);
/* For scripts: 0 where nobody has to act, nor before the first session. The
 * worst of: what led to a hold, 75 for an alarm, and the status of the last
 * session where none has succeeded yet. */
int standing_exit_status(const struct config_account *account,
    const struct history *history, enum alarm alarm, int64_t now);

#endif
