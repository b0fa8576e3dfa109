/*
 * mailer - the delivery kinds lmtp and smtp.
 *
 * protocol/sender over a connection to a local service. One connection serves
 * the whole session; it is opened when it is first needed, and anew for the
 * next message where it broke. A connection that died while it was idle is
 * replaced once without anybody noticing. Text streams: a connection that ends
 * before the final dot has delivered nothing.
 */
#ifndef ODMR_DELIVER_MAILER_H
#define ODMR_DELIVER_MAILER_H

#include <stdbool.h>
#include <stdint.h>

struct delivery;

/* The strings are borrowed for the life of the delivery. */
struct mailer_options {
	const char *name; /* of the delivery, in the configuration */
	bool lmtp; /* else SMTP */
	const char *path; /* Unix socket; NULL: host and port */
	const char *host;
	uint16_t port;
	/* ms for an answer, and for all answers to a group of RCPTs; three
	 * times that for the answers to the end of data. */
	int64_t timeout;
	const char *hostname; /* ours */
	bool collect; /* the message is taken whole, then handed over */
	const char *spool_dir; /* for collect */
	bool trace;
};

struct delivery *mailer_new(const struct mailer_options *options);

#endif
