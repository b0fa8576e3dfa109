/* SPDX-License-Identifier: ISC */
#include "deliver/mailer.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/error.h"
#include "deliver/delivery.h"
#include "net/stream.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "protocol/status.h"

enum {
	LONG_MS = 120 * 1000, /* more than any of this takes */
	SHORT_MS = 100, /* for waits that are meant to end */
};

/* The clocks of the program, which a service can put forward. */
static _Atomic int64_t clock_ahead;

int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + clock_ahead;
}

int64_t
clock_boot_ms(void)
{
	return clock_ms();
}

int64_t
clock_unix_ms(void)
{
	return clock_ms();
}

/*
 * A local service that plays a script, a line for each move:
 *	> LINE		says so; "|" is CRLF
 *	<		reads a line, and notes it
 *	<.		reads lines up to a single dot, and notes them
 *	<eof		reads up to the end, and notes that nothing came: "eof"
 *	close		closes; what follows is played on the next connection
 *	flood		1 MB of reply lines, as far as the other side reads
 *	many N		reads N lines, and says a long 250 to each, with so small
 *			a buffer that it stops until somebody reads them
 *	<count		as "<.", but notes the octets alone
 *	wait		until the test says so
 *	later N		N seconds go by
 *	greet		greeting and LHLO or EHLO, not noted, with PIPELINING
 */
struct service {
	const char *script;
	char folder[32];
	char path[48];
	int listener, fd;
	FILE *in;
	char heard[65536]; /* lines, '|' behind each; "(" begins a connection */
	size_t heard_len;
	pthread_t thread;
	bool joined;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool go_on;
	bool waits; /* it has come to a "wait" */
};

static void
note(struct service *service, const char *text)
{
	size_t len = strlen(text);

	if (len < sizeof service->heard - service->heard_len) {
		memcpy(service->heard + service->heard_len, text, len + 1);
		service->heard_len += len;
	}
}

static bool
next_line(struct service *service, char *line, size_t size)
{
	if (fgets(line, (int)size, service->in) == NULL)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	return true;
}

static void
hear(struct service *service)
{
	char line[2000];

	note(service, next_line(service, line, sizeof line) ? line : "eof");
	note(service, "|");
}

static void
hear_text(struct service *service)
{
	char line[2000];

	while (next_line(service, line, sizeof line)) {
		note(service, line);
		note(service, "|");
		if (strcmp(line, ".") == 0)
			return;
	}
	note(service, "eof|");
}

static void
say(struct service *service, const char *text, size_t len)
{
	char out[2000];
	size_t n = 0;

	for (; len > 0; text++, len--) {
		if (*text == '|')
			out[n++] = '\r';
		out[n++] = *text == '|' ? '\n' : *text;
	}
	out[n++] = '\r';
	out[n++] = '\n';
	while (send(service->fd, out, n, MSG_NOSIGNAL) < 0)
		return;
}

static void
hang_up(struct service *service)
{
	if (service->in != NULL)
		fclose(service->in);
	service->in = NULL;
	service->fd = -1;
}

static void
pick_up(struct service *service)
{
	service->fd = accept(service->listener, NULL, NULL);
	if (service->fd < 0)
		return;
	service->in = fdopen(service->fd, "r");
	note(service, "(");
}

static void
flood(struct service *service)
{
	char line[1024];

	memset(line, 'x', sizeof line);
	memcpy(line, "250-", 4);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	for (int i = 0; i < 1024; i++)
		if (send(service->fd, line, sizeof line, MSG_NOSIGNAL) < 0)
			return;
}

