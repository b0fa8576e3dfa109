/* SPDX-License-Identifier: ISC */
#include "run/publisher.h"

#include "base/clock.h"
#include "run/workers.h"
#include "tell/log.h"
#include "tell/publish.h"

enum {
	/* Sessions of a burst end within this, and nobody reads so soon. */
	GATHER_MS = 1000,
	/* A writing costs a twentieth of the time at most, but whoever reads
	 * sees what was so a minute ago: the page loads itself again then. */
	REST = 19,
	REST_MAX_MS = 60 * 1000,
	/* A folder that is full or missing. */
	RETRY_MS = 60 * 1000,
	/* It stays so until somebody reads the log. */
	TELL_MS = 3600 * 1000,
};

void
publisher_init(struct publisher *publisher, struct workers *pool)
{
	*publisher = (struct publisher){.pool = pool, .due = INT64_MAX};
}

void
publisher_change(struct publisher *publisher)
{
	int64_t due = clock_ms() + GATHER_MS;

	if (due < publisher->due)
		publisher->due = due;
}

void
publisher_note(struct publisher *publisher, const struct workers_event *event,
    int64_t listening)
{
	const struct session_result *result = &event->result;

	/* Another process has the account. */
	if (event->ended ? result->error.class != ERROR_BUSY
			 : result->listening != listening)
		publisher_change(publisher);
}

/* What could not be written is still to be written. */
static void
note_unwritten(struct publisher *publisher, int64_t now)
{
	if (publisher->due == INT64_MAX)
		publisher->due = now + RETRY_MS;
	publisher->not_before = now + RETRY_MS;
	if (publisher->quiet)
		return;
	publisher->told = now;
	if (workers_published(publisher->pool) == WORKERS_PUBLISHER_LOST)
		log_say(CONFIG_LOG_WARNING, NULL, "publish",
		    "the process that writes metrics_file and status_page could"
		    " not be started, died or hung");
}

/* true: a process is still under way. */
static bool
look_after(struct publisher *publisher)
{
	enum workers_published published = workers_published(publisher->pool);
	int64_t now = clock_ms();

	if (!publisher->busy || published == WORKERS_PUBLISHING)
		return publisher->busy;
	publisher->busy = false;
	int64_t rest = (now - publisher->begun) * REST;
	publisher->not_before = now + (rest < REST_MAX_MS ? rest : REST_MAX_MS);
	if (published == WORKERS_PUBLISHED)
		publisher->told = 0;
	else
		note_unwritten(publisher, now);
	return false;
}

static void
begin(struct publisher *publisher, struct config *config)
{
	int64_t now = clock_ms();

	publisher->due = INT64_MAX;
	if (!publish_is_wanted(config))
		return;
	publisher->begun = now;
	publisher->busy = true;
	publisher->quiet =
	    publisher->told != 0 && now - publisher->told < TELL_MS;
	workers_publish(publisher->pool, config, publisher->quiet);
}

int64_t
publisher_run(struct publisher *publisher, struct config *config)
{
	if (look_after(publisher) || publisher->due == INT64_MAX)
		return INT64_MAX;
	int64_t at = publisher->due > publisher->not_before
			 ? publisher->due
			 : publisher->not_before;
	if (at > clock_ms())
		return at;
	begin(publisher, config);
	/* A process that was refused is none to wait for. */
	return look_after(publisher) ? INT64_MAX : publisher->due;
}

bool
publisher_finish(struct publisher *publisher, struct config *config)
{
	if (look_after(publisher))
		return false;
	if (publisher->due == INT64_MAX || publisher->last)
		return true;
	publisher->last = true;
	begin(publisher, config);
	return !look_after(publisher);
}
