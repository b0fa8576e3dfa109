/* SPDX-License-Identifier: ISC */
#include "run/workers.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/stop.h"
#include "config/config_loader.h"
#include "record/history.h"
#include "record/status_file.h"

enum { WAIT_MS = 120000 };

static char state_dir[] = "/tmp/workers_test.XXXXXX";
static struct config_account accounts[] = {
    {.name = "office", .provider = {"h", 366}, .session_timeout = 60000},
    {.name = "shop", .provider = {"h", 366}, .session_timeout = 60000},
};
static struct config config = {
    .state_dir = state_dir, .accounts = accounts, .accounts_count = 2};

static int
make_state(void **state)
{
	(void)state;
	return mkdtemp(state_dir) != NULL ? 0 : -1;
}

static void
remove_status(void)
{
	static const char *const names[] = {
	    "status/office.json", "status/shop.json", "status"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", state_dir, names[i]);
		remove(path);
	}
}

static int
remove_state(void **state)
{
	(void)state;
	remove_status();
	return rmdir(state_dir);
}

/* What the child does; each is a session of its own kind. */
static void
bring_mail(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	(void)cfg;
	(void)options;
	result->outcome = SESSION_MAIL;
	result->messages = strlen(account->name);
}

static void
tell_progress(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	result->bytes = 77;
	options->progress(options->progress_context, result);
	bring_mail(cfg, account, options, result);
}

static void
crash(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	(void)cfg;
	(void)account;
	(void)options;
	(void)result;
	raise(SIGKILL);
}

static void
end_early(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	(void)cfg;
	(void)account;
	(void)options;
	(void)result;
	_exit(EX_OSERR);
}

static void
end_quietly(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	(void)cfg;
	(void)account;
	(void)options;
	(void)result;
	_exit(3);
}

static void
hang(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	(void)cfg;
	(void)account;
	(void)options;
	(void)result;
	for (;;)
		pause();
}

static void
wait_a_while(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	struct deadline deadline = deadline_in(500, 0);

	(void)deadline_wait(&deadline, -1, 0);
	bring_mail(cfg, account, options, result);
}

static void
lie(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	(void)cfg;
	(void)account;
	(void)options;
	result->outcome = (enum session_outcome)99;
	memset(result->error.text, 'x', sizeof result->error.text);
}

static void
wait_for_stop(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	struct deadline deadline = deadline_in(WAIT_MS, 0);

	options->progress(options->progress_context, result);
	if (deadline_wait(&deadline, -1, 0) == DEADLINE_STOPPED)
		bring_mail(cfg, account, options, result);
}

static void
listen_until_stopped(const struct config *cfg,
    const struct config_account *account, const struct session_options *options,
    struct session_result *result)
{
	result->listening = 1;
	wait_for_stop(cfg, account, options, result);
}

/* How the process stands; told as counts. */
static void
look_around(const struct config *cfg, const struct config_account *account,
    const struct session_options *options, struct session_result *result)
{
	struct rlimit core;
	sigset_t blocked;

	bring_mail(cfg, account, options, result);
	getrlimit(RLIMIT_CORE, &core);
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	result->recipients = core.rlim_cur;
	result->refused = (uint64_t)prctl(PR_GET_DUMPABLE);
	result->deferred = (uint64_t)sigismember(&blocked, SIGTERM) +
			   (uint64_t)sigismember(&blocked, SIGHUP);
	result->calls = strcmp(cfg->accounts[0].password.text, "one") == 0;
	result->more = cfg->accounts[1].password.text[0] != '\0';
}

static struct workers_event
next_event(struct workers *pool)
{
	int64_t until = clock_ms() + WAIT_MS;
	enum workers_wait_result result;
	struct workers_event event;

	/* What followed a session may be over before. */
	do
		result = workers_wait(pool, until, NULL, 0, &event);
	while (result == WORKERS_OVER && clock_ms() < until);
	assert_int_equal(result, WORKERS_EVENT);
	return event;
}

