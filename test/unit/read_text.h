/* SPDX-License-Identifier: ISC */
/*
 * read_text - what a program has written, for assertions.
 */
#ifndef ODMR_TEST_UNIT_READ_TEXT_H
#define ODMR_TEST_UNIT_READ_TEXT_H

#include <stdio.h>

/* The first MiB of a file, until the next call; "" where there is none. */
static inline char *
read_text_file(const char *path)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "r");
	size_t len = 0;

	if (file != NULL) {
		len = fread(text, 1, sizeof text - 1, file);
		fclose(file);
	}
	text[len] = '\0';
	return text;
}

#endif
