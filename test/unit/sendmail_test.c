/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "base/stop.h"
#include "deliver/sendmail.h"
#include "delivery_kit.h"
#include "failed_start.h"

static const char message[] =
    "Received: by us\r\nSubject: x\r\n\r\n.\r\nend\r\n";
static const char message_lf[] = "Received: by us\nSubject: x\n\n.\nend\n";

static const char *const one_rcpt[] = {"a@example.org", NULL};

/* The script stands for sendmail: its arguments are "$@", and it runs in the
 * scratch folder. */
static void
use_script_within(struct kit *kit, const char *script, int64_t timeout)
{
	static const char *command[5];
	static char whole[1024];
	static struct sendmail_options options;

	snprintf(whole, sizeof whole, "cd %s\n%s", kit->folder, script);
	command[0] = "/bin/sh";
	command[1] = "-c";
	command[2] = whole;
	command[3] = "sendmail";
	options = (struct sendmail_options){
	    .name = "local",
	    .command = command,
	    .timeout = timeout,
	    .spool_dir = kit->folder,
	};
	if (kit->delivery != NULL)
		kit->delivery->ops->free(kit->delivery);
	kit->delivery = sendmail_new(&options);
}

static void
use_script(struct kit *kit, const char *script)
{
	use_script_within(kit, script, KIT_PATIENCE_MS);
}

static void
expect_file(const struct kit *kit, const char *name, const char *expected)
{
	size_t len;
	char *path = kit_join(kit->folder, name);
	char *text = kit_read(path, &len);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	free(path);
}

static bool
file_exists(const struct kit *kit, const char *name)
{
	char *path = kit_join(kit->folder, name);
	bool exists = access(path, F_OK) == 0;

	free(path);
	return exists;
}

static void
deliver_one(struct kit *kit)
{
	kit_ask(kit, "s@example.net", one_rcpt);
	kit_body(kit, message, strlen(message), 7);
	kit_end(kit);
}

static const struct run_case {
	const char *sender;
	const char *rcpts[6];
	const char *arguments;
} runs[] = {
    {"s@example.net", {"a@example.org"},
	"-i\n-oep\n-f\ns@example.net\n--\na@example.org\n"},
    {"", {"a@example.org", "B@example.org"},
	"-i\n-oep\n-f\n\n--\na@example.org\nB@example.org\n"},
    {"-oQ/tmp@example.net", {"a@example.org", "x%y@example.org", "c@d"},
	"-i\n-oep\n-f\n-oQ/tmp@example.net\n--\na@example.org\nc@d\n"},
    {"\"a b\"@example.net",
	{"\"a b\"@example.org", "-f@example.org", "x!y@example.org", "e@f"},
	"-i\n-oep\n-f\n\"a b\"@example.net\n--\ne@f\n"},
};

static void
test_arguments_and_text(void **state)
{
	struct kit *kit = *state;

	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		use_script(
		    kit, "printf '%s\\n' \"$@\" >args; cat >text; env >env");
		kit_ask(kit, runs[i].sender, runs[i].rcpts);
		kit_body(kit, message, strlen(message), i + 1);
		assert_true(kit_end(kit));
		expect_file(kit, "args", runs[i].arguments);
		expect_file(kit, "text", message_lf);
		/* One run was for all; nobody's comes after the last. */
		size_t joined = 0, accepted = 0;
		for (size_t k = 0; k < kit->envelope.rcpts; k++) {
			joined += kit->joined[k];
			accepted += path_is_plain(&kit->recipients[k].path);
		}
		assert_int_equal(joined, accepted - 1);
		for (size_t k = 0; k < kit->envelope.rcpts; k++) {
			bool plain = path_is_plain(&kit->recipients[k].path);
			assert_int_equal(
			    kit->answers[k].code, plain ? 250 : 553);
			assert_string_equal(kit->answers[k].enhanced,
			    plain ? "2.1.5" : "5.1.3");
			assert_int_equal(kit->results[k].code, plain ? 250 : 0);
		}
	}
}

static void
test_environment_is_clean(void **state)
{
	struct kit *kit = *state;

	setenv("ODMR_SECRET", "x", 1);
	use_script(kit, "cat >/dev/null; exec env -u PWD -u OLDPWD -u SHLVL "
			"-u _ env >env");
	deliver_one(kit);
	expect_file(kit, "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C\n");
	unsetenv("ODMR_SECRET");
}

