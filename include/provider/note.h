/*
 * note - what gate and desk tell each other over their socket pair.
 *
 * Each note is one record; a connection of Postfix may come with it.
 */
#ifndef ODMR_PROVIDER_NOTE_H
#define ODMR_PROVIDER_NOTE_H

#include <stdbool.h>
#include <stdint.h>

enum note_type {
	/* From a desk. */
	NOTE_LOGGED_IN, /* account is whose connection it is */
	NOTE_ASKS, /* ATRN: it wants the account's place */
	NOTE_LEAVES, /* it wants it no more; answered by LEFT or CONNECTION */
	/* From the gate. */
	NOTE_HOLDS, /* the place is its: Postfix may be asked */
	NOTE_CONNECTION, /* with a descriptor: Postfix has mail */
	NOTE_LEFT,
	NOTE_REPLACED, /* a newer call of the account has the place */
};

struct note {
	enum note_type type;
	uint32_t account; /* LOGGED_IN: its index in the configuration */
};

/* Both ends, close-on-exec and not blocking. false: errno. */
bool note_pair(int ends[2]) __attribute__((warn_unused_result));
/* fd -1: none comes with it. false: the other side is gone, or does not read. */
bool note_send(int end, enum note_type type, uint32_t account, int fd);
enum note_result { NOTE_READ, NOTE_NONE, NOTE_GONE };
/* The next note; *fd is owned by the caller, -1 where none came. */
enum note_result note_receive(int end, struct note *note, int *fd)
    __attribute__((warn_unused_result));

#endif
