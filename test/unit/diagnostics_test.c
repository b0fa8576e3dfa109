/* SPDX-License-Identifier: ISC */
/*
 * diagnostics_test - odmr-agent(8) lists every event and every cause of the log
 * and every reply to the provider, odmr-provider(8) every event of its log, and
 * neither has what the sources do not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <glob.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/cause.h"

static const char agent_page[] = "man/odmr-agent.8",
		  provider_page[] = "man/odmr-provider.8";

enum { ITEMS_MAX = 300, WORD_SIZE = 32, TEXT_SIZE = 256 };

/* One entry of the manual, or one place of the sources. An event or a cause has
 * only a text; an enhanced code of "*" is any. */
struct item {
	char code[4], enhanced[WORD_SIZE], text[TEXT_SIZE];
	bool found;
};

struct items {
	struct item of[ITEMS_MAX];
	size_t count;
};

static struct item *
add_item(struct items *items, const char *code, const char *enhanced)
{
	assert_true(items->count < ITEMS_MAX);
	struct item *item = &items->of[items->count++];
	*item = (struct item){.found = false};
	snprintf(item->code, sizeof item->code, "%.3s", code);
	snprintf(item->enhanced, sizeof item->enhanced, "%s", enhanced);
	return item;
}

static char *
read_whole(const char *path)
{
	enum { FILE_MAX = 1 << 20 };
	FILE *file = fopen(path, "r");
	char *text = xmalloc(FILE_MAX + 1);

	assert_non_null(file);
	size_t len = fread(text, 1, FILE_MAX, file);
	assert_true(len < FILE_MAX);
	text[len] = '\0';
	fclose(file);
	return text;
}

/*
 * The manual
 */

/* ".It Li deferred" or ".It 451 4.5.3 Text"; \& keeps words from being macros. */
static void
add_entry(struct items *items, const char *line, size_t len)
{
	char word[WORD_SIZE] = "";
	const char *end = line + len;
	int used = 0;

	if (strncmp(line, "Li ", 3) == 0 || strncmp(line, "Cm ", 3) == 0)
		line += 3;
	bool reply = isdigit((unsigned char)line[0]);
	struct item *item = add_item(items, reply ? line : "", "");
	if (reply)
		line += 4;
	if (reply && isdigit((unsigned char)line[0])) {
		while (line[used] != ' ' && used + 1 < WORD_SIZE)
			word[used] = line[used], used++;
		snprintf(item->enhanced, sizeof item->enhanced, "%s", word);
		line += used + 1;
	}
	size_t at = 0;
	for (; line < end && at + 1 < TEXT_SIZE; line++)
		if (strncmp(line, "\\&", 2) == 0)
			line++;
		else
			item->text[at++] = *line;
	item->text[at] = '\0';
}

/* The items of one section. */
static void
read_section(struct items *items, const char *page, const char *heading)
{
	char *text = read_whole(page);
	char *at = strstr(text, heading);

	items->count = 0;
	if (at == NULL)
		fail_msg("%s: there is no %s", page, heading);
	for (at = strchr(at, '\n') + 1; *at != '\0'; at += *at == '\n') {
		size_t len = strcspn(at, "\n");
		if (strncmp(at, ".Sh", 3) == 0 || strncmp(at, ".Ss", 3) == 0)
			break;
		if (strncmp(at, ".It ", 4) == 0)
			add_entry(items, at + 4, len - 4);
		at += len;
	}
	free(text);
}

/*
 * The sources
 */

/* Adjacent string literals at *at as one text; false: there is none. */
static bool
read_literal(const char **at, char text[static TEXT_SIZE])
{
	size_t len = 0;
	bool any = false;

	for (;;) {
		*at += strspn(*at, " \t\n");
		if (**at != '"')
			break;
		any = true;
		for (++*at; **at != '"'; ++*at)
			if (len + 1 < TEXT_SIZE)
				text[len++] = **at;
		++*at;
	}
	text[len] = '\0';
	return any;
}

