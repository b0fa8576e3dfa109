/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <stdlib.h>
#include <string.h>

#include "base/choices.h"
#include "base/mem.h"

static const struct config_key *
find_key(const struct config_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->keys[i].name, name) == 0)
			return &table->keys[i];
	return NULL;
}

size_t
config_key_index(const struct config_table *table, const char *name)
{
	const struct config_key *key = find_key(table, name);

	if (key == NULL)
		abort();
	return (size_t)(key - table->keys);
}

/* Edits that make one name of the other (Levenshtein). */
static size_t
distance(const char *a, const char *b)
{
	size_t row[CONFIG_EXCERPT_SIZE];
	size_t len = strlen(b);

	if (strlen(a) >= CONFIG_EXCERPT_SIZE || len >= CONFIG_EXCERPT_SIZE)
		return CONFIG_EXCERPT_SIZE;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t best = diagonal + (a[i] != b[j]);
			if (best > row[j] + 1)
				best = row[j] + 1;
			if (best > row[j + 1] + 1)
				best = row[j + 1] + 1;
			diagonal = row[j + 1];
			row[j + 1] = best;
		}
	}
	return row[len];
}

/* The key that was probably meant, or NULL. */
static const struct config_key *
nearest_key(const struct config_table *table, const char *name)
{
	const struct config_key *nearest = NULL;
	size_t best = CONFIG_EXCERPT_SIZE;

	for (size_t i = 0; i < table->count; i++) {
		size_t d = distance(name, table->keys[i].name);
		/* A third of the letters wrong is a slip, more another word. */
		if (d < best && d <= 1 + strlen(table->keys[i].name) / 3) {
			best = d;
			nearest = &table->keys[i];
		}
	}
	return nearest;
}

static void
tell_unknown_key(struct config_loader *loader, const struct config_table *table,
    const struct config_scalar *name)
{
	const struct config_table *const *tables = loader->tables;
	const struct config_key *nearest = nearest_key(table, name->text);
	struct choices choices = {.used = 0};
	char shown[CONFIG_EXCERPT_SIZE];

	config_excerpt(shown, name->text, name->len);
	for (size_t i = 0; tables[i] != NULL; i++)
		if (find_key(tables[i], name->text) != NULL) {
			config_fault(loader, name->mark,
			    "\"%s\" is a key of %s, not of %s", shown,
			    tables[i]->what, table->what);
			return;
		}
	if (nearest != NULL) {
		config_fault(loader, name->mark,
		    "%s has no key \"%s\"; is \"%s\" meant?", table->what,
		    shown, nearest->name);
		return;
	}
	for (size_t i = 0; i < table->count; i++)
		choices_add(&choices, table->keys[i].name);
	config_fault(loader, name->mark, "%s has no key \"%s\"%s", table->what,
	    shown, choices_phrase(&choices));
}

/* Takes the value of a key, and notes whether it has a fault. */
static void
read_value(struct config_loader *loader, const struct config_key *key,
    void *field, struct config_mark *mark)
{
	size_t faults = *loader->faults;

	key->read(loader, key, field);
	mark->slip = *loader->faults > faults;
}

/* Takes the key of a mapping; NULL: a fault was told. */
static const struct config_key *
parse_key(struct config_loader *loader, const struct config_table *table,
    struct config_marks *marks)
{
	const struct config_key *key = NULL;
	struct config_scalar name;

	if (!config_at(loader, YAML_SCALAR_EVENT)) {
		config_refuse(loader, table->what, "a mapping of plain keys");
		return NULL;
	}
	if (config_get_scalar(loader, "a key", &name)) {
		key = find_key(table, name.text);
		if (key == NULL)
			tell_unknown_key(loader, table, &name);
	}
	if (key != NULL) {
		struct config_mark *mark = &marks->of[key - table->keys];
		if (mark->line != 0) {
			config_fault(loader, name.mark,
			    "%s: already set in line %u", key->name,
			    mark->line);
			key = NULL;
		} else
			*mark = name.mark;
	}
	config_next(loader);
	return key;
}