static void
answer_many(struct service *service, int count)
{
	int size = 1;
	char line[2000], reply[400];

	setsockopt(service->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	memset(reply, 'x', sizeof reply);
	memcpy(reply, "250 ", 4);
	while (count-- > 0 && next_line(service, line, sizeof line))
		say(service, reply, sizeof reply);
}

static void
count_text(struct service *service)
{
	char line[2000];
	unsigned long count = 0;

	while (fgets(line, sizeof line, service->in) != NULL &&
	       strcmp(line, ".\r\n") != 0)
		count += strlen(line);
	snprintf(line, sizeof line, "%lu|", count);
	note(service, line);
}

static void
play_line(struct service *service, const char *line, size_t len)
{
	char ignored[2000];

	if (len > 2 && line[0] == '>')
		say(service, line + 2, len - 2);
	else if (strncmp(line, "<\n", 2) == 0)
		hear(service);
	else if (strncmp(line, "<.", 2) == 0)
		hear_text(service);
	else if (strncmp(line, "<eof", 4) == 0)
		note(service, next_line(service, ignored, sizeof ignored)
				  ? ignored
				  : "eof|");
	else if (strncmp(line, "close", 5) == 0)
		hang_up(service);
	else if (strncmp(line, "<count", 6) == 0)
		count_text(service);
	else if (strncmp(line, "many ", 5) == 0)
		answer_many(service, (int)strtol(line + 5, NULL, 10));
	else if (strncmp(line, "later ", 6) == 0)
		clock_ahead += strtoll(line + 6, NULL, 10) * 1000;
	else if (strncmp(line, "flood", 5) == 0)
		flood(service);
	else if (strncmp(line, "greet", 5) == 0) {
		say(service, "220 local", 9);
		next_line(service, ignored, sizeof ignored);
		say(service, "250-local|250 PIPELINING", 24);
	} else if (strncmp(line, "wait", 4) == 0) {
		pthread_mutex_lock(&service->mutex);
		service->waits = true;
		pthread_cond_broadcast(&service->cond);
		while (!service->go_on)
			pthread_cond_wait(&service->cond, &service->mutex);
		service->go_on = false;
		pthread_mutex_unlock(&service->mutex);
	}
}

static void *
serve(void *context)
{
	struct service *service = context;

	for (const char *at = service->script; *at != '\0';) {
		size_t len = strcspn(at, "\n");
		if (service->fd < 0)
			pick_up(service);
		if (service->fd < 0)
			break;
		play_line(service, at, len);
		at += len + 1;
	}
	hang_up(service);
	return NULL;
}

static void
service_start(struct service *service, const char *script)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*service = (struct service){.script = script,
	    .fd = -1,
	    .mutex = PTHREAD_MUTEX_INITIALIZER,
	    .cond = PTHREAD_COND_INITIALIZER};
	snprintf(service->folder, sizeof service->folder, "/tmp/mailer-XXXXXX");
	assert_non_null(mkdtemp(service->folder));
	snprintf(service->path, sizeof service->path, "%s/s", service->folder);
	snprintf(
	    address.sun_path, sizeof address.sun_path, "%s", service->path);
	service->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(service->listener, (struct sockaddr *)&address,
			     sizeof address),
	    0);
	assert_int_equal(listen(service->listener, 4), 0);
	assert_int_equal(
	    pthread_create(&service->thread, NULL, serve, service), 0);
}

static void
service_go_on(struct service *service)
{
	pthread_mutex_lock(&service->mutex);
	service->go_on = true;
	service->waits = false;
	pthread_cond_broadcast(&service->cond);
	pthread_mutex_unlock(&service->mutex);
}

/* Until it waits. */
static void
service_await(struct service *service)
{
	pthread_mutex_lock(&service->mutex);
	while (!service->waits)
		pthread_cond_wait(&service->cond, &service->mutex);
	pthread_mutex_unlock(&service->mutex);
}

/* Until the script is played. */
static void
service_join(struct service *service)
{
	if (!service->joined)
		pthread_join(service->thread, NULL);
	service->joined = true;
}

/* After this, what it heard can be looked at. */
static void
service_end(struct service *service)
{
	shutdown(service->listener, SHUT_RDWR);
	service_join(service);
	close(service->listener);
	unlink(service->path);
	rmdir(service->folder);
}

enum { PATHS = 1000 };
static struct path sender_path = {.mailbox = "a@b.example", .local_len = 1};
static struct recipient recipients[PATHS];
static const struct recipient *rcpts[PATHS];

/* The longer the domain, the more there is to write. */
static void
name_recipients(const char *domain)
{
	for (int i = 0; i < PATHS; i++) {
		int len = snprintf(recipients[i].path.mailbox,
		    sizeof recipients[i].path.mailbox, "n%d", i);
		recipients[i].path.local_len = (size_t)len;
		snprintf(recipients[i].path.mailbox + len,
		    sizeof recipients[i].path.mailbox - (size_t)len, "@%s",
		    domain);
		rcpts[i] = &recipients[i];
	}
}

/* How one message is handed over, and what is told of it. */
struct message {
	size_t rcpts;
	bool text_waits;
	const char *text;
	bool abort; /* in place of ready */
	/* Before the text, while the provider is waited for; speaks then. */
	struct service *speaks;
	struct stream *provider; /* which is paired with the delivery */
	int peer; /* the other end of it */
	struct service *joins; /* before ready, where not NULL */
	struct service *joins_late; /* before finish */
	struct service *go_on; /* which waits for the first result */
	bool stops_before_results;
	size_t joined; /* results that came with the one before */
	char told[600]; /* "250 550 / ready / 250 " */
};

static void
tell(struct message *message, const char *word)
{
	size_t len = strlen(message->told);

	snprintf(message->told + len, sizeof message->told - len, "%s ", word);
}

/* Of a crowd only the end is told. */
static void
tell_code(struct message *message, const struct status *status)
{
	char code[16];

	snprintf(code, sizeof code, "%d", status->code);
	if (message->rcpts < 20)
		tell(message, code);
}

static void
tell_results(struct delivery *delivery, struct message *message)
{
	struct deadline long_time = deadline_in(3600 * 1000, 0);
	struct status status;
	size_t rcpt;

	while (delivery->ops->result(delivery, &rcpt, &status, &long_time)) {
		assert_true(rcpt < message->rcpts);
		tell_code(message, &status);
		message->joined += delivery_result_joined(delivery);
		if (message->go_on != NULL)
			service_go_on(message->go_on);
		message->go_on = NULL;
	}
}

/* The service says what it has to say before the wait for the provider's text
 * is over. */