/* The end of one argument of a call; what stands in parentheses is inside. */
static const char *
end_of_argument(const char *at)
{
	int depth = 0;

	for (; *at != '\0'; at++) {
		if (*at == '"')
			at = strchr(at + 1, '"');
		else if (*at == '(')
			depth++;
		else if (depth == 0 && (*at == ',' || *at == ')'))
			break;
		else if (*at == ')')
			depth--;
	}
	return at;
}

/* Every literal of that argument of each call is an event. */
static void
find_events(
    struct items *items, const char *source, const char *call, int argument)
{
	for (const char *at = source; (at = strstr(at, call)) != NULL;) {
		at += strlen(call);
		for (int i = 0; i < argument; i++)
			at = end_of_argument(at) + 1;
		const char *end = end_of_argument(at);
		while (at < end) {
			char text[TEXT_SIZE];
			at += strcspn(at, "\"");
			if (at >= end || !read_literal(&at, text))
				break;
			struct item *item = add_item(items, "", "");
			snprintf(item->text, sizeof item->text, "%s", text);
		}
	}
}

/* code, "enhanced", "text" as the arguments of whatever function. */
static void
find_replies(struct items *items, const char *source)
{
	regex_t reply;
	regmatch_t match[5];

	assert_int_equal(
	    regcomp(&reply,
		"([^0-9a-zA-Z_][245][0-9][0-9]|sender_fail\\([^,]*),[ \t\n]*"
		"(\"[0-9.]*\"|[a-z>-]*enhanced),[ \t\n]*",
		REG_EXTENDED),
	    0);
	while (regexec(&reply, source, 5, match, 0) == 0) {
		const char *code = source + match[1].rm_so;
		const char *enhanced = source + match[2].rm_so;
		size_t len = (size_t)(match[2].rm_eo - match[2].rm_so);
		char word[WORD_SIZE] = "*";
		if (*enhanced == '"')
			snprintf(word, sizeof word, "%.*s", (int)(len - 2),
			    enhanced + 1);
		struct item *item =
		    add_item(items, *code == 's' ? "451" : code + 1, word);
		source += match[0].rm_eo;
		(void)read_literal(&source, item->text);
		/* Of a message that the provider has given up already. */
		if (strcmp(item->text, "aborted") == 0)
			items->count--;
	}
	regfree(&reply);
}

static void
find_orders(struct items *items, const char *source)
{
	static const char call[] = "receiver_complain_order(r, ";

	for (const char *at = source; (at = strstr(at, call)) != NULL;) {
		struct item *item = add_item(items, "503", "5.5.1");
		at += strlen(call);
		(void)read_literal(&at, item->text);
	}
}

enum program { AGENT, PROVIDER };

/* Which of the two programs a source is of, where it says something: what is
 * odmr-provider's alone has a manual of its own. */
static bool
is_of(enum program program, const char *path)
{
	static const char room[] = "src/provider/",
			  engine[] = "src/protocol/provider",
			  log[] = "src/tell/log.c";
	bool provider = strncmp(path, room, sizeof room - 1) == 0 ||
			strncmp(path, engine, sizeof engine - 1) == 0;

	return strcmp(path, log) != 0 && provider == (program == PROVIDER);
}

static void
for_each_source(struct items *items, enum program program,
    void (*look)(struct items *items, const char *source))
{
	glob_t paths;

	assert_int_equal(glob("src/*/*.c", 0, NULL, &paths), 0);
	for (size_t i = 0; i < paths.gl_pathc; i++) {
		if (!is_of(program, paths.gl_pathv[i]))
			continue;
		char *source = read_whole(paths.gl_pathv[i]);
		look(items, source);
		free(source);
	}
	globfree(&paths);
}

