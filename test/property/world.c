/* SPDX-License-Identifier: ISC */
/* A world by chance: deliveries, mailboxes, messages. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/international.h"
#include "world.h"

enum { ANSWER_TIME = 60 * 1000 };

unsigned
chance(struct world *w, unsigned below)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->random >> 33) % below;
}

void
put(struct buf *buf, const void *data, size_t len)
{
	if (!buf_append(buf, data, len))
		abort();
}

void
say(struct buf *buf, const char *format, ...)
{
	char text[500];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put(buf, text, (size_t)len);
}

static void
make_folder(const char *format, ...)
{
	char path[200];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof path, format, args);
	va_end(args);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		abort();
}

static void
make_delivery(struct world *w, size_t i)
{
	struct config_delivery *delivery = &w->deliveries[i];
	struct service *service = &w->services[i];
	unsigned kind = chance(w, 5);

	*service = (struct service){.index = i, .fd = -1};
	for (size_t k = 0; k < CONNS; k++)
		service->conns[k].fd = -1;
	service->lmtp = kind < 2;
	service->pipelining = chance(w, 2) != 0;
	service->smtputf8 = chance(w, 2) != 0;
	service->dsn = chance(w, 3) != 0;
	service->lf_only = chance(w, 5) == 0;
	snprintf(service->path, sizeof service->path, "%s/s%u", w->folder,
	    (unsigned)i);
	snprintf(w->names[i], sizeof w->names[i], "d%u", (unsigned)i);
	snprintf(w->paths[i], sizeof w->paths[i],
	    kind == 4 ? "%s/m%zu/{user}" : "%s/s%zu", w->folder, i);
	*delivery = (struct config_delivery){.name = w->names[i],
	    .kind = kind < 2    ? CONFIG_LMTP
		    : kind == 4 ? CONFIG_MAILDIR
				: CONFIG_SMTP,
	    .path = w->paths[i],
	    .collect = kind % 2 != 0,
	    .sync = true,
	    .timeout = ANSWER_TIME};
	if (kind != 4)
		return;
	/* With nothing below it, it would be a mount point without its disk. */
	make_folder("%s/m%zu", w->folder, i);
	make_folder("%s/m%zu/spare", w->folder, i);
	make_folder("%s/m%zu/spare/tmp", w->folder, i);
	make_folder("%s/m%zu/spare/new", w->folder, i);
	make_folder("%s/m%zu/spare/cur", w->folder, i);
}

static void
make_box(struct world *w, size_t i)
{
	struct box *box = &w->boxes[i];
	size_t to = i % w->config.deliveries_count;

	*box = (struct box){.delivery = to,
	    .policy = chance(w, 2) ? (enum policy)chance(w, POLICIES)
				   : POLICY_ACCEPTS,
	    .until = MINUTE * (int64_t)chance(w, 3000)};
	snprintf(box->user, sizeof box->user, "u%zu%s", i,
	    chance(w, 5) == 0 ? "\xc3\xbc" : "");
	snprintf(w->patterns[i], sizeof w->patterns[i], "%s@*", box->user);
	w->pattern_items[i] = w->patterns[i];
	w->routes[i] = (struct config_route){
	    .recipients = {.items = &w->pattern_items[i], .count = 1},
	    .deliver = w->names[to],
	    .delivery = to};
	if (w->deliveries[to].kind != CONFIG_MAILDIR ||
	    box->policy == POLICY_UNKNOWN)
		return;
	make_folder("%s/m%zu/%s", w->folder, to, box->user);
	make_folder("%s/m%zu/%s/tmp", w->folder, to, box->user);
	make_folder("%s/m%zu/%s/new", w->folder, to, box->user);
	make_folder("%s/m%zu/%s/cur", w->folder, to, box->user);
}

const char *
wishes_for(unsigned box)
{
	static const char *const wishes[] = {"", " NOTIFY=NEVER",
	    " NOTIFY=delay,SUCCESS ORCPT=rfc822;a+2Bb@x.example",
	    " ORCPT=rfc822;other@x.example"};

	return wishes[box % (sizeof wishes / sizeof *wishes)];
}