static void
wait_for_provider(const struct message *message)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char octet;

	service_await(message->speaks);
	service_go_on(message->speaks);
	service_await(message->speaks);
	assert_true(stream_write(message->provider, "354", 3, &deadline, &err));
	assert_int_equal(write(message->peer, "x", 1), 1);
	assert_int_equal(
	    stream_read(message->provider, &octet, 1, &deadline, &err), 1);
}

static void
hand_over(struct delivery *delivery, struct message *message)
{
	struct deadline long_time = deadline_in(2 * LONG_MS, 0);
	struct envelope envelope = {
	    .sender = &sender_path, .rcpt = rcpts, .rcpts = message->rcpts};
	struct status status;
	size_t rcpt, taken = 0;

	message->told[0] = '\0';
	delivery->ops->begin(delivery, &envelope);
	for (size_t i = 0; i < message->rcpts; i++)
		delivery->ops->rcpt(delivery, i);
	delivery->ops->send(delivery, message->text_waits);
	while (delivery->ops->answer(delivery, &rcpt, &status, &long_time)) {
		assert_true(rcpt < message->rcpts);
		taken += status.code < 300 ? 1 : 0;
		tell_code(message, &status);
	}
	if (message->speaks != NULL)
		wait_for_provider(message);
	if (taken > 0)
		delivery->ops->body(
		    delivery, message->text, strlen(message->text));
	if (taken == 0 || message->abort) {
		delivery->ops->abort(delivery);
		return;
	}
	if (message->joins != NULL)
		service_join(message->joins);
	if (delivery->ops->ready(delivery, &long_time)) {
		tell(message, "/ ready");
		if (message->joins_late != NULL) {
			service_go_on(message->joins_late);
			service_join(message->joins_late);
		}
		delivery->ops->finish(delivery, &long_time);
	} else {
		tell(message, "/");
	}
	if (!message->stops_before_results)
		tell_results(delivery, message);
}

static struct mailer_options
options_for(const struct service *service)
{
	return (struct mailer_options){
	    .name = "local",
	    .lmtp = true,
	    .path = service->path,
	    .timeout = LONG_MS,
	    .hostname = "me",
	    .spool_dir = "/tmp",
	};
}

static struct delivery *
new_mailer(const struct service *service, bool smtp, int64_t timeout)
{
	struct mailer_options options = options_for(service);

	options.lmtp = !smtp;
	options.timeout = timeout;
	return mailer_new(&options);
}

#define GROUP    "<\n<\n<\n<\n"
#define GROUP_OK GROUP "> 250 ok|250 ok|250 ok|354 go\n"
#define HEARD                                                                  \
	"MAIL FROM:<a@b.example>|RCPT TO:<n0@c.example>|"                      \
	"RCPT TO:<n1@c.example>|DATA|"

/* One message to two recipients, its text waiting. */
struct scenario {
	const char *name;
	bool smtp;
	bool silent; /* the time-out is short, since it will be met */
	bool ends_first; /* the script is played before ready */
	const char *script;
	const char *told;
	const char *heard;
};

