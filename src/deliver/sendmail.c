/* SPDX-License-Identifier: ISC */
#include "deliver/sendmail.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "deliver/delivery.h"
#include "deliver/rcpts.h"
#include "deliver/sendmail_run.h"
#include "deliver/spool.h"
#include "protocol/address.h"

enum {
	/* Far below what Linux takes, so that wrappers in between can add
	 * theirs. */
	SENDMAIL_ARGUMENTS_MAX = 100 * 1000,
	/* A run may take three answers' time, but only this long after the
	 * agent was asked to stop. */
	SENDMAIL_ANSWERS = 3,
	SENDMAIL_STOP_MS = 60 * 1000,
};

/* One run for all began with finish; where it failed, one for each follows. */
enum sendmail_step {
	SENDMAIL_COLLECTS,
	SENDMAIL_RUNS,
	SENDMAIL_APART,
	SENDMAIL_ENDED, /* outcome is that of every recipient */
};

struct sendmail {
	struct delivery delivery; /* first, as delivery.h asks */
	struct sendmail_options options;
	const struct envelope *envelope;
	struct rcpts queue; /* to be answered */
	struct rcpts accepted; /* and not told of */
	size_t arguments; /* octets of the accepted ones */
	struct spool spool;
	struct sendmail_run run;
	struct deadline apart_until;
	enum sendmail_step step;
	struct status outcome;
	bool gone;
	bool no_room; /* for a message of this session, and it was told */
	bool misreads; /* it is not run again in this session */
	struct error complaint; /* of that, until it is told */
};

static struct sendmail *
sendmail_of(struct delivery *delivery)
{
	return (struct sendmail *)(void *)delivery;
}

static bool
sendmail_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	const struct sendmail_options *options =
	    &sendmail_of(delivery)->options;
	const char *program = options->command[0];
	struct stat st;

	(void)deadline;
	*can = (struct delivery_can){0}; /* the MTA's limit cannot be seen */
	if (stat(program, &st) == 0 && !S_ISREG(st.st_mode))
		errno = EACCES;
	else if (access(program, X_OK) == 0) {
		if (access(options->spool_dir, W_OK | X_OK) == 0)
			return true;
		program = options->spool_dir;
	}
	error_set_errno(err, ERROR_LOCAL, errno, "cannot use %s", program);
	return false;
}

static void
forget_run(struct sendmail *sendmail)
{
	spool_clear(&sendmail->spool);
	rcpts_reset(&sendmail->queue);
	rcpts_reset(&sendmail->accepted);
	sendmail->arguments = 0;
	sendmail->step = SENDMAIL_COLLECTS;
	sendmail->outcome = (struct status){0};
}

static void
sendmail_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct sendmail *sendmail = sendmail_of(delivery);

	forget_run(sendmail);
	sendmail->envelope = envelope;
	sendmail->gone = false;
}

static void
sendmail_rcpt(struct delivery *delivery, size_t rcpt)
{
	rcpts_add(&sendmail_of(delivery)->queue, rcpt);
}

static void
sendmail_send(struct delivery *delivery, bool text_waits)
{
	(void)delivery, (void)text_waits; /* nobody is asked before the end */
}

/* What was not read may have been delivered nevertheless, and more so each time
 * that the message is sent again. */
static void
set_misreads(const struct sendmail *sendmail, struct status *status)
{
	status_set(status, 451, "4.3.0",
	    "%s is not run again in this session: it did not read a message to "
	    "its end",
	    sendmail->options.command[0]);
	status->cause = CAUSE_DELIVERY_SETUP;
}

static void
set_refusal(struct status *status, enum cause cause, int code,
    const char *enhanced, const char *text)
{
	status_set(status, code, enhanced, "%s", text);
	status->cause = cause;
}

/* Others go on: each session would end at a message that does not fit. */
static void
set_no_room(struct sendmail *sendmail, struct status *status)
{
	writer_status(status, sendmail->delivery.name, ENOSPC);
	if (!sendmail->no_room)
		writer_complain(
		    &sendmail->complaint, sendmail->options.spool_dir, ENOSPC);
	sendmail->no_room = true;
}

