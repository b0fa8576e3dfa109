/* SPDX-License-Identifier: ISC */
/*
 * manual_test - odmr-agent.yaml(5) and odmr-provider.yaml(5) have the keys, types
 * and defaults that the tables of the configurations have, and no others; what
 * the manuals and the README show to begin with can be used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/config_loader.h"
#include "protocol/sasl.h"
#include "provider/provider_config.h"

static const char agent_page[] = "man/odmr-agent.yaml.5";
static const char provider_page[] = "man/odmr-provider.yaml.5";

enum { LINES_MAX = 1000, LINE_MAX_SIZE = 256 };

static const struct {
	const char *page;
	const char *heading; /* as .Ss has it */
	const struct config_table *table;
} sections[] = {
    {agent_page, "Top level", &config_top_table},
    {agent_page, "Accounts", &config_account_table},
    {agent_page, "Deliveries", &config_delivery_table},
    {agent_page, "Routes", &config_route_table},
    {agent_page, "Schedule", &config_window_table},
    {provider_page, "Top level", &provider_top_table},
    {provider_page, "Accounts", &provider_account_table},
};

/* The largest unit that divides it: "5m", "1024G". */
static char *
with_unit(uint64_t value, const uint64_t *units, const char *const *names)
{
	size_t i = 0;

	while (units[i] > 1 && (value == 0 || value % units[i] != 0))
		i++;
	return xasprintf("%" PRIu64 "%s", value / units[i], names[i]);
}

static char *
duration(uint64_t ms)
{
	static const uint64_t units[] = {86400, 3600, 60, 1};
	static const char *const names[] = {"d", "h", "m", "s"};

	return with_unit(ms / 1000, units, names);
}

static char *
size(uint64_t octets)
{
	static const uint64_t units[] = {1 << 30, 1 << 20, 1 << 10, 1};
	static const char *const names[] = {"G", "M", "K", ""};

	return with_unit(octets, units, names);
}

static char *
type_of_choice(const struct config_key *key)
{
	char *all = xstrdup("");

	for (const char *const *one = key->choices; *one != NULL; one++) {
		char *more =
		    xasprintf("%s%s%s", all, *all != '\0' ? " | " : "", *one);
		free(all);
		all = more;
	}
	return all;
}

/* The words that a reader must find; what a row cannot tell may be said in
 * any words, so that only the beginning counts. */
static char *
type_of(const struct config_key *key)
{
	char *min = NULL, *max = NULL, *type;

	if (key->choices != NULL)
		return type_of_choice(key);
	if (key->convert == config_to_bool)
		return xstrdup("yes | no");
	if (key->convert == config_to_number)
		return xasprintf(
		    "number from %" PRIu64 " to %" PRIu64, key->min, key->max);
	if (key->convert == config_to_size) {
		max = size(key->max);
		type = xasprintf("size up to %s", max);
	} else if (key->convert == config_to_duration) {
		min = duration(key->min);
		max = duration(key->max);
		type = xasprintf("duration from %s to %s", min, max);
	} else if (key->field == CONFIG_FIELD_TEXTS && !key->names_kind)
		type = xstrdup("list of ");
	else
		type = xstrdup("");
	free(min);
	free(max);
	return type;
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool
ends(const char *text, const char *with)
{
	size_t len = strlen(text), tail = strlen(with);

	return len >= tail && strcmp(text + len - tail, with) == 0;
}

/* The line of a key is right. */
static bool
describes(const char *page, const char *line, const struct config_key *key)
{
	char *type = type_of(key);
	char *begin = xasprintf(".It Ic %s Pq \"%s", key->name, type);
	char *end = key->required ? xstrdup("; required\"")
		    : key->value != NULL
			? xasprintf("; default %s\"", key->value)
			: xstrdup("\"");
	bool right = begins(line, begin) && ends(line, end) &&
		     key->required == (strstr(line, "required") != NULL);

	if (!right)
		print_error("%s: not as the table has it: %s\n"
			    "wanted: %s...%s\n",
		    page, line, begin, end);
	free(type);
	free(begin);
	free(end);
	return right;
}

static size_t
read_page(const char *path, char lines[LINES_MAX][LINE_MAX_SIZE])
{
	FILE *file = fopen(path, "r");
	size_t count = 0;

	assert_non_null(file);
	while (count < LINES_MAX && fgets(lines[count], LINE_MAX_SIZE, file)) {
		lines[count][strcspn(lines[count], "\n")] = '\0';
		count++;
	}
	fclose(file);
	assert_true(count < LINES_MAX);
	return count;
}

/* The key of ".It Ic KEY Pq ..."; false: the line is none. */
static bool
key_of(const char *line, char key[static LINE_MAX_SIZE])
{
	static const char item[] = ".It Ic ";

	if (!begins(line, item))
		return false;
	snprintf(key, LINE_MAX_SIZE, "%s", line + strlen(item));
	key[strcspn(key, " ")] = '\0';
	return true;
}

/* Faults of one section, whose lines these are. */
static size_t
compare(const char *page, const struct config_table *table,
    char lines[][LINE_MAX_SIZE], size_t count)
{
	size_t faults = 0, listed = 0;
	char name[LINE_MAX_SIZE];

	for (size_t i = 0; i < count; i++)
		listed += key_of(lines[i], name);
	for (size_t k = 0; k < table->count; k++) {
		size_t found = 0;
		for (size_t i = 0; i < count; i++) {
			if (!key_of(lines[i], name) ||
			    strcmp(name, table->keys[k].name) != 0)
				continue;
			found++;
			faults += !describes(page, lines[i], &table->keys[k]);
		}
		if (found != 1)
			print_error("%s: key \"%s\" of %s is there %zu times\n",
			    page, table->keys[k].name, table->what, found);
		faults += found != 1;
	}
	if (listed > table->count)
		print_error("%s: more keys than %s has\n", page, table->what);
	return faults + (listed > table->count);
}

static void
test_keys(void **state)
{
	static char lines[LINES_MAX][LINE_MAX_SIZE];
	size_t faults = 0;

	(void)state;
	for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
		const char *page = sections[s].page;
		size_t count = read_page(page, lines);
		char *heading = xasprintf(".Ss %s", sections[s].heading);
		size_t from = 0;
		while (from < count && strcmp(lines[from], heading) != 0)
			from++;
		size_t to = from + 1;
		while (to < count && !begins(lines[to], ".Ss ") &&
		       !begins(lines[to], ".Sh "))
			to++;
		if (from == count)
			fail_msg("%s: there is no section %s", page, heading);
		faults +=
		    compare(page, sections[s].table, lines + from, to - from);
		free(heading);
	}
	assert_int_equal(faults, 0);
}