static const struct outcome_case {
	const char *script, *reply;
} outcomes[] = {
    {"cat >/dev/null", "250 2.0.0 Accepted by /bin/sh"},
    {"cat >/dev/null; exit 67", "550 5.1.1 /bin/sh exited with status 67"},
    {"cat >/dev/null; exit 68", "451 4.3.0 /bin/sh exited with status 68"},
    {"exit 67", "550 5.1.1 /bin/sh exited with status 67"},
    {"cat >/dev/null; exit 1", "451 4.3.0 /bin/sh exited with status 1"},
    {"exit 64", "451 4.3.0 /bin/sh exited with status 64"},
    {"exit 65", "451 4.3.0 /bin/sh exited with status 65"},
    {"exit 69", "451 4.3.0 /bin/sh exited with status 69"},
    {"exit 75", "451 4.3.0 /bin/sh exited with status 75"},
    {"exit 77", "451 4.3.0 /bin/sh exited with status 77"},
    {"exit 78", "451 4.3.0 /bin/sh exited with status 78"},
    {"exit 126", "451 4.3.0 /bin/sh exited with status 126"},
    {"exit 127", "451 4.3.0 /bin/sh exited with status 127"},
    {"exit 255", "451 4.3.0 /bin/sh exited with status 255"},
    {"cat >/dev/null; kill -SEGV $$",
	"451 4.3.0 /bin/sh died of signal 11 (Segmentation fault)"},
    {"exit 0", "451 4.5.0 /bin/sh did not read the message to its end"},
    {"dd bs=1 count=5 >/dev/null 2>&1",
	"451 4.5.0 /bin/sh did not read the message to its end"},
    {"dd bs=1 count=5 2>&1; kill -KILL $$",
	"451 4.3.0 /bin/sh died of signal 9 (Killed): Recei5+0 records in"},
    {"echo postdrop: warning >&2; echo second; exit 75",
	"451 4.3.0 /bin/sh exited with status 75: postdrop: warning"},
    {"printf '\\033[31mred\\rback'; exit 75",
	"451 4.3.0 /bin/sh exited with status 75: \\x1b[31mred\\x0dback"},
};

static void
test_each_outcome(void **state)
{
	struct kit *kit = *state;
	char reply[STATUS_TEXT_MAX];

	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
		use_script(kit, outcomes[i].script);
		deliver_one(kit);
		assert_string_equal(
		    status_format(&kit->results[0], reply, sizeof reply),
		    outcomes[i].reply);
		/* After a lie it is not run again. */
		assert_int_equal(kit->delivery->ops->gone(kit->delivery),
		    strstr(reply, "4.5.0") != NULL);
	}
}

/* The program notes whom each run is for, and stores a text for each; what it
 * does where "bad" is among them stands in %s. */
static const char noting[] =
    "shift 5; echo \"$*\" >>runs\n"
    "case \"$*\" in *bad*) %s;; esac\n"
    "cat >part; for r; do cat part >>\"text.$r\"; done";

static const char *const with_bad[] = {
    "a@example.org", "bad@example.org", "c@example.org", NULL};
static const char *const two_rcpts[] = {"a@example.org", "c@example.org", NULL};
static const char apart[] = "a@example.org bad@example.org c@example.org\n"
			    "a@example.org\nbad@example.org\nc@example.org\n";

static void
use_noting_script(struct kit *kit, const char *at_bad, int64_t timeout)
{
	static const char *const files[] = {
	    "runs", "text.a@example.org", "text.c@example.org"};
	char script[256];

	snprintf(script, sizeof script, noting, at_bad);
	use_script_within(kit, script, timeout);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *path = kit_join(kit->folder, files[i]);
		(void)unlink(path);
		free(path);
	}
}

