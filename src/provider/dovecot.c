/* SPDX-License-Identifier: ISC */
#include "provider/dovecot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/deadline.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/local.h"
#include "net/stream.h"
#include "protocol/provider.h"

enum {
	/* Dovecot itself waits two seconds before it says FAIL, and longer for
	 * an address that failed before. */
	ANSWER_MS = 30 * 1000,
	OPEN_MS = 5 * 1000,
	LINE_MAX_SIZE = 16384, /* a response of AUTH in base64, and fields */
	MECHANISMS_SIZE = 512,
	USER_SIZE = 256,
};

struct dovecot {
	struct stream *stream;
	struct buf in;
	char mechanisms[MECHANISMS_SIZE];
	unsigned id; /* of the request under way; 0: none */
	unsigned last_id;
	char user[USER_SIZE];
	const struct deadline *limit; /* NULL: none */
};

void
dovecot_set_limit(struct dovecot *dovecot, const struct deadline *limit)
{
	dovecot->limit = limit;
}

static struct deadline
within(const struct dovecot *dovecot, int64_t ms)
{
	struct deadline deadline = deadline_in(ms, 0);

	return dovecot->limit != NULL ? deadline_min(deadline, *dovecot->limit)
				      : deadline;
}

static bool
broken(struct error *err, const char *what)
{
	error_set(err, ERROR_LOCAL, "Dovecot's auth service %s", what);
	return false;
}

/* The next line, without its end, as a string that lives until the next call.
 * NULL and err: none came in time. */
static char *
read_dovecot_line(struct dovecot *dovecot, char line[static LINE_MAX_SIZE],
    const struct deadline *deadline, struct error *err)
{
	for (;;) {
		const char *data = buf_data(&dovecot->in);
		size_t have = buf_len(&dovecot->in), room;
		const char *end = memchr(data, '\n', have);
		if (end != NULL) {
			size_t len = (size_t)(end - data);
			memcpy(line, data, len);
			line[len] = '\0';
			buf_consume(&dovecot->in, len + 1);
			return line;
		}
		char *to = buf_room(&dovecot->in, LINE_MAX_SIZE, &room);
		if (to == NULL) {
			broken(err, "sent a line that is too long");
			return NULL;
		}
		ssize_t n =
		    stream_read(dovecot->stream, to, room, deadline, err);
		if (n == 0)
			broken(err, "closed the connection");
		if (n <= 0)
			return NULL;
		buf_filled(&dovecot->in, (size_t)n);
	}
}

/* MECH NAME [properties...]: one that shows the password is safe under TLS. */
static void
add_mechanism(struct dovecot *dovecot, char *fields)
{
	const char *name = strsep(&fields, "\t");
	size_t used = strlen(dovecot->mechanisms), len = strlen(name);

	if (strcasecmp(name, "ANONYMOUS") == 0 ||
	    strcasecmp(name, "EXTERNAL") == 0 ||
	    (len > 5 && strcasecmp(name + len - 5, "-PLUS") == 0) ||
	    used + len + 2 > sizeof dovecot->mechanisms)
		return;
	snprintf(dovecot->mechanisms + used, sizeof dovecot->mechanisms - used,
	    "%s%s", used > 0 ? " " : "", name);
}

/* Both sides say who they are; DONE ends what Dovecot says. */
static bool
shake_hands(struct dovecot *dovecot, struct error *err)
{
	struct deadline deadline = deadline_in(OPEN_MS, 0);
	char hello[64], line[LINE_MAX_SIZE];

	int len = snprintf(
	    hello, sizeof hello, "VERSION\t1\t1\nCPID\t%ld\n", (long)getpid());
	if (!stream_write(dovecot->stream, hello, (size_t)len, &deadline, err))
		return false;
	for (;;) {
		char *fields = read_dovecot_line(dovecot, line, &deadline, err);
		if (fields == NULL)
			return false;
		const char *word = strsep(&fields, "\t");
		if (strcmp(word, "DONE") == 0)
			break;
		if (fields == NULL)
			continue;
		if (strcmp(word, "MECH") == 0)
			add_mechanism(dovecot, fields);
		else if (strcmp(word, "VERSION") == 0 &&
			 strncmp(fields, "1\t", 2) != 0)
			return broken(err, "speaks another version");
	}
	return dovecot->mechanisms[0] != '\0' ||
	       broken(err, "offers no mechanism that could be used");
}

struct dovecot *
dovecot_open(const char *path, struct error *err)
{
	struct deadline deadline = deadline_in(OPEN_MS, 0);
	int fd = local_open(path, 0, &deadline, err);

	if (fd < 0)
		return NULL;
	struct dovecot *dovecot = xcalloc(1, sizeof *dovecot);
	dovecot->stream = stream_new(fd);
	buf_init(&dovecot->in, LINE_MAX_SIZE - 1);
	if (shake_hands(dovecot, err))
		return dovecot;
	error_prefix(err, "%s", path);
	dovecot_free(dovecot);
	return NULL;
}

void
dovecot_free(struct dovecot *dovecot)
{
	if (dovecot == NULL)
		return;
	stream_free(dovecot->stream);
	buf_wipe(&dovecot->in);
	buf_clear(&dovecot->in);
	free(dovecot);
}