static const struct scenario scenarios[] = {
    {"all well", false, false, false,
	"greet\n" GROUP_OK "<.\n> 250 a|250 b\n<\n", "250 250 / ready 250 250 ",
	"(" HEARD "hello|..dot|.|QUIT|"},
    {"one of two", false, false, false,
	"greet\n" GROUP "> 250 ok|550 no|250 ok|354 go\n<.\n> 452 b\n<\n",
	"550 250 / ready 452 ", "(" HEARD "hello|..dot|.|QUIT|"},
    {"none of two", false, false, false,
	"greet\n" GROUP "> 250 ok|550 no|550 no|503 no\n<\n", "550 550 ",
	"(" HEARD "QUIT|"},
    {"smtp, pipelined", true, false, false,
	"greet\n" GROUP_OK "<.\n> 250 queued\n<\n", "250 250 / ready 250 250 ",
	"(" HEARD "hello|..dot|.|QUIT|"},
    {"smtp, in lockstep", true, false, false,
	"> 220 local\n<\n> 250 local\n<\n> 250 ok\n<\n> 250 ok\n<\n> 550 no\n"
	"<\n> 354 go\n<.\n> 250 queued\n<\n",
	"250 550 / ready 250 ", "(EHLO me|" HEARD "hello|..dot|.|QUIT|"},
    {"smtp without EHLO", true, false, false,
	"> 220 local\n<\n> 502 no\n<\n> 250 local\n<\n> 550 no\n<\n",
	"550 550 ", "(EHLO me|HELO me|MAIL FROM:<a@b.example>|QUIT|"},
    {"closes at once", false, false, false, "close\n", "451 451 ", "("},
    {"closes after the greeting", false, false, false, "> 220 local\nclose\n",
	"451 451 ", "("},
    {"refuses service", false, false, false, "> 554 no\n<eof\n", "451 451 ",
	"(eof|"},
    {"closes after LHLO", false, false, false, "greet\nclose\n", "451 451 ",
	"("},
    {"closes after MAIL", false, false, false,
	"greet\n" GROUP "> 250 ok\nclose\n", "451 451 ", "(" HEARD},
    {"closes after the first RCPT", false, false, false,
	"greet\n" GROUP "> 250 ok|250 ok\nclose\n", "250 451 / 451 ",
	"(" HEARD},
    {"closes after DATA", false, false, false,
	"greet\n" GROUP "> 250 ok|250 ok|250 ok\nclose\n", "250 250 / 451 451 ",
	"(" HEARD},
    {"closes after 354", false, false, true, "greet\n" GROUP_OK "close\n",
	"250 250 / 451 451 ", "(" HEARD},
    {"closes after the dot", false, false, false,
	"greet\n" GROUP_OK "<.\nclose\n", "250 250 / ready 451 451 ",
	"(" HEARD "hello|..dot|.|"},
    {"closes after the first result", false, false, false,
	"greet\n" GROUP_OK "<.\n> 250 a\nclose\n", "250 250 / ready 250 451 ",
	"(" HEARD "hello|..dot|.|"},
    {"silent from the start", false, true, false, "<eof\n", "451 451 ",
	"(eof|"},
    {"silent after LHLO", false, true, false, "greet\n" GROUP "<eof\n",
	"451 451 ", "(" HEARD "eof|"},
    {"silent after one RCPT", false, true, false,
	"greet\n" GROUP "> 250 ok|250 ok\n<eof\n", "250 451 / 451 ",
	"(" HEARD "eof|"},
    {"silent after DATA", false, true, false,
	"greet\n" GROUP "> 250 ok|250 ok|250 ok\n<eof\n", "250 250 / 451 451 ",
	"(" HEARD "eof|"},
    {"silent after the dot", false, true, false,
	"greet\n" GROUP_OK "<.\n<eof\n", "250 250 / ready 451 451 ",
	"(" HEARD "hello|..dot|.|eof|"},
    {"one reply in place of two", false, true, false,
	"greet\n" GROUP_OK "<.\n> 552 5.3.4 too big\n<eof\n",
	"250 250 / ready 552 451 ", "(" HEARD "hello|..dot|.|eof|"},
    {"garbage for a greeting", false, false, false, "> hello?\n<eof\n",
	"451 451 ", "(eof|"},
    {"garbage for answers", false, false, false,
	"greet\n" GROUP "> hello?\n<eof\n", "451 451 ", "(" HEARD "eof|"},
    {"garbage for a result", false, false, false,
	"greet\n" GROUP_OK "<.\n> 250 a|hello?\n<eof\n",
	"250 250 / ready 250 451 ", "(" HEARD "hello|..dot|.|eof|"},
    {"354 for a result", false, false, false,
	"greet\n" GROUP_OK "<.\n> 354 go\n<eof\n", "250 250 / ready 451 451 ",
	"(" HEARD "hello|..dot|.|eof|"},
    {"1 MB of greeting", false, false, false, "flood\n<eof\n", "451 451 ",
	"(eof|"},
    {"1 MB of answer", false, false, false, "greet\n" GROUP "flood\n<eof\n",
	"451 451 ", "(" HEARD "eof|"},
    {"1 MB of result", false, false, false,
	"greet\n" GROUP_OK "<.\nflood\n<eof\n", "250 250 / ready 451 451 ",
	"(" HEARD "hello|..dot|.|eof|"},
    {"421 to MAIL", false, false, false,
	"greet\n" GROUP "> 421 4.3.2 down\n<eof\n", "451 451 ",
	"(" HEARD "eof|"},
    {"421 to DATA", false, false, false,
	"greet\n" GROUP "> 250 ok|250 ok|250 ok|421 down\n<eof\n",
	"250 250 / 451 451 ", "(" HEARD "eof|"},
    {"refuses DATA", false, false, false,
	"greet\n" GROUP "> 250 ok|250 ok|250 ok|554 no\n<\n",
	"250 250 / 554 554 ", "(" HEARD "QUIT|"},
    {"asks for the text of nobody", false, false, false,
	"greet\n" GROUP "> 250 ok|550 no|550 no|354 go\n<eof\n", "550 550 ",
	"(" HEARD "eof|"},
    {"refuses the text early", false, false, false,
	"greet\n" GROUP "> 250 ok|250 ok|250 ok|354 go|552 big\n<eof\n",
	"250 250 / 451 451 ", "(" HEARD "eof|"},
};

/* false: not what it says. */
static bool
play(const struct scenario *scenario, int64_t timeout, struct service *service,
    struct message *message)
{
	service_start(service, scenario->script);
	struct delivery *delivery =
	    new_mailer(service, scenario->smtp, timeout);
	hand_over(delivery, message);
	service_go_on(service);
	delivery->ops->free(delivery);
	service_end(service);
	return strcmp(message->told, scenario->told) == 0 &&
	       strcmp(service->heard, scenario->heard) == 0;
}

/* What the service does before it falls silent may take a busy machine longer
 * than a short time-out: then it has ten times as long. */