static const struct apart_case {
	const char *at_bad, *reply;
	int64_t timeout;
} aparts[] = {
    {"cat >/dev/null; exit 67", "550 5.1.1 /bin/sh exited with status 67",
	KIT_PATIENCE_MS},
    {"exit 68", "451 4.3.0 /bin/sh exited with status 68", KIT_PATIENCE_MS},
    {"exit 65", "451 4.3.0 /bin/sh exited with status 65", KIT_PATIENCE_MS},
    {"cat >/dev/null; exit 75", "451 4.3.0 /bin/sh exited with status 75",
	KIT_PATIENCE_MS},
    {"kill -SEGV $$",
	"451 4.3.0 /bin/sh died of signal 11 (Segmentation fault)",
	KIT_PATIENCE_MS},
    {"exec sleep 1000", "451 4.3.0 /bin/sh took too long and was killed", 1500},
};

/* A failure for several recipients is nobody's outcome: each has a run of its
 * own then, and a true answer. */
static void
test_one_recipient_makes_the_run_fail(void **state)
{
	struct kit *kit = *state;
	char reply[STATUS_TEXT_MAX];

	for (size_t i = 0; i < sizeof aparts / sizeof *aparts; i++) {
		use_noting_script(kit, aparts[i].at_bad, aparts[i].timeout);
		kit_ask(kit, "s@example.net", with_bad);
		kit_body(kit, message, strlen(message), 7);
		assert_true(kit_end(kit));
		expect_file(kit, "runs", apart);
		expect_file(kit, "text.a@example.org", message_lf);
		expect_file(kit, "text.c@example.org", message_lf);
		assert_int_equal(kit->results[0].code, 250);
		assert_string_equal(
		    status_format(&kit->results[1], reply, sizeof reply),
		    aparts[i].reply);
		assert_int_equal(kit->results[2].code, 250);
		for (int k = 0; k < 3; k++)
			assert_false(kit->joined[k]);
		assert_false(kit->delivery->ops->gone(kit->delivery));
	}
}

/* The ledger has each outcome before the next run begins. */
static void
test_outcome_is_told_before_the_next_run(void **state)
{
	struct kit *kit = *state;
	struct deadline deadline = kit_deadline();
	struct status status;
	size_t rcpt;

	use_noting_script(kit, "exit 67", KIT_PATIENCE_MS);
	kit_ask(kit, "s@example.net", with_bad);
	kit_body(kit, message, strlen(message), 7);
	assert_true(kit->delivery->ops->ready(kit->delivery, &deadline));
	kit->delivery->ops->finish(kit->delivery, &deadline);
	assert_true(kit->delivery->ops->result(
	    kit->delivery, &rcpt, &status, &deadline));
	assert_int_equal(rcpt, 0);
	assert_int_equal(status.code, 250);
	assert_false(file_exists(kit, "text.c@example.org"));
	while (kit->delivery->ops->result(
	    kit->delivery, &rcpt, &status, &deadline))
		;
	assert_true(file_exists(kit, "text.c@example.org"));
}

/* What a failed run leaves behind still reads, and must not take anything away
 * from the next one. */
static void
test_failed_run_leaves_a_reader_behind(void **state)
{
	struct kit *kit = *state;

	use_script(kit,
	    /* Neither outlives a test that failed by much. */
	    "later() { tries=$((tries + 1)); [ $tries -lt 6000 ] && sleep 0.01;"
	    " }\n"
	    "shift 5; if [ $# -gt 1 ]; then exec 3<&0;"
	    " (until [ -e go ]; do later || exit; done; cat <&3 >left) & exit 75; "
	    "fi\n"
	    "touch go; until [ -s left ]; do later || exit; done\n"
	    "cat >\"text.$1\"");
	kit_ask(kit, "s@example.net", two_rcpts);
	kit_body(kit, message, strlen(message), 7);
	assert_true(kit_end(kit));
	expect_file(kit, "text.a@example.org", message_lf);
	expect_file(kit, "text.c@example.org", message_lf);
	assert_int_equal(kit->results[0].code, 250);
	assert_int_equal(kit->results[1].code, 250);
}

/* Everything that fails for everybody is tried once for each, and no more. */
static void
test_program_fails_for_everybody(void **state)
{
	struct kit *kit = *state;

	use_noting_script(kit, "true", KIT_PATIENCE_MS);
	use_script(kit, "echo run >>runs; exit 75");
	kit_ask(kit, "s@example.net", with_bad);
	kit_body(kit, message, strlen(message), 7);
	assert_true(kit_end(kit));
	expect_file(kit, "runs", "run\nrun\nrun\nrun\n");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(kit->results[i].code, 451);
}

