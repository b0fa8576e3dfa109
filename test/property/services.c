/* SPDX-License-Identifier: ISC */
/* The local services: LMTP or SMTP, each with a temper of its own. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/international.h"
#include "world.h"

enum {
	/* No trouble in so many of a thousand steps of a service. */
	TROUBLE_RARE = 1000,
	/* Longer than the agent waits for any answer. */
	HANGS = 2000 * 1000,
	SLOW = 40 * 1000,
	/* Of the first messages; more than a session makes calls without
	 * progress. */
	DEFERRED_FOR_EVER = 8,
};

static bool
trouble(struct world *w, unsigned per_thousand)
{
	return !w->calm && chance(w, TROUBLE_RARE) < per_thousand;
}

static void __attribute__((format(printf, 3, 4)))
reply(const struct service *s, struct conn *c, const char *format, ...)
{
	char line[300];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof line - 2, format, args);
	va_end(args);
	const char *end = s->lf_only ? "\n" : "\r\n";
	put(&c->out, line, (size_t)len);
	put(&c->out, end, strlen(end));
	c->queued += (uint64_t)len + strlen(end);
	tell(the_world, OF_DELIVERIES, "delivery %zu < %s", s->index, line);
}

static void
conn_close(struct world *w, struct conn *c)
{
	for (unsigned i = 0; i < c->given_count; i++)
		if (c->given[i].end > c->written)
			model_unheard(w, &c->given[i]);
	c->given_count = 0;
	close(c->fd);
	c->fd = -1;
	buf_clear(&c->in);
	buf_clear(&c->out);
	buf_clear(&c->text);
}

void
service_open(struct world *w, struct service *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)w;
	memcpy(address.sun_path, s->path, strlen(s->path));
	unlink(s->path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 ||
	    bind(s->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(s->fd, CONNS) != 0)
		blame(w, NO_MESSAGE, "no socket: %s", strerror(errno));
}

void
service_close(struct world *w, struct service *s)
{
	for (size_t i = 0; i < CONNS; i++)
		if (s->conns[i].fd >= 0)
			conn_close(w, &s->conns[i]);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	unlink(s->path);
}

static bool
accept_one(struct world *w, struct service *s)
{
	size_t at = 0;

	while (at < CONNS && s->conns[at].fd >= 0)
		at++;
	if (at == CONNS || s->fd < 0)
		return false;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return false;
	struct conn *c = &s->conns[at];
	*c = (struct conn){.fd = fd};
	buf_init(&c->in, 1 << 20);
	buf_init(&c->out, 1 << 20);
	buf_init(&c->text, 1 << 23);
	if (trouble(w, 15)) {
		conn_close(w, c);
	} else if (trouble(w, 15)) {
		reply(s, c, "554 5.7.1 you are not welcome here");
		c->closing = true;
	} else if (trouble(w, 15)) {
		reply(s, c, "421 4.3.2 too busy");
		c->closing = true;
	} else {
		reply(s, c, "220 local.example");
	}
	return true;
}

static bool
is_in(const struct world *w, const struct box *box, enum policy policy)
{
	return box->policy == policy &&
	       (policy >= POLICY_UNKNOWN || (!w->calm && w->now < box->until));
}

/* "RCPT TO:<u3@X.EXAMPLE>" */
static unsigned
box_of(const struct world *w, const struct service *s, const char *line)
{
	const char *at = strchr(line, '<');

	for (unsigned i = 0; at != NULL && i < BOXES; i++)
		if (w->boxes[i].delivery == s->index &&
		    strncmp(at + 1, w->boxes[i].user, 2) == 0)
			return i;
	return BOXES;
}

static bool
has_mail(const struct world *w, unsigned box)
{
	for (size_t i = 0; i < w->message_count; i++)
		if (w->messages[i].copies[box] > 0)
			return true;
	return false;
}

static void
answer_rcpt(
    struct world *w, const struct service *s, struct conn *c, const char *line)
{
	static const char *const of_client[] = {
	    "554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: Access denied",
	    "530 5.7.0 Authentication required", "503 5.5.1 MAIL first",
	    "554 5.7.1 <x>: Relay access denied", "500 what?",
	    "535 5.7.8 who are you?", "502 5.5.1 not here",
	    "521 5.3.2 no mail here", "421 4.3.0 going down"};
	static const char *const later[] = {"452 4.2.2 mailbox full",
	    "450 4.2.0 greylisted", "451 4.3.0 out of order", "450 busy",
	    "452 4.3.1 no room"};
	unsigned i = box_of(w, s, line), which;

