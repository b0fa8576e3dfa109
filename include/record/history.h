/*
 * history - what is known of an account from its sessions so far.
 *
 * Plain data with rules, no file and no clock: record/status_file keeps it, the
 * schedule, `status` and alarms are computed from it. Times are ms of Unix
 * time, 0 for never.
 */
#ifndef ODMR_RECORD_HISTORY_H
#define ODMR_RECORD_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "record/asking_memory.h"
#include "record/history_alarms.h"
#include "record/history_days.h"
#include "record/history_deferrals.h"
#include "record/history_known.h"
#include "record/result.h"

enum {
	/* Deliveries that one account may reach; nobody has so many. */
	HISTORY_PROVEN_MAX = 1000,
	HISTORY_OUTCOMES = SESSION_FAILED + 1,
	/* Some providers just drop the connection where there is no mail; a
	 * TLS or network fault looks the same. So many sessions in a row... */
	HISTORY_UNTIDY_MAX = 5,
	/* ... over so long are a failure: each poll of a quiet night is not. */
	HISTORY_UNTIDY_MS = 24 * 3600 * 1000,
	/* RFC 2645 5.2.1 gives a provider ten minutes for the reply to ATRN.
	 * Those that only look into a queue need seconds: one that takes longer
	 * holds its reply until it has mail. */
	HISTORY_HELD_MS = 30 * 1000,
	HISTORY_AUTH_SIZE = 32, /* the longest mechanism name has 20 octets */
	HISTORY_HOST_SIZE = 256, /* a domain, RFC 5321 4.5.3.1.2 */
};

struct history_total {
	uint64_t sessions[HISTORY_OUTCOMES];
	uint64_t messages, recipients, bytes, deferred, refused;
	int64_t elapsed; /* ms */
};

struct history {
	bool any; /* there was a session; else only next and since count */
	struct session_result last;
	int64_t since; /* the first session; what came before is unknown */
	unsigned failures_in_a_row, untidy_in_a_row, holds_in_a_row;
	/* The first of untidy_in_a_row, and the longest such time, in ms, that
	 * was followed by mail: the provider is known to end so then. */
	int64_t untidy_since, untidy_proven;
	int64_t last_success; /* end of the last one that did not fail */
	int64_t last_mail; /* end of the last one with a message taken */
	int64_t last_failure;
	char last_error[ERROR_TEXT_MAX]; /* of the last one that failed */

	int64_t hold_until; /* 0: none */
	char hold_reason[ERROR_TEXT_MAX];
	enum error_class hold_class;
	int hold_status; /* exit status of the session that led to it */
	/* Of configuration and secret when the hold began; "" where a session
	 * was lost, which could not tell. */
	char hold_fingerprint[CONFIG_FINGERPRINT_SIZE];

	/* The provider holds its reply to ATRN until it has mail: it is called
	 * again at once. Since when one is waited for now, by a session that
	 * has the account's lock; 0: by none. */
	bool holds;
	int64_t listening;

	int64_t next; /* by `run` */
	struct history_deferrals deferrals; /* who waits for a final answer */
	struct history_known known; /* who had mail */
	struct history_alarms alarms; /* those that were raised */
	/* At the end of the last session that could open the ledger. */
	uint64_t ledger_entries, ledger_due;
	/* The strongest mechanism that this host ever offered; "": unknown. */
	char auth_best[HISTORY_AUTH_SIZE];
	char auth_host[HISTORY_HOST_SIZE];
	/* Of the provider's certificate and of ours, as the last connection
	 * with TLS had them; 0: there is none, or its end does not count. */
	int64_t certificate_end, own_certificate_end;
	/* Of whom holds, untidy ends and asking were learned; 0: unknown. */
	uint64_t provider;
	struct asking_memory asking;

	uint64_t *proven; /* deliveries that have accepted a message */
	size_t proven_count;

	struct history_days days;
	struct history_total total;
};

void history_init(struct history *history);
void history_clear(struct history *history);

/*
 * Adds a session that ended. result is made what it means in the light of the
 * sessions before. An untidy one is no mail, but no success either, so that
 * the alarm hears of a network that cuts each connection; up to twice as long
 * as an untidy time that was followed by mail it is one. After the fifth in a
 * row and a day it becomes a failure (75), if mail ever came. A
 * session that found the account locked (ERROR_BUSY) leaves no trace, and one
 * that was stopped counts neither as success nor as failure, and so does one in
 * which a signal ended the wait for mail (unanswered).
 */
void history_add(struct history *history, struct session_result *result);

/* A provider that holds may send what was deferred, or cut the connection, at
 * each call: it is not called again at once after such a session. */
bool history_asks_for_pause(const struct session_result *result);

/*
 * A time that cannot be, in the future or of a clock that was not set yet,
 * counts as now: what is measured from it begins anew, or a clock that ran
 * ahead once would silence alarms until that day, and one that stood at 1970
 * would raise them. An alarm of the future was not raised. Nothing is done
 * while the clock is not set.
 */
void history_settle_times(struct history *history, int64_t now);

/* Text of result as in status files: "mail", "no-mail" and so on. */
const char *history_outcome_name(enum session_outcome outcome);

/*
 * ms from now until the hold ends, 0 where there is none. A hold that ends
 * later than the longest one there is was written by another clock and does
 * not count.
 */
int64_t history_hold_left(const struct history *history, int64_t now);

/* Messages taken on the local day of now. */
uint64_t history_messages_today(const struct history *history, int64_t now);

/* soft_bounce `auto`: deliveries, by config_delivery_digest(), that have
 * accepted a message. Beyond HISTORY_PROVEN_MAX none is added. */
bool history_is_proven(const struct history *history, uint64_t delivery);
void history_add_proven(struct history *history, uint64_t delivery);
void history_forget_proven(struct history *history);

/* The provider is this host: what another one offered is forgotten. */
void history_auth_at(struct history *history, const char *host);
/*
 * The same, and who we are there: what another provider refused, or the same one
 * to another customer, is forgotten as well, or a domain would be left alone for
 * a day that nobody here has refused. What became of sessions and mail stays.
 */
void history_provider_is(
    struct history *history, const struct config_account *account);
/* Where it is the strongest so far, it is remembered. */
void history_auth_offered(struct history *history, const char *mechanism);

#endif
