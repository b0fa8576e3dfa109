/* SPDX-License-Identifier: ISC */
#include "deliver/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "deliver/mailboxes.h"
#include "deliver/writer.h"
#include "protocol/address.h"
#include "protocol/international.h"

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

/* Beyond ASCII the parser of the address has left out what could lead
 * elsewhere. */
static bool
is_folder_char(char c)
{
	static const char ascii[] = "abcdefghijklmnopqrstuvwxyz0123456789._+=-";

	return international_octet(c) ||
	       (c != '\0' && strchr(ascii, c) != NULL);
}

/* Appends the value in lower case (of ASCII); false where it could lead elsewhere. */
static bool
append_value(struct buf *name, const char *value, size_t len)
{
	if (len == 0 || *value == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = value[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!is_folder_char(c) || !buf_append(name, &c, 1))
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

/* Replaces *fd by what name leads to below it; where that fails, by the last
 * folder that is there. */
static bool
descend(int *fd, const char *name, const struct folder_place *place)
{
	char *copy = xstrdup(name), *rest = copy, *part;
	bool ok = true;

	while (ok && (part = strsep(&rest, "/")) != NULL) {
		if (*part == '\0')
			continue;
		int below = open_one(*fd, part, place->create, place->sync);
		ok = below >= 0;
		if (ok) {
			close(*fd);
			*fd = below;
		}
	}
	int errnum = errno;
	free(copy);
	errno = errnum;
	return ok;
}

static bool
open_inside(
    struct folder *folder, int maildir, const struct folder_place *place)
{
	bool create = place->create, sync = place->sync;

	folder->tmp = open_one(maildir, "tmp", create, sync);
	folder->new =
	    folder->tmp < 0 ? -1 : open_one(maildir, "new", create, sync);
	/* Delivery does without cur, but those who read it do not. */
	int cur = create ? open_one(maildir, "cur", create, sync) : -1;
	if (cur >= 0)
		close(cur);
	return folder->new >= 0 && (!create || cur >= 0);
}

/*
 * Whether the disk of the base is not there, as far as can be seen. Where
 * Maildirs are made, anything shows that it is; elsewhere a Maildir must exist,
 * or everybody would be unknown.
 */
static bool
is_bare(int base, const struct folder_place *place)
{
	return place->create ? mailboxes_none_in(base)
			     : !mailboxes_any_below(base,
				   place->template + base_len(place->template));
}

enum folder_result
folder_check(const struct folder_place *place)
{
	int base = open(place->base, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (base < 0)
		return FOLDER_NO_BASE;
	bool bare = is_bare(base, place);
	close(base);
	return bare ? FOLDER_BARE : FOLDER_OK;
}

/* Why nothing is there for a name whose last folder is open. */
static enum folder_result
missing(int last, const struct folder_place *place)
{
	if (errno != ENOENT && errno != ENAMETOOLONG)
		return FOLDER_FAILED;
	enum folder_result base = folder_check(place);
	if (base != FOLDER_OK)
		return base;
	return mailboxes_none_in(last) ? FOLDER_EMPTY : FOLDER_MISSING;
}

static enum folder_result
open_below(struct folder *folder, int *fd, const struct folder_place *place,
    const char *name)
{
	if (place->create && is_bare(*fd, place))
		return FOLDER_BARE;
	if (!descend(fd, name, place))
		return missing(*fd, place);
	return open_inside(folder, *fd, place) ? FOLDER_OK : FOLDER_FAILED;
}

enum folder_result
folder_open(
    struct folder *folder, const struct folder_place *place, const char *name)
{
	int fd = open(place->base, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*folder = (struct folder){-1, -1};
	if (fd < 0)
		return FOLDER_NO_BASE;
	enum folder_result result = open_below(folder, &fd, place, name);
	int errnum = errno;
	close(fd);
	if (result != FOLDER_OK)
		folder_close(folder);
	errno = errnum;
	return result;
}

bool
folder_is_writable(const struct folder *folder)
{
	return faccessat(folder->tmp, ".", W_OK | X_OK, 0) == 0 &&
	       faccessat(folder->new, ".", W_OK | X_OK, 0) == 0;
}

bool
folder_has_room(const struct folder *folder, uint64_t octets)
{
	struct statvfs fs;

	return fstatvfs(folder->tmp, &fs) != 0 || writer_has_room(&fs, octets);
}

bool
folder_base_is_full(const struct folder_place *place)
{
	struct statvfs fs;

	return statvfs(place->base, &fs) == 0 && !writer_has_room(&fs, 0);
}

void
folder_explain_bare(const struct folder_place *place, char *out, size_t size)
{
	if (place->create)
		snprintf(out, size,
		    "%s is empty: is its disk mounted? If it is and no mail "
		    "has come yet, make the file .odmr-agent there",
		    place->base);
	else
		snprintf(out, size,
		    "there is no mailbox in %s: is its disk mounted?",
		    place->base);
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
