/* SPDX-License-Identifier: ISC */
#include "deliver/mailboxes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"

/* An automounter makes a home when its name is asked for, and lists nothing. */
static bool
is_automounted(int folder)
{
	struct statfs fs;

	return fstatfs(folder, &fs) == 0 && fs.f_type == AUTOFS_SUPER_MAGIC;
}

/* NULL: it cannot be read; errno is EACCES where that is meant so. */
static DIR *
open_list(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = NULL;

	if (fd < 0)
		return NULL;
	if (is_automounted(fd))
		errno = EACCES;
	else
		list = fdopendir(fd);
	if (list == NULL) {
		int errnum = errno;
		close(fd);
		errno = errnum;
	}
	return list;
}

/* The next entry that somebody put there; NULL: no more. */
static const char *
next_name(DIR *list)
{
	static const char *const of_itself[] = {".", "..", "lost+found"};
	const struct dirent *entry;

	while ((entry = readdir(list)) != NULL) {
		size_t i = 0;
		while (i < 3 && strcmp(entry->d_name, of_itself[i]) != 0)
			i++;
		if (i == 3)
			return entry->d_name;
	}
	return NULL;
}

bool
mailboxes_none_in(int folder)
{
	DIR *list = open_list(folder);

	if (list == NULL)
		return false;
	bool none = next_name(list) == NULL;
	closedir(list);
	return none;
}

static bool
is_maildir(int folder)
{
	struct stat st;

	if (fstatat(folder, "new", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == EACCES;
	return S_ISDIR(st.st_mode);
}

/* Whether one part of the pattern could have this name: by what stands before
 * the first placeholder and behind the last. */
static bool
fits_folder(const char *name, const char *part, size_t len)
{
	size_t before = strcspn(part, "{"), behind = len, name_len;

	while (behind > 0 && part[behind - 1] != '}')
		behind--;
	name_len = strlen(name);
	return name_len > before + (len - behind) &&
	       strncmp(name, part, before) == 0 &&
	       strncmp(name + name_len - (len - behind), part + behind,
		   len - behind) == 0 &&
	       name[before] != '.';
}

/* As deep as the administrator's template has folders. */
static bool search(int folder, const char *pattern);

static bool
search_in(int folder, const char *name, const char *pattern)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int below = openat(folder, name, flags);

	if (below < 0)
		return errno == EACCES;
	bool found = search(below, pattern);
	close(below);
	return found;
}

static bool
search_all(int folder, const char *part, size_t len)
{
	DIR *list = open_list(folder);
	const char *name;
	bool found = false;

	if (list == NULL)
		return errno == EACCES;
	while (!found && (name = next_name(list)) != NULL)
		found = fits_folder(name, part, len) &&
			search_in(folder, name, part + len);
	closedir(list);
	return found;
}

static bool
search(int folder, const char *pattern)
{
	const char *part = pattern + strspn(pattern, "/");
	size_t len = strcspn(part, "/");

	if (len == 0)
		return is_maildir(folder);
	if (memchr(part, '{', len) != NULL)
		return search_all(folder, part, len);
	char *name = xstrndup(part, len);
	bool found = search_in(folder, name, part + len);
	free(name);
	return found;
}

bool
mailboxes_any_below(int folder, const char *pattern)
{
	return search(folder, pattern);
}