	if (i == BOXES) {
		blame(w, NO_MESSAGE, "delivery %zu is asked for %s", s->index,
		    line);
		return;
	}
	const struct box *box = &w->boxes[i];
	if (is_in(w, box, POLICY_UNKNOWN)) {
		model_refused(w, c->sender, i, NO_MESSAGE);
		reply(s, c, "550 5.1.1 <%s>: no such user", box->user);
	} else if (is_in(w, box, POLICY_FILLED) && has_mail(w, i)) {
		model_refused(w, c->sender, i, NO_MESSAGE);
		reply(s, c, "552 5.2.2 <%s>: over quota", box->user);
	} else if (is_in(w, box, POLICY_FULL_AT_RCPT)) {
		reply(s, c, "%s", later[chance(w, 5)]);
	} else if (is_in(w, box, POLICY_CLIENT_REFUSED)) {
		which = chance(w, 9);
		c->closing = which == 8;
		reply(s, c, "%s", of_client[which]);
	} else {
		c->boxes[c->count++] = i;
		reply(s, c, "250 2.1.5 ok");
	}
}

/* What was not listed, or not announced by MAIL, must not come (RFC 6531 3.1). */
static void
check_smtputf8(struct world *w, const struct service *s, struct conn *c,
    const char *line, bool mail)
{
	if (mail)
		c->smtputf8 = strstr(line, " SMTPUTF8") != NULL;
	if (c->smtputf8 && !s->smtputf8)
		blame(w, NO_MESSAGE, "delivery %zu is told SMTPUTF8: %s",
		    s->index, line);
	if (!international_is_ascii(line) && !c->smtputf8)
		blame(w, NO_MESSAGE,
		    "delivery %zu is told without SMTPUTF8: %s", s->index,
		    line);
}

/* All that came, and of this recipient, or nothing: the agent may not have
 * offered it, as where another delivery has none. */
static void
check_dsn(struct world *w, const struct service *s, const char *line)
{
	const char *said = strchr(line, '>') + 1;
	unsigned box = box_of(w, s, line);

	if (box == BOXES || *said == '\0')
		return;
	if (!s->dsn || strcmp(said, wishes_for(box)) != 0)
		blame(w, NO_MESSAGE, "delivery %zu is told %s", s->index, line);
}

static void
answer_command(
    struct world *w, const struct service *s, struct conn *c, const char *line)
{
	if (strncasecmp(line, "LHLO", 4) == 0 ||
	    strncasecmp(line, "EHLO", 4) == 0) {
		reply(s, c, "250-local.example");
		if (s->pipelining)
			reply(s, c, "250-PIPELINING");
		if (s->smtputf8)
			reply(s, c, "250-SMTPUTF8");
		if (s->dsn)
			reply(s, c, "250-DSN");
		reply(s, c, "250 8BITMIME");
	} else if (strncasecmp(line, "MAIL", 4) == 0) {
		c->count = 0;
		check_smtputf8(w, s, c, line, true);
		if (!s->dsn && strstr(line, " ENVID=") != NULL)
			blame(w, NO_MESSAGE, "delivery %zu is told %s",
			    s->index, line);
		const char *from = strchr(line, '<');
		snprintf(c->sender, sizeof c->sender, "%.*s",
		    (int)strcspn(from + 1, ">"), from + 1);
		if (trouble(w, 20))
			reply(s, c, "451 4.3.0 not now");
		else if (trouble(w, 10))
			reply(s, c, "530 5.7.0 Must issue a STARTTLS first");
		else
			reply(s, c, "250 2.1.0 ok");
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		check_smtputf8(w, s, c, line, false);
		check_dsn(w, s, line);
		answer_rcpt(w, s, c, line);
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		c->in_text = c->count > 0 && !trouble(w, 20);
		reply(s, c,
		    c->in_text      ? "354 go on"
		    : c->count == 0 ? "503 5.5.1 no recipients"
				    : "451 4.3.0 not now");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		reply(s, c, "221 2.0.0 bye");
		c->closing = true;
	} else if (strncasecmp(line, "RSET", 4) == 0) {
		c->count = 0;
		reply(s, c, "250 2.0.0 ok");
	} else {
		reply(s, c, "500 5.5.2 what?");
	}
}

