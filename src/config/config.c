/* SPDX-License-Identifier: ISC */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config_loader.h"

static void
init_loader(struct config_loader *loader, struct config_sections *sections,
    struct config *config)
{
	static const struct config_table *const tables[] = {&config_top_table,
	    &config_account_table, &config_delivery_table, &config_route_table,
	    &config_window_table, NULL};

	*sections = (struct config_sections){.config = config};
	sections->accounts.each = sizeof(struct config_account);
	sections->deliveries.each = sizeof(struct config_delivery);
	sections->routes.each = sizeof(struct config_route);
	sections->accounts_marks.each = sizeof(struct config_marks);
	sections->deliveries_marks.each = sizeof(struct config_marks);
	sections->routes_marks.each = sizeof(struct config_marks);
	*loader = (struct config_loader){
	    .tables = tables,
	    .top = config,
	    .context = sections,
	    .pool = &config->pool,
	    .faults = &config->faults,
	};
	loader->messages.each = sizeof(struct config_message);
}

/* The items become the configuration's, without spare room. */
static void *
take_items(struct array *array, size_t *count)
{
	*count = array->count;
	if (array->count == 0) {
		free(array->items);
		return NULL;
	}
	return xreallocarray(array->items, array->count, array->each);
}

static void
finish_config(struct config_loader *loader)
{
	struct config_sections *sections = config_sections_of(loader);
	struct config *config = sections->config;

	config->accounts =
	    take_items(&sections->accounts, &config->accounts_count);
	config->deliveries =
	    take_items(&sections->deliveries, &config->deliveries_count);
	config->routes = take_items(&sections->routes, &config->routes_count);
	config_apply_defaults(loader);
	/* What was not read cannot be missed. */
	if (!loader->ended && loader->marks.here.line != 0)
		config_check(loader);
	config_gather_secrets(config);
	config_sort_messages(loader);
	config->messages =
	    take_items(&loader->messages, &config->messages_count);
	for (size_t i = 0; i < config->messages_count; i++)
		if (config->messages[i].severity == CONFIG_PARTIAL_FAULT)
			config->partial++;
	free(sections->accounts_marks.items);
	free(sections->deliveries_marks.items);
	free(sections->routes_marks.items);
	secret_clear(&sections->defaults.password);
	secret_clear(&sections->defaults.proxy);
	secret_clear(&sections->defaults.ping_url);
}

/* A configuration that is nothing but a fault. */
static struct config *
unreadable(const char *path, int errnum)
{
	static const struct config_mark nowhere;
	struct config *config = xcalloc(1, sizeof *config);
	struct config_sections sections;
	struct config_loader loader;

	config->path = pool_text(&config->pool, path, strlen(path));
	init_loader(&loader, &sections, config);
	loader.ended = true;
	config_fault(&loader, nowhere, "%s%s", strerror(errnum),
	    errnum == ENOENT   ? "; `odmr-agent init` writes one, and -c names"
				 " another file"
	    : errnum == EACCES ? "; run this as root, or as the agent's user"
			       : "");
	finish_config(&loader);
	return config;
}

struct config *
config_read(int fd, const char *path)
{
	struct config *config = xcalloc(1, sizeof *config);
	struct config_sections sections;
	struct config_loader loader;

	config->path = pool_text(&config->pool, path, strlen(path));
	init_loader(&loader, &sections, config);
	config_read_file(&loader, fd);
	finish_config(&loader);
	return config;
}

struct config *
config_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return unreadable(path, errno);
	struct config *config = config_read(fd, path);
	close(fd);
	return config;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	config_wipe_secrets(config, NULL);
	free(config->accounts);
	free(config->deliveries);
	free(config->routes);
	free(config->messages);
	free(config->by_name);
	pool_clear(&config->pool);
	free(config);
}
