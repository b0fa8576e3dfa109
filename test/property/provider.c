/* SPDX-License-Identifier: ISC */
/* The provider: a queue, manners, and a connection that breaks. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

void
provider_expect(struct provider *p, enum expected what)
{
	if (p->expected_count == EXPECTED)
		abort();
	p->expected[p->expected_count++] = what;
}

int
provider_message(const struct world *w)
{
	const struct message *m = w->provider.message;

	return m != NULL ? (int)(m - w->messages) : NO_MESSAGE;
}

static void __attribute__((format(printf, 3, 4)))
command(struct world *w, enum expected what, const char *format, ...)
{
	struct provider *p = &w->provider;
	char line[400];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	tell(w, provider_message(w), "provider > %s", line);
	say(&p->out, "%s\r\n", line);
	provider_expect(p, what);
}

void
provider_connect(struct world *w, int fd)
{
	struct provider *p = &w->provider;

	p->fd = fd;
	p->expected_count = 0;
	p->message = NULL;
	p->connection++;
	p->pipelining = chance(w, 3) != 0;
	p->bdat = chance(w, 3) == 0;
	p->prdr = chance(w, 3) == 0;
	/* One that sends one message would send only the first for ever. */
	p->impatient = chance(w, 3) == 0 && !w->one_a_call;
	p->left = w->one_a_call ? 1 : MESSAGES;
	p->hello = p->dsn = false;
	p->lost = false;
	p->early_quit = chance(w, 30) == 0;
	p->sent = p->cut_at = 0;
	p->cut_at_end = !w->calm && chance(w, 6) == 0;
	if (!w->calm && chance(w, 5) == 0)
		p->cut_at = 1 + chance(w, chance(w, 2) ? 600 : 60000);
	p->hold = 0;
	buf_init(&p->in, 1 << 20);
	buf_init(&p->out, 1 << 23);
	provider_expect(p, EXPECT_GREETING);
	tell(w, NO_MESSAGE, "the provider's connection %u%s%s%s", p->connection,
	    p->pipelining ? ", pipelining" : "", p->bdat ? ", BDAT" : "",
	    p->prdr ? ", PRDR" : "");
}

static void withdraw_twins(struct world *w);

void
provider_close(struct world *w)
{
	struct provider *p = &w->provider;

	if (p->fd < 0)
		return;
	close(p->fd);
	p->fd = -1;
	p->lost |= p->message != NULL || p->expected_count > 0;
	p->message = NULL;
	withdraw_twins(w);
	buf_clear(&p->in);
	buf_clear(&p->out);
}

static void
send_dotted(struct provider *p, const struct buf *wire)
{
	const char *at = buf_data(wire), *end = at + buf_len(wire);

	while (at < end) {
		const char *crlf = memmem(at, (size_t)(end - at), "\r\n", 2);
		const char *stop = crlf != NULL ? crlf + 2 : end;
		if (*at == '.')
			put(&p->out, ".", 1);
		put(&p->out, at, (size_t)(stop - at));
		at = stop;
	}
	put(&p->out, ".\r\n", 3);
}

/* BDAT has no dots, and may leave out the last line end. */
static void
send_chunks(struct world *w)
{
	struct provider *p = &w->provider;
	const struct buf *wire = &p->message->wire;
	size_t len = buf_len(wire), at = 0;

	if (len > 2 && chance(w, 3) == 0 &&
	    strchr("\r\n", buf_data(wire)[len - 3]) == NULL)
		len -= 2;
	unsigned chunks = 1 + chance(w, 3);
	while (--chunks > 0) {
		size_t piece = chance(w, (unsigned)(len - at) + 1);
		command(w, EXPECT_CHUNK, "BDAT %zu", piece);
		put(&p->out, buf_data(wire) + at, piece);
		at += piece;
	}
	command(w, EXPECT_END, "BDAT %zu LAST", len - at);
	put(&p->out, buf_data(wire) + at, len - at);
	p->text_sent = true;
}

void
provider_text(struct world *w)
{
	struct provider *p = &w->provider;

	send_dotted(p, &p->message->wire);
	p->text_sent = true;
	provider_expect(p, EXPECT_END);
	tell(w, provider_message(w), "provider > the text and a dot");
	/* As Exim writes it. */
	if (chance(w, 6) == 0)
		command(w, EXPECT_QUIT, "QUIT");
}

