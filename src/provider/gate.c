/* SPDX-License-Identifier: ISC */
#include "provider/gate.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config_loader.h"
#include "gate_private.h"
#include "net/tls_server.h"
#include "provider/desk.h"
#include "provider/inner.h"
#include "provider/provider_config.h"
#include "provider/service_user.h"
#include "provider/users.h"
#include "tell/log.h"
#include "tell/notify.h"

enum {
	/* An old one that holds the place, a new one, some that are ending. */
	CALLS_OF_AN_ACCOUNT = 3,
	STATUS_EVERY_MS = 1000,
};

/*
 * Set-up
 */

static bool
find_postfix_user(
    const struct provider_config *config, uid_t *uid, struct error *err)
{
	const struct passwd *user = getpwnam(config->postfix_user);

	if (user == NULL) {
		error_set(err, ERROR_CONFIG,
		    "there is no user %s on this system: postfix_user must be"
		    " the one that Postfix runs as",
		    config->postfix_user);
		return false;
	}
	*uid = user->pw_uid;
	return true;
}

static struct seat *
new_seats(size_t count)
{
	struct seat *seats = xcalloc(count, sizeof *seats);

	for (size_t i = 0; i < count; i++)
		seats[i] = (struct seat){.holder = NOBODY, .waiter = NOBODY};
	return seats;
}

static bool
take_signals(struct gate *gate, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	gate->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (gate->signals < 0)
		error_set_errno(err, ERROR_SYSTEM, errno, "signalfd");
	return gate->signals >= 0;
}

/* Each customer takes one descriptor here; 1024 is the usual limit. */
static void
raise_limit(struct gate *gate)
{
	const struct provider_config *config = gate->config;
	rlim_t wanted = GATE_DESCRIPTORS + config->max_connections +
			CALLS_OF_AN_ACCOUNT * config->accounts_count;
	struct rlimit limit;

	gate->descriptors_max = RLIM_INFINITY;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur =
		    limit.rlim_max < wanted ? limit.rlim_max : wanted;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	gate->descriptors_max = limit.rlim_cur;
	if (limit.rlim_cur < wanted)
		log_say(CONFIG_LOG_WARNING, NULL, "limit",
		    "no more than %llu descriptors may be open (RLIMIT_NOFILE),"
		    " and %llu are needed when all customers are connected:"
		    " raise LimitNOFILE= of the service",
		    (unsigned long long)limit.rlim_cur,
		    (unsigned long long)wanted);
}

static bool
set_up(struct gate *gate, struct error *err)
{
	const struct provider_config *config = gate->config;

	prctl(PR_SET_DUMPABLE, 0);
	users_prepare(config->tls_key_file);
	raise_limit(gate);
	/* For any configuration that a reload may bring: the places are shared
	 * with the processes. The kernel gives what is used. */
	gate->calls_room = PROVIDER_CONNECTIONS_MAX +
			   CALLS_OF_AN_ACCOUNT * CONFIG_ACCOUNTS_MAX;
	gate->calls = xcalloc(gate->calls_room, sizeof *gate->calls);
	gate->places = places_new(gate->calls_room);
	gate->seats = new_seats(config->accounts_count);
	table_read(&gate->table, config);
	gate->tls = gate_load_tls(gate, config, err);
	if (gate->tls == NULL ||
	    !find_postfix_user(config, &gate->postfix, err) ||
	    !gate_listen(gate, err))
		return false;
	/* Said before a customer's mail waits for it. */
	if (!inner_can_verify(err))
		log_say(CONFIG_LOG_ERROR, NULL, "inner", "%s", err->text);
	/* Ports are bound: root is not needed any more. */
	service_user_make_run_dir(config);
	if (!service_user_become(config, err) || !take_signals(gate, err))
		return false;
	/* The kernel forgets it when the user changes (prctl(2)). */
	prctl(PR_SET_DUMPABLE, 0);
	return true;
}

/*
 * Reload
 */

/* Calls that are turned go on under the account of the same name; all others
 * know the old configuration, and are asked to call again. */
