/* SPDX-License-Identifier: ISC */
#include "deliver/sendmail.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "deliver/delivery.h"
#include "deliver/spool.h"
#include "protocol/address.h"

enum {
	/* Far below what Linux takes, so that wrappers in between can add
	 * theirs. */
	SENDMAIL_ARGUMENTS_MAX = 100 * 1000,
	SENDMAIL_OUTPUT_MAX = 4096, /* of it the first line is told */
	SENDMAIL_LINE_MAX = 240,
	/* A run may take three answers' time, but only this long after the
	 * agent was asked to stop. */
	SENDMAIL_ANSWERS = 3,
	SENDMAIL_STOP_MS = 60 * 1000,
};

/* The run began with finish; its outcome is that of every recipient. */
enum sendmail_step { SENDMAIL_COLLECTS, SENDMAIL_RUNS, SENDMAIL_ENDED };

struct sendmail_rcpt {
	size_t index; /* in the envelope */
	bool accepted;
};

struct sendmail {
	struct delivery delivery; /* first, as delivery.h asks */
	struct sendmail_options options;
	const struct envelope *envelope;
	struct sendmail_rcpt *rcpts; /* as queued */
	size_t rcpts_len, rcpts_size;
	size_t answered, told; /* how many of rcpts have been dealt with */
	size_t arguments; /* octets of the accepted ones */
	struct spool spool;
	struct spawn run;
	struct deadline run_until;
	struct buf output;
	enum sendmail_step step;
	struct status outcome;
	bool gone;
};

static struct sendmail *
self(struct delivery *delivery)
{
	return (struct sendmail *)(void *)delivery;
}

