/* SPDX-License-Identifier: ISC */
#include "provider/note.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Aligned for the header, as cmsg(3) wants it. */
union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

bool
note_pair(int ends[2])
{
	return socketpair(AF_UNIX,
		   SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0;
}

bool
note_send(int end, enum note_type type, uint32_t account, int fd)
{
	struct note note = {.type = type, .account = account};
	struct iovec part = {.iov_base = &note, .iov_len = sizeof note};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	union control control;

	if (fd >= 0) {
		memset(&control, 0, sizeof control);
		message.msg_control = control.room;
		message.msg_controllen = sizeof control.room;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	return sendmsg(end, &message, MSG_NOSIGNAL) == (ssize_t)sizeof note;
}

enum note_result
note_receive(int end, struct note *note, int *fd)
{
	struct iovec part = {.iov_base = note, .iov_len = sizeof *note};
	union control control;
	struct msghdr message = {
	    .msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.room,
	    .msg_controllen = sizeof control.room,
	};
	ssize_t len;

	*fd = -1;
	do
		len = recvmsg(end, &message, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? NOTE_NONE : NOTE_GONE;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof *fd);
	if (len == (ssize_t)sizeof *note)
		return NOTE_READ;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return NOTE_GONE;
}