/* false: status says what a recipient is refused for, without a run. */
static bool
admits(struct sendmail *sendmail, const struct path *path, size_t argument,
    struct status *status)
{
	if (sendmail->misreads)
		set_misreads(sendmail, status);
	else if (!path_is_plain(path))
		set_refusal(status, CAUSE_ADDRESS, 553, "5.1.3",
		    "This kind of local part is not accepted here");
	else if (sendmail->arguments + argument > SENDMAIL_ARGUMENTS_MAX)
		set_refusal(status, CAUSE_RECIPIENTS, 452, "4.5.3",
		    "Too many recipients");
	else if (!spool_has_room(
		     sendmail->options.spool_dir, sendmail->envelope->size))
		set_no_room(sendmail, status);
	else
		return true;
	return false;
}

static bool
sendmail_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct sendmail *sendmail = sendmail_of(delivery);

	(void)deadline;
	if (!rcpts_next(&sendmail->queue, rcpt))
		return false;
	const struct path *path = &sendmail->envelope->rcpt[*rcpt]->path;
	size_t argument = strlen(path->mailbox) + 1;
	if (admits(sendmail, path, argument, status)) {
		status_set(status, 250, "2.1.5", "ok");
		rcpts_add(&sendmail->accepted, *rcpt);
		sendmail->arguments += argument;
	}
	return true;
}

static void
sendmail_body(struct delivery *delivery, const char *text, size_t len)
{
	spool_add(&sendmail_of(delivery)->spool, text, len);
}

static void
spool_failed(struct sendmail *sendmail, int errnum)
{
	sendmail->gone = writer_full(errnum);
	writer_status(&sendmail->outcome, sendmail->delivery.name, errnum);
	writer_complain(
	    &sendmail->complaint, sendmail->options.spool_dir, errnum);
}

static bool
sendmail_ready(struct delivery *delivery, const struct deadline *deadline)
{
	struct sendmail *sendmail = sendmail_of(delivery);

	(void)deadline;
	if (spool_rewind(&sendmail->spool))
		return true;
	spool_failed(sendmail, spool_error(&sendmail->spool));
	sendmail->step = SENDMAIL_ENDED;
	return false;
}

/* For these recipients. */
static void
start_run(struct sendmail *sendmail, const size_t *rcpts, size_t count,
    const struct deadline *until)
{
	const struct envelope *envelope = sendmail->envelope;
	const char **mailboxes = xcalloc(count, sizeof *mailboxes);

	for (size_t i = 0; i < count; i++)
		mailboxes[i] = envelope->rcpt[rcpts[i]]->path.mailbox;
	sendmail_run_start(
	    &sendmail->run, envelope->sender->mailbox, mailboxes, count, until);
	free(mailboxes);
}

static int64_t
run_time(const struct sendmail *sendmail)
{
	return sendmail->options.timeout * SENDMAIL_ANSWERS;
}

static void
sendmail_finish(struct delivery *delivery, const struct deadline *deadline)
{
	struct sendmail *sendmail = sendmail_of(delivery);
	const struct deadline until =
	    deadline_in(run_time(sendmail), SENDMAIL_STOP_MS);

	(void)deadline; /* it bounds the wait, in result */
	sendmail->run.input = sendmail->spool.fd;
	sendmail->run.size = spool_size(&sendmail->spool);
	start_run(sendmail, sendmail->accepted.items, sendmail->accepted.count,
	    &until);
	sendmail->step = SENDMAIL_RUNS;
}

static enum sendmail_run_end
end_run(struct sendmail *sendmail, const struct deadline *deadline)
{
	enum sendmail_run_end end = sendmail_run_wait(
	    &sendmail->run, deadline, &sendmail->outcome, &sendmail->gone);

	if (end == SENDMAIL_RUN_UNREAD && !sendmail->misreads) {
		sendmail->misreads = true;
		sendmail_run_explain(&sendmail->run, &sendmail->complaint);
	}
	return end;
}

/* What failed for several is nobody's outcome: each gets a run of its own. */
static void
end_run_for_all(struct sendmail *sendmail, const struct deadline *deadline)
{
	enum sendmail_run_end end = end_run(sendmail, deadline);

	sendmail->step = SENDMAIL_ENDED;
	if (end != SENDMAIL_RUN_FAILED || sendmail->accepted.count == 1)
		return;
	sendmail->step = SENDMAIL_APART;
	sendmail->apart_until =
	    deadline_in(run_time(sendmail), SENDMAIL_STOP_MS);
}

