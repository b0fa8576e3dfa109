/* SPDX-License-Identifier: ISC */
#include "command/fetch_row.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"

static int
compare_logins(const struct config_account *a, const struct config_account *b)
{
	int by_host = strcmp(a->provider.host, b->provider.host);

	if (by_host != 0)
		return by_host;
	if (a->provider.port != b->provider.port)
		return a->provider.port < b->provider.port ? -1 : 1;
	return strcmp(config_login_user(a), config_login_user(b));
}

/* By login, and those of one login by the order of the fetch. */
static int
compare_jobs(const void *first, const void *second)
{
	const struct fetch_job *a = *(struct fetch_job *const *)first;
	const struct fetch_job *b = *(struct fetch_job *const *)second;
	int by_login = compare_logins(a->account, b->account);

	return by_login != 0 ? by_login : (a > b) - (a < b);
}

static void
put_behind(struct fetch_job *jobs, size_t count)
{
	struct fetch_job **sorted = xreallocarray(NULL, count, sizeof *sorted);

	for (size_t i = 0; i < count; i++)
		sorted[i] = &jobs[i];
	qsort(sorted, count, sizeof *sorted, compare_jobs);
	for (size_t i = 1; i < count; i++) {
		struct fetch_job *before = sorted[i - 1];
		if (compare_logins(before->account, sorted[i]->account) != 0)
			continue;
		before->behind = sorted[i];
		sorted[i]->follows = true;
	}
	free(sorted);
}

struct fetch_job *
fetch_row_make(struct fetch_job *jobs, size_t count)
{
	struct fetch_job *row = NULL;

	if (count > 0)
		put_behind(jobs, count);
	/* From the end, so that each is the first one when it enters. */
	for (size_t i = count; i-- > 0;)
		if (!jobs[i].follows)
			fetch_row_enter(&row, &jobs[i]);
	return row;
}

void
fetch_row_enter(struct fetch_job **place, struct fetch_job *job)
{
	if (job == NULL)
		return;
	while (*place != NULL && *place < job)
		place = &(*place)->next;
	job->next = *place;
	*place = job;
}
