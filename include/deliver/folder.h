/*
 * folder - which Maildir a recipient has, and the way into it.
 *
 * The path up to the first '{' is the administrator's, and may lead over
 * links; below it every folder is opened from the one above, and a link is
 * refused. Nothing stays open between two calls, so that a disk can be taken
 * away at any time and is missed at once.
 */
#ifndef ODMR_DELIVER_FOLDER_H
#define ODMR_DELIVER_FOLDER_H

#include <stdbool.h>

struct path;

enum folder_result {
	FOLDER_OK,
	FOLDER_NO_BASE, /* what the administrator made is missing */
	FOLDER_MISSING, /* the recipient has none */
	FOLDER_FAILED, /* errno says why */
};

/* An open Maildir, by descriptors of the folders that delivery needs. */
struct folder {
	int tmp;
	int new;
};

/*
 * The part of the template below the base, with {user} and {domain} filled in
 * for a recipient; the caller frees it. NULL where one that is used holds more
 * than a-z 0-9 . _ + = - or begins with a dot.
 */
char *folder_name(const char *template, const struct path *rcpt);
/* The path that must exist; the caller frees it. */
char *folder_base(const char *template);
/*
 * Opens the Maildir; with create, folders that are missing are made, and with
 * sync written to the disk. Not FOLDER_OK: nothing is open, errno says why.
 */
enum folder_result folder_open(struct folder *folder, const char *base,
    const char *name, bool create, bool sync)
    __attribute__((warn_unused_result));
void folder_close(struct folder *folder);
/*
 * A name for a file, from time, process, count, chance and host: unique also on
 * a disk that several hosts share. The caller frees it.
 */
char *folder_file_name(const char *hostname);
/* Writes a folder's entries to the disk; false: errno. */
bool folder_sync(int fd) __attribute__((warn_unused_result));

#endif