static void
check_scenario(const struct scenario *scenario, struct message *message)
{
	int64_t timeout = scenario->silent ? SHORT_MS : LONG_MS;
	struct service service;
	bool good;

	message->joins = scenario->ends_first ? &service : NULL;
	do
		good = play(scenario, timeout, &service, message);
	while (!good && (timeout *= 10) < LONG_MS);
	if (!good)
		fail_msg("%s: told \"%s\", heard \"%s\"", scenario->name,
		    message->told, service.heard);
}

static void
test_scenarios(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
		struct message message = {.rcpts = 2,
		    .text_waits = true,
		    .text = "hello\r\n.dot\r\n"};
		check_scenario(&scenarios[i], &message);
		/* SMTP has one reply for both. */
		if (strstr(message.told, "ready 250 250 ") != NULL)
			assert_int_equal(message.joined, scenarios[i].smtp);
	}
}

/* Several messages to one recipient each, over one mailer. */
struct session {
	const char *name;
	const char *script;
	size_t messages;
	bool waits; /* for the service, before the last message */
	bool abort; /* of the first message */
	const char *told; /* of the last message */
	bool gone; /* in the end */
	const char *heard;
};

#define ONE_OK   "<\n<\n<\n> 250 ok|250 ok|354 go\n<.\n> 250 ok\n"
#define ONE      "MAIL FROM:<a@b.example>|RCPT TO:<n0@c.example>|DATA|"
#define ONE_TEXT ONE "x|.|"

static const struct session sessions[] = {
    {"one connection serves them all", "greet\n" ONE_OK ONE_OK "<\n", 2, false,
	false, "250 / ready 250 ", false, "(" ONE_TEXT ONE_TEXT "QUIT|"},
    {"an idle connection that died is opened anew",
	"greet\n" ONE_OK "close\ngreet\n" ONE_OK "<\n", 2, false, false,
	"250 / ready 250 ", false, "(" ONE_TEXT "(" ONE_TEXT "QUIT|"},
    {"also where that shows late",
	"greet\n" ONE_OK "<\n<\n<\nclose\ngreet\n" ONE_OK "<\n", 2, false,
	false, "250 / ready 250 ", false,
	"(" ONE_TEXT ONE "(" ONE_TEXT "QUIT|"},
    {"also after a 421 in its stead",
	"greet\n" ONE_OK "<\n<\n<\n> 421 idle\nclose\ngreet\n" ONE_OK "<\n", 2,
	false, false, "250 / ready 250 ", false,
	"(" ONE_TEXT ONE "(" ONE_TEXT "QUIT|"},
    {"but once only",
	"greet\n" ONE_OK "<\n<\n<\nclose\ngreet\n<\n<\n<\nclose\n", 2, false,
	false, "451 ", false, "(" ONE_TEXT ONE "(" ONE},
    {"a broken one is opened for the next message",
	"greet\n<\n<\n<\n> 250 ok\nclose\ngreet\n" ONE_OK "<\n", 2, false,
	false, "250 / ready 250 ", false, "(" ONE "(" ONE_TEXT "QUIT|"},
    {"a broken one that cannot be opened again",
	"greet\n<\n<\n<\n> 250 ok\nclose\n> 421 down\n", 2, false, false,
	"451 ", true, "(" ONE "("},
    {"an abort amid the text closes",
	"greet\n<\n<\n<\n> 250 ok|250 ok|354 go\n"
	"<.\nclose\ngreet\n" ONE_OK "<\n",
	2, false, true, "250 / ready 250 ", false,
	"(" ONE "eof|(" ONE_TEXT "QUIT|"},
};

static void
test_sessions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++) {
		const struct session *session = &sessions[i];
		struct service service;
		struct message message = {
		    .rcpts = 1, .text_waits = true, .text = "x\r\n"};
		service_start(&service, session->script);
		struct delivery *delivery =
		    new_mailer(&service, false, LONG_MS);
		for (size_t n = 0; n < session->messages; n++) {
			message.abort = session->abort && n == 0;
			hand_over(delivery, &message);
		}
		bool gone = delivery->ops->gone(delivery);
		delivery->ops->free(delivery);
		service_end(&service);
		if (strcmp(message.told, session->told) != 0 ||
		    strcmp(service.heard, session->heard) != 0 ||
		    gone != session->gone)
			fail_msg("%s: told \"%s\", gone %d, heard \"%s\"",
			    session->name, message.told, gone, service.heard);
	}
}

static void
test_many_recipients_at_once(void **state)
{
	char domain[251];
	struct service service;
	struct message message = {.rcpts = PATHS, .text = "x\r\n"};
	(void)state;

	memset(domain, 'd', sizeof domain - 1);
	domain[sizeof domain - 1] = '\0';
	name_recipients(domain);
	service_start(&service, "greet\nmany 1001\n<\n> 354 go\n<.\nclose\n");
	struct delivery *delivery = new_mailer(&service, false, LONG_MS);
	hand_over(delivery, &message);
	delivery->ops->free(delivery);
	service_end(&service);
	name_recipients("c.example");
	assert_string_equal(message.told, "/ ready ");
	assert_string_equal(service.heard, "(DATA|x|.|");
}

