/* SPDX-License-Identifier: ISC */
/*
 * The property test of the whole serve loop:
 *
 *	property [--seconds N] [--seed N]
 *
 * Worlds by chance, each from its seed, until the time is over. --seed tells
 * the story of one. Its last line is "property: N passed, N failed, 0 skipped".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
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

enum {
	CALLS_MAX = 5, /* fruitless ones of a session, as agent/session has */
	TROUBLED_SESSIONS = 12,
	/* Groups are let in by chance, so that some worlds take long. */
	CALM_SESSIONS = 250,
	WAITS_MAX = 1000000, /* of a session: it does not end */
	FAILURES_MAX = 5,
	ANSWER_TIME = 60 * 1000,
	MINUTE = 60 * 1000,
};

#define UNIX_TIME INT64_C(1800000000000)

struct world *the_world;
/* In memory where that can be: fsync(2) of a disk takes most of the time. */
static char shared[] = "/dev/shm/odmr.XXXXXX", temporary[] = "/tmp/odmr.XXXXXX";
static char *top = shared;

/*
 * The clock and the only wait of the agent (ld --wrap)
 */

int64_t __wrap_clock_ms(void);
int64_t __wrap_clock_unix_ms(void);
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
	tell(the_world, NO_MESSAGE, "log: %s: %s", event, text);
}

void
__wrap_log_end(struct log_line *line)
{
	if (line->on)
		tell(the_world, NO_MESSAGE, "log: %.*s",
		    (int)buf_len(&line->buf), buf_data(&line->buf));
	buf_clear(&line->buf);
}

static void
read_file(const char *path, struct buf *into)
{
	char piece[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf_reset(into);
	while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
		put(into, piece, (size_t)n);
	if (fd >= 0)
		close(fd);
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

static void look_into_maildirs(struct world *w, bool dead);

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
	look_into_maildirs(w, false);
	read_file(ledger_path(w, path), &w->ledger);
	w->provider.lost = true;
	provider_close(w);
	for (size_t i = 0; i < w->config.deliveries_count; i++) {
		for (size_t k = 0; k < CONNS; k++)
			forget_unread(w, &w->services[i].conns[k]);
		service_close(w, &w->services[i]);
	}
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
 * The world
 */

unsigned
chance(struct world *w, unsigned below)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->random >> 33) % below;
}

void
put(struct buf *buf, const void *data, size_t len)
{
	if (!buf_append(buf, data, len))
		abort();
}

void
say(struct buf *buf, const char *format, ...)
{
	char text[500];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put(buf, text, (size_t)len);
}

static void
make_folder(const char *format, ...)
{
	char path[200];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof path, format, args);
	va_end(args);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		abort();
}

static void
make_delivery(struct world *w, size_t i)
{
	struct config_delivery *delivery = &w->deliveries[i];
	struct service *service = &w->services[i];
	unsigned kind = chance(w, 5);

	*service = (struct service){.index = i, .fd = -1};
	for (size_t k = 0; k < CONNS; k++)
		service->conns[k].fd = -1;
	service->lmtp = kind < 2;
	service->pipelining = chance(w, 2) != 0;
	service->lf_only = chance(w, 5) == 0;
	snprintf(service->path, sizeof service->path, "%s/s%u", w->folder,
	    (unsigned)i);
	snprintf(w->names[i], sizeof w->names[i], "d%zu", i);
	snprintf(w->paths[i], sizeof w->paths[i],
	    kind == 4 ? "%s/m%zu/{user}" : "%s/s%zu", w->folder, i);
	*delivery = (struct config_delivery){.name = w->names[i],
	    .kind = kind < 2    ? CONFIG_LMTP
		    : kind == 4 ? CONFIG_MAILDIR
				: CONFIG_SMTP,
	    .path = w->paths[i],
	    .collect = kind % 2 != 0,
	    .sync = true,
	    .timeout = ANSWER_TIME};
	if (kind != 4)
		return;
	/* With nothing below it, it would be a mount point without its disk. */
	make_folder("%s/m%zu", w->folder, i);
	make_folder("%s/m%zu/spare", w->folder, i);
	make_folder("%s/m%zu/spare/tmp", w->folder, i);
	make_folder("%s/m%zu/spare/new", w->folder, i);
	make_folder("%s/m%zu/spare/cur", w->folder, i);
}