/* It reads another description of the same file, from its beginning, so that
 * nobody can see how far: said once, and not run again. */
static void
test_program_that_opens_its_input_anew(void **state)
{
	struct kit *kit = *state;
	struct error complaint = {.class = ERROR_NONE};
	const struct delivery_ops *ops;

	use_script(kit, "echo run >>runs; cat /dev/stdin >/dev/null");
	ops = kit->delivery->ops;
	assert_false(ops->complains(kit->delivery, &complaint));
	deliver_one(kit);
	assert_int_equal(kit->results[0].code, 451);
	assert_true(ops->complains(kit->delivery, &complaint));
	assert_int_equal(complaint.class, ERROR_LOCAL);
	assert_string_equal(complaint.text,
	    "/bin/sh exited with status 0 but read only 0 of the 34 octets of "
	    "the message on its standard input, so that nobody knows whether "
	    "it delivered the message: it must read descriptor 0 to its end, "
	    "and must not open /dev/stdin");
	assert_false(ops->complains(kit->delivery, &complaint));
	assert_true(ops->gone(kit->delivery));
	kit_ask(kit, "s@example.net", with_bad);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(kit->answers[i].code, 451);
		assert_non_null(strstr(
		    kit->answers[i].text, "is not run again in this session"));
	}
	ops->abort(kit->delivery);
	expect_file(kit, "runs", "run\n");
}

/* The second message must not find what the first left behind. */
static void
test_messages_one_after_another(void **state)
{
	struct kit *kit = *state;

	use_script(kit, "cat >>text; echo noise; [ ! -e fail ] || exit 75");
	for (int i = 0; i < 3; i++) {
		deliver_one(kit);
		assert_int_equal(kit->results[0].code, 250);
	}
	size_t len;
	char *path = kit_join(kit->folder, "text");
	char *text = kit_read(path, &len);
	assert_int_equal(len, 3 * strlen(message_lf));
	free(text);
	free(path);
}

static void
test_large_message(void **state)
{
	struct kit *kit = *state;
	static char text[3 * 1024 * 1024 + 5];

	memset(text, 'x', sizeof text);
	for (size_t i = 76; i + 1 < sizeof text; i += 78)
		memcpy(text + i, "\r\n", 2);
	use_script(kit, "tr -d '\\n' | wc -c >count");
	kit_ask(kit, "s@example.net", one_rcpt);
	kit_body(kit, text, sizeof text, 10007);
	assert_true(kit_end(kit));
	assert_int_equal(kit->results[0].code, 250);
	char expected[32];
	snprintf(expected, sizeof expected, "%zu\n",
	    sizeof text - 2 * (sizeof text / 78));
	expect_file(kit, "count", expected);
}

/* Neither reading nor ending may hold the session. */
static void
test_program_that_never_ends(void **state)
{
	struct kit *kit = *state;
	static const char *const scripts[] = {"sleep 1000",
	    "cat >/dev/null; trap '' TERM; sleep 1000 & wait",
	    "while :; do echo noise; done"};
	char reply[STATUS_TEXT_MAX];

	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		use_script(kit, scripts[i]);
		kit_ask(kit, "s@example.net", one_rcpt);
		kit_body(kit, message, strlen(message), 7);
		struct deadline deadline = deadline_in(150, KIT_PATIENCE_MS);
		struct status status;
		size_t rcpt;
		assert_true(
		    kit->delivery->ops->ready(kit->delivery, &deadline));
		kit->delivery->ops->finish(kit->delivery, &deadline);
		assert_true(kit->delivery->ops->result(
		    kit->delivery, &rcpt, &status, &deadline));
		status_format(&status, reply, sizeof reply);
		assert_memory_equal(reply,
		    "451 4.3.0 /bin/sh took too long and was killed", 46);
		assert_false(kit->delivery->ops->result(
		    kit->delivery, &rcpt, &status, &deadline));
	}
}

/* The run has three times the time of an answer, and no more. */
static void
test_own_time_limit(void **state)
{
	struct kit *kit = *state;
	static const char *const command[] = {
	    "/bin/sh", "-c", "exec sleep 1000", NULL};
	static const struct sendmail_options options = {
	    .name = "local",
	    .command = command,
	    .timeout = 50,
	    .spool_dir = "/tmp",
	};
	kit->delivery = sendmail_new(&options);
	int64_t began = clock_ms();
	deliver_one(kit);
	assert_int_equal(kit->results[0].code, 451);
	assert_true(clock_ms() - began >= 3 * 50);
	assert_true(clock_ms() - began < KIT_PATIENCE_MS);
}