static void
send_rcpt(struct world *w)
{
	struct provider *p = &w->provider;
	unsigned name = p->asked++, box = p->names[name];
	const struct box *to = &w->boxes[box];
	bool maildir = w->deliveries[to->delivery].kind == CONFIG_MAILDIR;

	command(w, EXPECT_RCPT, "RCPT TO:<%c%s@%s>%s",
	    maildir && chance(w, 2) ? 'U' : 'u', to->user + 1,
	    chance(w, 4) == 0 ? "X.EXAMPLE" : "x.example",
	    p->dsn ? wishes_for(box) : "");
}

static void
begin(struct world *w, struct message *m)
{
	struct provider *p = &w->provider;
	bool regroup = chance(w, 6) == 0;
	bool smtputf8 = false;
	char size[40] = "";

	p->message = m;
	p->count = p->asked = p->answered = p->each = 0;
	p->text_sent = false;
	memset(p->at_rcpt, 0, sizeof p->at_rcpt);
	memset(p->at_end, 0, sizeof p->at_end);
	memset(p->doomed, 0, sizeof p->doomed);
	for (unsigned i = 0; i < BOXES; i++)
		if ((m->boxes >> i & 1) && m->fate[i] == FATE_PENDING &&
		    !(regroup && p->count > 0 && chance(w, 2)))
			p->names[p->count++] = i;
	if (chance(w, 6) == 0)
		p->names[p->count++] = p->names[0];
	for (unsigned i = 0; i < p->count; i++)
		smtputf8 |= needs_smtputf8(w, m, p->names[i]);
	m->connection = p->connection;
	m->offers++;
	p->left--;
	w->transactions++;
	if (m->sized)
		snprintf(size, sizeof size, " SIZE=%zu", buf_len(&m->wire));
	/* Where only the header needs it, too. */
	smtputf8 |= chance(w, 8) == 0;
	command(w, EXPECT_MAIL, "MAIL FROM:<%s>%s%s%s%s", m->sender, size,
	    p->prdr ? " PRDR" : "", smtputf8 ? " SMTPUTF8" : "",
	    p->dsn ? " RET=HDRS ENVID=QQ+3D1" : "");
	while (p->pipelining && p->asked < p->count)
		send_rcpt(w);
	if (!p->pipelining)
		return;
	if (p->bdat)
		send_chunks(w);
	else
		command(w, EXPECT_DATA, "DATA");
}

static bool
is_pending(const struct message *m)
{
	for (unsigned i = 0; i < BOXES; i++)
		if ((m->boxes >> i & 1) && m->fate[i] == FATE_PENDING)
			return true;
	return false;
}

/*
 * Somebody may write the same twice, and the provider has both at once. Whoever
 * was answered on this connection is asked for the second as for any other. So
 * the first was offered once, on this connection, and everybody has it.
 */
static bool
may_have_twin(const struct world *w, const struct message *m)
{
	const struct provider *p = &w->provider;

	if (m->twin || m->offers != 1 || m->connection != p->connection ||
	    p->cut_at > 0 || p->cut_at_end || w->kill_at > 0)
		return false;
	for (unsigned i = 0; i < BOXES; i++)
		if ((m->boxes >> i & 1) &&
		    (m->fate[i] != FATE_TAKEN || m->copies[i] != 1 ||
			m->unheard[i] > 0))
			return false;
	return true;
}

static void
make_twin(struct world *w, struct message *m)
{
	tell(w, (int)(m - w->messages), "the same was sent once more");
	m->twin = true;
	for (unsigned i = 0; i < BOXES; i++) {
		m->fate[i] = FATE_PENDING;
		m->copies[i] = 0;
	}
}

/* On another connection it may be taken for the first, whose answer need not
 * have been read: this is not promised. */
static void
withdraw_twins(struct world *w)
{
	for (size_t i = 0; i < w->message_count; i++)
		for (unsigned box = 0; w->messages[i].twin && box < BOXES;
		     box++)
			if (w->messages[i].fate[box] == FATE_PENDING)
				w->messages[i].fate[box] = FATE_TAKEN;
}

bool
provider_accepted(const struct provider *p)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->at_rcpt[i] / 100 == 2)
			return true;
	return false;
}

