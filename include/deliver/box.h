/*
 * box - one message on its way into one Maildir.
 *
 * From a file in tmp/ to one in new/. Each step opens the folders anew and says
 * in a status what failed. A folder that was there at RCPT and is not later is
 * a fault of this host, not of the address: then it is 451.
 */
#ifndef ODMR_DELIVER_BOX_H
#define ODMR_DELIVER_BOX_H

#include <stdbool.h>

#include "base/error.h"
#include "deliver/folder.h"
#include "deliver/rcpts.h"
#include "protocol/status.h"

/* Where the boxes of one delivery are. What it points to is borrowed. */
struct box_place {
	const char *name; /* of the delivery */
	const char *hostname; /* the last part of each file's name */
	struct folder_place folders;
	bool gone; /* set where the base is not there, or the disk is full */
	/* What to mend, with the folder, which no reply names. Class NONE: it
	 * was told, or nothing is wrong. */
	struct error complaint;
};

struct box {
	char *folder; /* below the base */
	char *file; /* in its tmp; NULL: there is none, or it is in new */
	struct rcpts rcpts; /* whose mailbox it is */
	struct status outcome; /* code 0: not known yet */
};

void box_clear(struct box *box);
/* Whether the Maildir is there, can be written to, and has room for so many
 * octets; with create it is made. false: answer says what the recipient is told. */
bool box_exists(struct box_place *place, const char *folder, uint64_t octets,
    struct status *answer) __attribute__((warn_unused_result));
/* A new file in tmp; -1: failure says why. */
int box_create(
    struct box_place *place, struct box *box, struct status *failure);
/* What a file system holds back until close is told as well; false: errno. */
bool box_close(const struct box_place *place, int fd)
    __attribute__((warn_unused_result));
/* Into new; sets the outcome of the box. */
void box_move(struct box_place *place, struct box *box);
/* Out of tmp, where it is still there. */
void box_remove(struct box_place *place, struct box *box);
/* A failure of a file or folder of the box, as a reply, and as a complaint. */
void box_failed(struct box_place *place, const char *folder,
    struct status *status, int errnum);

#endif