/* Each is an item of the list under `auth`, alone or with others. */
static void
test_mechanisms(void **state)
{
	static char lines[LINES_MAX][LINE_MAX_SIZE];
	size_t count = read_page("man/odmr-agent.yaml.5", lines), faults = 0;
	const struct sasl_mechanism *mechanism;

	(void)state;
	for (size_t m = 0; (mechanism = sasl_mechanism_at(m)) != NULL; m++) {
		const char *name = sasl_mechanism_name(mechanism);
		size_t found = 0;
		for (size_t i = 0; i < count; i++) {
			char *rest = lines[i], *word;
			if (!begins(rest, ".It "))
				continue;
			char *copy = rest = xstrdup(rest);
			while ((word = strsep(&rest, " ")) != NULL)
				found += strcmp(word, name) == 0;
			free(copy);
		}
		if (found != 1)
			print_error("the mechanism %s is there %zu times\n",
			    name, found);
		faults += found != 1;
	}
	assert_int_equal(faults, 0);
}

/* The lines from "hostname:" to the end of the paragraph, as they stand in a
 * file of their own. */
static int
open_example(const char *path)
{
	static char lines[LINES_MAX][LINE_MAX_SIZE];
	size_t count = read_page(path, lines), at = 0;
	int fd = memfd_create("example", MFD_CLOEXEC);
	size_t indent = 0;

	assert_true(fd >= 0);
	while (at < count) {
		indent = strspn(lines[at], " ");
		if (begins(lines[at] + indent, "hostname:"))
			break;
		at++;
	}
	assert_true(at < count);
	for (; strlen(lines[at]) > indent && lines[at][0] != '.'; at++)
		dprintf(fd, "%s\n", lines[at] + indent);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void
test_first_examples(void **state)
{
	static const char *const paths[] = {"README.md", agent_page};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		int fd = open_example(paths[i]);
		struct config *config = config_read(fd, paths[i]);
		close(fd);
		if (config->faults > 0)
			fail_msg("%s: %s", paths[i], config->messages[0].text);
		assert_string_equal(config->accounts[0].name, "office");
		config_free(config);
	}
}

/* Of the provider: the manual's first example, and the file, as it stands and
 * with every key in force. */
static void
load_provider(int fd, const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct provider_config *config = provider_config_load(path);
	if (config->faults > 0)
		fail_msg("%s: line %u: %s", name, config->messages[0].line,
		    config->messages[0].text);
	assert_int_equal(config->accounts_count, 1);
	assert_string_equal(config->accounts[0].name, "office");
	provider_config_free(config);
	close(fd);
}

static void
test_provider_examples(void **state)
{
	static const char example[] = "odmr-provider.yaml.example";
	static char lines[LINES_MAX][LINE_MAX_SIZE];
	size_t count = read_page(example, lines);

	(void)state;
	load_provider(open_example(provider_page), provider_page);
	for (int in_force = 0; in_force < 2; in_force++) {
		int fd = memfd_create("example", MFD_CLOEXEC);
		for (size_t i = 0; i < count; i++) {
			size_t mark = strspn(lines[i], " ");
			bool lifts = in_force == 1 && lines[i][mark] == '#' &&
				     !strchr(" ", lines[i][mark + 1]);
			dprintf(fd, "%.*s%s\n", (int)mark, lines[i],
			    lines[i] + mark + lifts);
		}
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		load_provider(fd, example);
	}
}

/* "#key: default", or "key:" with something behind it. */
static bool
shows(const char *line, const struct config_key *key)
{
	const char *at = line + strspn(line, " #");
	size_t len = strlen(key->name);

	if (strncmp(at, key->name, len) != 0 || at[len] != ':')
		return false;
	return key->value == NULL ||
	       (at[len + 1] == ' ' && strcmp(at + len + 2, key->value) == 0);
}

static void
test_provider_example_has_every_key(void **state)
{
	const struct config_table *const tables[] = {
	    &provider_top_table, &provider_account_table};
	static char lines[LINES_MAX][LINE_MAX_SIZE];
	size_t count = read_page("odmr-provider.yaml.example", lines);

	(void)state;
	for (size_t t = 0; t < 2; t++)
		for (size_t k = 0; k < tables[t]->count; k++) {
			bool found = false;
			for (size_t i = 0; i < count; i++)
				found = found ||
					shows(lines[i], &tables[t]->keys[k]);
			if (!found)
				fail_msg("%s: not in the example as it is",
				    tables[t]->keys[k].name);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_mechanisms),
	    cmocka_unit_test(test_first_examples),
	    cmocka_unit_test(test_provider_examples),
	    cmocka_unit_test(test_provider_example_has_every_key)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