/* Everything that was sent is answered: what comes next. */
static void
go_on(struct world *w)
{
	struct provider *p = &w->provider;

	if (!p->hello) {
		p->hello = true;
		if (p->early_quit)
			command(w, EXPECT_QUIT, "QUIT");
		else
			command(w, EXPECT_HELLO, "EHLO provider.example");
		return;
	}
	if (p->message != NULL && p->asked < p->count) {
		send_rcpt(w);
		return;
	}
	if (p->message != NULL && !p->text_sent && provider_accepted(p)) {
		if (p->bdat)
			send_chunks(w);
		else
			command(w, EXPECT_DATA, "DATA");
		return;
	}
	bool open = p->message != NULL;
	p->message = NULL;
	withdraw_twins(w);
	if (open) {
		command(w, EXPECT_RSET, "RSET");
		return;
	}
	for (size_t i = 0; p->left > 0 && i < w->message_count; i++) {
		struct message *m = &w->messages[i];
		if (may_have_twin(w, m) && chance(w, 4) == 0) {
			make_twin(w, m);
			begin(w, m);
			return;
		}
		if (is_pending(m) && m->next_try <= w->now &&
		    m->connection != p->connection) {
			begin(w, m);
			return;
		}
	}
	command(w, EXPECT_QUIT, "QUIT");
}

/* true: there was a whole reply. */
static bool
take_reply(struct world *w)
{
	struct provider *p = &w->provider;
	const char *line = buf_data(&p->in);
	size_t have = buf_len(&p->in);
	const char *lf = have > 0 ? memchr(line, '\n', have) : NULL;

	if (lf == NULL)
		return false;
	tell(w, provider_message(w), "provider < %.*s", (int)(lf - line - 1),
	    line);
	int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
	bool last = line[3] != '-';
	p->dsn |= lf - line > 7 && memcmp(line, "250-DSN", 7) == 0;
	/* No local service here says that. */
	bool kept_out = memmem(line, (size_t)(lf - line), " 4.5.3 ", 7) != NULL;
	p->says_mixed = memmem(line, (size_t)(lf - line), " different outcomes",
			    strlen(" different outcomes")) != NULL;
	buf_consume(&p->in, (size_t)(lf - line) + 1);
	if (last)
		provider_reply(w, code, kept_out);
	return true;
}

static bool
provider_write(struct world *w)
{
	struct provider *p = &w->provider;
	size_t len = buf_len(&p->out);
	size_t piece = chance(w, 3) == 0 ? 1 + chance(w, (unsigned)len) : len;

	if (p->cut_at > 0 && p->sent + piece > p->cut_at)
		piece = (size_t)(p->cut_at - p->sent);
	ssize_t n =
	    piece > 0 ? send(p->fd, buf_data(&p->out), piece, MSG_NOSIGNAL) : 0;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n >= 0)
		p->sent += (uint64_t)n;
	if (n < 0 || (p->cut_at > 0 && p->sent >= p->cut_at)) {
		tell(w, provider_message(w), "the connection is cut");
		p->lost = true;
		provider_close(w);
		return true;
	}
	buf_consume(&p->out, (size_t)n);
	if (chance(w, 60) == 0)
		p->hold = w->now + 1000 * (int64_t)chance(w, 60);
	return true;
}

static bool
provider_read(struct world *w)
{
	struct provider *p = &w->provider;
	struct pollfd pollfd = {.fd = p->fd, .events = POLLIN};
	size_t room;

	if (poll(&pollfd, 1, 0) <= 0)
		return false;
	/* Our answer is there, and the provider never reads it. */
	if (p->cut_at_end && p->text_sent && p->expected_count > 0 &&
	    p->expected[0] == EXPECT_END && buf_len(&p->out) == 0) {
		tell(w, provider_message(w),
		    "the connection is cut before our answer");
		/* What was on its way already is no proof of anything. */
		if (chance(w, 2))
			(void)!send(p->fd, "QUIT\r\n", 6, MSG_NOSIGNAL);
		p->lost = true;
		provider_close(w);
		return true;
	}
	char *to = buf_room(&p->in, 65536, &room);
	ssize_t n = recv(p->fd, to, room, 0);
	if (n <= 0) {
		provider_close(w);
		return true;
	}
	buf_filled(&p->in, (size_t)n);
	while (p->fd >= 0 && take_reply(w))
		continue;
	return true;
}

bool
provider_step(struct world *w, int64_t *timer)
{
	struct provider *p = &w->provider;

	if (p->fd < 0)
		return false;
	if (p->hold > w->now) {
		if (p->hold < *timer)
			*timer = p->hold;
		return false;
	}
	if (provider_read(w))
		return true;
	if (buf_len(&p->out) > 0)
		return provider_write(w);
	if (p->expected_count > 0)
		return false;
	go_on(w);
	return true;
}
