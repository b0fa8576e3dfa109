/*
 * desk_private - what the sources of provider/desk share.
 *
 * desk.c has the loop and what is written, desk_login.c TLS and the login,
 * desk_hold.c ATRN, the hold, and the turned connection.
 */
#ifndef ODMR_PROVIDER_DESK_PRIVATE_H
#define ODMR_PROVIDER_DESK_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/transcript.h"
#include "net/tls.h"
#include "protocol/provider.h"
#include "provider/desk.h"
#include "provider/provider_config.h"
#include "provider/verify.h"

/* One hold of ATRN. */
struct hold {
	const char *const *domains;
	size_t count;
	int64_t begun; /* clock_ms() when the place was given; 0: not yet */
	struct deadline end;
	bool failed; /* Postfix could not be asked for one of them */
	size_t failures; /* how often */
	bool asked; /* and it was asked for another one */
	size_t flushes; /* rounds that were made */
	size_t next; /* domain of this round; count: the round is over */
};

struct desk {
	const struct desk_options *options;
	const struct provider_config *config;
	const struct provider_account *account; /* NULL before the login */
	struct stream *stream;
	struct provider *engine;
	struct verify *verify;
	struct transcript transcript;
	struct tls_binding binding;
	struct tls_info info;
	char mechanisms[VERIFY_MECHANISMS_SIZE];
	struct deadline deadline; /* for the next octets of the customer */
	struct hold hold;
	int postfix; /* the connection that mail comes by; -1: none */
	bool closed;
};

/* For one side to hear the end of its connection, and to end it too; a stop
 * leaves as much. */
struct deadline desk_last_wait(void);
/* NULL before the login. */
const char *desk_account_name(const struct desk *desk);
/* 421 after a stop request, which says why there was one, and the end. */
void desk_stop(struct desk *desk);
/* 421 with our name and the text, and the end. */
void desk_stop_with(struct desk *desk, const char *enhanced, const char *text);
/* The connection is of no use any more. */
void desk_lose(struct desk *desk, const struct error *err);
void desk_write_output(struct desk *desk);

/* Shakes hands, and makes ready for logins. false: the connection is lost. */
bool desk_start_tls(struct desk *desk);
/* What EHLO lists under TLS. */
void desk_find_mechanisms(struct desk *desk);
/* AUTH, or a response of its exchange. */
void desk_on_login(struct desk *desk, const struct provider_event *event);

void desk_on_atrn(struct desk *desk, const struct provider_event *event);
/* A reply to ATRN is owed. */
bool desk_is_holding(const struct desk *desk);
/* clock_ms() when Postfix is to be asked for the next domain; -1: not now. */
int64_t desk_next_flush(const struct desk *desk);
void desk_flush_one(struct desk *desk);
/* The time of a hold is over, and Postfix was asked for each domain. */
bool desk_may_end_hold(const struct desk *desk);
void desk_end_hold(struct desk *desk);
/* The gate has something to say. */
void desk_on_note(struct desk *desk);
/* After 250 to ATRN: until one side ends. */
void desk_pass_mail_on(struct desk *desk);

#endif
