/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const char any[] = "any"; /* of `domains` */

/* What follows the bracket of an address is no YAML in most cases; that is
 * the same slip, and need not be told, too. */
static void
refuse_item(struct config_loader *loader, const struct config_key *key)
{
	const yaml_event_t *event = &loader->event;

	if (config_at(loader, YAML_MAPPING_START_EVENT) &&
	    event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE) {
		config_refuse(loader, key->name,
		    "one value; one that begins with { must be quoted");
		return;
	}
	if (!config_at(loader, YAML_SEQUENCE_START_EVENT) ||
	    event->data.sequence_start.style != YAML_FLOW_SEQUENCE_STYLE) {
		config_refuse(loader, key->name, "one value");
		return;
	}
	loader->bracket = config_here(loader).line;
	config_refuse(loader, key->name,
	    "one value; one that begins with [ must be quoted, as in"
	    " \"[2001:db8::1]:366\"");
}

/* The scalar that is current; it is taken. */
static void
read_item(struct config_loader *loader, const struct config_key *key,
    config_convert_fn *item, void *context)
{
	struct config_scalar scalar;

	if (!config_at(loader, YAML_SCALAR_EVENT)) {
		refuse_item(loader, key);
		return;
	}
	if (config_get_scalar(loader, key->name, &scalar))
		(void)item(loader, &scalar, key, context);
	config_next(loader);
}

void
config_read_scalar(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	read_item(loader, key, key->convert, field);
}

void
config_each_scalar(struct config_loader *loader, const struct config_key *key,
    config_convert_fn *item, void *context)
{
	if (config_at(loader, YAML_SCALAR_EVENT)) {
		read_item(loader, key, item, context);
		return;
	}
	if (!config_at(loader, YAML_SEQUENCE_START_EVENT)) {
		config_refuse(loader, key->name, "one value or a list of them");
		return;
	}
	config_next(loader);
	if (config_at(loader, YAML_SEQUENCE_END_EVENT))
		config_fault(loader, config_here(loader),
		    "%s: the list is empty", key->name);
	while (!loader->ended && !config_at(loader, YAML_SEQUENCE_END_EVENT))
		read_item(loader, key, item, context);
	config_next(loader);
}

/* A config_convert_fn that adds one text to an array. */
static bool
add_text(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *context)
{
	const char *text;

	if (!key->convert(loader, scalar, key, &text))
		return false;
	*(const char **)array_add(context) = text;
	return true;
}

void
config_read_texts(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct array array = {.each = sizeof(const char *)};
	struct config_texts *texts = field;

	config_each_scalar(loader, key, add_text, &array);
	texts->count = array.count;
	*(const char **)array_add(&array) = NULL;
	texts->items =
	    pool_copy(loader->pool, array.items, array.count * array.each);
	free(array.items);
}

/* A domain, or the word that stands for all. */
bool
config_to_domain_or_any(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	if (strcasecmp(scalar->text, any) != 0)
		return config_to_domain(loader, scalar, key, field);
	*(const char **)field = any;
	return true;
}

/* By the text, and where that is the same by the place in the list. */
static int
compare_items(const void *a, const void *b)
{
	const char *const *const *one = a, *const *const *other = b;
	int order = strcmp(**one, **other);

	if (order != 0)
		return order;
	return *one < *other ? -1 : 1;
}

/* Each text stays where it stands first. */
static void
drop_repeated(struct config_texts *texts, struct pool *pool)
{
	size_t count = texts->count, kept = 0;

	if (count < 2)
		return;
	const char **items =
	    pool_copy(pool, texts->items, (count + 1) * sizeof *items);
	const char ***sorted = xreallocarray(NULL, count, sizeof *sorted);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &items[i];
	qsort(sorted, count, sizeof *sorted, compare_items);
	const char *before = *sorted[0];
	for (size_t i = 1; i < count; i++) {
		if (strcmp(before, *sorted[i]) == 0)
			*sorted[i] = NULL;
		else
			before = *sorted[i];
	}
	free(sorted);
	for (size_t i = 0; i < count; i++)
		if (items[i] != NULL)
			items[kept++] = items[i];
	items[kept] = NULL;
	*texts = (struct config_texts){.items = items, .count = kept};
}

/* A list of domains, or `any` alone, which is kept as the empty list. */
void
config_read_domains(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct config_texts *domains = field;
	struct config_mark here = config_here(loader);
	bool has_any = false;

	config_read_texts(loader, key, field);
	drop_repeated(domains, loader->pool);
	for (size_t i = 0; i < domains->count; i++)
		has_any = has_any || domains->items[i] == any;
	if (has_any && domains->count > 1)
		config_fault(loader, here,
		    "%s: \"any\" cannot be in a list with others", key->name);
	else if (has_any)
		domains->count = 0;
}

bool
config_to_argument(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	/* An argument may hold what the file may; MTAs take no longer. */
	if (scalar->len >= PATH_MAX) {
		config_fault(loader, scalar->mark,
		    "%s: an argument is longer than %d octets", key->name,
		    PATH_MAX);
		return false;
	}
	return config_to_text(loader, scalar, key, field);
}

/* A program and its arguments: the path alone, or a list. */
void
config_read_program(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct config_texts *args = field;
	struct config_mark here = config_here(loader);
	bool list = !config_at(loader, YAML_SCALAR_EVENT);

	config_read_texts(loader, key, field);
	if (args->count == 0)
		return;
	if (args->items[0][0] != '/')
		config_fault(loader, here,
		    "%s: the program needs an absolute path, one that begins"
		    " with \"/\"",
		    key->name);
	else if (!list && strpbrk(args->items[0], " \t") != NULL)
		config_fault(loader, here,
		    "%s: arguments are written as a list: [PATH, ARGUMENT]",
		    key->name);
}
