/* SPDX-License-Identifier: ISC */
#include "provider/postfix.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "provider/inner.h"
#include "provider/provider_config.h"

enum {
	RUN_MS = 60 * 1000, /* postqueue -j of a long queue */
	FLUSH_MS = 10 * 1000, /* postqueue -s takes some 5 ms */
	COMPLAINT_MAX = 512,
	VALUE_MAX = 64 << 10, /* relay_domains may be a long list */
};

/* What a program complained of, owned by the caller. */
static char *
one_line(const struct buf *errors)
{
	size_t len = buf_len(errors);
	char *said = xstrndup(len > 0 ? buf_data(errors) : "", len);

	for (char *c = said; *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
	while (len > 0 && said[len - 1] == ' ')
		said[--len] = '\0';
	return said;
}

static bool
run_within(const struct provider_config *config, const char *program,
    const char *const *words, int64_t ms, struct buf *out, struct error *err)
{
	static const char *const env[] = {
	    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	char *path = xasprintf("%s/%s", config->postfix_programs, program);
	const char *argv[POSTFIX_WORDS_MAX + 1] = {
	    path, "-c", config->postfix_config};
	struct deadline deadline = deadline_in(ms, 0);
	char how[SPAWN_DESCRIPTION_MAX];
	struct spawn_result result;
	struct buf errors;
	size_t count = 3;

	for (; *words != NULL; words++) {
		assert(count < POSTFIX_WORDS_MAX);
		argv[count++] = *words;
	}
	buf_init(&errors, COMPLAINT_MAX);
	struct spawn_options options = {.argv = argv,
	    .env = env,
	    .input = -1,
	    .output = out,
	    .errors = &errors};
	spawn_run(&options, &deadline, &result);
	bool good = result.end == SPAWN_EXITED && result.code == 0;
	if (!good) {
		char *said = one_line(&errors);
		error_set(err,
		    result.end == SPAWN_STOPPED ? ERROR_STOPPED : ERROR_LOCAL,
		    "%s %s%s%s", path, spawn_describe(&result, how),
		    *said != '\0' ? ": " : "", said);
		free(said);
	}
	buf_clear(&errors);
	free(path);
	return good;
}

bool
postfix_run(const struct provider_config *config, const char *program,
    const char *const *words, struct buf *out, struct error *err)
{
	return run_within(config, program, words, RUN_MS, out, err);
}

bool
postfix_flush(
    const struct provider_config *config, const char *domain, struct error *err)
{
	const char *const words[] = {"-s", domain, NULL};

	return run_within(config, "postqueue", words, FLUSH_MS, NULL, err);
}

bool
postfix_is_running(const struct provider_config *config)
{
	static const char *const words[] = {"status", NULL};
	struct error ignored;

	return postfix_run(config, "postfix", words, NULL, &ignored);
}

char *
postfix_ask(const struct provider_config *config, const char *flag,
    const char *name, struct error *err)
{
	const char *const words[] = {flag, name, NULL};
	char *value = NULL;
	struct buf out;

	buf_init(&out, VALUE_MAX);
	if (postfix_run(config, "postconf", words, &out, err)) {
		const char *text = buf_data(&out);
		size_t len = buf_len(&out);
		while (len > 0 && strchr(" \n", text[len - 1]) != NULL)
			len--;
		value = xstrndup(text, len);
	}
	buf_clear(&out);
	return value;
}

char *
postfix_parameter(const struct provider_config *config, const char *name,
    bool expanded, struct error *err)
{
	return postfix_ask(config, expanded ? "-hx" : "-h", name, err);
}

/* "odmr/unix/process_limit = -", and that is main.cf's. */
bool
postfix_process_limit(
    const struct provider_config *config, uint64_t *limit, struct error *err)
{
	static const char field[] = POSTFIX_SERVICE "/process_limit";
	char *text = postfix_ask(config, "-F", field, err);
	const char *value = text != NULL ? strchr(text, '=') : NULL;

	if (value != NULL && strcmp(value, "= -") == 0) {
		free(text);
		text = postfix_parameter(
		    config, "default_process_limit", true, err);
		value = text;
	} else if (value != NULL) {
		value += strspn(value, "= ");
	}
	bool asked = text != NULL;
	*limit = 0;
	if (value != NULL)
		(void)decimal_digits(value, SIZE_MAX, limit);
	free(text);
	return asked;
}

bool
postfix_list_has(const char *list, const char *item)
{
	size_t len = strlen(item);

	for (const char *at = list; (at = strstr(at, item)) != NULL; at += len)
		if ((at == list || strchr(" ,\t\n", at[-1]) != NULL) &&
		    (at[len] == '\0' || strchr(" ,\t\n", at[len]) != NULL))
			return true;
	return false;
}

/* Beside main.cf, where an administrator looks for it. texthash: is read as it
 * is, by each process of Postfix when it starts: no database to be made, and
 * none that Debian changes from one release to the next. */
char *
postfix_table_path(const struct provider_config *config)
{
	return xasprintf("%s/" POSTFIX_TABLE, config->postfix_config);
}

char *
postfix_table_name(const struct provider_config *config)
{
	return xasprintf("texthash:%s/" POSTFIX_TABLE, config->postfix_config);
}

void
postfix_table_content(const struct provider_config *config, struct buf *out)
{
	char to[INNER_DESTINATION_SIZE];

	(void)!buf_printf(out,
	    "# Made by `odmr-provider setup postfix` from %s.\n"
	    "# What is changed here is lost when it is made again.\n",
	    config->path);
	for (size_t i = 0; i < config->accounts_count; i++) {
		const struct provider_account *account = &config->accounts[i];
		inner_format(to, account->inner, (uint16_t)config->inner_port);
		(void)!buf_printf(out, "# %s\n", account->name);
		for (size_t k = 0; k < account->domains.count; k++)
			(void)!buf_printf(
			    out, "%s odmr:%s\n", account->domains.items[k], to);
	}
}