static void
test_stop_request_during_a_run(void **state)
{
	struct kit *kit = *state;

	stop_install();
	use_script(kit, "sleep 1000");
	kit_ask(kit, "s@example.net", one_rcpt);
	kit_body(kit, message, strlen(message), 7);
	stop_request();
	kit_end(kit);
	assert_int_equal(kit->results[0].code, 451);
	assert_string_equal(kit->results[0].text,
	    "/bin/sh was killed because the agent has to stop");
	stop_install(); /* forgets the request */
}

static void
test_run_that_ends_within_the_grace(void **state)
{
	struct kit *kit = *state;
	struct deadline deadline =
	    deadline_in(KIT_PATIENCE_MS, KIT_PATIENCE_MS);
	struct status status;
	size_t rcpt;

	stop_install();
	use_script(kit, "cat >/dev/null");
	kit_ask(kit, "s@example.net", one_rcpt);
	kit_body(kit, message, strlen(message), 7);
	assert_true(kit->delivery->ops->ready(kit->delivery, &deadline));
	kit->delivery->ops->finish(kit->delivery, &deadline);
	stop_request();
	assert_true(kit->delivery->ops->result(
	    kit->delivery, &rcpt, &status, &deadline));
	assert_int_equal(status.code, 250);
	stop_install();
}

static void
test_too_many_arguments(void **state)
{
	struct kit *kit = *state;
	static char texts[KIT_RCPTS - 1][256];
	static const char *rcpts[KIT_RCPTS];
	size_t octets = 0, taken = 0;

	for (size_t i = 0; i < KIT_RCPTS - 1; i++) {
		snprintf(texts[i], sizeof texts[i],
		    "u%zu@%063d.%063d.example.org", i, 0, 0);
		rcpts[i] = texts[i];
	}
	use_script(kit, "cat >/dev/null; echo $# >count");
	kit_ask(kit, "s@example.net", rcpts);
	for (size_t i = 0; i < KIT_RCPTS - 1; i++) {
		octets += strlen(texts[i]) + 1;
		assert_int_equal(
		    kit->answers[i].code, octets <= 100000 ? 250 : 452);
		if (kit->answers[i].code == 250)
			taken++;
		else
			assert_string_equal(kit->answers[i].enhanced, "4.5.3");
	}
	assert_in_range(taken, 600, KIT_RCPTS - 2);
	kit_body(kit, message, strlen(message), 7);
	assert_true(kit_end(kit));
	char expected[32];
	snprintf(expected, sizeof expected, "%zu\n", taken + 5);
	expect_file(kit, "count", expected);
}

static void
test_nothing_runs_before_the_end(void **state)
{
	struct kit *kit = *state;
	struct deadline deadline = kit_deadline();

	use_script(kit, "touch ran; cat >/dev/null");
	kit_ask(kit, "s@example.net", one_rcpt);
	kit->delivery->ops->abort(kit->delivery);
	kit_ask(kit, "s@example.net", one_rcpt);
	kit_body(kit, message, strlen(message), 7);
	kit->delivery->ops->abort(kit->delivery);
	kit_ask(kit, "s@example.net", one_rcpt);
	kit_body(kit, message, strlen(message), 7);
	assert_true(kit->delivery->ops->ready(kit->delivery, &deadline));
	kit->delivery->ops->abort(kit->delivery);
	assert_false(file_exists(kit, "ran"));
	deliver_one(kit);
	assert_true(file_exists(kit, "ran"));
	assert_int_equal(kit->results[0].code, 250);
}

