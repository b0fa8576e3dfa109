/*
 * cause - why the agent itself deferred or refused a recipient.
 *
 * A reply of the local side has none. The words are those of cause= in the log;
 * odmr-agent(8) says what each means and what to do.
 */
#ifndef ODMR_PROTOCOL_CAUSE_H
#define ODMR_PROTOCOL_CAUSE_H

enum cause {
	CAUSE_NONE,
	CAUSE_ADDRESS,
	CAUSE_COMMAND,
	CAUSE_CONNECTION,
	CAUSE_CONTENT,
	CAUSE_DEFERRED_BEFORE,
	CAUSE_DEFERRED_IN_SESSION,
	CAUSE_DELIVERY,
	CAUSE_DELIVERY_SETUP,
	CAUSE_DOMAIN,
	CAUSE_DSN,
	CAUSE_GROUP,
	CAUSE_LOOP,
	CAUSE_MIXED,
	CAUSE_OTHER_ACCOUNT,
	CAUSE_OTHERS_FIRST,
	CAUSE_RECALLED,
	CAUSE_RECIPIENTS,
	CAUSE_ROUTE,
	CAUSE_SIZE,
	CAUSE_SOFT_BOUNCE,
	CAUSE_UNANSWERED,
	CAUSE_VANISHED,
	CAUSE_COUNT,
};

/* The word for the log; NULL for CAUSE_NONE. */
const char *cause_name(enum cause cause);

#endif