void
dovecot_mechanisms(const struct dovecot *dovecot, char *out, size_t size)
{
	snprintf(out, size, "%s", dovecot->mechanisms);
}

const char *
dovecot_user(const struct dovecot *dovecot)
{
	return dovecot->user;
}

void
dovecot_cancel(struct dovecot *dovecot)
{
	dovecot->id = 0;
}

/* What the fields of FAIL and OK say, besides the user. */
struct said {
	bool temporary;
	/* The password is right, and the user may not log in; unless another
	 * server is named, where he may. */
	bool suspended, elsewhere;
};

/* A field without a value, or with whatever value, is set. */
static bool
names_field(const char *field, const char *name)
{
	size_t len = strlen(name);

	return strncmp(field, name, len) == 0 &&
	       (field[len] == '\0' || field[len] == '=');
}

static struct said
read_fields(struct dovecot *dovecot, char *fields)
{
	struct said said = {.temporary = false};

	dovecot->user[0] = '\0';
	while (fields != NULL) {
		const char *field = strsep(&fields, "\t");
		if (strncmp(field, "user=", 5) == 0)
			snprintf(dovecot->user, sizeof dovecot->user, "%s",
			    field + 5);
		said.temporary |= strcmp(field, "temp") == 0 ||
				  strcmp(field, "code=temp_fail") == 0;
		said.suspended |= names_field(field, "nologin");
		said.elsewhere |=
		    names_field(field, "proxy") || names_field(field, "host");
	}
	return said;
}

static enum dovecot_reply
take_continue(const char *encoded, struct buf *out, struct error *err)
{
	char octets[LINE_MAX_SIZE];
	ssize_t len = encoded != NULL && *encoded != '\0'
			  ? base64_decode(octets, encoded, strlen(encoded))
			  : 0;

	buf_reset(out);
	if (len >= 0 && len <= PROVIDER_RESPONSE_MAX &&
	    buf_append(out, octets, (size_t)len))
		return DOVECOT_CONTINUE;
	broken(err, "sent a challenge that is not base64");
	return DOVECOT_LATER;
}

/* Waits for the answer to the request under way; others are of old ones. */
static enum dovecot_reply
await_reply(struct dovecot *dovecot, struct buf *out, struct error *err)
{
	struct deadline deadline = within(dovecot, ANSWER_MS);
	char line[LINE_MAX_SIZE];
	uint64_t number;

	for (;;) {
		char *fields = read_dovecot_line(dovecot, line, &deadline, err);
		if (fields == NULL)
			return DOVECOT_LATER;
		const char *word = strsep(&fields, "\t");
		const char *id = fields != NULL ? strsep(&fields, "\t") : "0";
		if (!decimal_read(id, UINT64_MAX, &number) ||
		    number != dovecot->id)
			continue;
		if (strcmp(word, "CONT") == 0)
			return take_continue(fields, out, err);
		bool good = strcmp(word, "OK") == 0;
		if (!good && strcmp(word, "FAIL") != 0)
			continue;
		struct said said = read_fields(dovecot, fields);
		if (good && (!said.suspended || said.elsewhere))
			return DOVECOT_GOOD;
		if (good || !said.temporary)
			return DOVECOT_BAD;
		broken(err, "cannot check passwords now");
		return DOVECOT_LATER;
	}
}

static enum dovecot_reply
ask_auth_socket(
    struct dovecot *dovecot, char *line, struct buf *out, struct error *err)
{
	struct deadline deadline = within(dovecot, OPEN_MS);
	size_t len = strlen(line);
	bool sent = stream_write(dovecot->stream, line, len, &deadline, err);

	explicit_bzero(line, len);
	free(line);
	return sent ? await_reply(dovecot, out, err) : DOVECOT_LATER;
}

static char *
encode(const char *octets, size_t len)
{
	char *encoded = xmalloc(BASE64_SIZE(len));

	base64_encode(encoded, octets, len);
	return encoded;
}

static void
wipe_request(char *text)
{
	explicit_bzero(text, strlen(text));
	free(text);
}

/* resp= must be the last field: what follows it is the response. */
enum dovecot_reply
dovecot_begin(struct dovecot *dovecot, const struct dovecot_request *request,
    struct buf *out, struct error *err)
{
	char *encoded = request->response != NULL
			    ? encode(request->response, request->response_len)
			    : xstrdup("");

	dovecot->id = ++dovecot->last_id;
	dovecot->user[0] = '\0';
	char *line = xasprintf(
	    "AUTH\t%u\t%s\tservice=smtp\tsecured\tlip=%s\trip=%s%s%s\n",
	    dovecot->id, request->mechanism, request->local_addr,
	    request->peer_addr, request->response != NULL ? "\tresp=" : "",
	    encoded);
	wipe_request(encoded);
	return ask_auth_socket(dovecot, line, out, err);
}

enum dovecot_reply
dovecot_respond(struct dovecot *dovecot, const char *response, size_t len,
    struct buf *out, struct error *err)
{
	char *encoded = encode(response, len);
	char *line = xasprintf("CONT\t%u\t%s\n", dovecot->id, encoded);

	wipe_request(encoded);
	return ask_auth_socket(dovecot, line, out, err);
}