/* Each gets its share of the time that is left, so that one at whom the program
 * hangs does not keep it from running for the others. */
static void
run_for_one(
    struct sendmail *sendmail, size_t rcpt, const struct deadline *deadline)
{
	const struct rcpts *accepted = &sendmail->accepted;
	size_t waiting = accepted->count - accepted->next + 1; /* and this */
	int64_t share =
	    deadline_left(&sendmail->apart_until) / (int64_t)waiting;

	if (sendmail->misreads) {
		set_misreads(sendmail, &sendmail->outcome);
		return;
	}
	if (share == 0) { /* the agent has to stop */
		status_set(&sendmail->outcome, 451, "4.3.0",
		    "No time was left to run %s", sendmail->options.command[0]);
		return;
	}
	/* What the first run left behind may still read from its own. */
	sendmail->run.input = spool_open(&sendmail->spool);
	if (sendmail->run.input < 0) {
		spool_failed(sendmail, errno);
		return;
	}
	struct deadline one = deadline_in(share, SENDMAIL_STOP_MS);
	start_run(sendmail, &rcpt, 1, &one);
	(void)end_run(sendmail, deadline);
	close(sendmail->run.input);
}

static bool
sendmail_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct sendmail *sendmail = sendmail_of(delivery);

	assert(sendmail->step != SENDMAIL_COLLECTS);
	if (sendmail->step == SENDMAIL_RUNS)
		end_run_for_all(sendmail, deadline);
	if (!rcpts_next(&sendmail->accepted, rcpt)) {
		spool_clear(&sendmail->spool);
		return false;
	}
	if (sendmail->step == SENDMAIL_APART)
		run_for_one(sendmail, *rcpt, deadline);
	*status = sendmail->outcome;
	return true;
}

/* One run is for all, unless it failed. */
static bool
sendmail_result_joined(const struct delivery *delivery)
{
	const struct sendmail *sendmail = (const void *)delivery;

	return sendmail->step == SENDMAIL_ENDED &&
	       rcpts_left(&sendmail->accepted);
}

static void
sendmail_abort(struct delivery *delivery)
{
	struct sendmail *sendmail = sendmail_of(delivery);
	const struct deadline now = deadline_in(0, 0);

	if (sendmail->step == SENDMAIL_RUNS)
		end_run_for_all(sendmail, &now);
	forget_run(sendmail);
}

static bool
sendmail_gone(const struct delivery *delivery)
{
	const struct sendmail *sendmail = (const void *)delivery;

	return sendmail->gone || sendmail->misreads;
}

static bool
sendmail_complains(struct delivery *delivery, struct error *complaint)
{
	struct sendmail *sendmail = sendmail_of(delivery);

	if (sendmail->complaint.class == ERROR_NONE)
		return false;
	*complaint = sendmail->complaint;
	sendmail->complaint = (struct error){.class = ERROR_NONE};
	return true;
}

static void
sendmail_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	struct sendmail *sendmail = sendmail_of(delivery);
	sendmail_abort(delivery);
	sendmail_run_clear(&sendmail->run);
	rcpts_clear(&sendmail->queue);
	rcpts_clear(&sendmail->accepted);
	free(sendmail);
}

static const struct delivery_ops sendmail_ops = {
    .probe = sendmail_probe,
    .begin = sendmail_begin,
    .rcpt = sendmail_rcpt,
    .send = sendmail_send,
    .answer = sendmail_answer,
    .body = sendmail_body,
    .ready = sendmail_ready,
    .finish = sendmail_finish,
    .result = sendmail_result,
    .result_joined = sendmail_result_joined,
    .abort = sendmail_abort,
    .gone = sendmail_gone,
    .complains = sendmail_complains,
    .free = sendmail_free,
};

struct delivery *
sendmail_new(const struct sendmail_options *options)
{
	struct sendmail *sendmail = xcalloc(1, sizeof *sendmail);

	sendmail->delivery = (struct delivery){&sendmail_ops, options->name};
	sendmail->options = *options;
	spool_init(&sendmail->spool, options->spool_dir, WRITER_LF);
	sendmail_run_init(&sendmail->run, sendmail->options.command);
	return &sendmail->delivery;
}
