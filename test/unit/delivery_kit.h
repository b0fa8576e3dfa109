/*
 * delivery_kit - what the tests of deliveries share: an envelope from texts,
 * a message put through, a scratch folder, a full disk.
 */
#ifndef ODMR_TEST_DELIVERY_KIT_H
#define ODMR_TEST_DELIVERY_KIT_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deliver/delivery.h"
#include "protocol/address.h"
#include "protocol/envelope.h"
#include "remove_tree.h"

enum { KIT_RCPTS = 1000, KIT_PATIENCE_MS = 60 * 1000, KIT_STOP_MS = 100 };

struct kit {
	char folder[64]; /* a scratch folder */
	struct path sender;
	struct recipient *recipients;
	const struct recipient **rcpts;
	struct envelope envelope;
	struct status answers[KIT_RCPTS], results[KIT_RCPTS];
	bool joined[KIT_RCPTS]; /* to the result that came next */
	struct delivery *delivery;
};

static inline struct deadline
kit_deadline(void)
{
	return deadline_in(KIT_PATIENCE_MS, KIT_STOP_MS);
}

static inline void
kit_path(struct path *path, const char *mailbox)
{
	char text[ADDRESS_MAX + 3];
	size_t used;

	snprintf(text, sizeof text, "<%s>", mailbox);
	assert_int_equal(path_parse(path, text, strlen(text), &used), PATH_OK);
}

static inline int
kit_setup(void **state)
{
	struct kit *kit = calloc(1, sizeof *kit);

	kit->recipients = calloc(KIT_RCPTS, sizeof *kit->recipients);
	kit->rcpts = calloc(KIT_RCPTS, sizeof *kit->rcpts);
	snprintf(kit->folder, sizeof kit->folder, "/tmp/odmr-unit-XXXXXX");
	*state = kit;
	return mkdtemp(kit->folder) != NULL ? 0 : -1;
}

static inline int
kit_teardown(void **state)
{
	struct kit *kit = *state;

	if (kit->delivery != NULL)
		kit->delivery->ops->free(kit->delivery);
	remove_tree(kit->folder);
	free(kit->recipients);
	free(kit->rcpts);
	free(kit);
	return 0;
}

static inline char *
kit_join(const char *folder, const char *name)
{
	char *path = malloc(strlen(folder) + strlen(name) + 2);

	sprintf(path, "%s/%s", folder, name);
	return path;
}

/* The whole file, NUL behind it; NULL where there is none. */
static inline char *
kit_read(const char *path, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		return NULL;
	char *text = calloc(1, (size_t)st.st_size + 1);
	*len = (size_t)read(fd, text, (size_t)st.st_size);
	close(fd);
	return text;
}

/* begin to the last answer; answers[i].code is 0 where none came. */
static inline void
kit_ask(struct kit *kit, const char *sender, const char *const *rcpts)
{
	struct delivery *delivery = kit->delivery;
	struct deadline deadline = kit_deadline();
	struct status status;
	size_t rcpt, answered = 0;

	memset(kit->answers, 0, sizeof kit->answers);
	kit->envelope =
	    (struct envelope){.sender = &kit->sender, .rcpt = kit->rcpts};
	kit_path(&kit->sender, sender);
	delivery->ops->begin(delivery, &kit->envelope);
	for (size_t i = 0; rcpts[i] != NULL; i++) {
		kit_path(&kit->recipients[i].path, rcpts[i]);
		kit->rcpts[i] = &kit->recipients[i];
		kit->envelope.rcpts++;
		delivery->ops->rcpt(delivery, i);
	}
	delivery->ops->send(delivery, true);
	while (delivery->ops->answer(delivery, &rcpt, &status, &deadline)) {
		assert_int_equal(kit->answers[rcpt].code, 0);
		kit->answers[rcpt] = status;
		answered++;
	}
	assert_int_equal(answered, kit->envelope.rcpts);
}

static inline void
kit_body(struct kit *kit, const char *text, size_t len, size_t piece)
{
	for (size_t at = 0; at < len; at += piece)
		kit->delivery->ops->body(kit->delivery, text + at,
		    len - at < piece ? len - at : piece);
}

/* One result for each accepted recipient, and none for another. */
static inline void
kit_results(struct kit *kit)
{
	struct deadline deadline = kit_deadline();
	struct status status;
	size_t rcpt;

	memset(kit->results, 0, sizeof kit->results);
	memset(kit->joined, 0, sizeof kit->joined);
	while (kit->delivery->ops->result(
	    kit->delivery, &rcpt, &status, &deadline)) {
		assert_int_equal(status_class(&kit->answers[rcpt]), 2);
		assert_int_equal(kit->results[rcpt].code, 0);
		kit->results[rcpt] = status;
		kit->joined[rcpt] = delivery_result_joined(kit->delivery);
	}
	for (size_t i = 0; i < kit->envelope.rcpts; i++)
		if (status_class(&kit->answers[i]) == 2)
			assert_int_not_equal(kit->results[i].code, 0);
}

/* What ready said. */
static inline bool
kit_end(struct kit *kit)
{
	struct deadline deadline = kit_deadline();
	bool ready = kit->delivery->ops->ready(kit->delivery, &deadline);

	if (ready)
		kit->delivery->ops->finish(kit->delivery, &deadline);
	kit_results(kit);
	return ready;
}

static inline bool
kit_write(const char *path, const char *text)
{
	ssize_t len = (ssize_t)strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, (size_t)len) == len;

	if (fd >= 0)
		close(fd);
	return written;
}

/*
 * A mount namespace of its own; without root, as root of a user namespace. The
 * group needs its place in there as well: on a file system of the namespace
 * nobody without one can make a file (EOVERFLOW).
 */
static inline bool
kit_own_mounts(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof uids, "0 %u 1", (unsigned)geteuid());
	snprintf(gids, sizeof gids, "0 %u 1", (unsigned)getegid());
	if (unshare(CLONE_NEWNS) == 0)
		return true;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       kit_write("/proc/self/setgroups", "deny") &&
	       kit_write("/proc/self/uid_map", uids) &&
	       kit_write("/proc/self/gid_map", gids);
}

/*
 * Puts a disk of so many KiB on the folder, for this process alone: call it in
 * a child. false: this user may not, so that the test has to be skipped.
 */
static inline bool
kit_small_disk(const char *folder, unsigned kib)
{
	char option[32];

	snprintf(option, sizeof option, "size=%uk", kib);
	return kit_own_mounts() &&
	       mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", folder, "tmpfs", 0, option) == 0;
}

enum { KIT_SKIPPED = 77 };

/* Waits for a child that ended with 0, or with KIT_SKIPPED. */
static inline void
kit_expect_child(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == KIT_SKIPPED)
		skip();
	assert_int_equal(status, 0);
}

#endif
