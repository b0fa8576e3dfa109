/*
 * serve - the turned connection: receiver, ledger and delivery over a stream.
 *
 * One loop: events, answers, replies, input. The final 250 to a message is
 * written only once the delivery has taken it. Every wait has a deadline.
 */
#ifndef ODMR_SESSION_SERVE_H
#define ODMR_SESSION_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "protocol/receiver.h"

struct config;
struct config_account;
struct ledger;
struct destinations;
struct history_known;
struct soft_bounce;
struct stream;
struct tally;
struct transcript;

/* Borrowed for the time of serve_run(). */
struct serve_options {
	const struct config *config;
	const struct config_account *account;
	struct destinations *destinations;
	struct ledger *ledger;
	struct tally *tally;
	struct stream *stream;
	const char *hostname; /* ours, or the address literal */
	const char *peer_addr; /* numeric, "" through a proxy */
	const char *session_id;
	uint64_t size_max; /* octets; 0: none */
	int64_t session_end; /* clock_ms() after which nothing is begun */
	int64_t silence; /* ms that a command after the first MAIL may take */
	struct soft_bounce *soft_bounce;
	struct history_known *known; /* NULL: not kept */
	const char *early; /* octets that came behind the 250 to ATRN */
	size_t early_len;
	struct transcript *transcript;
	void (*progress)(void *context); /* at input and messages */
	void *progress_context;
};

struct serve_result {
	enum receiver_end end;
	bool mail_seen; /* there was a MAIL, even if it was refused */
	bool silent; /* it ended since no command came for too long */
	/* Class NONE: it went well, or the line just ended (end EOF). LOCAL,
	 * AGAIN, STOPPED, PROTOCOL otherwise. */
	struct error error;
};

void serve_run(
    const struct serve_options *options, struct serve_result *result);
/* At the end of a session: how many deferrals and refusals were not logged one
 * by one, if there were so many. */
void serve_log_left_out(const struct tally *tally, const char *account);

#endif
