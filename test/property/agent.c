/* SPDX-License-Identifier: ISC */
/* Sessions of the agent, who can be killed, and the only wait that it has. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/transcript.h"
#include "ledger/ledger.h"
#include "net/stream.h"
#include "record/history.h"
#include "session/destinations.h"
#include "session/serve.h"
#include "session/soft_bounce.h"
#include "tell/log.h"
#include "world.h"

/* linux/sockios.h, which not every C library has */
#define OUTPUT_LEFT 0x5411
#define UNIX_TIME   INT64_C(1800000000000)

enum {
	CALLS_MAX = 4, /* fruitless ones of a session, as session/ has */
	WAITS_MAX = 1000000, /* of a session: it does not end */
};

/*
 * The clock and the only wait of the agent (ld --wrap)
 */

int64_t __wrap_clock_ms(void);
int64_t __wrap_clock_unix_ms(void);
enum deadline_result __wrap_deadline_wait_beside(
    const struct deadline *deadline, int fd, short events, int beside,
    bool *spoke);
enum deadline_result __wrap_deadline_wait(
    const struct deadline *deadline, int fd, short events);
void __wrap_log_say(enum config_log_level level, const char *account,
    const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void __wrap_log_end(struct log_line *line);

int64_t
__wrap_clock_ms(void)
{
	return the_world->now;
}

int64_t
__wrap_clock_unix_ms(void)
{
	return UNIX_TIME + the_world->now;
}

void
__wrap_log_say(enum config_log_level level, const char *account,
    const char *event, const char *format, ...)
{
	char text[1000];
	va_list args;

	(void)level, (void)account;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	tell(the_world, OF_DELIVERIES, "log: %s: %s", event, text);
}

void
__wrap_log_end(struct log_line *line)
{
	if (line->on)
		tell(the_world, OF_DELIVERIES, "log: %.*s",
		    (int)buf_len(&line->buf), buf_data(&line->buf));
	buf_clear(&line->buf);
}

static char *
ledger_path(const struct world *w, char out[PATH_SIZE + 32])
{
	snprintf(out, PATH_SIZE + 32, "%s/ledger/office", w->folder);
	return out;
}

/* Answers that lie unread in the agent's sockets die with it. */
static void
forget_unread(struct world *w, struct conn *c)
{
	int left = 0;

	if (c->fd < 0 || ioctl(c->fd, OUTPUT_LEFT, &left) != 0 || left == 0)
		return;
	for (unsigned i = 0; i < c->given_count; i++)
		model_unheard(w, &c->given[i]);
	c->given_count = 0;
}

/*
 * What the agent did until now is all that it ever does: the rest of its
 * session finds every connection closed, and what it writes is put back.
 */
static void
kill_agent(struct world *w)
{
	char path[PATH_SIZE + 32];

	tell(w, NO_MESSAGE, "the agent is killed");
	w->killed = true;
	maildirs_look(w, false);
	read_file(ledger_path(w, path), &w->ledger);
	w->provider.lost = true;
	provider_close(w);
	for (size_t i = 0; i < w->config.deliveries_count; i++) {
		for (size_t k = 0; k < CONNS; k++)
			forget_unread(w, &w->services[i].conns[k]);
		service_close(w, &w->services[i]);
	}
}

static bool
is_readable(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) > 0;
}

enum deadline_result
__wrap_deadline_wait_beside(const struct deadline *deadline, int fd,
    short events, int beside, bool *spoke)
{
	enum deadline_result result =
	    __wrap_deadline_wait(deadline, fd, events);

	*spoke = is_readable(beside);
	return result;
}

enum deadline_result
__wrap_deadline_wait(const struct deadline *deadline, int fd, short events)
{
	struct world *w = the_world;

	if (++w->waits == w->kill_at)
		kill_agent(w);
	if (w->waits > WAITS_MAX) {
		blame(w, NO_MESSAGE, "the session does not end");
		w->now = deadline->at;
	}
	for (;;) {
		struct pollfd pollfd = {.fd = fd, .events = events};
		int64_t timer = deadline->at;
		if (poll(&pollfd, 1, 0) > 0)
			return DEADLINE_READY;
		if (w->now >= deadline->at)
			return DEADLINE_OVER;
		bool moved = provider_step(w, &timer);
		if (!services_step(w, &timer) && !moved)
			w->now = timer;
	}
}

/*
 * Sessions
 */

static int64_t
ledger_time(void *context)
{
	return (UNIX_TIME + ((struct world *)context)->now) / 1000;
}

static void
ledger_chance(void *context, void *out, size_t len)
{
	unsigned char *octets = out;

	for (size_t i = 0; i < len; i++)
		octets[i] = (unsigned char)chance(context, 256);
}

struct agent {
	struct ledger *ledger;
	struct destinations *destinations;
	struct soft_bounce *soft;
	struct tally tally;
	uint64_t size_max;
};

