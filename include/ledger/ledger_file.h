/*
 * ledger_file - the file of a ledger: STATE_DIR/ledger/ACCOUNT, 0600.
 *
 * Records are appended, each call one write; the file is written anew (to
 * ACCOUNT~, then renamed) at open, where enough of it is dead, and when it has
 * grown a lot since. Whoever opens it for writing holds the account's lock. No
 * link is ever followed.
 */
#ifndef ODMR_LEDGER_LEDGER_FILE_H
#define ODMR_LEDGER_LEDGER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct ledger_book;

enum {
	/* Octets appended, besides the size it had, after which the file is
	 * written anew: 5,000 messages in one session, so that an ordinary one
	 * never does it. */
	LEDGER_FILE_GROWTH = 1024 * 1024,
	/* Where it cannot be written anew, the session ends before the file
	 * fills the disk: twice LEDGER_OCTETS_MAX, and as much again. */
	LEDGER_FILE_MAX = 64 * 1024 * 1024,
};

/* Where records go; a test has one in memory. */
struct ledger_store {
	/* Appends whole lines. false: nothing of them is there. Errors:
	 * ERROR_LOCAL. */
	bool (*append)(struct ledger_store *, const char *lines, size_t len,
	    struct error *);
	/*
	 * After append: writes it anew where it has grown, from a book that has
	 * all that was appended. false: it cannot be, and is larger than it may
	 * get. Errors: ERROR_LOCAL.
	 */
	bool (*tidy)(
	    struct ledger_store *, const struct ledger_book *, struct error *);
	/* On disk, by fdatasync(2). Errors: ERROR_LOCAL. */
	bool (*sync)(struct ledger_store *, struct error *);
	void (*close)(struct ledger_store *);
};

/* What was found on opening that the log should tell. */
struct ledger_damage {
	size_t lines; /* dropped: cut or scribbled on */
	char aside[256]; /* the name that a file of an unknown version
			  * has now; "" */
	struct error compaction; /* why it could not be written anew */
};

/*
 * Reads the file into the book, forgets what is older than keep seconds, and
 * makes sure that the file can be appended to. NULL where it cannot be read or
 * written. Errors: ERROR_LOCAL.
 */
struct ledger_store *ledger_file_open(const char *state_dir,
    const char *account, struct ledger_book *book, int64_t now, int64_t keep,
    struct ledger_damage *damage, struct error *err)
    __attribute__((warn_unused_result));

/* Reads the file into the book and changes nothing, for those who only look; no
 * file is an empty book. Errors: ERROR_LOCAL. */
bool ledger_file_read(const char *state_dir, const char *account,
    struct ledger_book *book, struct error *err)
    __attribute__((warn_unused_result));

#endif