static void
move_calls(struct gate *gate, const struct provider_config *before)
{
	gate->seats = new_seats(gate->config->accounts_count);
	for (size_t i = 0; i < gate->calls_max; i++) {
		struct call *call = &gate->calls[i];
		long account = NOBODY;
		if (call->pid == 0)
			continue;
		/* Told at an earlier reload, with a reason of its own. */
		if (call->leaving && call->account == NOBODY)
			continue;
		if (call->account != NOBODY)
			account = gate_find_account(
			    gate, before->accounts[call->account].name);
		if (account == NOBODY ||
		    gate->places[i].state != PLACE_TURNED) {
			bool removed =
			    account == NOBODY && call->account != NOBODY;
			gate_stop_call(gate, (long)i,
			    removed ? PLACE_REMOVED : PLACE_RELOAD);
			account = NOBODY;
		} else {
			gate->seats[account].holder = (long)i;
		}
		call->account = account;
	}
}

static void
reload_gate(struct gate *gate)
{
	struct provider_config *before = gate->config;
	struct seat *seats = gate->seats;
	struct error err;

	notify_reloading();
	struct provider_config *config =
	    provider_config_load(gate->config_path);
	bool good = provider_config_report(config, true);
	struct tls_server *tls =
	    good ? gate_load_tls(gate, config, &err) : NULL;
	if (tls != NULL && !find_postfix_user(config, &gate->postfix, &err)) {
		tls_server_free(tls);
		tls = NULL;
	}
	if (tls != NULL) {
		tls_server_free(gate->tls);
		gate->tls = tls;
		gate->config = config;
		table_read(&gate->table, config);
		gate_refuse_early(gate); /* its accounts are numbers */
		move_calls(gate, before);
		raise_limit(gate);
		free(seats);
		provider_config_free(before);
		log_say(CONFIG_LOG_INFO, NULL, "reload",
		    "the configuration was read again");
	} else {
		if (good)
			log_say(
			    CONFIG_LOG_ERROR, NULL, "reload", "%s", err.text);
		provider_config_free(config);
		log_say(CONFIG_LOG_ERROR, NULL, "reload",
		    "the configuration stays as it was");
	}
	gate->changed = true;
	notify_send("READY=1");
}

/*
 * The loop
 */

/* Nobody comes in any more. Whoever calls meanwhile waits in systemd's socket for
 * the next program; Postfix keeps its mail until the customer has called there. */
static void
close_ports(struct gate *gate)
{
	for (size_t i = 0; i < gate->listeners_count; i++)
		close(gate->listeners[i].fd);
	gate->listeners_count = 0;
	if (gate->inner >= 0)
		close(gate->inner);
	gate->inner = -1;
}

static void
stop_all(struct gate *gate)
{
	gate->stopping = true;
	notify_send("STOPPING=1");
	close_ports(gate);
	gate_refuse_early(gate);
	for (size_t i = 0; i < gate->calls_max; i++)
		if (gate->calls[i].pid != 0)
			kill(gate->calls[i].pid, SIGTERM);
}

static void
reap_desk(struct gate *gate)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool told = gate_end_call(gate, pid);
		bool by_us = told && WIFSIGNALED(status) &&
			     (WTERMSIG(status) == SIGTERM ||
				 WTERMSIG(status) == SIGKILL);
		if (WIFSIGNALED(status) && !by_us)
			log_say(CONFIG_LOG_ERROR, NULL, "died",
			    "the process of a connection died of signal %d",
			    WTERMSIG(status));
	}
}