/* Text over many buffers, for a service that reads, or does not. */
static const struct scenario long_texts[] = {
    {"read", false, false, false,
	"greet\n" GROUP_OK "<count\n> 250 a|250 b\n<\n",
	"250 250 / ready 250 250 ", "(" HEARD "3000000|QUIT|"},
    {"refused early", false, false, false,
	"greet\n" GROUP_OK "> 552 5.3.4 too big\nwait\n", "250 250 / 451 451 ",
	"(" HEARD},
    {"refused early, and closed", true, false, false,
	"greet\n" GROUP_OK "> 552 5.3.4 too big\nclose\n", "250 250 / 451 451 ",
	"(" HEARD},
    {"not read", false, true, false, "greet\n" GROUP_OK "wait\n",
	"250 250 / 451 451 ", "(" HEARD},
};

static void
test_long_texts(void **state)
{
	char *text = malloc(3000001);
	(void)state;

	for (size_t i = 0; i < 3000000; i += 10)
		memcpy(text + i, "a.b.c.d.\r\n", 11);
	for (size_t i = 0; i < sizeof long_texts / sizeof long_texts[0]; i++) {
		/* The scripts read four lines at once, DATA among them. */
		struct message message = {
		    .rcpts = 2, .text_waits = true, .text = text};
		int64_t began = clock_ms();
		check_scenario(&long_texts[i], &message);
		assert_true(clock_ms() - began < LONG_MS / 2);
	}
	free(text);
}

/* Where the text does not wait, DATA comes with it. */
static void
test_text_later(void **state)
{
	struct service service;
	struct message message = {.rcpts = 2, .text = "x\r\n"};
	(void)state;

	service_start(&service,
	    "greet\n<\n<\n<\n> 250 ok|250 ok|550 no\n<\n> 354 go\n"
	    "<.\n> 250 a\n<\n");
	struct delivery *delivery = new_mailer(&service, false, LONG_MS);
	hand_over(delivery, &message);
	delivery->ops->free(delivery);
	service_end(&service);
	assert_string_equal(message.told, "250 550 / ready 250 ");
	assert_string_equal(service.heard, "(" HEARD "x|.|QUIT|");
}

static void
test_relay_guard(void **state)
{
	static const char *const mailboxes[] = {
	    "victim%t.example", "t!victim", "\"v@t.example\"", "-oQ", "|sh"};
	struct service service;
	struct message message = {
	    .rcpts = 1, .text_waits = true, .text = "x\r\n"};
	(void)state;

	service_start(&service, "close\n");
	struct delivery *delivery = new_mailer(&service, true, LONG_MS);
	for (size_t i = 0; i < sizeof mailboxes / sizeof mailboxes[0]; i++) {
		recipients[0].path =
		    (struct path){.local_len = strlen(mailboxes[i]),
			.quoted = mailboxes[i][0] == '"'};
		snprintf(recipients[0].path.mailbox,
		    sizeof recipients[0].path.mailbox, "%s@c.example",
		    mailboxes[i]);
		hand_over(delivery, &message);
		assert_string_equal(message.told, "553 ");
	}
	delivery->ops->free(delivery);
	service_end(&service);
	assert_string_equal(service.heard, "");
	name_recipients("c.example");
}

/* One recipient's mailbox may be locked for as long as all of them together. */
static void
test_a_later_result_has_the_whole_time(void **state)
{
	struct service service;
	(void)state;

	service_start(&service,
	    "greet\n" GROUP_OK "<.\n> 250 a\nwait\nlater 290\n> 250 b\n<\n");
	struct delivery *delivery = new_mailer(&service, false, 100000);
	struct message message = {
	    .rcpts = 2, .text_waits = true, .text = "x\r\n", .go_on = &service};
	hand_over(delivery, &message);
	delivery->ops->free(delivery);
	service_end(&service);
	assert_string_equal(message.told, "250 250 / ready 250 250 ");
}

/*
 * Between ready and the final dot another delivery may take its time: what the
 * service says then is no answer to a message whose end it has not seen.
 */
static void
test_replies_before_the_final_dot(void **state)
{
	static const char *const replies[] = {"250 2.0.0 fine|250 fine",
	    "554 5.3.2 going down", "421 4.3.2 going down", "250 half"};
	(void)state;

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		char script[200];
		struct service service;
		snprintf(script, sizeof script,
		    "greet\n" GROUP_OK "wait\n> %s\n", replies[i]);
		service_start(&service, script);
		struct delivery *delivery =
		    new_mailer(&service, false, LONG_MS);
		struct message message = {.rcpts = 2,
		    .text_waits = true,
		    .text = "x\r\n",
		    .joins_late = &service};
		hand_over(delivery, &message);
		delivery->ops->free(delivery);
		service_end(&service);
		assert_string_equal(message.told, "250 250 / ready 451 451 ");
	}
}

