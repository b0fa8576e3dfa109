/*
 * alarm - when an account needs somebody to look at it.
 *
 * Providers drop held mail after some days. Only time counts in which mail
 * should have been fetched, so that a quiet weekend is none.
 */
#ifndef ODMR_TELL_ALARM_H
#define ODMR_TELL_ALARM_H

#include <stdbool.h>
#include <stdint.h>

struct config_account;
struct history;

/* The most urgent first. */
enum alarm {
	ALARM_NONE,
	ALARM_FAILING, /* no session has succeeded for alarm_after */
	ALARM_UNKNOWN, /* who had mail is unknown to the local side */
	ALARM_DOMAIN, /* a domain was not served for alarm_after */
	ALARM_DEFERRED, /* one message is deferred, and was alarm_after ago */
};

#define ALARM_LAST ALARM_DEFERRED

/* The most urgent one that stands, for an account that is enabled. */
enum alarm alarm_of(const struct config_account *account,
    const struct history *history, int64_t now);
/* Whether this one does. */
bool alarm_stands(enum alarm alarm, const struct config_account *account,
    const struct history *history, int64_t now);
/*
 * Whether one that stands is to be raised: once a day, and at once where what it
 * is about began after it was raised last, or another domain has come to it.
 * Each by itself, so that none silences another.
 */
bool alarm_is_due(enum alarm alarm, const struct config_account *account,
    const struct history *history, int64_t now);
/* More would not be read; sooner where the command that tells of it failed. */
#define ALARM_EVERY_MS (INT64_C(24) * 3600 * 1000)
#define ALARM_AGAIN_MS (INT64_C(3600) * 1000)

/* In one word, for programs and status files; NULL for ALARM_NONE. */
const char *alarm_name(enum alarm alarm);
/* "no session has succeeded since ..."; out has ALARM_TEXT_SIZE octets. */
enum { ALARM_TEXT_SIZE = 512 };
char *alarm_format(char out[static ALARM_TEXT_SIZE], enum alarm alarm,
    const struct config_account *account, const struct history *history,
    int64_t now);

#endif