static void
make_box(struct world *w, size_t i)
{
	struct box *box = &w->boxes[i];
	size_t to = i % w->config.deliveries_count;

	*box = (struct box){.delivery = to,
	    .policy = chance(w, 2) ? (enum policy)chance(w, POLICIES)
				   : POLICY_ACCEPTS,
	    .until = MINUTE * (int64_t)chance(w, 3000)};
	snprintf(box->user, sizeof box->user, "u%zu", i);
	snprintf(w->patterns[i], sizeof w->patterns[i], "u%zu@*", i);
	w->pattern_items[i] = w->patterns[i];
	w->routes[i] = (struct config_route){
	    .recipients = {.items = &w->pattern_items[i], .count = 1},
	    .deliver = w->names[to],
	    .delivery = to};
	if (w->deliveries[to].kind != CONFIG_MAILDIR ||
	    box->policy == POLICY_UNKNOWN)
		return;
	make_folder("%s/m%zu/%s", w->folder, to, box->user);
	make_folder("%s/m%zu/%s/tmp", w->folder, to, box->user);
	make_folder("%s/m%zu/%s/new", w->folder, to, box->user);
	make_folder("%s/m%zu/%s/cur", w->folder, to, box->user);
}

static void
make_message(struct world *w, size_t i)
{
	struct message *m = &w->messages[i];

	*m = (struct message){.sized = chance(w, 3) != 0,
	    .boxes = 1 + chance(w, (1 << BOXES) - 1)};
	if (chance(w, 3) == 0)
		m->boxes = 1u << chance(w, BOXES);
	m->next_try = MINUTE * (int64_t)chance(w, 600);
	for (unsigned box = 0; box < BOXES; box++)
		m->refused[box] = w->boxes[box].policy == POLICY_UNKNOWN &&
				  w->deliveries[w->boxes[box].delivery].kind ==
				      CONFIG_MAILDIR;
	text_make(w, i);
	/* The first may be empty, and so is known by its sender. */
	if (i == 0)
		snprintf(m->sender, sizeof m->sender, "first@y.example");
	else if (chance(w, 8) != 0)
		snprintf(
		    m->sender, sizeof m->sender, "s%u@y.example", chance(w, 2));
}

static void
world_init(struct world *w, uint64_t seed, bool verbose)
{
	static const char *const accepted[] = {"x.example", NULL};

	memset(w, 0, sizeof *w);
	the_world = w;
	w->seed = seed;
	w->verbose = verbose;
	w->random = seed * 2654435761u + 1;
	(void)chance(w, 2);
	w->now = MINUTE;
	w->provider.fd = -1;
	w->guilty = NO_MESSAGE;
	buf_init(&w->ledger, 1 << 24);
	snprintf(w->folder, sizeof w->folder, "%s/%llu", top,
	    (unsigned long long)seed);
	make_folder("%s", w->folder);
	w->config = (struct config){.hostname = "agent.example.org",
	    .state_dir = w->folder,
	    .spool_dir = w->folder,
	    .accounts = &w->account,
	    .accounts_count = 1,
	    .deliveries = w->deliveries,
	    .deliveries_count = 1 + chance(w, DELIVERIES),
	    .routes = w->routes,
	    .routes_count = BOXES};
	w->account = (struct config_account){.name = "office",
	    .accept = {.items = accepted, .count = 1},
	    .delivery = w->config.deliveries_count == 1 ? 0 : CONFIG_BY_ROUTES,
	    .drain = true,
	    .soft_bounce = chance(w, 5) == 0 ? CONFIG_SOFT_BOUNCE_AUTO
					     : CONFIG_SOFT_BOUNCE_NO,
	    .provider_timeout = 10 * MINUTE,
	    .session_timeout = 120 * MINUTE};
	for (size_t i = 0; i < w->config.deliveries_count; i++)
		make_delivery(w, i);
	for (size_t i = 0; i < BOXES; i++)
		make_box(w, i);
	w->message_count = 1 + chance(w, MESSAGES);
	for (size_t i = 0; i < w->message_count; i++)
		make_message(w, i);
}

static void
remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char below[600];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
		if (unlink(below) != 0)
			remove_tree(below);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

static void
world_clear(struct world *w)
{
	for (size_t i = 0; i < w->message_count; i++) {
		buf_clear(&w->messages[i].wire);
		buf_clear(&w->messages[i].want);
	}
	buf_clear(&w->ledger);
	remove_tree(w->folder);
}

/*
 * What is in the Maildirs
 */