/* One call; false: no further one. */
static bool
call(struct world *w, struct agent *agent, unsigned *fruitless)
{
	static struct transcript silent;
	struct serve_result result;
	uint64_t news = agent->tally.news;
	uint64_t deferrals = agent->tally.deferrals;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		fds) != 0)
		abort();
	provider_connect(w, fds[0]);
	struct serve_options options = {.config = &w->config,
	    .account = &w->account,
	    .destinations = agent->destinations,
	    .ledger = agent->ledger,
	    .tally = &agent->tally,
	    .stream = stream_new(fds[1]),
	    .hostname = "agent.example.org",
	    .peer_addr = "192.0.2.1",
	    .session_id = "SESSION",
	    .size_max = agent->size_max,
	    .session_end = w->now + w->account.session_timeout,
	    .soft_bounce = agent->soft,
	    .early = "",
	    .silence = 5 * MINUTE,
	    .transcript = &silent};
	serve_run(&options, &result);
	stream_free(options.stream);
	for (int64_t timer = INT64_MAX; provider_step(w, &timer);)
		timer = INT64_MAX;
	provider_close(w);
	tell(w, NO_MESSAGE, "the call is over: %s", result.error.text);
	if (result.end == RECEIVER_BROKEN)
		blame(w, NO_MESSAGE, "an honest provider is told 421");
	if (w->killed || result.error.class == ERROR_LOCAL || !result.mail_seen)
		return false;
	if (agent->tally.news > news) {
		*fruitless = 0;
		return true;
	}
	return agent->tally.deferrals > deferrals && ++*fruitless < CALLS_MAX;
}

/* Where every answer was read, both counted the same. */
static void
compare_tally(struct world *w, const struct tally *tally)
{
	const struct provider *p = &w->provider;

	if (tally->messages != p->texts || tally->recipients != p->told_2xx ||
	    tally->refused != p->told_5xx || tally->deferrals != p->told_4xx)
		blame(w, NO_MESSAGE,
		    "the tally has %llu messages, %llu recipients, %llu "
		    "refused, %llu deferred; the provider %llu, %llu, %llu, "
		    "%llu",
		    (unsigned long long)tally->messages,
		    (unsigned long long)tally->recipients,
		    (unsigned long long)tally->refused,
		    (unsigned long long)tally->deferrals,
		    (unsigned long long)p->texts,
		    (unsigned long long)p->told_2xx,
		    (unsigned long long)p->told_5xx,
		    (unsigned long long)p->told_4xx);
}

static void
calls(struct world *w, struct agent *agent)
{
	struct deadline deadline = deadline_in(MINUTE, 0);
	unsigned fruitless = 0;
	struct error err;
	bool whole = true;

	if (!destinations_probe(
		agent->destinations, &agent->size_max, &deadline, &err)) {
		tell(w, NO_MESSAGE, "no delivery is there: %s", err.text);
		return;
	}
	w->provider.told_2xx = w->provider.told_4xx = 0;
	w->provider.told_5xx = w->provider.texts = 0;
	/* It may have died while it probed. */
	bool more = !w->killed;
	while (more) {
		more = call(w, agent, &fruitless);
		whole &= !w->provider.lost;
	}
	if (whole && !w->killed)
		compare_tally(w, &agent->tally);
}

static void
restore_ledger(struct world *w)
{
	char path[PATH_SIZE + 32];
	int fd = open(ledger_path(w, path),
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, buf_data(&w->ledger), buf_len(&w->ledger)) !=
			  (ssize_t)buf_len(&w->ledger))
		abort();
	close(fd);
}

static int
lowest_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

void
session_run(struct world *w, struct history *history)
{
	struct ledger_options options = {.keep = 14 * 86400,
	    .forget_times = chance(w, 10) == 0,
	    .now = ledger_time,
	    .random = ledger_chance,
	    .context = w,
	    .boot_id = "0123456789abcdef"};
	struct agent agent = {.size_max = 0};
	int lowest = lowest_descriptor();
	struct error err;

	w->sessions++;
	w->waits = 0;
	w->killed = false;
	w->kill_at = !w->calm && chance(w, 5) == 0 ? 1 + chance(w, 60) : 0;
	tell(w, NO_MESSAGE, "session %llu%s", (unsigned long long)w->sessions,
	    w->calm ? ", all is well" : "");
	for (size_t i = 0; i < w->message_count; i++)
		w->messages[i].fruitless = 0;
	for (size_t i = 0; i < w->config.deliveries_count; i++)
		if (w->deliveries[i].kind != CONFIG_MAILDIR &&
		    (w->calm || chance(w, 12) != 0))
			service_open(w, &w->services[i]);
	agent.ledger = ledger_open(w->folder, "office", &options, &err);
	if (agent.ledger == NULL) {
		blame(w, NO_MESSAGE, "no ledger: %s", err.text);
		return;
	}
	agent.destinations = destinations_new(
	    &w->config, &w->account, "agent.example.org", false);
	agent.soft = soft_bounce_new(&w->config, &w->account, history);
	calls(w, &agent);
	if (!w->killed)
		soft_bounce_record(agent.soft, history);
	soft_bounce_free(agent.soft);
	destinations_free(agent.destinations);
	ledger_close(agent.ledger);
	tally_clear(&agent.tally);
	for (size_t i = 0; i < w->config.deliveries_count; i++)
		service_close(w, &w->services[i]);
	if (w->killed)
		restore_ledger(w);
	maildirs_look(w, w->killed);
	if (lowest_descriptor() != lowest)
		blame(w, NO_MESSAGE, "a descriptor is left open");
}