static void
give(struct world *w, struct conn *c, int message, unsigned box)
{
	model_delivered(w, message, box);
	if (c->given_count == RESULTS)
		memmove(c->given, c->given + 1,
		    --c->given_count * sizeof c->given[0]);
	c->given[c->given_count++] =
	    (struct given){.message = message, .box = box, .end = UINT64_MAX};
}

/* LMTP answers for each mailbox, SMTP for all as the first would. */
static const struct box *
judge_of(const struct world *w, const struct service *s, unsigned box)
{
	return &w->boxes[s->lmtp ? box : s->index];
}

/* Every second message, another one at each mailbox. */
static bool
is_marked(const struct service *s, int message, unsigned box)
{
	return (message + (s->lmtp ? (int)box : 0)) % 2 == 0;
}

bool
service_defers(const struct world *w, int message, unsigned box)
{
	size_t to = w->boxes[box].delivery;
	const struct service *s = &w->services[to];

	return w->deliveries[to].kind != CONFIG_MAILDIR &&
	       message < DEFERRED_FOR_EVER && is_marked(s, message, box) &&
	       is_in(w, judge_of(w, s, box), POLICY_DEFERS_TEXT);
}

static void
answer_end(struct world *w, const struct service *s, struct conn *c,
    int message, unsigned first, unsigned last)
{
	static const char *const never[] = {"554 5.6.0 rejected as spam",
	    "550 5.7.1 message refused", "552 5.3.4 too big for me", "554 no"};
	static const char *const later[] = {"452 4.2.2 mailbox full",
	    "451 4.3.0 out of order", "451 try later", "450 4.7.1 busy"};
	unsigned box = c->boxes[first];
	unsigned from = c->given_count;

	if (is_marked(s, message, box) &&
	    is_in(w, judge_of(w, s, box), POLICY_REFUSES_TEXT)) {
		for (unsigned i = first; i < last; i++)
			model_refused(w, c->sender, c->boxes[i], message);
		reply(s, c, "%s", never[chance(w, 4)]);
		return;
	}
	if (service_defers(w, message, box) ||
	    is_in(w, judge_of(w, s, box), POLICY_FULL_AT_END) ||
	    trouble(w, 30)) {
		reply(s, c, "%s", later[chance(w, 4)]);
		return;
	}
	for (unsigned i = first; i < last; i++)
		give(w, c, message, c->boxes[i]);
	reply(s, c, "250 2.0.0 saved");
	for (; from < c->given_count; from++)
		if (c->given[from].end == UINT64_MAX)
			c->given[from].end = c->queued;
}

/* The text is whole. */
static void
take_text(struct world *w, const struct service *s, struct conn *c)
{
	int message =
	    text_find(w, c->sender, buf_data(&c->text), buf_len(&c->text));

	c->in_text = false;
	c->early = false;
	tell(w, message, "delivery %zu has the text from <%s>, %zu octets",
	    s->index, c->sender, buf_len(&c->text));
	if (message == NO_MESSAGE) {
		blame(w, NO_MESSAGE,
		    "delivery %zu got what nobody sent, from <%s>: %.*s",
		    s->index, c->sender, 60, buf_data(&c->text));
		return;
	}
	c->answering = true;
	for (unsigned i = 0; s->lmtp && i < c->count; i++)
		answer_end(w, s, c, message, i, i + 1);
	if (!s->lmtp)
		answer_end(w, s, c, message, 0, c->count);
	c->answering = false;
	buf_reset(&c->text);
	c->count = 0;
}

/* The dot is here, in what was not read yet, or will never be. */
static bool
dot_is_there(const struct conn *c)
{
	static char ahead[1 << 19];
	size_t have = buf_len(&c->in); /* the beginning of a line */

	memcpy(ahead, "\r\n", 2);
	if (have > 0)
		memcpy(ahead + 2, buf_data(&c->in), have);
	have += 2;
	ssize_t n = recv(c->fd, ahead + have, sizeof ahead - have, MSG_PEEK);
	if (n == 0)
		return true;
	have += n > 0 ? (size_t)n : 0;
	return memmem(ahead, have, "\r\n.\r\n", 5) != NULL;
}

/*
 * Says what it likes before the end; true: it did. Only where the agent has not
 * written the dot yet, and at once: what crosses the dot on the way cannot be
 * told from an answer.
 */
