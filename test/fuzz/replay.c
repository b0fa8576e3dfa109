/* SPDX-License-Identifier: ISC */
/*
 * Stands in for libFuzzer's main: runs the target once on each file named.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
replay(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0) {
		perror(path);
		return false;
	}
	/* Not an octet more: the sanitizer sees a read behind it. */
	size_t size = (size_t)st.st_size;
	uint8_t *data = malloc(size > 0 ? size : 1);
	bool whole = data != NULL && read(fd, data, size) == (ssize_t)size;
	close(fd);
	if (whole)
		LLVMFuzzerTestOneInput(data, size);
	free(data);
	return whole;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!replay(argv[i]))
			return 1;
	return 0;
}
