/*
 * mailboxes - whether there are any, so that a mount point without its disk can
 * be told from a folder with mailboxes.
 *
 * What a file system has of itself (lost+found) does not count. Where the homes
 * come by an automounter the folder cannot be read, as far as this goes.
 */
#ifndef ODMR_DELIVER_MAILBOXES_H
#define ODMR_DELIVER_MAILBOXES_H

#include <stdbool.h>

/* The folder holds nothing at all; false also where it cannot be read. */
bool mailboxes_none_in(int folder);
/*
 * Whether a Maildir stands below the folder where the pattern (the part of a
 * template below its base) would have it. Also true where a folder on the way
 * cannot be read, so that nobody can know.
 */
bool mailboxes_any_below(int folder, const char *pattern);

#endif