bool
needs_smtputf8(const struct world *w, const struct message *m, unsigned box)
{
	return !international_is_ascii(m->sender) ||
	       !international_is_ascii(w->boxes[box].user);
}

/* Whom nobody has to ask: the agent itself refuses. */
static bool
never_possible(const struct world *w, const struct message *m, unsigned box)
{
	const struct box *to = &w->boxes[box];

	if (w->deliveries[to->delivery].kind == CONFIG_MAILDIR)
		return to->policy == POLICY_UNKNOWN;
	return needs_smtputf8(w, m, box) && !w->services[to->delivery].smtputf8;
}

static void
make_message(struct world *w, size_t i)
{
	struct message *m = &w->messages[i];

	*m = (struct message){.sized = chance(w, 4) != 0 && !w->no_sizes,
	    .boxes = 1 + chance(w, (1 << BOXES) - 1)};
	if (chance(w, 3) == 0)
		m->boxes = 1u << chance(w, BOXES);
	m->next_try = MINUTE * (int64_t)chance(w, 600);
	text_make(w, i);
	/* The first may be empty, and so is known by its sender. */
	if (i == 0)
		snprintf(m->sender, sizeof m->sender, "first@y.example");
	else if (chance(w, 8) != 0)
		snprintf(m->sender, sizeof m->sender, "s%u%s@y.example",
		    chance(w, 2), chance(w, 6) == 0 ? "\xc3\xb6" : "");
	for (unsigned box = 0; box < BOXES; box++)
		m->refused[box] = never_possible(w, m, box);
}

void
world_init(struct world *w, const char *top, uint64_t seed)
{
	static const char *const accepted[] = {"x.example", NULL};

	memset(w, 0, sizeof *w);
	the_world = w;
	w->seed = seed;
	w->random = seed * 2654435761u + 1;
	(void)chance(w, 2);
	w->now = MINUTE;
	w->one_a_call = chance(w, 4) == 0;
	w->no_sizes = chance(w, 3) == 0;
	w->provider.fd = -1;
	w->guilty = NO_MESSAGE;
	buf_init(&w->ledger, 1 << 24);
	snprintf(w->folder, sizeof w->folder, "%s/%llu", top,
	    (unsigned long long)seed);
	make_folder("%s", w->folder);
	w->config = (struct config){.hostname = "agent.example.org",
	    .state_dir = w->folder,
	    .spool_dir = w->folder,
	    .accounts = &w->account,
	    .accounts_count = 1,
	    .deliveries = w->deliveries,
	    .deliveries_count = 1 + chance(w, DELIVERIES),
	    .routes = w->routes,
	    .routes_count = BOXES};
	w->account = (struct config_account){.name = "office",
	    .accept = {.items = accepted, .count = 1},
	    .delivery = w->config.deliveries_count == 1 ? 0 : CONFIG_BY_ROUTES,
	    .drain = true,
	    .soft_bounce = chance(w, 5) == 0 ? CONFIG_SOFT_BOUNCE_AUTO
					     : CONFIG_SOFT_BOUNCE_NO,
	    .provider_timeout = 10 * MINUTE,
	    .session_timeout = 120 * MINUTE};
	for (size_t i = 0; i < w->config.deliveries_count; i++)
		make_delivery(w, i);
	for (size_t i = 0; i < BOXES; i++)
		make_box(w, i);
	w->message_count = 1 + chance(w, MESSAGES);
	for (size_t i = 0; i < w->message_count; i++)
		make_message(w, i);
}

void
remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char below[600];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
		if (unlink(below) != 0)
			remove_tree(below);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

void
world_clear(struct world *w)
{
	for (size_t i = 0; i < w->message_count; i++) {
		buf_clear(&w->messages[i].wire);
		buf_clear(&w->messages[i].want);
	}
	buf_clear(&w->ledger);
	remove_tree(w->folder);
}
