/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

char *
config_excerpt(
    char out[static CONFIG_EXCERPT_SIZE], const char *text, size_t len)
{
	return escape_text(out, CONFIG_EXCERPT_SIZE, text, len);
}

/* Defaults stand for many accounts: each message is told once. */
static bool
is_told(const struct config_loader *loader, struct config_mark mark,
    const char *text)
{
	const struct config_message *messages = loader->messages.items;

	for (size_t i = 0; i < loader->messages.count; i++)
		if (messages[i].line == mark.line &&
		    messages[i].column == mark.column &&
		    strcmp(messages[i].text, text) == 0)
			return true;
	return false;
}

static void tell_message(struct config_loader *loader,
    enum config_severity severity, struct config_mark mark, const char *format,
    va_list args) __attribute__((format(printf, 4, 0)));

/* Beyond the bound one last message says so. */
static void
tell_message(struct config_loader *loader, enum config_severity severity,
    struct config_mark mark, const char *format, va_list args)
{
	size_t *told =
	    severity == CONFIG_FAULT ? loader->faults : &loader->warnings;
	char text[1024];

	if (*told > CONFIG_MESSAGES_MAX)
		return;
	int len = vsnprintf(text, sizeof text, format, args);
	if (len < 0 || is_told(loader, mark, text))
		return;
	if (*told == CONFIG_MESSAGES_MAX)
		snprintf(
		    text, sizeof text, "there is more, which is not shown");
	++*told;
	struct config_message *message = array_add(&loader->messages);
	message->severity = severity;
	message->line = mark.line;
	message->column = mark.column;
	message->text = pool_text(loader->pool, text, strlen(text));
	loader->full = *loader->faults > CONFIG_MESSAGES_MAX;
}

void
config_fault(struct config_loader *loader, struct config_mark mark,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_message(loader, CONFIG_FAULT, mark, format, args);
	va_end(args);
}

void
config_warn(struct config_loader *loader, struct config_mark mark,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_message(loader, CONFIG_WARNING, mark, format, args);
	va_end(args);
}

void
config_partial_fault(struct config_loader *loader, struct config_mark mark,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_message(loader, CONFIG_PARTIAL_FAULT, mark, format, args);
	va_end(args);
}

/* Those of the whole file first; few enough to be sorted so. */
void
config_sort_messages(struct config_loader *loader)
{
	struct config_message *all = loader->messages.items;

	for (size_t i = 1; i < loader->messages.count; i++) {
		struct config_message moved = all[i];
		size_t j = i;
		for (; j > 0 && (all[j - 1].line > moved.line ||
				    (all[j - 1].line == moved.line &&
					all[j - 1].column > moved.column));
		     j--)
			all[j] = all[j - 1];
		all[j] = moved;
	}
}

char *
config_message_format(const char *path, const struct config_message *message,
    char *out, size_t size)
{
	const char *warning =
	    message->severity == CONFIG_WARNING ? "warning: " : "";

	if (message->line == 0)
		snprintf(out, size, "%s: %s%s", path, warning, message->text);
	else
		snprintf(out, size, "%s:%u:%u: %s%s", path, message->line,
		    message->column, warning, message->text);
	return out;
}

enum config_log_level
config_message_level(const struct config_message *message)
{
	return message->severity == CONFIG_WARNING ? CONFIG_LOG_WARNING
						   : CONFIG_LOG_ERROR;
}