void
config_read_mapping(struct config_loader *loader,
    const struct config_table *table, void *into, struct config_marks *marks)
{
	if (!config_at(loader, YAML_MAPPING_START_EVENT)) {
		config_refuse(loader, table->what, "a mapping of keys");
		return;
	}
	marks->here = config_here(loader);
	config_next(loader);
	while (!loader->ended && !config_at(loader, YAML_MAPPING_END_EVENT)) {
		const struct config_key *key = parse_key(loader, table, marks);
		if (key == NULL)
			config_skip(loader);
		else
			read_value(loader, key, (char *)into + key->offset,
			    &marks->of[key - table->keys]);
	}
	config_next(loader);
}

void
config_each_mapping(struct config_loader *loader, const struct config_key *key,
    config_read_fn *item, void *context)
{
	if (config_at(loader, YAML_MAPPING_START_EVENT)) {
		item(loader, key, context);
		return;
	}
	if (!config_at(loader, YAML_SEQUENCE_START_EVENT)) {
		config_refuse(loader, key->name, "a list of mappings");
		return;
	}
	config_next(loader);
	while (!loader->ended && !config_at(loader, YAML_SEQUENCE_END_EVENT))
		item(loader, key, context);
	config_next(loader);
}

/* It becomes a file name, and an argument on the command line. */
static bool
is_section_name(const struct config_scalar *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";

	return name->len <= CONFIG_NAME_MAX &&
	       strspn(name->text, allowed) == name->len &&
	       name->text[0] != '.' && name->text[0] != '-';
}

/* Takes the name of an account or delivery; NULL: a fault was told. */
static const char *
read_name(struct config_loader *loader, const struct config_key *key)
{
	char shown[CONFIG_EXCERPT_SIZE];
	struct config_scalar name;
	const char *result = NULL;

	if (!config_at(loader, YAML_SCALAR_EVENT)) {
		config_refuse(loader, key->name, "a mapping of names");
		return NULL;
	}
	if (!config_get_scalar(loader, key->name, &name))
		;
	else if (!is_section_name(&name))
		config_fault(loader, name.mark,
		    "%s: \"%s\" is no name; it has letters, digits, \"-\","
		    " \"_\" and \".\", %d at most, and begins with none of"
		    " \"-\" and \".\"",
		    key->name, config_excerpt(shown, name.text, name.len),
		    CONFIG_NAME_MAX);
	else
		result = pool_text(loader->pool, name.text, name.len);
	config_next(loader);
	return result;
}

bool
config_has_room(struct config_loader *loader, const struct config_key *key,
    const struct array *array, size_t max)
{
	if (array->count < max)
		return true;
	config_fault(loader, config_here(loader),
	    "%s: there are more than %zu, which is the limit", key->name, max);
	config_end(loader);
	return false;
}

void
config_read_named(struct config_loader *loader, const struct config_key *key,
    const struct config_table *table, struct array *array, struct array *marks,
    size_t max)
{
	if (!config_at(loader, YAML_MAPPING_START_EVENT)) {
		config_refuse(loader, key->name, "a mapping of names");
		return;
	}
	config_next(loader);
	while (!loader->ended && !config_at(loader, YAML_MAPPING_END_EVENT) &&
	       config_has_room(loader, key, array, max)) {
		struct config_mark here = config_here(loader);
		struct config_named named = {
		    read_name(loader, key), here.line, here.column};
		if (named.name == NULL) {
			config_skip(loader);
			continue;
		}
		void *item = array_add(array);
		memcpy(item, &named, sizeof named);
		config_read_mapping(loader, table, item, array_add(marks));
	}
	config_next(loader);
}

void
config_parse(struct config_loader *loader)
{
	static const struct config_mark nowhere;

	config_next(loader); /* STREAM-START */
	config_next(loader); /* DOCUMENT-START, or there is none */
	if (config_at(loader, YAML_STREAM_END_EVENT)) {
		config_fault(loader, nowhere, "the file is empty");
		config_end(loader);
	}
	config_next(loader);
	config_read_mapping(
	    loader, loader->tables[0], loader->top, &loader->marks);
	config_next(loader); /* past DOCUMENT-END */
	if (!loader->ended && !config_at(loader, YAML_STREAM_END_EVENT)) {
		config_fault(loader, config_here(loader),
		    "a second document begins here (---); a configuration has only one");
		config_end(loader);
	}
}
