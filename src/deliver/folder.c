/* SPDX-License-Identifier: ISC */
#include "deliver/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "protocol/address.h"

/* A file name has 255 octets; the parts before the host take up to 80. */
enum { FOLDER_HOST_MAX = 160 };

/* Where the path of each recipient leaves the common one. */
static size_t
base_len(const char *template)
{
	size_t len = strcspn(template, "{");

	if (template[len] == '\0')
		return len;
	while (len > 0 && template[len - 1] != '/')
		len--;
	return len;
}

char *
folder_base(const char *template)
{
	return xstrndup(template, base_len(template));
}

/* Appends the value in lower case; false where it could lead elsewhere. */
static bool
append_value(struct buf *name, const char *value, size_t len)
{
	if (len == 0 || *value == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = value[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '\0' ||
		    strchr("abcdefghijklmnopqrstuvwxyz0123456789._+=-", c) ==
			NULL)
			return false;
		if (!buf_append(name, &c, 1))
			return false;
	}
	return true;
}

/* One placeholder or one other octet; returns what is behind it, or NULL. */
static const char *
append_piece(struct buf *name, const char *at, const struct path *rcpt)
{
	static const char user[] = "{user}", domain[] = "{domain}";
	const char *value = path_domain(rcpt);

	if (strncmp(at, user, sizeof user - 1) == 0)
		return append_value(name, rcpt->mailbox, rcpt->local_len)
			   ? at + sizeof user - 1
			   : NULL;
	if (strncmp(at, domain, sizeof domain - 1) == 0)
		return append_value(name, value, strlen(value))
			   ? at + sizeof domain - 1
			   : NULL;
	return buf_append(name, at, 1) ? at + 1 : NULL;
}

char *
folder_name(const char *template, const struct path *rcpt)
{
	struct buf name;
	char *out = NULL;

	buf_init(&name, PATH_MAX);
	const char *at = template + base_len(template);
	while (at != NULL && *at != '\0')
		at = append_piece(&name, at, rcpt);
	if (at != NULL)
		out = xstrndup(buf_data(&name), buf_len(&name));
	buf_clear(&name);
	return out;
}

bool
folder_sync(int fd)
{
	int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (readable < 0)
		return false;
	/* EINVAL: a file system that has nothing to do here. */
	bool done = fsync(readable) == 0 || errno == EINVAL;
	int errnum = errno;
	close(readable);
	errno = errnum;
	return done;
}

static int
open_one(int at, const char *name, bool create, bool sync)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags);

	if (fd >= 0 || errno != ENOENT || !create)
		return fd;
	if (mkdirat(at, name, S_IRWXU) != 0 && errno != EEXIST)
		return -1;
	if (sync && !folder_sync(at))
		return -1;
	return openat(at, name, flags);
}

/* Replaces *fd by what name leads to below it. */
static bool
descend(int *fd, const char *name, bool create, bool sync)
{
	char *copy = xstrdup(name), *rest = copy, *part;

	while (*fd >= 0 && (part = strsep(&rest, "/")) != NULL) {
		if (*part == '\0')
			continue;
		int below = open_one(*fd, part, create, sync);
		int errnum = errno;
		close(*fd);
		errno = errnum;
		*fd = below;
	}
	int errnum = errno;
	free(copy);
	errno = errnum;
	return *fd >= 0;
}

static bool
open_inside(struct folder *folder, int maildir, bool create, bool sync)
{
	folder->tmp = open_one(maildir, "tmp", create, sync);
	folder->new =
	    folder->tmp < 0 ? -1 : open_one(maildir, "new", create, sync);
	/* Delivery does without cur, but those who read it do not. */
	int cur = create ? open_one(maildir, "cur", create, sync) : -1;
	if (cur >= 0)
		close(cur);
	return folder->new >= 0 && (!create || cur >= 0) &&
	       faccessat(folder->tmp, ".", W_OK | X_OK, 0) == 0 &&
	       faccessat(folder->new, ".", W_OK | X_OK, 0) == 0;
}

enum folder_result
folder_open(struct folder *folder, const char *base, const char *name,
    bool create, bool sync)
{
	int fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*folder = (struct folder){-1, -1};
	if (fd < 0)
		return FOLDER_NO_BASE;
	if (!descend(&fd, name, create, sync))
		return errno == ENOENT || errno == ENAMETOOLONG ? FOLDER_MISSING
								: FOLDER_FAILED;
	bool ok = open_inside(folder, fd, create, sync);
	int errnum = errno;
	close(fd);
	if (!ok)
		folder_close(folder);
	errno = errnum;
	return ok ? FOLDER_OK : FOLDER_FAILED;
}

void
folder_close(struct folder *folder)
{
	if (folder->tmp >= 0)
		close(folder->tmp);
	if (folder->new >= 0)
		close(folder->new);
	*folder = (struct folder){-1, -1};
}

/* '/' would end the name, ':' begins the flags of a message that was read. */
static char *
host_in_name(const char *hostname)
{
	struct buf host;
	bool fits = true;

	buf_init(&host, FOLDER_HOST_MAX);
	for (const char *c = hostname; *c != '\0' && fits; c++)
		if (*c == '/')
			fits = buf_append(&host, "\\057", 4);
		else if (*c == ':')
			fits = buf_append(&host, "\\072", 4);
		else
			fits = buf_append(&host, c, 1);
	char *out = xstrndup(buf_data(&host), buf_len(&host));
	buf_clear(&host);
	return out;
}

char *
folder_file_name(const char *hostname)
{
	static uint64_t count;
	struct timespec now;
	uint64_t chance = 0;
	char *host = host_in_name(hostname);

	clock_gettime(CLOCK_REALTIME, &now);
	/* Without chance, early after boot, the rest is unique enough. */
	ssize_t ignored = getrandom(&chance, sizeof chance, GRND_NONBLOCK);
	(void)ignored;
	char *name = xasprintf("%lld.M%06ldP%ldQ%lluR%016llx.%s",
	    (long long)now.tv_sec, now.tv_nsec / 1000, (long)getpid(),
	    (unsigned long long)count++, (unsigned long long)chance, host);
	free(host);
	return name;
}
