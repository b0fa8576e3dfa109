/* SPDX-License-Identifier: ISC */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"

enum {
	/*
	 * For both families in one look-up, which sorts them (RFC 6724); by
	 * then a name server that answers at all has done so.
	 */
	HEAD_START_MS = 500,
	/* For the other family, once one has answered. */
	LATE_MS = 250,
	/* Of a short deadline most is left for the connection. */
	SHARE = 4,
};

enum { BOTH, IPV6, IPV4, LOOKUPS };

struct search;

struct lookup {
	struct search *search;
	int family;
	bool begun; /* the caller's alone, as thread */
	pthread_t thread;
	/* From here on under the lock of the search. */
	bool done;
	int error; /* EAI_*, when done without an address */
	struct resolve_addresses found;
};

/* Shared by the caller and the threads; the last one frees it. */
struct search {
	pthread_mutex_t lock;
	unsigned users;
	int event; /* something is done */
	char *host;
	struct lookup lookups[LOOKUPS];
};

static struct search *
search_new(const char *host, struct error *err)
{
	static const int families[LOOKUPS] = {
	    [BOTH] = AF_UNSPEC, [IPV6] = AF_INET6, [IPV4] = AF_INET};
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (event < 0) {
		error_set_errno(
		    err, ERROR_SYSTEM, errno, "a name cannot be looked up");
		return NULL;
	}
	struct search *search = xcalloc(1, sizeof *search);
	pthread_mutex_init(&search->lock, NULL);
	search->users = 1;
	search->event = event;
	search->host = xstrdup(host);
	for (size_t i = 0; i < LOOKUPS; i++) {
		search->lookups[i].search = search;
		search->lookups[i].family = families[i];
	}
	return search;
}

/* The lock is held, and given back. */
static void
leave(struct search *search)
{
	bool last = --search->users == 0;

	pthread_mutex_unlock(&search->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&search->lock);
	close(search->event);
	free(search->host);
	free(search);
}

/* Threads */

/* As text; false: link-local, or of no use. */
static bool
show_address(const struct addrinfo *info, char text[INET6_ADDRSTRLEN])
{
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name;
	const void *address = &name.v4.sin_addr;

	if (info->ai_addrlen > sizeof name)
		return false;
	memcpy(&name, info->ai_addr, info->ai_addrlen);
	if (info->ai_family == AF_INET6)
		address = &name.v6.sin6_addr;
	else if (info->ai_family != AF_INET)
		return false;
	if (info->ai_family == AF_INET6 &&
	    IN6_IS_ADDR_LINKLOCAL(&name.v6.sin6_addr))
		return false;
	return inet_ntop(info->ai_family, address, text, INET6_ADDRSTRLEN) !=
	       NULL;
}

static void
add_address(struct resolve_addresses *addresses, const char *text)
{
	if (addresses->count < RESOLVE_MAX)
		memcpy(addresses->text[addresses->count++], text,
		    strlen(text) + 1);
}

/* A host at which several ports or protocols answer comes several times. */
static void
collect(const struct addrinfo *infos, struct resolve_addresses *addresses)
{
	char text[INET6_ADDRSTRLEN];

	for (; infos != NULL; infos = infos->ai_next)
		if (show_address(infos, text))
			add_address(addresses, text);
}

static void *
look_up_name(void *argument)
{
	struct lookup *lookup = argument;
	struct search *search = lookup->search;
	const struct addrinfo hints = {
	    .ai_family = lookup->family, .ai_socktype = SOCK_STREAM};
	struct resolve_addresses found = {.count = 0};
	struct addrinfo *infos = NULL;
	uint64_t one = 1;

	int error = getaddrinfo(search->host, NULL, &hints, &infos);
	if (error == 0) {
		collect(infos, &found);
		freeaddrinfo(infos);
	}
	pthread_mutex_lock(&search->lock);
	lookup->found = found;
	lookup->error = error == 0 ? EAI_NONAME : error;
	lookup->done = true;
	ssize_t ignored = write(search->event, &one, sizeof one);
	(void)ignored; /* a counter never fills up by three */
	leave(search);
	return NULL;
}

