/*
 * writer - the text of a message into a file, in large pieces.
 *
 * Gathers what body gives, cut anywhere, and writes it in pieces of 64 KiB,
 * with the line ends CRLF as they come or as LF. The first failure is kept and
 * ends the writing.
 */
#ifndef ODMR_DELIVER_WRITER_H
#define ODMR_DELIVER_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct statvfs;
struct status;

enum writer_lines { WRITER_CRLF, WRITER_LF };

struct writer {
	int fd; /* borrowed; may be changed between two calls */
	enum writer_lines lines;
	int errnum; /* of the first failure; 0 while there is none */
	uint64_t size; /* octets that went to the file or wait in data */
	bool cr; /* a CR is held back: the next octet may be LF */
	size_t used;
	char *data;
};

void writer_init(struct writer *writer, int fd, enum writer_lines lines);
void writer_clear(struct writer *writer);
void writer_add(struct writer *writer, const char *text, size_t len);
/* Writes what waits. false: something failed, now or before. */
bool writer_flush(struct writer *writer) __attribute__((warn_unused_result));

/* Appends the file from, but for its first octets, and wherever it stands, to
 * the file to; false and errno where that failed. */
bool writer_copy(int from, off_t octets, int to)
    __attribute__((warn_unused_result));

/* The reply to a file that failed with errnum: 452 4.3.1 for a full disk or
 * quota, else 451 4.3.0. */
void writer_status(struct status *status, const char *name, int errnum);
/* The same for whoever keeps this host, with the place, of which the reply says
 * nothing, and the next step. Errors: ERROR_LOCAL. */
void writer_complain(struct error *complaint, const char *place, int errnum);
/* errnum means a full disk or quota. */
bool writer_full(int errnum);
/*
 * Whether a file system has room for one more file of so many octets, as far as
 * it tells: some tell nothing, and a quota is mostly another matter. To be asked
 * before a message is downloaded for nothing.
 */
bool writer_has_room(const struct statvfs *fs, uint64_t octets);

#endif
