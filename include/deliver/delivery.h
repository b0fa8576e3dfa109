/*
 * delivery - where a message goes: the interface of every kind.
 *
 * Order of calls for one message, in which any step may fail and be told in
 * the answers:
 *
 *	begin rcpt+ (send answer*)+ body* (ready finish result* | abort)
 *
 * send and rcpt may come again after answers, before the first body. A failure
 * is never lost: a call that cannot report keeps it for answer or result.
 * abort may come at any point after begin and means that nothing of the
 * message may arrive anywhere. After the last result, or abort, the next
 * message may begin. A route is a delivery over several (deliver/route).
 */
#ifndef ODMR_DELIVER_DELIVERY_H
#define ODMR_DELIVER_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "protocol/envelope.h"
#include "protocol/status.h"

struct delivery;
struct stream;

/* What probe learns. */
struct delivery_can {
	uint64_t size_max; /* octets; 0: no limit is known */
};

struct delivery_ops {
	/* Before ATRN: is it there? LMTP and SMTP connect and greet, and keep
	 * the connection. false where it is not. Errors: ERROR_LOCAL. */
	bool (*probe)(struct delivery *, struct delivery_can *,
	    const struct deadline *, struct error *);
	/* What RFC 3461 asks for would reach who reports: its last reply to
	 * EHLO listed DSN. NULL: never. */
	bool (*takes_dsn)(const struct delivery *);
	/*
	 * The connection to the provider, until it is called with NULL: a
	 * connection of the delivery's own and that one may be looked at in one
	 * wait (stream_pair). Only for a delivery that has all recipients: others
	 * would take their time between. NULL: it has no use for that.
	 */
	void (*pair)(struct delivery *, struct stream *provider);
	/* A new message; only noted. The envelope is borrowed. */
	void (*begin)(struct delivery *, const struct envelope *);
	/* A recipient, by its index in the envelope; only queued. */
	void (*rcpt)(struct delivery *, size_t rcpt);
	/*
	 * Everything queued goes out: MAIL, RCPT..., and DATA where text_waits,
	 * in one write.
	 */
	void (*send)(struct delivery *, bool text_waits);
	/*
	 * The next answer to a queued recipient, in any order. Each recipient
	 * gets exactly one; false when none is owed. A time-out is an answer
	 * (4xx). The deadline bounds it further than the delivery's own time.
	 */
	bool (*answer)(struct delivery *, size_t *rcpt, struct status *,
	    const struct deadline *);
	/*
	 * Text with CRLF line ends, dots not stuffed, cut anywhere. The trace
	 * field comes this way too, as the first piece.
	 */
	void (*body)(struct delivery *, const char *text, size_t len);
	/*
	 * All but the last step: after true, finish alone stands between the
	 * message and the mailbox. false: it failed, result says how; finish
	 * must not be called then, but result must.
	 */
	bool (*ready)(struct delivery *, const struct deadline *);
	/* The last step: the final dot, the start of sendmail, the rename. */
	void (*finish)(struct delivery *, const struct deadline *);
	/*
	 * The outcome of the next accepted recipient, as each is known; false
	 * when every accepted one has had its own.
	 */
	bool (*result)(struct delivery *, size_t *rcpt, struct status *,
	    const struct deadline *);
	/*
	 * The next result came with the last one: one step was for both, and
	 * both have to go on record at once. Else a kill in between would have
	 * one of them given the message again. NULL: never.
	 */
	bool (*result_joined)(const struct delivery *);
	void (*abort)(struct delivery *);
	/*
	 * The local side went away and could not be opened again, or the disk
	 * is full: after this message the session should end (75).
	 */
	bool (*gone)(const struct delivery *);
	/*
	 * What somebody should mend on the local side, one sentence for the
	 * log, each once: true. To be asked after each message. NULL: this kind
	 * has nothing to say. Errors: ERROR_LOCAL.
	 */
	bool (*complains)(struct delivery *, struct error *);
	void (*free)(struct delivery *);
};

/* Each kind embeds this first. */
struct delivery {
	const struct delivery_ops *ops;
	const char *name; /* as in the configuration; borrowed */
};

static inline bool
delivery_result_joined(const struct delivery *delivery)
{
	return delivery->ops->result_joined != NULL &&
	       delivery->ops->result_joined(delivery);
}

static inline void
delivery_pair(struct delivery *delivery, struct stream *provider)
{
	if (delivery->ops->pair != NULL)
		delivery->ops->pair(delivery, provider);
}

static inline bool
delivery_takes_dsn(const struct delivery *delivery)
{
	return delivery->ops->takes_dsn != NULL &&
	       delivery->ops->takes_dsn(delivery);
}

#endif