/* false: there is no thread to be had. Signals are for the caller. */
static bool
begin_lookup(struct search *search, size_t i, struct error *err)
{
	struct lookup *lookup = &search->lookups[i];
	sigset_t all, before;

	pthread_mutex_lock(&search->lock);
	search->users++;
	pthread_mutex_unlock(&search->lock);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int errnum =
	    pthread_create(&lookup->thread, NULL, look_up_name, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	lookup->begun = errnum == 0;
	if (lookup->begun)
		return true;
	pthread_mutex_lock(&search->lock);
	search->users--;
	pthread_mutex_unlock(&search->lock);
	error_set_errno(
	    err, ERROR_SYSTEM, errnum, "a name cannot be looked up");
	return false;
}

/* Whoever is done has nothing more to do; the others are left alone. */
static void
end(struct search *search)
{
	bool done[LOOKUPS];

	pthread_mutex_lock(&search->lock);
	for (size_t i = 0; i < LOOKUPS; i++)
		done[i] = search->lookups[i].done;
	pthread_mutex_unlock(&search->lock);
	for (size_t i = 0; i < LOOKUPS; i++) {
		struct lookup *lookup = &search->lookups[i];
		if (lookup->begun && done[i])
			pthread_join(lookup->thread, NULL);
		else if (lookup->begun)
			pthread_detach(lookup->thread);
	}
	pthread_mutex_lock(&search->lock);
	leave(search);
}

/* Decisions */

enum verdict {
	FOUND, /* there is nothing better to wait for */
	PARTLY, /* one family has answered */
	NOTHING, /* no answer yet */
	BY_HALVES, /* both in one go have failed; each may do better */
	NONE, /* there is no address */
};

static void
take_lookup(const struct lookup *lookup, struct resolve_addresses *addresses)
{
	for (size_t i = 0; i < lookup->found.count; i++)
		add_address(addresses, lookup->found.text[i]);
}

/* The lock is held. *error gets the reason for NONE. */
static enum verdict
judge_locked(const struct search *search, struct resolve_addresses *addresses,
    int *error)
{
	const struct lookup *both = &search->lookups[BOTH];
	const struct lookup *ipv6 = &search->lookups[IPV6];
	const struct lookup *ipv4 = &search->lookups[IPV4];
	bool running =
	    (ipv6->begun && !ipv6->done) || (ipv4->begun && !ipv4->done);
	bool apart = ipv6->begun || ipv4->begun;

	addresses->count = 0;
	take_lookup(both, addresses);
	if (addresses->count > 0)
		return FOUND;
	take_lookup(ipv6, addresses);
	take_lookup(ipv4, addresses);
	if (addresses->count > 0)
		return running ? PARTLY : FOUND;
	*error = ipv4->done   ? ipv4->error
		 : ipv6->done ? ipv6->error
			      : both->error;
	if (both->done && both->error == EAI_NONAME)
		return NONE;
	if (apart)
		return running ? NOTHING : NONE;
	return both->done ? BY_HALVES : NOTHING;
}

static enum verdict
judge_lookup(
    struct search *search, struct resolve_addresses *addresses, int *error)
{
	uint64_t count;

	/* Before the look: what is found after it wakes us again. */
	ssize_t ignored = read(search->event, &count, sizeof count);
	(void)ignored;
	pthread_mutex_lock(&search->lock);
	enum verdict verdict = judge_locked(search, addresses, error);
	pthread_mutex_unlock(&search->lock);
	return verdict;
}

/* Waits until the verdict is another than this, or the time is over. */
static enum verdict
wait_beyond(struct search *search, enum verdict verdict,
    const struct deadline *deadline, struct resolve_addresses *addresses,
    int *error)
{
	enum verdict now = judge_lookup(search, addresses, error);

	while (now == verdict &&
	       deadline_wait(deadline, search->event, POLLIN) == DEADLINE_READY)
		now = judge_lookup(search, addresses, error);
	return now;
}

static struct deadline
part_of(const struct deadline *deadline, int64_t most)
{
	int64_t share = deadline_left(deadline) / SHARE;

	return deadline_min(
	    *deadline, deadline_in(share < most ? share : most, 0));
}

static enum verdict
find_lookup(struct search *search, int family, const struct deadline *deadline,
    struct resolve_addresses *addresses, int *error, struct error *err)
{
	struct deadline head_start = part_of(deadline, HEAD_START_MS);
	enum verdict verdict = NOTHING;

	if (family == AF_UNSPEC) {
		if (!begin_lookup(search, BOTH, err))
			return NONE;
		verdict =
		    wait_beyond(search, NOTHING, &head_start, addresses, error);
	}
	if (verdict == FOUND || verdict == NONE)
		return verdict;
	if ((family != AF_INET && !begin_lookup(search, IPV6, err)) ||
	    (family != AF_INET6 && !begin_lookup(search, IPV4, err)))
		return NONE;
	verdict = wait_beyond(search, NOTHING, deadline, addresses, error);
	if (verdict != PARTLY)
		return verdict;
	struct deadline late = part_of(deadline, LATE_MS);
	return wait_beyond(search, PARTLY, &late, addresses, error);
}

static bool
explain_lookup(enum verdict verdict, const char *host, int error,
    const struct deadline *deadline, struct error *err)
{
	switch (verdict) {
	case FOUND:
	case PARTLY:
		return true;
	case NONE:
		if (err->class == ERROR_NONE)
			error_set(err, ERROR_AGAIN,
			    "the name %s cannot be resolved: %s; correct the"
			    " name, or look at the name servers of this host",
			    host, gai_strerror(error));
		return false;
	case NOTHING:
	case BY_HALVES:
		break;
	}
	if (deadline_wait(deadline, -1, 0) == DEADLINE_STOPPED)
		error_set(err, ERROR_STOPPED, "stopped by a signal");
	else
		error_set(err, ERROR_AGAIN,
		    "timed out: the name servers do not answer for %s; look at"
		    " /etc/resolv.conf and the network of this host",
		    host);
	return false;
}

bool
resolve_name(const char *host, int family, const struct deadline *deadline,
    struct resolve_addresses *addresses, struct error *err)
{
	struct search *search = search_new(host, err);
	int error = EAI_NONAME;

	addresses->count = 0;
	if (search == NULL)
		return false;
	err->class = ERROR_NONE;
	enum verdict verdict =
	    find_lookup(search, family, deadline, addresses, &error, err);
	end(search);
	return explain_lookup(verdict, host, error, deadline, err);
}
