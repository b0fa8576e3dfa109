/* SPDX-License-Identifier: ISC */
#include "deliver/connection.h"

#include "base/deadline.h"
#include "base/stop.h"
#include "net/local.h"
#include "net/stream.h"
#include "protocol/sender.h"

enum {
	/* For what is known to be there already, and for QUIT. */
	AT_ONCE = 1000,
	/* The same after a stop request: it does not keep anybody long. */
	AT_ONCE_GRACE = 10 * 1000,
};

void
connection_init(
    struct connection *connection, const struct connection_options *options)
{
	*connection = (struct connection){.options = *options};
	transcript_init(&connection->transcript, options->name, options->trace);
}

static void
disconnect(struct connection *connection)
{
	stream_free(connection->stream);
	connection->stream = NULL;
}

void
connection_end(struct connection *connection)
{
	struct deadline at_once = deadline_in(AT_ONCE, AT_ONCE);

	if (connection->stream != NULL) {
		sender_quit(connection->sender);
		connection_flush(connection, &at_once);
	}
	/* Some services log a 221 that nobody takes. */
	if (connection->stream != NULL)
		stream_finish(connection->stream, &at_once);
	disconnect(connection);
}

void
connection_clear(struct connection *connection)
{
	connection_end(connection);
	sender_free(connection->sender);
	connection->sender = NULL;
	transcript_clear(&connection->transcript);
}

void
connection_close_if_over(struct connection *connection)
{
	if (sender_is_over(connection->sender))
		disconnect(connection);
}

/* The last words of a service that went away may still be there to read. */
static void
take_last_words(struct connection *connection)
{
	struct deadline at_once = deadline_in(AT_ONCE, AT_ONCE_GRACE);
	struct sender *sender = connection->sender;
	struct error ignored;
	size_t room;
	ssize_t n = 1;

	while (n > 0 && !sender_is_over(sender) &&
	       stream_pending(connection->stream)) {
		char *in = sender_room(sender, &room);
		if (room == 0)
			return;
		n = stream_read(
		    connection->stream, in, room, &at_once, &ignored);
		if (n > 0)
			sender_filled(sender, (size_t)n);
	}
}

void
connection_exchange(
    struct connection *connection, const struct deadline *deadline)
{
	struct sender *sender = connection->sender;
	struct error *err = &connection->lost;
	struct stream_exchange step;

	if (connection->stream == NULL) {
		sender_fail(sender, "4.4.2", "connection closed");
		return;
	}
	step.out = sender_output(sender, &step.out_len);
	step.in = sender_room(sender, &step.in_size);
	bool ok = stream_exchange(connection->stream, &step, deadline, err);
	/* It was read before it was written, and so it is told. */
	sender_filled(sender, step.read);
	sender_written(sender, step.written);
	if (!ok) {
		if (deadline_left(deadline) > 0)
			take_last_words(connection);
		else if (!stop_requested())
			connection->silences++;
		sender_fail(sender, "4.4.2", err->text);
	}
	if (step.ended) {
		sender_eof(sender);
		disconnect(connection);
	}
	transcript_flush(&connection->transcript);
	connection_close_if_over(connection);
}

void
connection_await(struct connection *connection, const struct deadline *deadline)
{
	struct deadline at_once = deadline_in(AT_ONCE, AT_ONCE_GRACE);
	bool is_there = connection->stream != NULL &&
			deadline_left(deadline) == 0 &&
			stream_pending(connection->stream);

	connection_exchange(connection, is_there ? &at_once : deadline);
}

void
connection_flush(struct connection *connection, const struct deadline *deadline)
{
	size_t len, room;

	while (connection->stream != NULL) {
		sender_output(connection->sender, &len);
		sender_room(connection->sender, &room);
		if (len == 0 || room == 0)
			return;
		connection_exchange(connection, deadline);
	}
}

void
connection_look_around(struct connection *connection)
{
	size_t room = 1;

	while (connection->stream != NULL && room > 0 &&
	       stream_pending(connection->stream)) {
		struct deadline at_once = deadline_in(AT_ONCE, AT_ONCE_GRACE);
		connection_exchange(connection, &at_once);
		sender_room(connection->sender, &room);
	}
}

void
connection_pair(struct connection *connection, struct stream *beside)
{
	connection->beside = beside;
	if (connection->stream != NULL)
		stream_pair(connection->stream, beside);
}

void
connection_open(struct connection *connection, const struct deadline *deadline)
{
	const struct connection_options *options = &connection->options;
	const struct sender_options sender_options = {
	    .lmtp = options->lmtp,
	    .hostname = options->hostname,
	    .transcript = &connection->transcript,
	};
	sender_free(connection->sender);
	connection->sender = sender_new(&sender_options);
	int fd =
	    local_open(options->path != NULL ? options->path : options->host,
		options->port, deadline, &connection->refusal);
	if (fd < 0) {
		sender_fail(connection->sender, "4.4.2",
		    "cannot connect to the local server");
		return;
	}
	connection->refusal.class = ERROR_NONE;
	connection->stream = stream_new(fd);
	stream_pair(connection->stream, connection->beside);
	while (!sender_is_open(connection->sender) &&
	       !sender_is_over(connection->sender))
		connection_exchange(connection, deadline);
}
