/* SPDX-License-Identifier: ISC */
/*
 * odmr-provider setup: Postfix' part of the configuration, and a key and a
 * certificate for those who have none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/whole_file.h"
#include "net/identity.h"
#include "provider/postfix.h"
#include "provider/provider_command.h"
#include "provider/provider_config.h"
#include "provider/wanted.h"

enum {
	/* Ten thousand accounts of ten domains. */
	TABLE_MAX = 16 << 20,
};

static int
fail(const struct error *err)
{
	fprintf(stderr, "odmr-provider: %s\n", err->text);
	return error_exit_status(err->class);
}

/*
 * Postfix
 */

static bool
write_table(const struct provider_config *config, const struct buf *table,
    struct error *err)
{
	int folder = whole_file_open_folder(
	    AT_FDCWD, config->postfix_config, false, err);

	if (folder < 0)
		return false;
	bool written = whole_file_write(
	    folder, "odmr_domains", 0644, buf_data(table), buf_len(table), err);
	close(folder);
	return written;
}

static void
show(const struct wanted_list *list)
{
	static const char *const titles[] = {"main.cf", "master.cf"};

	for (int file = 0; file < 2; file++) {
		printf("\n# %s\n", titles[file]);
		for (size_t i = 0; i < list->count; i++) {
			const struct wanted *wanted = &list->items[i];
			bool master = wanted->kind == WANTED_SERVICE ||
				      wanted->kind == WANTED_OPTION;
			if (master != (file == 1))
				continue;
			char *line = wanted_line(wanted);
			if (wanted->kind == WANTED_OPTION)
				printf("  -o %s=%s\n",
				    strrchr(wanted->name, '/') + 1,
				    wanted->value);
			else
				printf("%s\n", wanted->kind == WANTED_IN_LIST &&
						       wanted->there
						   ? wanted->now
						   : line);
			free(line);
		}
	}
}

static bool
apply(const struct provider_config *config, const struct wanted_list *list,
    const struct buf *table, struct error *err)
{
	static const char *const reload[] = {"reload", NULL};

	if (!write_table(config, table, err))
		return false;
	char *path = postfix_table_path(config);
	printf("written: %s\n", path);
	free(path);
	for (size_t i = 0; i < list->count; i++) {
		const struct wanted *wanted = &list->items[i];
		if (wanted->there)
			continue;
		char *line = wanted_line(wanted);
		printf("%s\n    before: %s\n", line,
		    wanted->now[0] != '\0' ? wanted->now : "(nothing)");
		free(line);
		if (!wanted_apply(config, wanted, err))
			return false;
	}
	printf("postfix reload\n");
	return postfix_run(config, "postfix", reload, NULL, err);
}

static int
setup_postfix(const struct provider_config *config, bool applies)
{
	struct wanted_list list = {.count = 0};
	int status = EX_OK;
	struct error err;
	struct buf table;

	buf_init(&table, TABLE_MAX);
	postfix_table_content(config, &table);
	if (!wanted_find(config, &list, &err)) {
		status = fail(&err);
	} else if (!applies) {
		char *path = postfix_table_path(config);
		printf(
		    "# %s\n%.*s", path, (int)buf_len(&table), buf_data(&table));
		show(&list);
		free(path);
	} else if (!apply(config, &list, &table, &err)) {
		status = fail(&err);
	}
	wanted_clear(&list);
	buf_clear(&table);
	return status;
}

/*
 * TLS
 */

static int
setup_tls(const struct provider_config *config)
{
	char pin[TLS_PIN_SIZE];
	struct error err;

	if (access(config->tls_cert_file, F_OK) != 0 &&
	    access(config->tls_key_file, F_OK) != 0) {
		if (!identity_make(config->hostname, config->tls_cert_file,
			config->tls_key_file, &err))
			return fail(&err);
		printf("written: %s, %s\n", config->tls_key_file,
		    config->tls_cert_file);
	}
	if (!identity_pin(config->tls_cert_file, pin, &err))
		return fail(&err);
	printf("The customers' odmr-agent.yaml:\n    tls_pins: \"%s\"\n", pin);
	return EX_OK;
}

int
provider_command_setup(struct provider_context *context, int argc, char **argv)
{
	bool applies = argc == 2 && strcmp(argv[1], "--apply") == 0;

	if (argc > 0 && strcmp(argv[0], "postfix") == 0 &&
	    (argc == 1 || applies))
		return setup_postfix(context->config, applies);
	if (argc == 1 && strcmp(argv[0], "tls") == 0)
		return setup_tls(context->config);
	fputs("usage: odmr-provider setup postfix [--apply] | tls\n", stderr);
	return EX_USAGE;
}