/* The same of what it says while the provider is waited for. */
static void
test_replies_while_the_provider_is_waited_for(void **state)
{
	static const char *const replies[] = {"250 2.0.0 fine|250 fine",
	    "554 5.3.2 going down", "421 4.3.2 going down"};
	(void)state;

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		char script[200];
		struct service service;
		int fds[2];
		snprintf(script, sizeof script,
		    "greet\n" GROUP_OK "wait\n> %s\nwait\n<.\n", replies[i]);
		service_start(&service, script);
		struct delivery *delivery =
		    new_mailer(&service, false, LONG_MS);
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		struct message message = {.rcpts = 2,
		    .text_waits = true,
		    .text = "x\r\n",
		    .speaks = &service,
		    .provider = stream_new(fds[0]),
		    .peer = fds[1]};
		delivery_pair(delivery, message.provider);
		hand_over(delivery, &message);
		service_go_on(&service);
		delivery->ops->free(delivery);
		stream_free(message.provider);
		close(fds[1]);
		service_end(&service);
		assert_string_equal(message.told, "250 250 / 451 451 ");
		assert_string_equal(service.heard, "(" HEARD "eof|");
	}
}

/* Answers that waited while another delivery used up all the time. */
static void
test_an_answer_that_is_there_counts(void **state)
{
	struct service service;
	struct message message = {
	    .rcpts = 2, .text_waits = true, .text = "x\r\n"};
	struct deadline now = deadline_in(2 * LONG_MS, 0);
	struct status status;
	size_t rcpt;
	(void)state;

	service_start(&service, "greet\n" GROUP_OK "<.\n> 250 a|250 b\nwait\n");
	struct delivery *delivery = new_mailer(&service, false, LONG_MS);
	message.stops_before_results = true;
	hand_over(delivery, &message);
	/* It has both in its socket by the time that it plays "wait". */
	service_await(&service);
	clock_ahead += LONG_MS + 1;
	now = deadline_in(2 * LONG_MS, 0);
	for (int i = 0; i < 2; i++) {
		assert_true(
		    delivery->ops->result(delivery, &rcpt, &status, &now));
		assert_int_equal(status.code, 250);
	}
	service_go_on(&service);
	delivery->ops->free(delivery);
	service_end(&service);
}

/* A reply about us bounces nothing, ends the session and says what to do. */
static void
test_a_service_that_does_not_accept_us(void **state)
{
	static const struct {
		const char *script, *told, *complaint;
		bool gone;
	} cases[] = {
	    {"greet\n" GROUP
	     "> 530 5.7.0 Must issue a STARTTLS command first|503 a|503 b|503 c"
	     "\n<\n",
		"451 451 ",
		"the local server answered MAIL with: 530 5.7.0 Must issue a "
		"STARTTLS command first; let it accept mail from this host "
		"without login and without TLS",
		true},
	    {"greet\n" GROUP
	     "> 250 ok|554 5.7.1 <c[::1]>: Client host rejected: Access denied|"
	     "250 ok|354 go\n<.\n> 250 ok\n<\n",
		"451 250 / ready 250 ",
		"the local server answered RCPT with: 554 5.7.1 <c[::1]>: "
		"Client host rejected: Access denied; let it accept mail from "
		"this host",
		false},
	    {"greet\n" GROUP
	     "> 250 ok|554 5.7.1 Access denied|554 5.7.1 Access denied|503 a\n"
	     "<\n",
		"451 451 ",
		"the local server answered RCPT with: 554 5.7.1 Access denied; "
		"let it accept mail from this host",
		false},
	    {"greet\n" GROUP
	     "> 250 ok|550 relay not permitted|250 ok|354 go\n<.\n"
	     "> 250 ok\n<\n",
		"451 250 / ready 250 ",
		"the local server answered RCPT with: 550 relay not permitted; "
		"let it accept this domain and sender from this host, or take "
		"the domain out of this account",
		false},
	    {"greet\n" GROUP "> 250 ok|550 5.1.1 no|250 ok|354 go\n<.\n"
	     "> 250 ok\n<\n",
		"550 250 / ready 250 ", "", false},
	};
	(void)state;

	for (size_t i = 0; i < 2 * (sizeof cases / sizeof cases[0]); i++) {
		struct service service;
		struct error complaint;
		struct message message = {
		    .rcpts = 2, .text_waits = true, .text = "x\r\n"};
		service_start(&service, cases[i / 2].script);
		struct delivery *delivery =
		    new_mailer(&service, i % 2 == 1, LONG_MS);
		hand_over(delivery, &message);
		assert_string_equal(message.told, cases[i / 2].told);
		assert_int_equal(
		    delivery->ops->gone(delivery), cases[i / 2].gone);
		bool any = delivery->ops->complains(delivery, &complaint);
		assert_string_equal(
		    any ? complaint.text : "", cases[i / 2].complaint);
		/* Once. */
		assert_false(delivery->ops->complains(delivery, &complaint));
		delivery->ops->free(delivery);
		service_end(&service);
	}
}