static bool
sendmail_probe(struct delivery *delivery, struct delivery_can *can,
    const struct deadline *deadline, struct error *err)
{
	const struct sendmail_options *options = &self(delivery)->options;
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
forget_message(struct sendmail *sendmail)
{
	spool_clear(&sendmail->spool);
	buf_reset(&sendmail->output);
	sendmail->rcpts_len = sendmail->answered = sendmail->told = 0;
	sendmail->arguments = 0;
	sendmail->step = SENDMAIL_COLLECTS;
	sendmail->outcome = (struct status){0};
}

static void
sendmail_begin(struct delivery *delivery, const struct envelope *envelope)
{
	struct sendmail *sendmail = self(delivery);

	forget_message(sendmail);
	sendmail->envelope = envelope;
	sendmail->gone = false;
}

static void
sendmail_rcpt(struct delivery *delivery, size_t rcpt)
{
	struct sendmail *sendmail = self(delivery);

	if (sendmail->rcpts_len == sendmail->rcpts_size) {
		sendmail->rcpts_size = sendmail->rcpts_size * 2 + 4;
		sendmail->rcpts = xreallocarray(sendmail->rcpts,
		    sendmail->rcpts_size, sizeof *sendmail->rcpts);
	}
	sendmail->rcpts[sendmail->rcpts_len++] =
	    (struct sendmail_rcpt){.index = rcpt};
}

static void
sendmail_send(struct delivery *delivery, bool text_waits)
{
	(void)delivery, (void)text_waits; /* nobody is asked before the end */
}

static bool
sendmail_answer(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct sendmail *sendmail = self(delivery);

	(void)deadline;
	if (sendmail->answered == sendmail->rcpts_len)
		return false;
	struct sendmail_rcpt *next = &sendmail->rcpts[sendmail->answered++];
	const struct path *path = sendmail->envelope->rcpt[next->index];
	size_t argument = strlen(path->mailbox) + 1;
	*rcpt = next->index;
	if (!path_is_plain(path))
		status_set(status, 553, "5.1.3",
		    "this kind of local part is not accepted here");
	else if (sendmail->arguments + argument > SENDMAIL_ARGUMENTS_MAX)
		status_set(status, 452, "4.5.3", "too many recipients");
	else {
		status_set(status, 250, "2.1.5", "ok");
		next->accepted = true;
		sendmail->arguments += argument;
	}
	return true;
}

static void
sendmail_body(struct delivery *delivery, const char *text, size_t len)
{
	spool_add(&self(delivery)->spool, text, len);
}

static bool
sendmail_ready(struct delivery *delivery, const struct deadline *deadline)
{
	struct sendmail *sendmail = self(delivery);

	(void)deadline;
	if (spool_rewind(&sendmail->spool))
		return true;
	int errnum = spool_error(&sendmail->spool);
	sendmail->gone = writer_full(errnum);
	writer_status(&sendmail->outcome, sendmail->options.spool_dir, errnum);
	sendmail->step = SENDMAIL_ENDED;
	return false;
}

/* PATH [ARGS] -i -oep -f SENDER -- RCPT...; the caller frees the array. -oep
 * keeps Exim from mailing its own report of an error. */
static const char **
make_arguments(const struct sendmail *sendmail)
{
	const struct envelope *envelope = sendmail->envelope;
	const char *const *command = sendmail->options.command;
	const char *sender = envelope->sender->mailbox;
	const char *options[] = {
	    "-i", "-oep", "-f", *sender != '\0' ? sender : "<>", "--"};
	const size_t options_len = sizeof options / sizeof *options;
	size_t len = 0;

	while (command[len] != NULL)
		len++;
	const char **argv =
	    xcalloc(len + options_len + sendmail->rcpts_len + 1, sizeof *argv);
	memcpy(argv, command, len * sizeof *argv);
	memcpy(argv + len, options, sizeof options);
	len += options_len;
	for (size_t i = 0; i < sendmail->rcpts_len; i++) {
		const struct sendmail_rcpt *rcpt = &sendmail->rcpts[i];
		if (rcpt->accepted)
			argv[len++] = envelope->rcpt[rcpt->index]->mailbox;
	}
	return argv;
}

static void
sendmail_finish(struct delivery *delivery, const struct deadline *deadline)
{
	static const char *const environment[] = {
	    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL};
	struct sendmail *sendmail = self(delivery);
	const char **argv = make_arguments(sendmail);
	const struct spawn_options options = {
	    .argv = argv,
	    .env = environment,
	    .input = sendmail->spool.fd,
	    .output = &sendmail->output,
	    .errors = &sendmail->output,
	};

	(void)deadline; /* it bounds the wait, in result */
	sendmail->run_until = deadline_in(
	    sendmail->options.timeout * SENDMAIL_ANSWERS, SENDMAIL_STOP_MS);
	spawn_start(&sendmail->run, &options);
	sendmail->step = SENDMAIL_RUNS;
	free(argv);
}

/* "PROGRAM exited with status 75: FIRST LINE OF ITS OUTPUT" */
static void
set_failure(
    struct sendmail *sendmail, int code, const char *enhanced, const char *how)
{
	char line[SENDMAIL_LINE_MAX];
	const char *output = buf_data(&sendmail->output);
	size_t len = buf_len(&sendmail->output);
	const char *end = memchr(output, '\n', len);

	escape_text(line, sizeof line, output,
	    end != NULL ? (size_t)(end - output) : len);
	status_set(&sendmail->outcome, code, enhanced, "%s %s%s%s",
	    sendmail->options.command[0], how, *line != '\0' ? ": " : "", line);
}

/* Only 67 and 68 are for good: the provider still holds the mail, and a
 * mistake in the local set-up must not bounce it. */
static void
judge_run(struct sendmail *sendmail, const struct spawn_result *ended)
{
	char how[SPAWN_DESCRIPTION_MAX];
	off_t offset = lseek(sendmail->spool.fd, 0, SEEK_CUR);
	bool read_whole =
	    offset >= 0 && (uint64_t)offset == spool_size(&sendmail->spool);

	spawn_describe(ended, how);
	if (ended->end != SPAWN_EXITED)
		set_failure(sendmail, 451, "4.3.0", how);
	else if (ended->code == EX_NOUSER)
		set_failure(sendmail, 550, "5.1.1", how);
	else if (ended->code == EX_NOHOST)
		set_failure(sendmail, 550, "5.1.2", how);
	else if (ended->code != EX_OK)
		set_failure(sendmail, 451, "4.3.0", how);
	else if (!read_whole)
		set_failure(sendmail, 451, "4.3.0",
		    "did not read the message to its end");
	else
		status_set(&sendmail->outcome, 250, "2.0.0", "taken by %s",
		    sendmail->options.command[0]);
	sendmail->gone = ended->end == SPAWN_NOT_STARTED;
}

static void
end_run(struct sendmail *sendmail, const struct deadline *deadline)
{
	const struct deadline until =
	    deadline_min(sendmail->run_until, *deadline);
	struct spawn_result ended;

	spawn_wait(&sendmail->run, &until, &ended);
	sendmail->step = SENDMAIL_ENDED;
	judge_run(sendmail, &ended);
	spool_clear(&sendmail->spool);
}

static bool
sendmail_result(struct delivery *delivery, size_t *rcpt, struct status *status,
    const struct deadline *deadline)
{
	struct sendmail *sendmail = self(delivery);

	assert(sendmail->step != SENDMAIL_COLLECTS);
	if (sendmail->step == SENDMAIL_RUNS)
		end_run(sendmail, deadline);
	while (sendmail->told < sendmail->rcpts_len) {
		const struct sendmail_rcpt *next =
		    &sendmail->rcpts[sendmail->told++];
		if (!next->accepted)
			continue;
		*rcpt = next->index;
		*status = sendmail->outcome;
		return true;
	}
	return false;
}

static void
sendmail_abort(struct delivery *delivery)
{
	struct sendmail *sendmail = self(delivery);
	const struct deadline now = deadline_in(0, 0);

	if (sendmail->step == SENDMAIL_RUNS)
		end_run(sendmail, &now);
	forget_message(sendmail);
}

static bool
sendmail_gone(const struct delivery *delivery)
{
	return ((const struct sendmail *)(const void *)delivery)->gone;
}

static void
sendmail_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	struct sendmail *sendmail = self(delivery);
	sendmail_abort(delivery);
	buf_clear(&sendmail->output);
	free(sendmail->rcpts);
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
    .abort = sendmail_abort,
    .gone = sendmail_gone,
    .free = sendmail_free,
};

struct delivery *
sendmail_new(const struct sendmail_options *options)
{
	struct sendmail *sendmail = xcalloc(1, sizeof *sendmail);

	sendmail->delivery = (struct delivery){&sendmail_ops, options->name};
	sendmail->options = *options;
	spool_init(&sendmail->spool, options->spool_dir, WRITER_LF);
	buf_init(&sendmail->output, SENDMAIL_OUTPUT_MAX);
	return &sendmail->delivery;
}