static void
look_at_file(struct world *w, unsigned box, const char *path)
{
	struct buf file;

	buf_init(&file, 1 << 23);
	read_file(path, &file);
	/* In files lines end in LF. */
	struct buf text;
	buf_init(&text, 1 << 24);
	for (size_t i = 0; i < buf_len(&file); i++) {
		if (buf_data(&file)[i] == '\n')
			put(&text, "\r", 1);
		put(&text, buf_data(&file) + i, 1);
	}
	int message = text_find(w, NULL, buf_data(&text), buf_len(&text));
	if (message == NO_MESSAGE)
		blame(w, NO_MESSAGE, "%s has a file that nobody sent: %s",
		    w->boxes[box].user, path);
	else
		model_delivered(w, message, box);
	buf_clear(&file);
	buf_clear(&text);
}

static void
look_into(struct world *w, unsigned box, const char *folder, bool dead)
{
	char path[500];
	const struct box *b = &w->boxes[box];

	snprintf(path, sizeof path, "%s/m%zu/%s/%s", w->folder, b->delivery,
	    b->user, folder);
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t len = strlen(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path + len, sizeof path - len, "/%s", entry->d_name);
		if (!dead && folder[0] == 't')
			blame(w, NO_MESSAGE, "this is left: %s", path);
		else if (!dead)
			look_at_file(w, box, path);
		unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
}

void
maildir_look(struct world *w, unsigned box)
{
	if (w->deliveries[w->boxes[box].delivery].kind == CONFIG_MAILDIR)
		look_into(w, box, "new", false);
}

/* dead: what came after the kill never was. */
static void
look_into_maildirs(struct world *w, bool dead)
{
	bool under_way = w->killed && !dead;

	for (unsigned i = 0; i < BOXES; i++) {
		if (w->deliveries[w->boxes[i].delivery].kind != CONFIG_MAILDIR)
			continue;
		look_into(w, i, "new", dead);
		if (!under_way)
			look_into(w, i, "tmp", dead);
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
	bool more = true;
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

static void
session(struct world *w, struct history *history)
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
	    &w->config, &w->account, "agent.example.org", w->verbose);
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
	look_into_maildirs(w, w->killed);
	if (lowest_descriptor() != lowest)
		blame(w, NO_MESSAGE, "a descriptor is left open");
}

/* true: nothing was wrong. */
static bool
run(struct world *w, uint64_t seed, bool verbose)
{
	struct history history;

	world_init(w, seed, verbose);
	history_init(&history);
	for (int i = 0; i < TROUBLED_SESSIONS && w->fault[0] == '\0'; i++) {
		w->now += MINUTE * (5 + (int64_t)chance(w, 240));
		session(w, &history);
	}
	w->calm = true;
	for (int i = 0; i < CALM_SESSIONS && w->fault[0] == '\0' &&
			!model_is_done(w, false);
	     i++) {
		w->now += MINUTE * (90 + (int64_t)chance(w, 200));
		session(w, &history);
	}
	(void)model_is_done(w, true);
	history_clear(&history);
	world_clear(w);
	return w->fault[0] == '\0';
}

static void
report(struct world *w)
{
	uint64_t seed = w->seed;

	printf("FAIL seed %llu, message %d: %s\n", (unsigned long long)seed,
	    w->guilty, w->fault);
	printf("the whole story: property --seed %llu\n",
	    (unsigned long long)seed);
	fflush(stdout);
}

static int64_t
real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
run_until(struct world *w, int64_t end)
{
	unsigned long long passed = 0, failed = 0, sessions = 0, mails = 0;
	int64_t begun = real_ms();

	for (uint64_t seed = 1;
	     failed < FAILURES_MAX && (seed == 1 || real_ms() < end); seed++) {
		if (run(w, seed, false)) {
			passed++;
		} else {
			failed++;
			report(w);
		}
		sessions += w->sessions;
		mails += w->transactions;
	}
	printf("%llu sessions, %llu transactions, %lld ms\n", sessions, mails,
	    (long long)(real_ms() - begun));
	printf(
	    "property: %llu passed, %llu failed, 0 skipped\n", passed, failed);
	return failed > 0;
}

int
main(int argc, char **argv)
{
	static struct world world;
	long seconds = 10, seed = 0;
	int status;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			seconds = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtol(argv[i + 1], NULL, 10);
	}
	if (mkdtemp(top) == NULL && mkdtemp(top = temporary) == NULL) {
		perror(top);
		return 1;
	}
	if (seed > 0) {
		status = !run(&world, (uint64_t)seed, true);
		printf("property: %d passed, %d failed, 0 skipped\n", !status,
		    status);
	} else {
		status = run_until(&world, real_ms() + seconds * 1000);
	}
	remove_tree(top);
	return status;
}
