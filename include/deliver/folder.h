/*
 * folder - which Maildir a recipient has, and the way into it.
 *
 * The path up to the first '{' is the administrator's, the base, and may lead
 * over links; below it every folder is opened from the one above, and a link is
 * refused. Nothing stays open between two calls, so that a disk can be taken
 * away at any time and is missed at once.
 *
 * A mount point without its disk is an empty folder. Nobody is unknown there,
 * and nothing is made there: see FOLDER_BARE.
 */
#ifndef ODMR_DELIVER_FOLDER_H
#define ODMR_DELIVER_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct path;

enum folder_result {
	FOLDER_OK,
	FOLDER_NO_BASE, /* what the administrator made is missing */
	FOLDER_BARE, /* the base holds nothing that shows that its disk is there */
	FOLDER_EMPTY, /* so is the last folder that is there on the way: a
			 domain or a user may have a disk of its own */
	FOLDER_MISSING, /* the recipient has none */
	FOLDER_FAILED, /* errno says why */
};

/* Where the Maildirs of a delivery are. What it points to is borrowed. */
struct folder_place {
	const char *template; /* absolute, with {user} and {domain} */
	const char *base; /* see folder_base() */
	bool create; /* what is missing below the base is made */
	bool sync; /* and written to the disk */
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
 * Opens the Maildir of folder_name(). Not FOLDER_OK: nothing is open, errno says
 * why where it is FOLDER_NO_BASE or FOLDER_FAILED.
 */
enum folder_result folder_open(
    struct folder *folder, const struct folder_place *place, const char *name)
    __attribute__((warn_unused_result));
/* That delivery may write there, for whoever does not try it yet; else errno. */
bool folder_is_writable(const struct folder *folder)
    __attribute__((warn_unused_result));
/* That its disk has room for one more message of so many octets; 0: of any. */
bool folder_has_room(const struct folder *folder, uint64_t octets);
/* That there is no room for any message where the base is. */
bool folder_base_is_full(const struct folder_place *place);
/* FOLDER_OK, FOLDER_NO_BASE or FOLDER_BARE, of the base alone. */
enum folder_result folder_check(const struct folder_place *place)
    __attribute__((warn_unused_result));
/* FOLDER_BARE in words, with what to do. */
void folder_explain_bare(
    const struct folder_place *place, char *out, size_t size);
void folder_close(struct folder *folder);
/*
 * A name for a file, from time, process, count, chance and host: unique also on
 * a disk that several hosts share. The caller frees it.
 */
char *folder_file_name(const char *hostname);
/* Writes a folder's entries to the disk; false: errno. */
bool folder_sync(int fd) __attribute__((warn_unused_result));

#endif
