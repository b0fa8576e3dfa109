/* SPDX-License-Identifier: ISC */
/*
 * One mapping of the file, as the checks that come after reading ask it.
 */
#include "config/config_loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/choices.h"

struct config_mark
config_mark_of(const struct config_section *section, const char *key)
{
	return section->marks->of[config_key_index(section->table, key)];
}

bool
config_is_set(const struct config_section *section, const char *key)
{
	return config_mark_of(section, key).line != 0;
}

bool
config_has_slip(const struct config_section *section, const char *key)
{
	return config_mark_of(section, key).slip;
}

/* config_fault() or config_warn() */
typedef void tell_function(struct config_loader *loader,
    struct config_mark mark, const char *format, ...);

static void tell_of_key(tell_function *tell,
    const struct config_section *section, const char *key, const char *format,
    va_list args) __attribute__((format(printf, 4, 0)));

static void
tell_of_key(tell_function *tell, const struct config_section *section,
    const char *key, const char *format, va_list args)
{
	char text[CONFIG_MESSAGE_SIZE];

	vsnprintf(text, sizeof text, format, args);
	tell(
	    section->loader, config_mark_of(section, key), "%s: %s", key, text);
}

void
config_key_fault(const struct config_section *section, const char *key,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_of_key(config_fault, section, key, format, args);
	va_end(args);
}

void
config_key_warn(const struct config_section *section, const char *key,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_of_key(config_warn, section, key, format, args);
	va_end(args);
}

void
config_check_required(const struct config_section *section)
{
	for (size_t i = 0; i < section->table->count; i++) {
		const struct config_key *key = &section->table->keys[i];
		if (key->required && section->marks->of[i].line == 0)
			config_fault(section->loader, section->mark,
			    "%s %s: \"%s\" is missing", section->kind,
			    section->name, key->name);
	}
}

static const char *
advise_of_access(int errnum, int access)
{
	if (errnum == ENOENT || errnum == ENOTDIR)
		return "correct the path, or put the file there";
	return access == X_OK ? "let the agent's user run it"
			      : "let the agent's user read it";
}

/* What a path names is looked at now, so that a slip shows before the first
 * session; it stops nothing else, and it may be there by then. */
void
config_check_access(
    const struct config_section *section, size_t i, const char *path)
{
	const struct config_key *key = &section->table->keys[i];
	char shown[CONFIG_EXCERPT_SIZE];

	if (path == NULL || path[0] != '/')
		return;
	if (faccessat(AT_FDCWD, path, key->access, AT_EACCESS) != 0)
		config_partial_fault(section->loader, section->marks->of[i],
		    "%s: \"%s\" cannot be %s: %s; %s", key->name,
		    config_excerpt(shown, path, strlen(path)),
		    key->access == X_OK ? "run" : "read", strerror(errno),
		    advise_of_access(errno, key->access));
}

/* The index of a delivery, or CONFIG_BY_ROUTES after a fault. */
size_t
config_find_delivery_index(
    const struct config_section *section, const char *name)
{
	const struct config *config =
	    config_sections_of(section->loader)->config;
	struct choices choices = {.used = 0};
	char shown[CONFIG_EXCERPT_SIZE];

	if (name == NULL)
		return CONFIG_BY_ROUTES;
	for (size_t i = 0; i < config->deliveries_count; i++)
		if (strcmp(config->deliveries[i].name, name) == 0)
			return i;
	for (size_t i = 0; i < config->deliveries_count; i++)
		choices_add(&choices, config->deliveries[i].name);
	config_key_fault(section, "deliver", "there is no delivery \"%s\"%s",
	    config_excerpt(shown, name, strlen(name)),
	    choices_phrase(&choices));
	return CONFIG_BY_ROUTES;
}
