/* SPDX-License-Identifier: ISC */
/*
 * odmr-provider status: who is connected, and what mail waits for whom.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "base/whole_file.h"
#include "provider/postfix.h"
#include "provider/provider_command.h"
#include "provider/provider_config.h"

enum {
	STATUS_MAX = 4 << 20, /* as provider/gate writes at most */
};

/* What waits in Postfix' queue for an account. */
struct waiting {
	unsigned long recipients;
	int64_t oldest; /* Unix seconds; 0: nothing waits */
};

static void
count_recipient(const struct provider_config *config, struct waiting *waiting,
    const char *address, int64_t arrived)
{
	const char *domain = strrchr(address, '@');

	for (size_t i = 0; domain != NULL && i < config->accounts_count; i++) {
		const struct config_texts *domains =
		    &config->accounts[i].domains;
		for (size_t k = 0; k < domains->count; k++) {
			if (strcasecmp(domains->items[k], domain + 1) != 0)
				continue;
			waiting[i].recipients++;
			if (waiting[i].oldest == 0 ||
			    arrived < waiting[i].oldest)
				waiting[i].oldest = arrived;
		}
	}
}

/* A line of `postqueue -j`: one message, in JSON. The reader of JSON takes what
 * the agent wrote itself, so that the two members that count are looked for;
 * a quote within a text of Postfix' is escaped, and so none of them. */
static void
count_message(const struct provider_config *config, struct waiting *waiting,
    const char *line)
{
	static const char time_key[] = "\"arrival_time\": ";
	static const char address_key[] = "\"address\": \"";
	const char *at = strstr(line, time_key);
	uint64_t arrived = 0;

	if (at != NULL)
		(void)decimal_digits(
		    at + sizeof time_key - 1, SIZE_MAX, &arrived);
	at = line;
	while ((at = strstr(at, address_key)) != NULL) {
		at += sizeof address_key - 1;
		char *address = xstrndup(at, strcspn(at, "\""));
		count_recipient(config, waiting, address, (int64_t)arrived);
		free(address);
	}
}

static bool
read_queue(const struct provider_config *config, struct waiting *waiting,
    struct error *err)
{
	static const char *const words[] = {"-j", NULL};
	struct buf out;

	buf_init(&out, POSTFIX_OUTPUT_MAX);
	bool good = postfix_run(config, "postqueue", words, &out, err);
	const char *rest = buf_data(&out), *end = rest + buf_len(&out);
	while (good && rest < end) {
		const char *stop = memchr(rest, '\n', (size_t)(end - rest));
		size_t len = (size_t)((stop != NULL ? stop : end) - rest);
		char *line = xstrndup(rest, len);
		count_message(config, waiting, line);
		free(line);
		rest += len + 1;
	}
	buf_clear(&out);
	return good;
}