/* Rows of level and event, one of which a call names. */
static void
find_event_rows(struct items *items, const char *source)
{
	static const char row[] = "{CONFIG_LOG_";
	char text[TEXT_SIZE];

	for (const char *at = source; (at = strstr(at, row)) != NULL;) {
		at = end_of_argument(at) + 1;
		if (!read_literal(&at, text))
			continue;
		struct item *item = add_item(items, "", "");
		snprintf(item->text, sizeof item->text, "%s", text);
	}
}

static void
look_for_events(struct items *items, const char *source)
{
	find_event_rows(items, source);
	find_events(items, source, "log_say(", 2);
	find_events(items, source, "log_begin(", 3);
}

static void
look_for_replies(struct items *items, const char *source)
{
	find_replies(items, source);
	find_orders(items, source);
}

/*
 * The comparison
 */

/* The words between the conversions of a format stand in text, in order. */
static bool
fits(const char *format, const char *text)
{
	char piece[TEXT_SIZE];

	while (*format != '\0') {
		size_t len = strcspn(format, "%");
		snprintf(piece, sizeof piece, "%.*s", (int)len, format);
		const char *there = strstr(text, piece);
		if (there == NULL)
			return false;
		text = there + len;
		format += len;
		if (*format == '%')
			format += 1 + strspn(format + 1, ".*lu") + 1;
	}
	return true;
}

static bool
is_same(const struct item *entry, const struct item *place)
{
	return strcmp(entry->code, place->code) == 0 &&
	       (strcmp(entry->enhanced, place->enhanced) == 0 ||
		   strcmp(place->enhanced, "*") == 0) &&
	       (place->code[0] == '\0' ? strcmp(entry->text, place->text) == 0
				       : fits(place->text, entry->text));
}

static void
compare(const char *page, struct items *entries, const struct items *places)
{
	size_t faults = 0;

	for (size_t p = 0; p < places->count; p++) {
		const struct item *place = &places->of[p];
		bool found = false;
		for (size_t e = 0; e < entries->count; e++) {
			if (!is_same(&entries->of[e], place))
				continue;
			entries->of[e].found = found = true;
		}
		if (!found)
			print_error("%s does not have: %s %s %s\n", page,
			    place->code, place->enhanced, place->text);
		faults += !found;
	}
	for (size_t e = 0; e < entries->count; e++) {
		const struct item *entry = &entries->of[e];
		if (!entry->found)
			print_error("only %s has: %s %s %s\n", page,
			    entry->code, entry->enhanced, entry->text);
		faults += !entry->found;
	}
	assert_int_equal(faults, 0);
	assert_true(places->count > 10);
}

static void
test_events(void **state)
{
	static struct items entries, places;

	(void)state;
	read_section(&entries, agent_page, ".Ss Events");
	for_each_source(&places, AGENT, look_for_events);
	compare(agent_page, &entries, &places);
}

static void
test_events_of_the_provider(void **state)
{
	static struct items entries, places;

	(void)state;
	read_section(&entries, provider_page, ".Sh LOG\n");
	for_each_source(&places, PROVIDER, look_for_events);
	compare(provider_page, &entries, &places);
}

static void
test_causes(void **state)
{
	static struct items entries, places;

	(void)state;
	read_section(&entries, agent_page, ".Ss Causes");
	assert_null(cause_name(CAUSE_NONE));
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
		struct item *item = add_item(&places, "", "");
		snprintf(item->text, sizeof item->text, "%s",
		    cause_name((enum cause)i));
	}
	compare(agent_page, &entries, &places);
}

static void
test_replies(void **state)
{
	static struct items entries, places;

	(void)state;
	read_section(&entries, agent_page, ".Sh REPLIES");
	for_each_source(&places, AGENT, look_for_replies);
	compare(agent_page, &entries, &places);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_events),
	    cmocka_unit_test(test_events_of_the_provider),
	    cmocka_unit_test(test_causes), cmocka_unit_test(test_replies)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