static void
test_collect(void **state)
{
	static const struct scenario cases[] = {
	    {"all well", false, false, false,
		"greet\n" GROUP_OK "<.\n> 250 a|452 b\n<\n",
		"250 250 / ready 250 452 ", "(" HEARD "hello|..dot|.|QUIT|"},
	    {"one refused", false, false, false,
		"greet\n" GROUP "> 250 ok|550 no|250 ok|354 go\n<.\n> 250 b\n"
		"<\n",
		"250 250 / ready 550 250 ", "(" HEARD "hello|..dot|.|QUIT|"},
	    {"all refused", false, false, false,
		"greet\n" GROUP "> 250 ok|550 no|551 no|503 no\n<\n",
		"250 250 / 550 551 ", "(" HEARD "QUIT|"},
	    {"not there", false, false, false, "close\n", "250 250 / 451 451 ",
		"("},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct service service;
		struct message message = {.rcpts = 2,
		    .text_waits = true,
		    .text = "hello\r\n.dot\r\n"};
		service_start(&service, cases[i].script);
		struct mailer_options options = options_for(&service);
		options.collect = true;
		struct delivery *delivery = mailer_new(&options);
		message.abort = true;
		hand_over(delivery, &message);
		assert_string_equal(message.told, "250 250 ");
		assert_string_equal(service.heard, "");
		message.abort = false;
		hand_over(delivery, &message);
		delivery->ops->free(delivery);
		service_end(&service);
		if (strcmp(message.told, cases[i].told) != 0 ||
		    strcmp(service.heard, cases[i].heard) != 0)
			fail_msg("%s: told \"%s\", heard \"%s\"", cases[i].name,
			    message.told, service.heard);
	}
}

/*
 * Who was promised a report of success waits for a provider that writes it; for
 * others it is as if their sender had asked for nothing.
 */
static void
test_a_service_that_stops_listing_dsn(void **state)
{
	struct service service;
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct delivery_can can;
	struct error err;
	struct message message = {
	    .rcpts = 1, .text_waits = true, .text = "x\r\n"};
	(void)state;

	service_start(&service,
	    "> 220 local\n<\n> 250-local|250-DSN|250 PIPELINING\n" ONE_OK
	    "close\ngreet\n" ONE_OK "<\n");
	struct delivery *delivery = new_mailer(&service, false, LONG_MS);
	assert_false(delivery_takes_dsn(delivery));
	assert_true(delivery->ops->probe(delivery, &can, &deadline, &err));
	assert_true(delivery_takes_dsn(delivery));
	recipients[0].notify = "FAILURE,SUCCESS";
	recipients[1].notify = "NEVER";
	hand_over(delivery, &message);
	assert_string_equal(message.told, "250 / ready 250 ");
	message.rcpts = 2;
	hand_over(delivery, &message);
	assert_string_equal(message.told, "451 250 / ready 250 ");
	assert_false(delivery_takes_dsn(delivery));
	recipients[0].notify = recipients[1].notify = NULL;
	delivery->ops->free(delivery);
	service_end(&service);
	assert_string_equal(service.heard,
	    "(LHLO me|MAIL FROM:<a@b.example>|RCPT TO:<n0@c.example>"
	    " NOTIFY=FAILURE,SUCCESS|DATA|x|.|"
	    "(MAIL FROM:<a@b.example>|RCPT TO:<n1@c.example>|DATA|x|.|QUIT|");
}

static void
test_probe(void **state)
{
	struct service service;
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct delivery_can can = {.size_max = 0};
	struct error err;
	struct message message = {
	    .rcpts = 1, .text_waits = true, .text = "x\r\n"};
	(void)state;

	service_start(&service,
	    "> 220 local\n<\n> 250-local|250-SIZE 4711|250 PIPELINING\n" ONE_OK
	    "<\n");
	struct delivery *delivery = new_mailer(&service, false, LONG_MS);
	assert_true(delivery->ops->probe(delivery, &can, &deadline, &err));
	assert_int_equal(can.size_max, 4711);
	hand_over(delivery, &message);
	assert_string_equal(message.told, "250 / ready 250 ");
	delivery->ops->free(delivery);
	service_end(&service);
	assert_string_equal(service.heard, "(LHLO me|" ONE_TEXT "QUIT|");

	delivery = new_mailer(&service, false, LONG_MS);
	assert_false(delivery->ops->probe(delivery, &can, &deadline, &err));
	assert_int_equal(err.class, ERROR_LOCAL);
	assert_non_null(strstr(err.text, "cannot connect to "));
	assert_false(delivery->ops->gone(delivery));
	hand_over(delivery, &message);
	assert_string_equal(message.told, "451 ");
	assert_true(delivery->ops->gone(delivery));
	delivery->ops->free(delivery);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scenarios),
	    cmocka_unit_test(test_sessions),
	    cmocka_unit_test(test_many_recipients_at_once),
	    cmocka_unit_test(test_long_texts),
	    cmocka_unit_test(test_text_later),
	    cmocka_unit_test(test_relay_guard),
	    cmocka_unit_test(test_a_later_result_has_the_whole_time),
	    cmocka_unit_test(test_replies_before_the_final_dot),
	    cmocka_unit_test(test_replies_while_the_provider_is_waited_for),
	    cmocka_unit_test(test_an_answer_that_is_there_counts),
	    cmocka_unit_test(test_a_service_that_does_not_accept_us),
	    cmocka_unit_test(test_collect),
	    cmocka_unit_test(test_probe),
	    cmocka_unit_test(test_a_service_that_stops_listing_dsn),
	};

	signal(SIGPIPE, SIG_IGN);
	name_recipients("c.example");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
