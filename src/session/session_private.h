/*
 * session_private - what the sources of session/session share.
 *
 * session.c begins and ends a session, session_calls.c calls the provider in
 * between, session_log.c has the words of the log.
 */
#ifndef ODMR_SESSION_SESSION_PRIVATE_H
#define ODMR_SESSION_SESSION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/transcript.h"
#include "config/config.h"
#include "record/history.h"
#include "session/session.h"
#include "session/tally.h"

struct asking;
struct call;
struct call_result;
struct ledger;
struct destinations;
struct soft_bounce;

enum { SESSION_ID_SIZE = 17 /* 8 octets of chance in hexadecimal */ };

struct session {
	const struct config *config;
	const struct config_account *account;
	const struct session_options *options;
	struct session_result *result;
	struct history history;
	char fingerprint[CONFIG_FINGERPRINT_SIZE];
	struct transcript transcript;
	struct call *call;
	struct destinations *destinations;
	struct soft_bounce *soft_bounce;
	struct ledger *ledger;
	struct tally tally;
	uint64_t size_max;
	int64_t begun; /* clock_ms() */
	int64_t end; /* clock_ms() */
	int locks[2];
	char id[SESSION_ID_SIZE];
	bool expiry_told;
	unsigned failed_before; /* sessions in a row */

	/* Of the calls. */
	struct asking *asking;
	struct error refusal; /* the first that ATRN got */
	unsigned fruitless; /* calls in a row without progress */
	bool silent; /* the last turned connection ended in silence */
	int64_t mail_end; /* clock_ms() of the last one with mail, 0: asked */
	bool dropped; /* and it ended without QUIT */
	bool left; /* a wait for the provider's mail was ended by a signal */
};

/* Calls until the provider has nothing more, or the session must end. */
void session_ask(struct session *s);
/* The first failure is the one that is reported. */
void session_fail(struct session *s, const struct error *err);
/* For call_options: the provider holds its reply; s is a struct session. false:
 * the session has brought mail, and what follows it must not wait for more. */
bool session_listen(void *s);
/* Likewise: the provider has accepted our login. */
void session_reach(void *s);
/* Likewise: another address may be called, as session_timeout is not over. */
bool session_try_another(void *s);
/* Likewise: no login could be tried at this address. */
void session_pass_over(void *s, const char *address, const struct error *why);
/* Brings the numbers of the result up to date. */
void session_count(struct session *s);
void session_tell_progress(struct session *s);

/* The provider ended the connection without a word, where it brought no mail
 * before. quiet: that is nothing to tell people of. */
void session_note_untidy(struct session *s, bool quiet);
/* What a call came to, up to the turn. */
void session_log_call(struct session *s, const struct call_result *call);
void session_log_end(const struct session *s);

#endif