/* Until the process is gone as well, which tells nothing. */
static void
end_pool(struct workers *pool)
{
	struct workers_event event;

	while (workers_running(pool) > 0)
		assert_int_equal(workers_wait(pool, INT64_MAX, NULL, 0, &event),
		    WORKERS_OVER);
	workers_free(pool);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
start(struct workers *pool, const struct config_account *account, void *tag)
{
	struct workers_order order = {
	    .account = account, .live = true, .tag = tag};

	workers_start(pool, &config, &order);
}

static void
a_result_comes_back(void **state)
{
	struct workers *pool = workers_new(1, bring_mail);
	int tag;

	(void)state;
	start(pool, &accounts[0], &tag);
	assert_true(workers_full(pool));
	struct workers_event event = next_event(pool);
	assert_ptr_equal(event.tag, &tag);
	assert_true(event.ended);
	assert_false(event.lost);
	assert_int_equal(event.result.outcome, SESSION_MAIL);
	assert_int_equal(event.result.messages, 6);
	end_pool(pool);
}

static void
progress_comes_first(void **state)
{
	struct workers *pool = workers_new(1, tell_progress);

	(void)state;
	start(pool, &accounts[0], NULL);
	struct workers_event event = next_event(pool);
	assert_false(event.ended);
	assert_int_equal(event.result.bytes, 77);
	event = next_event(pool);
	assert_true(event.ended);
	end_pool(pool);
}

/* One account's misfortune is recorded; the other does not notice. */
static void
check_loss(worker_function *run, int64_t session_timeout, int exit_status,
    const char *why)
{
	struct workers *pool = workers_new(2, run);
	struct config_account account = accounts[1];
	struct history history;
	struct error err;

	account.session_timeout = session_timeout;
	start(pool, &account, NULL);
	struct workers_event event = next_event(pool);
	assert_true(event.ended);
	assert_true(event.lost);
	assert_int_equal(event.result.outcome, SESSION_FAILED);
	assert_int_equal(event.result.exit_status, exit_status);
	assert_string_equal(event.result.error.text, why);
	end_pool(pool);

	assert_true(status_file_read(state_dir, "shop", &history, &err));
	assert_string_equal(history.last_error, why);
	assert_int_equal(history_hold_left(&history, history.last.ended),
	    exit_status == EX_SOFTWARE ? 3600000 : 0);
	history_clear(&history);
	remove_status();
}

static void
a_lost_session_is_a_failure(void **state)
{
	(void)state;
	check_loss(
	    crash, 60000, EX_SOFTWARE, "the session died of signal 9 (Killed)");
	check_loss(end_early, 60000, EX_OSERR,
	    "the session ran out of memory or descriptors");
	check_loss(
	    lie, 60000, EX_SOFTWARE, "the session reported an invalid result");
	check_loss(end_quietly, 60000, EX_SOFTWARE,
	    "the session ended with status 3 and reported no result");
	/* A minute beyond session_timeout. */
	check_loss(hang, -59800, EX_SOFTWARE, "the session hung and was ended");
}

/* What the configuration lets it wait for is no hang: each of these times alone
 * keeps it from being one. */
static void
a_long_wait_is_no_hang(void **state)
{
	static const struct {
		int64_t connect, provider, delivery;
	} rows[] = {{WAIT_MS, 0, 0}, {0, WAIT_MS, 0}, {0, 0, WAIT_MS}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct workers *pool = workers_new(1, wait_a_while);
		struct config_delivery delivery = {
		    .kind = CONFIG_LMTP, .timeout = rows[i].delivery};
		struct config_account account = accounts[0];
		account.session_timeout = -59900;
		account.connect_timeout = rows[i].connect;
		account.provider_timeout = rows[i].provider;
		config.deliveries = &delivery;
		config.deliveries_count = 1;
		start(pool, &account, NULL);
		struct workers_event event = next_event(pool);
		assert_true(event.ended);
		assert_false(event.lost);
		config.deliveries_count = 0;
		end_pool(pool);
	}
}

static void
others_do_not_notice(void **state)
{
	struct workers *pool = workers_new(2, wait_for_stop);
	int good, bad;

	(void)state;
	start(pool, &accounts[0], &good);
	struct config_account hanging = accounts[1];
	hanging.session_timeout = -59000;
	start(pool, &hanging, &bad);
	struct workers_event event;
	do
		event = next_event(pool);
	while (!event.ended);
	assert_ptr_equal(event.tag, &bad);
	workers_stop(pool);
	do
		event = next_event(pool);
	while (!event.ended);
	assert_ptr_equal(event.tag, &good);
	assert_int_equal(event.result.outcome, SESSION_MAIL);
	end_pool(pool);
}

static void
what_cannot_start_is_told(void **state)
{
	struct workers *pool = workers_new(1, bring_mail);
	struct rlimit before, none;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	start(pool, &accounts[0], NULL);
	setrlimit(RLIMIT_NOFILE, &before);
	struct workers_event event = next_event(pool);
	assert_true(event.ended && event.lost);
	assert_int_equal(event.result.exit_status, EX_OSERR);
	assert_non_null(strstr(
	    event.result.error.text, "cannot make a pipe for a session: "));
	assert_non_null(strstr(event.result.error.text, strerror(EMFILE)));
	end_pool(pool);
}

static void
a_child_keeps_its_secrets(void **state)
{
	struct workers *pool = workers_new(1, look_around);

	(void)state;
	secret_set(&accounts[0].password, "one", 3);
	secret_set(&accounts[1].password, "two", 3);
	config_gather_secrets(&config);
	start(pool, &accounts[0], NULL);
	struct workers_event event = next_event(pool);
	assert_int_equal(event.result.recipients, 0);
	assert_int_equal(event.result.refused, 0);
	assert_int_equal(event.result.deferred, 0);
	assert_int_equal(event.result.calls, 1);
	assert_false(event.result.more);
	end_pool(pool);
	for (size_t i = 0; i < 2; i++)
		accounts[i].password = (struct secret){.text = NULL};
	config.secrets = (struct secret){.text = NULL};
	pool_clear(&config.pool);
}

/* The wish comes before the parent knows that the session listens. */
static void
a_wish_to_begin_anew_waits_for_listeners(void **state)
{
	struct workers *pool = workers_new(1, listen_until_stopped);

	(void)state;
	start(pool, &accounts[0], NULL);
	workers_stop_listening(pool);
	assert_false(next_event(pool).ended);
	struct workers_event event = next_event(pool);
	assert_true(event.ended);
	assert_int_equal(event.result.outcome, SESSION_MAIL);
	end_pool(pool);
}

/* The office's goes on, every other crashes. */
static void
crash_beside_the_office(const struct config *cfg,
    const struct config_account *account, const struct session_options *options,
    struct session_result *result)
{
	if (strcmp(account->name, "office") == 0)
		wait_for_stop(cfg, account, options, result);
	else
		crash(cfg, account, options, result);
}

/* A reload may have lowered max_sessions, and sessions that only listened may
 * have become busy: the program goes on, and the loss has its alarm and ping. */
static void
a_loss_is_followed_in_a_pool_that_is_full(void **state)
{
	struct workers *pool = workers_new(2, crash_beside_the_office);
	int office, shop;
	struct workers_event event;

	(void)state;
	start(pool, &accounts[0], &office);
	start(pool, &accounts[1], &shop);
	workers_set_max(pool, 1);
	do
		event = next_event(pool);
	while (!event.ended);
	assert_ptr_equal(event.tag, &shop);
	assert_true(event.lost);
	assert_true(workers_full(pool));
	workers_follow(pool, &config, &accounts[1], &event.result);
	assert_int_equal(workers_running(pool), 2);
	workers_stop(pool);
	do
		event = next_event(pool);
	while (!event.ended);
	assert_ptr_equal(event.tag, &office);
	end_pool(pool);
	remove_status();
}

static void
the_callers_descriptors_wake(void **state)
{
	struct workers *pool = workers_new(1, wait_for_stop);
	struct workers_event event;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(
	    workers_wait(pool, clock_ms(), ends, 1, &event), WORKERS_OVER);
	assert_int_equal(write(ends[1], "", 1), 1);
	assert_int_equal(
	    workers_wait(pool, INT64_MAX, ends, 1, &event), WORKERS_READY);
	close(ends[0]);
	close(ends[1]);
	workers_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_result_comes_back),
	    cmocka_unit_test(progress_comes_first),
	    cmocka_unit_test(a_lost_session_is_a_failure),
	    cmocka_unit_test(a_long_wait_is_no_hang),
	    cmocka_unit_test(others_do_not_notice),
	    cmocka_unit_test(what_cannot_start_is_told),
	    cmocka_unit_test(a_child_keeps_its_secrets),
	    cmocka_unit_test(a_wish_to_begin_anew_waits_for_listeners),
	    cmocka_unit_test(a_loss_is_followed_in_a_pool_that_is_full),
	    cmocka_unit_test(the_callers_descriptors_wake),
	};

	return cmocka_run_group_tests(tests, make_state, remove_state);
}