static void
read_signals(struct gate *gate)
{
	struct signalfd_siginfo info;

	while (
	    read(gate->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap_desk(gate);
		else if (info.ssi_signo == SIGHUP)
			reload_gate(gate);
		else if (!gate->stopping)
			stop_all(gate);
	}
}

static size_t
gather(const struct gate *gate, struct pollfd *fds)
{
	bool closed = gate->accept_next > clock_ms();
	size_t count = 0;

	fds[count++] = (struct pollfd){.fd = gate->signals, .events = POLLIN};
	fds[count++] =
	    (struct pollfd){.fd = closed ? -1 : gate->inner, .events = POLLIN};
	for (size_t i = 0; i < gate->listeners_count; i++)
		fds[count++] =
		    (struct pollfd){.fd = closed ? -1 : gate->listeners[i].fd,
			.events = POLLIN};
	for (size_t i = 0; i < gate->calls_max; i++)
		fds[count++] = (struct pollfd){
		    .fd = gate->calls[i].pid != 0 ? gate->calls[i].desk : -1,
		    .events = POLLIN};
	return count;
}

static void
serve_ready(struct gate *gate, struct pollfd *fds)
{
	struct pollfd *calls = fds + 2 + gate->listeners_count;

	/* Who leaves comes before who arrives. */
	for (size_t i = 0; i < gate->calls_max; i++)
		if (calls[i].revents != 0 && gate->calls[i].pid != 0 &&
		    !gate_take_notes(gate, (long)i)) {
			/* Its end is told by SIGCHLD; a closed pair would wake
			 * us until then. */
			close(gate->calls[i].desk);
			gate->calls[i].desk = -1;
		}
	if (fds[0].revents != 0)
		read_signals(gate);
	if (fds[1].revents != 0)
		gate_accept_inner(gate);
	for (size_t i = 0; i < gate->listeners_count; i++)
		if (fds[2 + i].revents != 0)
			gate_accept(gate, &gate->listeners[i]);
}

static void
tell_others(struct gate *gate)
{
	gate_write_status(gate);
	gate_write_metrics(gate);
	gate->changed = false;
	gate->status_next = clock_ms() + STATUS_EVERY_MS;
}

static int
patience(struct gate *gate)
{
	int64_t now = clock_ms(), next = gate_look_at_waiters(gate);
	int64_t early = gate_look_at_early(gate);

	if (early < next)
		next = early;
	if (gate->changed && now >= gate->status_next)
		tell_others(gate);
	if (gate->changed && gate->status_next < next)
		next = gate->status_next;
	if (gate->accept_next > now && gate->accept_next < next)
		next = gate->accept_next;
	if (next == INT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

static bool
has_calls(const struct gate *gate)
{
	for (size_t i = 0; i < gate->calls_max; i++)
		if (gate->calls[i].pid != 0)
			return true;
	return false;
}

static void
serve_gate(struct gate *gate)
{
	size_t room = 2 + GATE_LISTENERS_MAX + gate->calls_room;
	struct pollfd *fds = xcalloc(room, sizeof *fds);
	int64_t end = INT64_MAX;

	while (!gate->stopping || (has_calls(gate) && clock_ms() < end)) {
		int wait = patience(gate);
		if (gate->stopping && end == INT64_MAX)
			end = clock_ms() + DESK_STOP_MS;
		if (gate->stopping)
			wait = STATUS_EVERY_MS;
		nfds_t count = gather(gate, fds);
		if (poll(fds, count, wait) > 0)
			serve_ready(gate, fds);
	}
	free(fds);
}

static void
close_gate(struct gate *gate)
{
	close_ports(gate);
	if (gate->signals >= 0)
		close(gate->signals);
	tls_server_free(gate->tls);
	places_free(gate->places, gate->calls_room);
	free(gate->calls);
	free(gate->seats);
	table_clear(&gate->table);
	provider_config_free(gate->config);
}

int
gate_run(const struct gate_options *options)
{
	struct gate gate = {.config = options->config,
	    .config_path = options->config_path,
	    .inner = -1,
	    .signals = -1,
	    .changed = true};
	struct error err;
	int status = EX_OK;

	if (set_up(&gate, &err)) {
		/* Who waits for us to be ready may ask for it at once. */
		tell_others(&gate);
		notify_send("READY=1");
		serve_gate(&gate);
		gate_remove_status(&gate);
	} else {
		log_say(CONFIG_LOG_ERROR, NULL, "start", "%s", err.text);
		status = error_exit_status(err.class);
	}
	close_gate(&gate);
	return status;
}
