/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <string.h>

#include "base/mem.h"

static struct config_mark
mark_at(const yaml_mark_t *mark)
{
	return (struct config_mark){
	    .line = (unsigned)mark->line + 1,
	    .column = (unsigned)mark->column + 1,
	};
}

struct config_mark
config_here(const struct config_loader *loader)
{
	return mark_at(&loader->event.start_mark);
}

/* Values may be secrets, so none is left in freed memory. */
static void
drop_event(struct config_loader *loader)
{
	yaml_event_t *event = &loader->event;

	if (event->type == YAML_SCALAR_EVENT)
		explicit_bzero(
		    event->data.scalar.value, event->data.scalar.length);
	yaml_event_delete(event);
	*event = (yaml_event_t){.type = YAML_NO_EVENT};
}

void
config_end(struct config_loader *loader)
{
	drop_event(loader);
	loader->ended = true;
}

/* What is meant by the parser's words for the slips that people make, and what
 * to do. Behind the words, which can be looked for. */
static const struct {
	const char *words, *advice;
} slips[] = {
    {"mapping values are not allowed",
	"; quote a value that has \": \" in it, and indent the keys of a"
	" mapping alike"},
    {"block sequence entries are not allowed",
	"; quote a value that begins with \"- \"; the items of a list begin on"
	" lines of their own"},
    {"mapping keys are not allowed", "; quote a value that begins with \"? \""},
    {"found unexpected end of stream", "; a quotation mark is not closed"},
    {"found unknown escape character",
	"; in double quotes \\ is written \\\\, in single quotes it stands"
	" for itself"},
    {"did not find expected comment or line break",
	"; quote a value that begins with | or >"},
    {"did not find expected key",
	"; indent the keys of a mapping alike; a value ends where its quotes"
	" do, and a ' within single quotes is written twice"},
    {"did not find expected ','",
	"; close the bracket, and put a comma between two items"},
    {"could not find expected ':'", "; a key ends with \":\" and a blank"},
    {"did not find expected '-'",
	"; each item of a list begins with \"- \", indented alike"},
};

static const char *
advise_of_syntax(const char *why)
{
	for (size_t i = 0; i < sizeof slips / sizeof *slips; i++)
		if (strstr(why, slips[i].words) != NULL)
			return slips[i].advice;
	return "";
}

static void
tell_syntax_fault(struct config_loader *loader)
{
	const yaml_parser_t *parser = &loader->parser;

	if (parser->error == YAML_MEMORY_ERROR)
		mem_exhausted(); /* which is no fault of the file */
	const char *why = parser->problem != NULL ? parser->problem : "no YAML";
	if (loader->bracket == mark_at(&parser->problem_mark).line)
		return;

	if (loader->trouble != NULL)
		config_fault(loader, (struct config_mark){.line = 0}, "%s",
		    loader->trouble);
	else if (parser->error == YAML_READER_ERROR)
		config_fault(loader, mark_at(&parser->mark),
		    "this is no text in UTF-8: %s (octet %zu of the file)", why,
		    parser->problem_offset + 1);
	else if (strstr(why, "cannot start any token") != NULL)
		config_fault(loader, mark_at(&parser->problem_mark),
		    "nothing can begin with this character: a tab cannot"
		    " indent, and a value that begins with @, ` or %% must be"
		    " quoted");
	else if (parser->context != NULL)
		config_fault(loader, mark_at(&parser->problem_mark),
		    "%s, %s that began in line %zu%s", why, parser->context,
		    parser->context_mark.line + 1, advise_of_syntax(why));
	else
		config_fault(loader, mark_at(&parser->problem_mark), "%s%s",
		    why, advise_of_syntax(why));
}

/* What YAML has and a configuration has not. */
static void
refuse_extras(struct config_loader *loader)
{
	const yaml_event_t *event = &loader->event;
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	} else if (event->type == YAML_ALIAS_EVENT)
		config_fault(loader, config_here(loader),
		    "aliases are not supported: what accounts share stands in"
		    " \"defaults\", and a value that begins with * must be"
		    " quoted");
	if (anchor != NULL)
		config_fault(loader, config_here(loader),
		    "anchors are not supported: a value that begins with &"
		    " must be quoted");
	if (tag != NULL)
		config_fault(loader, config_here(loader),
		    "tags are not supported: a value that begins with ! must"
		    " be quoted");
}

void
config_next(struct config_loader *loader)
{
	if (loader->full)
		loader->ended = true;
	drop_event(loader);
	if (loader->ended)
		return;
	if (!yaml_parser_parse(&loader->parser, &loader->event)) {
		tell_syntax_fault(loader);
		config_end(loader);
		return;
	}
	refuse_extras(loader);
	if (config_at(loader, YAML_MAPPING_START_EVENT) ||
	    config_at(loader, YAML_SEQUENCE_START_EVENT))
		loader->depth++;
	else if (config_at(loader, YAML_MAPPING_END_EVENT) ||
		 config_at(loader, YAML_SEQUENCE_END_EVENT))
		loader->depth--;
	if (loader->depth > CONFIG_DEPTH_MAX) {
		config_fault(loader, config_here(loader),
		    "nothing in a configuration is nested so deeply; look at the brackets and the indentation above");
		config_end(loader);
	}
}

bool
config_at(const struct config_loader *loader, yaml_event_type_t type)
{
	return !loader->ended && loader->event.type == type;
}

void
config_skip(struct config_loader *loader)
{
	unsigned depth = loader->depth;

	if (config_at(loader, YAML_MAPPING_START_EVENT) ||
	    config_at(loader, YAML_SEQUENCE_START_EVENT))
		while (!loader->ended && loader->depth >= depth)
			config_next(loader);
	config_next(loader);
}

void
config_refuse(
    struct config_loader *loader, const char *name, const char *wanted)
{
	/* An alias was told of already. */
	if (!loader->ended && !config_at(loader, YAML_ALIAS_EVENT))
		config_fault(loader, config_here(loader), "%s: this must be %s",
		    name, wanted);
	config_skip(loader);
}

/* Plain nothing, ~ and null are what YAML calls no value. */
static bool
is_nothing(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (*text == '\0' || strcmp(text, "~") == 0 ||
		   strcmp(text, "null") == 0);
}

bool
config_get_scalar(struct config_loader *loader, const char *name,
    struct config_scalar *scalar)
{
	const yaml_event_t *event = &loader->event;

	*scalar = (struct config_scalar){
	    .text = (const char *)event->data.scalar.value,
	    .len = event->data.scalar.length,
	    .mark = config_here(loader),
	    .cut = config_is_cut(loader),
	};
	if (is_nothing(event)) {
		config_fault(loader, scalar->mark,
		    "%s: the value is missing (~, null, and what begins with #"
		    " must be quoted)",
		    name);
		return false;
	}
	if (scalar->len == 0) {
		config_fault(loader, scalar->mark, "%s: it is empty", name);
		return false;
	}
	for (size_t i = 0; i < scalar->len; i++) {
		unsigned char c = (unsigned char)scalar->text[i];
		if (c < ' ' || c == 0x7f) {
			config_fault(loader, scalar->mark,
			    "%s: control characters and line breaks are not"
			    " allowed",
			    name);
			return false;
		}
	}
	return true;
}
