/* SPDX-License-Identifier: ISC */
#include "agent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_loader.h"
#include "base/mem.h"

/* A yaml_read_handler_t; 0 ends the parser with a reader error. */
static int
read_file(void *context, unsigned char *buffer, size_t size, size_t *got)
{
	struct config_loader *loader = context;
	ssize_t n;

	do
		n = read(loader->fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		loader->trouble = strerror(errno);
		return 0;
	}
	loader->octets += (size_t)n;
	if (loader->octets > CONFIG_FILE_MAX) {
		loader->trouble = "larger than any configuration (4 MiB)";
		return 0;
	}
	*got = (size_t)n;
	return 1;
}

/* The parser's own buffers hold the text of the file, passwords too. */
static void
delete_parser(yaml_parser_t *parser)
{
	if (parser->raw_buffer.start != NULL)
		explicit_bzero(parser->raw_buffer.start,
		    (size_t)(parser->raw_buffer.end -
			     parser->raw_buffer.start));
	if (parser->buffer.start != NULL)
		explicit_bzero(parser->buffer.start,
		    (size_t)(parser->buffer.end - parser->buffer.start));
	yaml_parser_delete(parser);
}

static void
parse_file(struct config_loader *loader)
{
	if (yaml_parser_initialize(&loader->parser) == 0)
		mem_exhausted();
	yaml_parser_set_input(&loader->parser, read_file, loader);
	config_parse(loader);
	yaml_event_delete(&loader->event);
	delete_parser(&loader->parser);
}

static void
init_loader(struct config_loader *loader, struct config *config, int fd)
{
	*loader = (struct config_loader){.config = config, .fd = fd};
	loader->messages.each = sizeof(struct config_message);
	loader->accounts.each = sizeof(struct config_account);
	loader->deliveries.each = sizeof(struct config_delivery);
	loader->routes.each = sizeof(struct config_route);
	loader->accounts_marks.each = sizeof(struct config_marks);
	loader->deliveries_marks.each = sizeof(struct config_marks);
	loader->routes_marks.each = sizeof(struct config_marks);
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
finish(struct config_loader *loader)
{
	struct config *config = loader->config;

	config->accounts =
	    take_items(&loader->accounts, &config->accounts_count);
	config->deliveries =
	    take_items(&loader->deliveries, &config->deliveries_count);
	config->routes = take_items(&loader->routes, &config->routes_count);
	config_apply_defaults(loader);
	/* What was not read cannot be missed. */
	if (!loader->ended && loader->marks.here.line != 0)
		config_check(loader);
	config_sort_messages(loader);
	config->messages =
	    take_items(&loader->messages, &config->messages_count);
	free(loader->accounts_marks.items);
	free(loader->deliveries_marks.items);
	free(loader->routes_marks.items);
	secret_clear(&loader->defaults.password);
	secret_clear(&loader->defaults.proxy);
	secret_clear(&loader->defaults.ping_url);
}

/* A configuration that is nothing but a fault. */
static struct config *
unreadable(const char *path, const char *why)
{
	static const struct config_mark nowhere;
	struct config *config = xcalloc(1, sizeof *config);
	struct config_loader loader;

	config->path = pool_text(&config->pool, path, strlen(path));
	init_loader(&loader, config, -1);
	loader.ended = true;
	config_fault(&loader, nowhere, "%s", why);
	finish(&loader);
	return config;
}

struct config *
config_read(int fd, const char *path)
{
	struct config *config = xcalloc(1, sizeof *config);
	struct config_loader loader;

	config->path = pool_text(&config->pool, path, strlen(path));
	init_loader(&loader, config, fd);
	parse_file(&loader);
	finish(&loader);
	return config;
}

struct config *
config_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return unreadable(path, strerror(errno));
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

static int
compare_name(const void *name, const void *account)
{
	const struct config_account *const *one = account;

	return strcmp(name, (*one)->name);
}

const struct config_account *
config_find_account(const struct config *config, const char *name)
{
	if (config->by_name == NULL)
		return NULL;
	const struct config_account *const *found =
	    bsearch(name, config->by_name, config->accounts_count,
		sizeof(*config->by_name), compare_name);
	return found != NULL ? *found : NULL;
}