static bool
speaks_early(struct world *w, const struct service *s, struct conn *c)
{
	static const char *const words[] = {"250 2.0.0 saved", "554 5.3.0 bye",
	    "421 4.3.2 going down", "451 4.3.0 no"};

	if (c->early || !trouble(w, 60) || dot_is_there(c))
		return false;
	unsigned which = chance(w, 4);
	reply(s, c, "%s", words[which]);
	c->early = true;
	c->closing = which > 0;
	ssize_t n =
	    send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL);
	if (n > 0) {
		c->written += (uint64_t)n;
		buf_consume(&c->out, (size_t)n);
	}
	return true;
}

/* One line of commands or text; false: none is complete. */
static bool
take_line(struct world *w, const struct service *s, struct conn *c)
{
	const char *line = buf_data(&c->in);
	size_t have = buf_len(&c->in);
	const char *lf = have > 0 ? memchr(line, '\n', have) : NULL;
	char command[600];

	if (lf == NULL)
		return false;
	size_t len = (size_t)(lf - line) + 1;
	if (c->in_text) {
		bool dot = len == 3 && memcmp(line, ".\r\n", 3) == 0;
		size_t skip = *line == '.';
		if (!dot)
			put(&c->text, line + skip, len - skip);
		buf_consume(&c->in, len);
		if (dot)
			take_text(w, s, c);
		return true;
	}
	snprintf(
	    command, sizeof command, "%.*s", (int)strcspn(line, "\r\n"), line);
	buf_consume(&c->in, len);
	tell(w, OF_DELIVERIES, "delivery %zu > %s", s->index, command);
	answer_command(w, s, c, command);
	return true;
}

/* After something was said: at times it takes long, or the connection ends,
 * in the midst of a reply or before it. */
static void
temper(struct world *w, struct conn *c)
{
	if (trouble(w, 8)) {
		size_t len = buf_len(&c->out);
		size_t keep = len > 0 ? chance(w, (unsigned)len + 1) : 0;
		if (keep > 0 &&
		    send(c->fd, buf_data(&c->out), keep, MSG_NOSIGNAL) > 0)
			c->written += keep;
		tell(w, NO_MESSAGE, "a local service hangs up");
		conn_close(w, c);
	} else if (trouble(w, 20)) {
		c->hold = w->now + (chance(w, 6) == 0 ? HANGS : SLOW);
	}
}

static bool
conn_read(struct world *w, const struct service *s, struct conn *c)
{
	size_t room;
	char *to = buf_room(&c->in, 65536, &room);
	ssize_t n = to != NULL ? recv(c->fd, to, room, 0) : -1;

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		conn_close(w, c);
		return true;
	}
	if (n < 0)
		return false;
	buf_filled(&c->in, (size_t)n);
	bool text = c->in_text;
	while (!c->closing && take_line(w, s, c))
		continue;
	if (text && c->in_text && speaks_early(w, s, c))
		return true;
	temper(w, c);
	return true;
}

static bool
conn_write(struct world *w, struct conn *c)
{
	size_t len = buf_len(&c->out);
	size_t piece = chance(w, 4) == 0 ? 1 + chance(w, (unsigned)len) : len;
	ssize_t n = send(c->fd, buf_data(&c->out), piece, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno == EAGAIN)
			return false;
		conn_close(w, c);
		return true;
	}
	c->written += (uint64_t)n;
	buf_consume(&c->out, (size_t)n);
	return true;
}

static bool
conn_step(
    struct world *w, const struct service *s, struct conn *c, int64_t *timer)
{
	if (c->hold > w->now) {
		if (c->hold < *timer)
			*timer = c->hold;
		return false;
	}
	if (buf_len(&c->out) > 0)
		return conn_write(w, c);
	if (c->closing) {
		conn_close(w, c);
		return true;
	}
	return conn_read(w, s, c);
}

bool
services_step(struct world *w, int64_t *timer)
{
	bool moved = false;

	for (size_t i = 0; i < w->config.deliveries_count; i++) {
		struct service *s = &w->services[i];
		moved |= accept_one(w, s);
		for (size_t k = 0; k < CONNS; k++)
			if (s->conns[k].fd >= 0)
				moved |= conn_step(w, s, &s->conns[k], timer);
	}
	return moved;
}
