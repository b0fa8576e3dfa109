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
#include "provider/service_user.h"
#include "provider/wanted.h"

enum {
	/* Ten thousand accounts of ten domains. */
	TABLE_MAX = 16 << 20,
};

static int
fail_setup(const struct error *err)
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
	    folder, POSTFIX_TABLE, 0644, buf_data(table), buf_len(table), err);
	close(folder);
	return written;
}

static void
show_change(const struct wanted_list *list)
{
	const char *file = "";

	for (size_t i = 0; i < list->count; i++) {
		char *line = wanted_line(&list->items[i]);
		if (strcmp(file, wanted_file(&list->items[i])) != 0) {
			file = wanted_file(&list->items[i]);
			printf("\n# %s\n", file);
		}
		printf("%s\n", line);
		free(line);
	}
}

/* Says what it changes, so that it can be undone by hand. */
static bool
change_setting(const struct provider_config *config,
    const struct wanted *wanted, struct error *err)
{
	char *line = wanted_line(wanted);

	printf("%s: %s\n", wanted_file(wanted), line + strspn(line, " "));
	if (wanted->now[0] != '\0')
		printf("    before: %s\n", wanted->now);
	free(line);
	return wanted_apply(config, wanted, err);
}

static bool
apply(const struct provider_config *config, const struct wanted_list *list,
    const struct buf *table, struct error *err)
{
	static const char *const reload[] = {"reload", NULL};

	if (!write_table(config, table, err))
		return false;
	char *path = postfix_table_path(config);
	printf("Written: %s\n", path);
	free(path);
	for (size_t i = 0; i < list->count; i++)
		if (!list->items[i].there &&
		    !change_setting(config, &list->items[i], err))
			return false;
	if (!postfix_is_running(config)) {
		printf("Postfix is not running; start it\n");
		return true;
	}
	printf("Postfix reads it again (postfix reload)\n");
	return postfix_run(config, "postfix", reload, NULL, err);
}

static int
setup_postfix(const struct provider_config *config, bool applies)
{
	struct wanted_list list = {.count = 0};
	int status = EX_OK;
	struct error err;
	struct buf table;

	if (applies && geteuid() != 0) {
		fputs("odmr-provider: only root may change Postfix'"
		      " configuration: run this as root\n",
		    stderr);
		return EX_NOPERM;
	}
	buf_init(&table, TABLE_MAX);
	postfix_table_content(config, &table);
	if (!wanted_find(config, &list, &err)) {
		status = fail_setup(&err);
	} else if (!applies) {
		char *path = postfix_table_path(config);
		printf(
		    "# %s\n%.*s", path, (int)buf_len(&table), buf_data(&table));
		show_change(&list);
		free(path);
	} else if (!apply(config, &list, &table, &err)) {
		status = fail_setup(&err);
	}
	wanted_clear(&list);
	buf_clear(&table);
	return status;
}

/*
 * TLS
 */

/* One without the other is a loss to look into, and not ours to cover up: a new
 * key has a new pin, and every customer must learn it. */
static bool
make_identity(const struct provider_config *config, struct error *err)
{
	const char *cert = config->tls_cert_file, *key = config->tls_key_file;
	bool has_cert = access(cert, F_OK) == 0,
	     has_key = access(key, F_OK) == 0;

	if (has_cert && has_key) {
		printf("They are there already: %s, %s\n", key, cert);
		return true;
	}
	if (has_cert != has_key) {
		error_set(err, ERROR_CONFIG,
		    "%s is there and %s is not: put it back, or remove the"
		    " first to have both made anew",
		    has_cert ? cert : key, has_cert ? key : cert);
		return false;
	}
	service_user_share_files(config);
	if (!identity_make(config->hostname, cert, key, err))
		return false;
	printf("Written: %s, %s\n", key, cert);
	return true;
}

static int
setup_tls(const struct provider_config *config)
{
	char pin[TLS_PIN_SIZE];
	struct error err;

	if (!make_identity(config, &err) ||
	    !identity_pin(config->tls_cert_file, pin, &err))
		return fail_setup(&err);
	printf("For the account in each customer's odmr-agent.yaml:\n"
	       "    tls_pins: \"%s\"\n",
	    pin);
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
