/* SPDX-License-Identifier: ISC */
/*
 * nomem - memory runs out, by LD_PRELOAD: the allocation number NOMEM_AT fails,
 * with NOMEM_ON=1 all behind it as well. They are counted in the file
 * NOMEM_FILE, as one number of 64 bits, which the processes share.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The allocator of the GNU C library under its own names. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static uint64_t *count;
static uint64_t at;
static bool on;

static void
begin(void)
{
	static uint64_t alone;
	const char *file = getenv("NOMEM_FILE"), *number = getenv("NOMEM_AT");

	count = &alone;
	on = getenv("NOMEM_ON") != NULL;
	at = number != NULL ? strtoull(number, NULL, 10) : 0;
	int fd = file != NULL ? open(file, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *map = mmap(
	    NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		count = map;
	close(fd);
}

static bool
fails(void)
{
	if (count == NULL)
		begin();
	uint64_t now = __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	if (at == 0 || (on ? now < at : now != at))
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t number, size_t size)
{
	return fails() ? NULL : __libc_calloc(number, size);
}

void *
realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

int
posix_memalign(void **out, size_t alignment, size_t size)
{
	if (fails())
		return ENOMEM;
	*out = __libc_memalign(alignment, size);
	return *out != NULL ? 0 : ENOMEM;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}
