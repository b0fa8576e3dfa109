/* SPDX-License-Identifier: ISC */
#include "base/deadline.h"

#include <limits.h>
#include <poll.h>

#include "base/stop.h"

struct deadline
deadline_in(int64_t ms, int64_t grace_ms)
{
	return (struct deadline){.at = clock_ms() + ms, .grace = grace_ms};
}

struct deadline
deadline_min(struct deadline a, struct deadline b)
{
	return (struct deadline){
	    .at = a.at < b.at ? a.at : b.at,
	    .grace = a.grace < b.grace ? a.grace : b.grace,
	};
}

int64_t
deadline_left(const struct deadline *deadline)
{
	int64_t at = deadline->at;

	if (stop_requested() && stop_since() + deadline->grace < at)
		at = stop_since() + deadline->grace;
	int64_t left = at - clock_ms();
	return left > 0 ? left : 0;
}

static enum deadline_result
over(const struct deadline *deadline)
{
	return deadline->at > clock_ms() ? DEADLINE_STOPPED : DEADLINE_OVER;
}

enum deadline_result
deadline_poll(const struct deadline *deadline, struct pollfd *fds, size_t count)
{
	for (;;) {
		/* Once it has fired it would fire for ever. */
		fds[count] = (struct pollfd){
		    .fd = stop_requested() ? -1 : stop_fd(), .events = POLLIN};
		int64_t left = deadline_left(deadline);
		int ready =
		    poll(fds, count + 1, left > INT_MAX ? INT_MAX : (int)left);
		if (ready > 0 && (ready > 1 || fds[count].revents == 0))
			return DEADLINE_READY;
		if (deadline_left(deadline) == 0)
			return over(deadline);
	}
}

enum deadline_result
deadline_wait(const struct deadline *deadline, int fd, short events)
{
	struct pollfd fds[2] = {{.fd = fd, .events = events}};

	return deadline_poll(deadline, fds, 1);
}

enum deadline_result
deadline_wait_beside(const struct deadline *deadline, int fd, short events,
    int beside, bool *spoke)
{
	struct pollfd fds[3] = {
	    {.fd = fd, .events = events}, {.fd = beside, .events = POLLIN}};

	*spoke = false;
	for (;;) {
		enum deadline_result result = deadline_poll(deadline, fds, 2);
		bool alone = fds[0].revents == 0 && fds[1].revents != 0;
		*spoke |= fds[1].revents != 0;
		if (result != DEADLINE_READY || !alone)
			return result;
		/* It would end each further wait at once. */
		fds[1].fd = -1;
	}
}