/* A program that was killed leaves its file behind. */
static bool
is_alive(const struct json *json)
{
	pid_t pid = (pid_t)json_get_number(json_root(json), "pid", 0);

	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static struct json *
read_connections(const struct provider_config *config, struct error *err)
{
	struct json *json = NULL;
	struct buf content;

	buf_init(&content, STATUS_MAX);
	int folder =
	    whole_file_open_folder(AT_FDCWD, config->run_dir, false, err);
	bool hidden = folder < 0 && access(config->run_dir, F_OK) == 0;
	if (folder >= 0) {
		enum whole_file_result result =
		    whole_file_read(folder, "status.json", &content, err);
		hidden = result == WHOLE_FILE_FAILED;
		if (result == WHOLE_FILE_READ)
			json =
			    json_parse(buf_data(&content), buf_len(&content));
		close(folder);
	}
	if (json != NULL && !is_alive(json)) {
		json_free(json);
		json = NULL;
	}
	if (json == NULL && hidden)
		error_set(err, ERROR_REFUSED,
		    "%s/status.json cannot be read: run this as root, or as the"
		    " user %s",
		    config->run_dir, config->user);
	else if (json == NULL)
		error_set(err, ERROR_AGAIN, "odmr-provider is not running");
	buf_clear(&content);
	return json;
}

/* The connections of an account, or those that are not logged in (NULL). */
static void
show_connections(const struct json_value *list, const char *account)
{
	char since[TIMESTAMP_WORDS_SIZE];
	bool any = false;

	for (const struct json_value *each = list != NULL ? list->child : NULL;
	     each != NULL; each = each->next) {
		const char *name = json_get_text(each, "account", "");
		if (strcmp(name, account != NULL ? account : "") != 0)
			continue;
		if (!any && account == NULL)
			printf("not logged in\n");
		any = true;
		printf("  %s since %s, from %s\n",
		    json_get_text(each, "state", "?"),
		    timestamp_format_clock(
			since, json_get_time(each, "since"), clock_unix_ms()),
		    json_get_text(each, "address", "?"));
	}
	if (!any && account != NULL)
		printf("  not connected\n");
}

static void
show_waiting(const struct waiting *waiting)
{
	char span[TIMESTAMP_WORDS_SIZE];

	if (waiting->recipients == 0)
		return;
	printf("  mail for %lu recipient%s waits, the oldest for %s\n",
	    waiting->recipients, waiting->recipients == 1 ? "" : "s",
	    timestamp_format_span(
		span, clock_unix_ms() - waiting->oldest * 1000));
}

static void
show_all(const struct provider_config *config, const struct json_value *list,
    const struct waiting *waiting)
{
	for (size_t i = 0; i < config->accounts_count; i++) {
		printf("%s\n", config->accounts[i].name);
		show_connections(list, config->accounts[i].name);
		show_waiting(&waiting[i]);
	}
	show_connections(list, NULL);
}

/* One object for programs; connections as the file has them. */
static void
show_json(const struct provider_config *config, const struct json_value *list,
    const struct waiting *waiting)
{
	struct json_writer json;
	struct buf out;

	buf_init(&out, 2 * STATUS_MAX);
	json_begin(&json, &out);
	json_open(&json, NULL, '{');
	json_number(&json, "version", 1);
	json_open(&json, "accounts", '[');
	for (size_t i = 0; i < config->accounts_count; i++) {
		const char *name = config->accounts[i].name;
		json_open(&json, NULL, '{');
		json_text(&json, "account", name);
		json_number(&json, "waiting", (int64_t)waiting[i].recipients);
		json_time(&json, "oldest", waiting[i].oldest * 1000);
		json_open(&json, "connections", '[');
		for (const struct json_value *each = list != NULL ? list->child
								  : NULL;
		     each != NULL; each = each->next) {
			if (strcmp(json_get_text(each, "account", ""), name) !=
			    0)
				continue;
			json_open(&json, NULL, '{');
			json_text(
			    &json, "state", json_get_text(each, "state", NULL));
			json_time(&json, "since", json_get_time(each, "since"));
			json_text(&json, "address",
			    json_get_text(each, "address", NULL));
			json_close(&json, '}');
		}
		json_close(&json, ']');
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	printf("%.*s\n", (int)buf_len(&out), buf_data(&out));
	buf_clear(&out);
}

int
provider_command_status(struct provider_context *context, int argc, char **argv)
{
	const struct provider_config *config = context->config;
	bool as_json = argc == 1 && strcmp(argv[0], "--json") == 0;
	struct error err = {.class = ERROR_NONE}, other;

	if (argc > 0 && !as_json) {
		fputs("usage: odmr-provider status [--json]\n", stderr);
		return EX_USAGE;
	}
	struct waiting *waiting =
	    xcalloc(config->accounts_count, sizeof *waiting);
	struct json *json = read_connections(config, &err);
	if (json == NULL)
		fprintf(stderr, "odmr-provider: %s\n", err.text);
	if (!read_queue(config, waiting, &other)) {
		fprintf(stderr, "odmr-provider: %s\n", other.text);
		err = other;
	}
	const struct json_value *list =
	    json != NULL ? json_member(json_root(json), "connections") : NULL;
	if (as_json)
		show_json(config, list, waiting);
	else
		show_all(config, list, waiting);
	json_free(json);
	free(waiting);
	return error_exit_status(err.class);
}
