/* SPDX-License-Identifier: ISC */
#include "provider/table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/names.h"
#include "base/whole_file.h"
#include "provider/postfix.h"
#include "provider/provider_config.h"
#include "tell/log.h"

enum {
	/* Ten thousand accounts of ten domains, and more. */
	CONTENT_MAX = 32 << 20,
};

/* One reading of the table. */
struct walk {
	const struct provider_config *config;
	struct names owners; /* of domains: indices of accounts */
	const char **others; /* of each account: a domain of another one's */
	size_t last; /* the account of the line before: they stand together */
};

static void
add_owners(struct walk *walk)
{
	const struct provider_config *config = walk->config;

	for (size_t i = 0; i < config->accounts_count; i++)
		for (size_t k = 0; k < config->accounts[i].domains.count; k++)
			names_add(&walk->owners,
			    config->accounts[i].domains.items[k], i);
}

/* Whom "odmr:[127.x.y.z]:PORT" is for. */
static bool
find_customer(struct walk *walk, char *transport)
{
	static const char begin[] = "odmr:[";
	const struct provider_account *accounts = walk->config->accounts;
	struct in_addr inner;

	if (strncmp(transport, begin, sizeof begin - 1) != 0)
		return false;
	char *address = transport + sizeof begin - 1;
	address[strcspn(address, "]")] = '\0';
	if (inet_pton(AF_INET, address, &inner) != 1)
		return false;
	if (accounts[walk->last].inner.s_addr == inner.s_addr)
		return true;
	const struct provider_account *found =
	    provider_config_inner(walk->config, inner);
	if (found != NULL)
		walk->last = (size_t)(found - accounts);
	return found != NULL;
}

/* "DOMAIN odmr:[127.x.y.z]:PORT"; whatever else stands there is not ours. */
static void
take_table_line(struct walk *walk, char *line)
{
	size_t len = strcspn(line, " \t"), owner;

	if (line[0] == '#' || line[len] == '\0')
		return;
	char *transport = line + len + strspn(line + len, " \t");
	line[len] = '\0';
	if (!find_customer(walk, transport))
		return;
	if (names_find(&walk->owners, line, &owner) && owner != walk->last)
		walk->others[walk->last] = line;
}

static void
walk_table(struct walk *walk, char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL)
		take_table_line(walk, line);
}

static bool
read_table(
    struct table *table, const struct provider_config *config, struct buf *text)
{
	struct error ignored;
	int folder = whole_file_open_folder(
	    AT_FDCWD, config->postfix_config, false, &ignored);

	table->as_read = (struct stat){.st_ino = 0};
	if (folder < 0)
		return false;
	bool read = fstatat(folder, POSTFIX_TABLE, &table->as_read,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    whole_file_read(folder, POSTFIX_TABLE, text, &ignored) ==
			WHOLE_FILE_READ;
	close(folder);
	return read && buf_append(text, "", 1);
}

static void
judge_lines_of(struct table *table, const struct walk *walk, size_t account)
{
	const char *domain = walk->others[account];

	table->astray[account] = domain != NULL;
	if (domain == NULL)
		return;
	log_say(CONFIG_LOG_ERROR, walk->config->accounts[account].name, "table",
	    "Postfix' table %s/" POSTFIX_TABLE
	    " sends mail for %s to this account, and the domain is another"
	    " account's: no mail is passed on to this one until `odmr-provider setup postfix"
	    " --apply` has made the table again",
	    walk->config->postfix_config, domain);
}

void
table_read(struct table *table, const struct provider_config *config)
{
	size_t count = config->accounts_count;
	struct walk walk = {.config = config};
	struct buf text;

	free(table->astray);
	table->astray = xcalloc(count, sizeof *table->astray);
	buf_init(&text, CONTENT_MAX);
	if (read_table(table, config, &text)) {
		walk.others = xcalloc(count, sizeof *walk.others);
		add_owners(&walk);
		walk_table(&walk, text.data + text.start);
		for (size_t i = 0; i < count; i++)
			judge_lines_of(table, &walk, i);
		names_clear(&walk.owners);
		free(walk.others);
	}
	buf_clear(&text);
}

void
table_clear(struct table *table)
{
	free(table->astray);
	*table = (struct table){.astray = NULL};
}

static bool
is_as_read(const struct table *table, const struct provider_config *config)
{
	char *path = postfix_table_path(config);
	struct stat now = {.st_ino = 0};

	if (lstat(path, &now) != 0)
		now = (struct stat){.st_ino = 0};
	free(path);
	return whole_file_is_same(&table->as_read, &now);
}

bool
table_leads_astray(
    struct table *table, const struct provider_config *config, size_t account)
{
	if (table->astray == NULL)
		return false;
	/* One that is good stays so: a table that is newer than the
	 * configuration is the one that the next reload brings. */
	if (table->astray[account] && !is_as_read(table, config))
		table_read(table, config);
	return table->astray[account];
}
