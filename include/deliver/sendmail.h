/*
 * sendmail - a delivery that runs the sendmail program of the local MTA.
 *
 * The program is started once the message is complete, with it as standard
 * input, so that it gets a whole message or none: ending the input of a running
 * sendmail early makes it queue the half. It is one run for all recipients, and
 * its exit status is the outcome of each. Where that run failed, one for each
 * recipient follows, so that one whom the program does not like cannot bounce
 * or hold up what is for the others.
 */
#ifndef ODMR_DELIVER_SENDMAIL_H
#define ODMR_DELIVER_SENDMAIL_H

#include <stdint.h>

struct delivery;

/* What it points to is borrowed for the life of the delivery. */
struct sendmail_options {
	const char *name; /* as in the configuration */
	const char *const *command; /* path and arguments, NULL at the end */
	int64_t timeout; /* ms for one answer; a run gets three times that */
	const char *spool_dir;
};

struct delivery *sendmail_new(const struct sendmail_options *options);

#endif
