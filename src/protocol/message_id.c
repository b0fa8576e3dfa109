/* SPDX-License-Identifier: ISC */
#include "protocol/message_id.h"

#include <string.h>

static const char name[] = "message-id:";

static char
lower_id(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A line begins, or goes on inside the field's name. */
static void
name_octet(struct message_id *id, char c)
{
	if (id->column == 0 && c == '\r')
		id->state = MESSAGE_ID_OVER; /* the end of the header */
	else if (lower_id(c) != name[id->column])
		id->state = MESSAGE_ID_SKIP;
	else if (name[++id->column] == '\0')
		id->state = MESSAGE_ID_VALUE;
}

static void
value_octet(struct message_id *id, char c)
{
	if (c == '\n' && id->len > 0)
		id->state = MESSAGE_ID_OVER;
	else if (c != ' ' && c != '\t' && c != '\r' && c != '\n' &&
		 id->len < MESSAGE_ID_MAX)
		id->value[id->len++] = c;
}

void
message_id_text(struct message_id *id, const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	while (at < end && id->state != MESSAGE_ID_OVER) {
		if (id->state == MESSAGE_ID_SKIP) {
			at = memchr(at, '\n', (size_t)(end - at));
			if (at == NULL)
				return;
			id->state = MESSAGE_ID_NAME;
			id->column = 0;
		} else if (id->state == MESSAGE_ID_NAME) {
			name_octet(id, *at);
		} else {
			value_octet(id, *at);
		}
		if (id->state == MESSAGE_ID_SKIP && *at == '\n')
			continue; /* the name broke off with its line */
		at++;
	}
}
