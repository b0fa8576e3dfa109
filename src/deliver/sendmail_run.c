/* SPDX-License-Identifier: ISC */
#include "deliver/sendmail_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/mem.h"

enum {
	OUTPUT_MAX = 4096, /* of it the first line is told */
	LINE_MAX_TOLD = 240,
};

void
sendmail_run_init(struct sendmail_run *run, const char *const *command)
{
	*run = (struct sendmail_run){.command = command, .input = -1};
	buf_init(&run->output, OUTPUT_MAX);
}

void
sendmail_run_clear(struct sendmail_run *run)
{
	buf_clear(&run->output);
}

/*
 * PATH [ARGS] -i -oep -f SENDER -- RCPT...; the caller frees the array. -oep
 * keeps Exim from mailing its own report of an error. The null sender is an
 * empty argument: programs that do not know it misread "<>" as well, and some
 * that do know it misread "<>" alone.
 */
static const char **
make_arguments(const char *const *command, const char *sender,
    const char *const *rcpts, size_t count)
{
	const char *options[] = {"-i", "-oep", "-f", sender, "--"};
	const size_t options_len = sizeof options / sizeof *options;
	size_t len = 0;

	while (command[len] != NULL)
		len++;
	const char **argv =
	    xcalloc(len + options_len + count + 1, sizeof *argv);
	memcpy(argv, command, len * sizeof *argv);
	memcpy(argv + len, options, sizeof options);
	len += options_len;
	memcpy(argv + len, rcpts, count * sizeof *argv);
	return argv;
}

void
sendmail_run_start(struct sendmail_run *run, const char *sender,
    const char *const *rcpts, size_t count, const struct deadline *until)
{
	static const char *const environment[] = {
	    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL};
	const char **argv = make_arguments(run->command, sender, rcpts, count);
	const struct spawn_options options = {
	    .argv = argv,
	    .env = environment,
	    .input = run->input,
	    .output = &run->output,
	    .errors = &run->output,
	};

	run->until = *until;
	run->count = count;
	buf_reset(&run->output);
	spawn_start(&run->spawn, &options);
	free(argv);
}

/* "PROGRAM exited with status 75: FIRST LINE OF ITS OUTPUT" */
static void
set_failure(const struct sendmail_run *run, struct status *outcome, int code,
    const char *enhanced, const char *how)
{
	char line[LINE_MAX_TOLD];
	const char *output = buf_data(&run->output);
	size_t len = buf_len(&run->output);
	const char *end = memchr(output, '\n', len);

	escape_text(line, sizeof line, output,
	    end != NULL ? (size_t)(end - output) : len);
	status_set(outcome, code, enhanced, "%s %s%s%s", run->command[0], how,
	    *line != '\0' ? ": " : "", line);
}

/* Only 67 is for good, and only where the run had one recipient: the provider
 * still holds the mail, and neither a mistake in the local set-up nor somebody
 * else's address may bounce it. 68 (no such host) is no word on a domain that the
 * account accepts: msmtp says so where a name server is away. */
static void
set_exit_failure(const struct sendmail_run *run,
    const struct spawn_result *ended, struct status *outcome)
{
	char how[SPAWN_DESCRIPTION_MAX];
	bool for_one = ended->end == SPAWN_EXITED && run->count == 1;

	spawn_describe(ended, how);
	if (for_one && ended->code == EX_NOUSER)
		set_failure(run, outcome, 550, "5.1.1", how);
	else
		set_failure(run, outcome, 451, "4.3.0", how);
}

/* Octets of the message that the program has read; -1: unknown. */
static off_t
octets_read(const struct sendmail_run *run)
{
	return lseek(run->input, 0, SEEK_CUR);
}

static enum sendmail_run_end
judge_success(const struct sendmail_run *run, struct status *outcome)
{
	off_t offset = octets_read(run);

	if (offset < 0 || (uint64_t)offset != run->size) {
		/* It may have delivered, so the message is not to be sent
		 * again at once, as after 4.3.x. */
		set_failure(run, outcome, 451, "4.5.0",
		    "did not read the message to its end");
		outcome->cause = CAUSE_DELIVERY_SETUP;
		return SENDMAIL_RUN_UNREAD;
	}
	status_set(outcome, 250, "2.0.0", "Accepted by %s", run->command[0]);
	return SENDMAIL_RUN_SUCCEEDED;
}

enum sendmail_run_end
sendmail_run_wait(struct sendmail_run *run, const struct deadline *deadline,
    struct status *outcome, bool *gone)
{
	const struct deadline until = deadline_min(run->until, *deadline);
	struct spawn_result ended;

	spawn_wait(&run->spawn, &until, &ended);
	*gone = ended.end == SPAWN_NOT_STARTED;
	if (ended.end == SPAWN_EXITED && ended.code == EX_OK)
		return judge_success(run, outcome);
	set_exit_failure(run, &ended, outcome);
	if (ended.end == SPAWN_TIMED_OUT)
		outcome->cause = CAUSE_UNANSWERED;
	switch (ended.end) {
	case SPAWN_EXITED:
	case SPAWN_SIGNALLED:
	case SPAWN_TIMED_OUT:
		return SENDMAIL_RUN_FAILED;
	case SPAWN_NOT_STARTED:
	case SPAWN_STOPPED:
		break;
	}
	return SENDMAIL_RUN_HINDERED;
}

void
sendmail_run_explain(const struct sendmail_run *run, struct error *err)
{
	error_set(err, ERROR_LOCAL,
	    "%s exited with status 0 but read only %lld of the %" PRIu64
	    " octets of the message on its standard input, so that nobody "
	    "knows whether it delivered the message: it must read descriptor 0 "
	    "to its end, and must not open /dev/stdin",
	    run->command[0], (long long)octets_read(run), run->size);
}
