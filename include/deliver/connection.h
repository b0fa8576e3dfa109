/*
 * connection - protocol/sender over a stream to a local service.
 *
 * It writes and reads for the sender and tells it every failure; whoever uses
 * it gives the sender its commands and takes its answers.
 */
#ifndef ODMR_DELIVER_CONNECTION_H
#define ODMR_DELIVER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/transcript.h"

struct deadline;
struct sender;
struct stream;

/* Borrowed for the life of the connection. */
struct connection_options {
	const char *name; /* in the transcript */
	bool lmtp; /* else SMTP */
	const char *path; /* Unix socket; NULL: host and port */
	const char *host;
	uint16_t port;
	const char *hostname; /* ours */
	bool trace;
};

enum {
	/* A service that accepts connections and says nothing to recipients
	 * takes `timeout` for each message, and other deliveries have none of
	 * the session left. Once may be a mailbox. */
	CONNECTION_SILENCES_MAX = 3,
};

/* Embedded. */
struct connection {
	struct connection_options options;
	struct transcript transcript;
	struct stream *stream; /* NULL: closed */
	struct stream *beside; /* that it is paired with; borrowed, or NULL */
	struct sender *sender; /* of the stream, or of the last one; or NULL */
	/* Why the last one could not be opened, for the log: it names the place,
	 * which is nobody's business at the other end of a reply. Class NONE:
	 * it was opened. */
	struct error refusal;
	struct error lost; /* why the last exchange failed, if it did */
	/* Connections in a row that ended since no reply came in time; set to 0
	 * by whoever gets one that counts. */
	unsigned silences;
};

void connection_init(
    struct connection *connection, const struct connection_options *options);
/* Says QUIT, where that can be said, and closes; a new one may be opened. */
void connection_end(struct connection *connection);
/* As connection_end(), and frees. */
void connection_clear(struct connection *connection);
/* The stream to pair it with, and each that is opened; NULL: none any more. */
void connection_pair(struct connection *connection, struct stream *beside);
/* A new one, greeted, or a sender that is over. */
void connection_open(
    struct connection *connection, const struct deadline *deadline);
/* Writes and reads once, as far as it goes. */
void connection_exchange(
    struct connection *connection, const struct deadline *deadline);
/* As connection_exchange(), but what is there already is read even where the
 * time is over: another delivery may have used it up. */
void connection_await(
    struct connection *connection, const struct deadline *deadline);
/*
 * Writes what is to be written. While replies fill the sender's input this
 * stops, to go on after they were taken: so neither side waits for the other.
 */
void connection_flush(
    struct connection *connection, const struct deadline *deadline);
/* Reads what the service said meanwhile, its end included. */
void connection_look_around(struct connection *connection);
/* A sender that is over has nothing more to say; the end of the connection
 * tells the service that nothing may be delivered. */
void connection_close_if_over(struct connection *connection);

#endif
