/*
 * spool - one message that must be whole before it is handed over.
 *
 * Up to 1 MiB it waits in memory, beyond that in a file of spool_dir without a
 * name, 0600, so that nothing is left when the agent is killed. The memory used
 * does not grow with the message. A failure is kept until spool_rewind().
 */
#ifndef ODMR_DELIVER_SPOOL_H
#define ODMR_DELIVER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deliver/writer.h"

enum { SPOOL_MEMORY_MAX = 1024 * 1024 };

struct spool {
	const char *folder; /* borrowed */
	bool on_disk;
	int fd; /* -1 before the first octet */
	struct writer writer;
};

void spool_init(struct spool *spool, const char *folder, enum writer_lines);
/* Closes the file, which is its end; the spool is as after spool_init(). */
void spool_clear(struct spool *spool);
/* Whether a message of so many octets, 0 where that is not known, has room in
 * memory or in this folder. */
bool spool_has_room(const char *folder, uint64_t octets);
/* A piece of the message, cut anywhere. */
void spool_add(struct spool *spool, const char *text, size_t len);
/*
 * The message is complete: false where any of it could not be stored, and
 * spool_error() says why. Otherwise spool->fd is readable, stands at offset 0
 * and holds spool_size() octets. An empty message has a file as well.
 */
bool spool_rewind(struct spool *spool) __attribute__((warn_unused_result));
/*
 * The complete message once more, with an offset of its own that stands at 0,
 * whoever may still read the first; read only, and the caller closes it. -1 and
 * errno where that failed.
 */
int spool_open(const struct spool *spool);
uint64_t spool_size(const struct spool *spool);
/* errno of the first failure, for writer_status(); 0 where there is none. */
int spool_error(const struct spool *spool);

#endif
