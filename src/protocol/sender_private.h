/*
 * sender_private - what the sources of protocol/sender share.
 *
 * The dialogue is a queue of steps, one for each reply that is awaited or will
 * be. sender_steps.c moves it on, the table in sender_verbs.c says what each
 * step sends and what its reply does, sender.c is what the driver sees.
 */
#ifndef ODMR_PROTOCOL_SENDER_PRIVATE_H
#define ODMR_PROTOCOL_SENDER_PRIVATE_H

#include "base/buf.h"
#include "protocol/address.h"
#include "protocol/dots.h"
#include "protocol/dsn.h"
#include "protocol/meaning.h"
#include "protocol/reply.h"
#include "protocol/sender.h"

enum {
	/* A group of answers is read in pieces of this size. */
	SENDER_INPUT_SIZE = 16 * 1024,
	/* Text goes out in pieces of this size: few writes, little memory. */
	SENDER_TEXT_MAX = 64 * 1024,
	/* RCPT, the longest: verb, path, values, the names before them, CRLF.
	 * MAIL has ENVID in place of ORCPT. */
	SENDER_COMMAND_MAX = ADDRESS_MAX + DSN_ORCPT_MAX + DSN_NOTIFY_MAX + 128,
};

struct step {
	enum step_kind kind;
	bool orphan; /* its transaction was aborted */
	size_t rcpt;
	const struct path *from; /* MAIL */
	const struct recipient *to; /* RCPT */
};

enum data_state {
	DATA_NONE,
	DATA_ASKED,
	DATA_GO, /* 354 */
	DATA_ENDED, /* the dot was given */
	DATA_REFUSED,
};

/* Reset by one assignment, but for the array. */
struct transaction {
	uint64_t size;
	bool eightbit, smtputf8; /* said with MAIL */
	const char *ret, *envid; /* where DSN is listed; NULL: not given */
	enum data_state data;
	bool answered; /* the service replied to any of it */
	struct dots dots;
	unsigned long long octets; /* of the text, for the transcript */
	uint64_t rcpts; /* that were given, refused ones too */
	size_t answers_owed;
	struct status refusal; /* of MAIL; code 0: not refused */
	struct status outcome; /* of all that were accepted; code 0: none */
	size_t *accepted; /* in the order of their RCPTs (RFC 2033 4.2) */
	size_t accepted_count;
	size_t told; /* of the accepted ones, those with a result */
};

struct sender {
	struct sender_options options;

	struct step *steps;
	size_t steps_count;
	size_t first; /* the oldest that is not answered */
	size_t sent; /* the first that did not go out; not below first */

	struct reply reply;
	size_t input_start, input_len;
	bool eof;
	struct buf output;

	bool open;
	/* as listed */
	bool pipelining, takes_size, takes_eightbit, takes_smtputf8, takes_dsn;
	uint64_t size_max;
	uint64_t rcpt_max, mail_max; /* 0: no limit is known */
	uint64_t mails; /* transactions that began on this connection */

	bool dirty; /* MAIL went out, and neither RSET nor a dot since */
	bool over;
	struct status failure;
	bool unasked; /* octets came that answer nothing */
	struct status parting; /* a 421 among the results; code 0: none */
	struct sender_complaint complaint; /* step NULL: none, or told */
	struct transaction now;
	char input[SENDER_INPUT_SIZE];
};

/* What there is to know of each kind of step. */
struct verb {
	const char *name;
	bool last; /* of its group (RFC 2920 3.1) */
	void (*write)(struct sender *, const struct step *);
	/* NULL: somebody pulls it. false: the step goes out once more. */
	bool (*reply)(struct sender *, const struct step *);
};

/* By kind of step. */
extern const struct verb sender_verbs[];

void sender_push_step(struct sender *sender, struct step step);
void sender_pop_step(struct sender *sender);
/* Valid while there is one: first < steps_count. */
const struct step *sender_first_step(const struct sender *sender);
/* The first step went out. */
bool sender_awaits_reply(const struct sender *sender);
/*
 * Takes the reply to the first step, which went out, into reply.status. false:
 * it is not there yet, or it ended the dialogue.
 */
bool sender_take_reply(struct sender *sender);
/* Sends what may be sent, and takes replies up to one that is pulled. */
void sender_process(struct sender *sender);
/* The dialogue is over, and failure is what is owed. The first one counts. */
void sender_give_up(struct sender *sender, const struct status *failure);

#endif