/* Killed in the middle of a message, or right before its last step. */
static void
test_killed_agent_delivers_nothing(void **state)
{
	struct kit *kit = *state;

	use_script(kit, "touch ran; cat >/dev/null");
	for (size_t cut = 0; cut <= strlen(message); cut += 4) {
		pid_t pid = fork();
		if (pid == 0) {
			struct deadline deadline = kit_deadline();
			kit_ask(kit, "s@example.net", one_rcpt);
			kit_body(kit, message, cut, 3);
			if (cut == strlen(message))
				(void)!kit->delivery->ops->ready(
				    kit->delivery, &deadline);
			raise(SIGKILL);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	assert_false(file_exists(kit, "ran"));
}

static void
test_program_that_is_missing(void **state)
{
	struct kit *kit = *state;
	static const char *const command[] = {"/nonexistent/sendmail", NULL};
	struct sendmail_options options = {
	    .name = "local",
	    .command = command,
	    .timeout = KIT_PATIENCE_MS,
	    .spool_dir = kit->folder,
	};
	char reply[STATUS_TEXT_MAX];

	if (!failed_start_is_told())
		skip();
	kit->delivery = sendmail_new(&options);
	deliver_one(kit);
	assert_string_equal(
	    status_format(&kit->results[0], reply, sizeof reply),
	    "451 4.3.0 /nonexistent/sendmail could not be started: No such "
	    "file or directory");
	assert_true(kit->delivery->ops->gone(kit->delivery));
}

static void
test_full_disk(void **state)
{
	struct kit *kit = *state;
	static char text[1024 * 1024];

	memset(text, 'x', sizeof text);
	use_script(kit, "touch ran; cat >/dev/null");
	pid_t pid = fork();
	if (pid == 0) {
		if (!kit_small_disk(kit->folder, 1500))
			_exit(KIT_SKIPPED);
		kit_ask(kit, "s@example.net", one_rcpt);
		kit_body(kit, text, sizeof text, 65536);
		kit_body(kit, text, sizeof text, 65536);
		bool ready = kit_end(kit);
		_exit(ready || kit->results[0].code != 452 ||
		      strcmp(kit->results[0].enhanced, "4.3.1") != 0 ||
		      !kit->delivery->ops->gone(kit->delivery) ||
		      file_exists(kit, "ran"));
	}
	kit_expect_child(pid);
}

static const struct probe_case {
	const char *program, *spool_dir, *error;
} probes[] = {
    {"/bin/sh", "/tmp", NULL},
    {"/nonexistent/sendmail", "/tmp",
	"cannot use /nonexistent/sendmail: No such file or "
	"directory"},
    {"/etc/passwd", "/tmp", "cannot use /etc/passwd: Permission denied"},
    {"/etc", "/tmp", "cannot use /etc: Permission denied"},
    {"/bin/sh", "/nonexistent",
	"cannot use /nonexistent: No such file or directory"},
};

static void
test_probe(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
		const char *const command[] = {probes[i].program, NULL};
		const struct sendmail_options options = {
		    .name = "local",
		    .command = command,
		    .spool_dir = probes[i].spool_dir,
		};
		struct deadline deadline = kit_deadline();
		struct delivery_can can = {.size_max = 1};
		struct error err = {0};
		struct delivery *delivery = sendmail_new(&options);
		bool there =
		    delivery->ops->probe(delivery, &can, &deadline, &err);
		assert_int_equal(there, probes[i].error == NULL);
		if (!there) {
			assert_string_equal(err.text, probes[i].error);
			assert_int_equal(err.class, ERROR_LOCAL);
		}
		assert_int_equal(can.size_max, 0);
		delivery->ops->free(delivery);
	}
}

#define kit_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    kit_test(test_arguments_and_text),
	    kit_test(test_environment_is_clean),
	    kit_test(test_each_outcome),
	    kit_test(test_one_recipient_makes_the_run_fail),
	    kit_test(test_outcome_is_told_before_the_next_run),
	    kit_test(test_failed_run_leaves_a_reader_behind),
	    kit_test(test_program_fails_for_everybody),
	    kit_test(test_program_that_opens_its_input_anew),
	    kit_test(test_messages_one_after_another),
	    kit_test(test_large_message),
	    kit_test(test_program_that_never_ends),
	    kit_test(test_own_time_limit),
	    kit_test(test_stop_request_during_a_run),
	    kit_test(test_run_that_ends_within_the_grace),
	    kit_test(test_too_many_arguments),
	    kit_test(test_nothing_runs_before_the_end),
	    kit_test(test_killed_agent_delivers_nothing),
	    kit_test(test_program_that_is_missing),
	    kit_test(test_full_disk),
	    cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
