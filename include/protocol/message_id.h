/*
 * message_id - finds the Message-ID of a text that comes in pieces.
 */
#ifndef ODMR_PROTOCOL_MESSAGE_ID_H
#define ODMR_PROTOCOL_MESSAGE_ID_H

#include <stddef.h>

enum { MESSAGE_ID_MAX = 250 }; /* for a log line; longer ones are cut */

struct message_id {
	char value[MESSAGE_ID_MAX + 1]; /* "" until it was seen */
	/* the rest is internal */
	size_t len, column;
	enum {
		MESSAGE_ID_NAME,
		MESSAGE_ID_VALUE,
		MESSAGE_ID_SKIP,
		MESSAGE_ID_OVER
	} state;
};

/* text has CRLF line ends and may be cut anywhere; begin with a zeroed one. */
void message_id_text(struct message_id *id, const char *text, size_t len);

#endif
