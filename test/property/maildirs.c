/* SPDX-License-Identifier: ISC */
/* What has come into the Maildirs. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

void
read_file(const char *path, struct buf *into)
{
	char piece[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf_reset(into);
	while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
		put(into, piece, (size_t)n);
	if (fd >= 0)
		close(fd);
}

static void
look_at_file(struct world *w, unsigned box, const char *path)
{
	struct buf file;

	buf_init(&file, 1 << 23);
	read_file(path, &file);
	/* In files lines end in LF. */
	struct buf text;
	buf_init(&text, 1 << 24);
	for (size_t i = 0; i < buf_len(&file); i++) {
		if (buf_data(&file)[i] == '\n')
			put(&text, "\r", 1);
		put(&text, buf_data(&file) + i, 1);
	}
	int message = text_find(w, NULL, buf_data(&text), buf_len(&text));
	if (message == NO_MESSAGE)
		blame(w, NO_MESSAGE, "%s has a file that nobody sent: %s",
		    w->boxes[box].user, path);
	else
		model_delivered(w, message, box);
	buf_clear(&file);
	buf_clear(&text);
}

static void
look_into(struct world *w, unsigned box, const char *folder, bool dead)
{
	char path[500];
	const struct box *b = &w->boxes[box];

	snprintf(path, sizeof path, "%s/m%zu/%s/%s", w->folder, b->delivery,
	    b->user, folder);
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t len = strlen(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path + len, sizeof path - len, "/%s", entry->d_name);
		if (!dead && folder[0] == 't')
			blame(w, NO_MESSAGE, "this is left: %s", path);
		else if (!dead)
			look_at_file(w, box, path);
		unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
}

void
maildir_look(struct world *w, unsigned box)
{
	if (w->deliveries[w->boxes[box].delivery].kind == CONFIG_MAILDIR)
		look_into(w, box, "new", false);
}

/* dead: what came after the kill never was. */
void
maildirs_look(struct world *w, bool dead)
{
	bool under_way = w->killed && !dead;

	for (unsigned i = 0; i < BOXES; i++) {
		if (w->deliveries[w->boxes[i].delivery].kind != CONFIG_MAILDIR)
			continue;
		look_into(w, i, "new", dead);
		if (!under_way)
			look_into(w, i, "tmp", dead);
	}
}
