/* SPDX-License-Identifier: ISC */
#include "provider/provider_config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config_rows.h"
#include "provider/inner.h"
#include "provider/users.h"
#include "tell/log.h"

enum {
	/* RFC 2645 5.2.1: a customer waits for the reply to ATRN for ten
	 * minutes at least; one minute is left for the way. */
	HOLD_MINUTES = 9,
	PORT_ODMR = 366,
};

/* Accounts while the file is read. */
struct reading {
	struct array accounts, marks;
};

static config_read_fn read_accounts;
static config_convert_fn to_listen, to_folder;

#define TOP(member)     MEMBER(#member, struct provider_config, member)
#define ACCOUNT(member) MEMBER(#member, struct provider_account, member)

static const struct config_key top_keys[] = {
    {TOP(hostname), TEXT(config_to_hostname), .required = true},
    {MEMBER("listen", struct provider_config, listen_at), TEXTS(to_listen)},
    {MEMBER("listen_tls", struct provider_config, listen_tls_at),
	TEXTS(to_listen)},
    {TOP(tls_cert_file), TEXT(config_to_path), .required = true},
    {TOP(tls_key_file), TEXT(config_to_path), .required = true},
    {TOP(users_file), TEXT(config_to_path)},
    {TOP(dovecot_auth), TEXT(config_to_path)},
    {.name = "accounts", .read = read_accounts, .required = true},
    {TOP(hold), DURATION(0, HOLD_MINUTES *MINUTE), .value = "9m"},
    /* Below that Postfix has no chance to connect. */
    {TOP(settle), DURATION(SECOND, MINUTE), .value = "2s"},
    {TOP(max_connections), PLAIN(config_to_number), .value = "100", .min = 1,
	.max = PROVIDER_CONNECTIONS_MAX},
    {TOP(max_per_address), PLAIN(config_to_number), .value = "10", .min = 1,
	.max = 10000},
    {TOP(user), TEXT(config_to_text), .value = "odmr-provider"},
    {TOP(run_dir), TEXT(config_to_path), .value = "/run/odmr-provider"},
    {TOP(metrics_file), TEXT(config_to_path)},
    {TOP(postfix_user), TEXT(config_to_text), .value = "postfix"},
    {TOP(postfix_programs), TEXT(to_folder), .value = "/usr/sbin"},
    {TOP(postfix_config), TEXT(to_folder), .value = "/etc/postfix"},
    {TOP(inner_port), PLAIN(config_to_number), .value = "336", .min = 1,
	.max = 65535},
    {TOP(log), ONE_OF("auto", "stderr", "syslog"), .value = "auto"},
    {TOP(log_format), ONE_OF("text", "json"), .value = "text"},
    {TOP(log_level), ONE_OF("error", "warning", "info", "debug"),
	.value = "info"},
};

static const struct config_key account_keys[] = {
    {ACCOUNT(user), TEXT(config_to_text)},
    {ACCOUNT(domains), TEXTS(config_to_domain), .required = true},
    {ACCOUNT(tls_pins), TEXTS(config_to_pin)},
};

FITS(top_keys);

const struct config_table provider_top_table = TABLE("the top level", top_keys);
const struct config_table provider_account_table =
    TABLE("an account", account_keys);
_Static_assert(offsetof(struct provider_account, name) ==
		       offsetof(struct config_named, name) &&
		   offsetof(struct provider_account, column) ==
		       offsetof(struct config_named, column),
    "begins as struct config_named");

/*
 * Reading
 */

static void
read_accounts(
    struct config_loader *loader, const struct config_key *key, void *field)
{
	struct reading *reading = loader->context;

	(void)field;
	config_read_named(loader, key, &provider_account_table,
	    &reading->accounts, &reading->marks, CONFIG_ACCOUNTS_MAX);
}

/* ADDRESS:PORT; a name could mean another address tomorrow. */
static bool
split_listen(char *text, struct provider_listen *listen)
{
	unsigned long port = PORT_ODMR;
	unsigned char octets[sizeof(struct in6_addr)];
	char *host;

	if (!config_split_address(text, &host, &port))
		return false;
	*listen =
	    (struct provider_listen){.address = host, .port = (uint16_t)port};
	return inet_pton(AF_INET, host, octets) == 1 ||
	       inet_pton(AF_INET6, host, octets) == 1;
}

static bool
to_listen(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	char *copy = pool_text(loader->pool, scalar->text, scalar->len);
	struct provider_listen listen;

	if (!split_listen(copy, &listen))
		return config_refuse_value(loader, scalar, key,
		    "an address with a port, as \"0.0.0.0:366\" or"
		    " \"[::]:366\"");
	return config_to_text(loader, scalar, key, field);
}

static bool
to_folder(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	return config_to_path(loader, scalar, key, field);
}

static void
add_listen(struct provider_config *config, const struct config_texts *texts,
    bool implicit_tls)
{
	for (size_t i = 0; i < texts->count; i++) {
		const char *text = texts->items[i];
		struct provider_listen listen;
		bool good = split_listen(
		    pool_text(&config->pool, text, strlen(text)), &listen);
		listen.implicit_tls = implicit_tls;
		if (good)
			config->listen[config->listen_count++] = listen;
	}
}

/* Without a word customers come in on 366, by either IP. */
static void
complete_listen(struct provider_config *config)
{
	static const char *const usual[] = {"0.0.0.0:366", "[::]:366"};
	size_t count = config->listen_at.count + config->listen_tls_at.count;

	if (count == 0)
		config->listen_at = (struct config_texts){usual, 2};
	config->listen = xcalloc(count + 2, sizeof *config->listen);
	add_listen(config, &config->listen_at, false);
	add_listen(config, &config->listen_tls_at, true);
}

/*
 * Checks
 */

static struct config_mark
mark_of_line(const struct provider_account *account)
{
	return (struct config_mark){
	    .line = account->line, .column = account->column};
}

static bool
has_text(const struct config_texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++)
		if (strcmp(texts->items[i], text) == 0)
			return true;
	return false;
}

/* A domain is one customer's, or mail would go to whoever comes first. */
static void
check_domains_written(struct config_loader *loader,
    const struct provider_account *one, const struct provider_account *other)
{
	for (size_t i = 0; i < one->domains.count; i++)
		if (has_text(&other->domains, one->domains.items[i]))
			config_fault(loader, mark_of_line(one),
			    "account %s: %s is a domain of account %s too",
			    one->name, one->domains.items[i], other->name);
}

static void
check_pair(struct config_loader *loader, const struct provider_account *one,
    const struct provider_account *other)
{
	if (strcmp(one->name, other->name) == 0)
		config_fault(loader, mark_of_line(one),
		    "account %s: already there in line %u", one->name,
		    other->line);
	else if (one->inner.s_addr == other->inner.s_addr)
		config_fault(loader, mark_of_line(one),
		    "account %s: its name leads to the same inner address as"
		    " that of account %s: choose another name",
		    one->name, other->name);
	for (size_t i = 0; i < one->tls_pins.count; i++)
		if (has_text(&other->tls_pins, one->tls_pins.items[i]))
			config_fault(loader, mark_of_line(one),
			    "account %s: its certificate %s is that of account"
			    " %s too",
			    one->name, one->tls_pins.items[i], other->name);
	if (strcmp(one->user, other->user) == 0)
		config_fault(loader, mark_of_line(one),
		    "account %s: the user %s is that of account %s too",
		    one->name, one->user, other->name);
	check_domains_written(loader, one, other);
}

static void
check_account(struct config_loader *loader, struct provider_account *account,
    const struct config_marks *marks)
{
	struct config_section section = {loader, &provider_account_table, marks,
	    mark_of_line(account), "account", account->name};

	config_check_required(&section);
	if (account->user == NULL)
		account->user = account->name;
	if (!users_name_is_valid(account->user))
		config_fault(loader, mark_of_line(account),
		    "account %s: a user has no \":\", at most 255 octets, and"
		    " does not begin with \"#\" or a blank",
		    account->name);
	account->inner = inner_address(account->name);
}

static void
check_all(struct config_loader *loader, struct provider_config *config)
{
	struct reading *reading = loader->context;
	const struct config_marks *marks = reading->marks.items;
	struct config_section top = {loader, &provider_top_table,
	    &loader->marks, loader->marks.here, "the", "configuration"};

	config_check_required(&top);
	config_check_file(loader, NULL);
	if ((config->users_file == NULL) == (config->dovecot_auth == NULL))
		config_fault(loader, loader->marks.here,
		    "set \"users_file\" or \"dovecot_auth\", and not both:"
		    " the passwords are in one place");
	if (config->listen_count > PROVIDER_LISTEN_MAX)
		config_fault(loader, loader->marks.here,
		    "\"listen\" and \"listen_tls\" have more than %d"
		    " addresses",
		    PROVIDER_LISTEN_MAX);
	for (size_t i = 0; i < config->accounts_count; i++)
		check_account(loader, &config->accounts[i], &marks[i]);
	/* Each with each: a second for ten thousand accounts. */
	for (size_t i = 0; i < config->accounts_count; i++)
		for (size_t k = 0; k < i; k++)
			check_pair(
			    loader, &config->accounts[i], &config->accounts[k]);
	if (*loader->faults == 0 && config->accounts_count == 0)
		config_fault(loader, loader->marks.here,
		    "accounts: at least one is needed");
}

/*
 * The whole
 */

static void
init(struct config_loader *loader, struct reading *reading,
    struct provider_config *config)
{
	static const struct config_table *const tables[] = {
	    &provider_top_table, &provider_account_table, NULL};

	*reading = (struct reading){
	    .accounts.each = sizeof(struct provider_account),
	    .marks.each = sizeof(struct config_marks),
	};
	*loader = (struct config_loader){
	    .tables = tables,
	    .top = config,
	    .context = reading,
	    .pool = &config->pool,
	    .faults = &config->faults,
	    .messages.each = sizeof(struct config_message),
	};
}

static void
finish_provider_config(
    struct config_loader *loader, struct provider_config *config)
{
	struct reading *reading = loader->context;

	config->accounts = reading->accounts.items;
	config->accounts_count = reading->accounts.count;
	if (!loader->ended && loader->marks.here.line != 0) {
		config_apply_table(
		    loader, &provider_top_table, &loader->marks, config);
		complete_listen(config);
		check_all(loader, config);
	}
	config_sort_messages(loader);
	config->messages = loader->messages.items;
	config->messages_count = loader->messages.count;
	free(reading->marks.items);
}

struct provider_config *
provider_config_load(const char *path)
{
	static const struct config_mark nowhere;
	struct provider_config *config = xcalloc(1, sizeof *config);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct config_loader loader;
	struct reading reading;

	config->path = pool_text(&config->pool, path, strlen(path));
	init(&loader, &reading, config);
	if (fd >= 0) {
		config_read_file(&loader, fd);
	} else {
		config_fault(&loader, nowhere, "%s%s", strerror(errno),
		    errno == ENOENT ? "; odmr-provider.yaml.example has all"
				      " keys, and -c names another file"
		    : errno == EACCES
			? "; run this as root, or as the user of the service"
			: "");
	}
	finish_provider_config(&loader, config);
	if (fd >= 0)
		close(fd);
	return config;
}

void
provider_config_free(struct provider_config *config)
{
	if (config == NULL)
		return;
	free(config->listen);
	free(config->accounts);
	free(config->messages);
	pool_clear(&config->pool);
	free(config);
}

bool
provider_config_report(const struct provider_config *config, bool to_log)
{
	char text[CONFIG_MESSAGE_SIZE];

	for (size_t i = 0; i < config->messages_count; i++) {
		const struct config_message *message = &config->messages[i];
		config_message_format(config->path, message, text, sizeof text);
		if (to_log)
			log_say(config_message_level(message), NULL,
			    "configuration", "%s", text);
		else
			fprintf(stderr, "%s\n", text);
	}
	return config->faults == 0;
}

const struct provider_account *
provider_config_user(const struct provider_config *config, const char *user)
{
	for (size_t i = 0; i < config->accounts_count; i++)
		if (strcmp(config->accounts[i].user, user) == 0)
			return &config->accounts[i];
	return NULL;
}

const struct provider_account *
provider_config_pin(const struct provider_config *config, const char *pin)
{
	for (size_t i = 0; i < config->accounts_count; i++) {
		const struct config_texts *pins = &config->accounts[i].tls_pins;
		for (size_t k = 0; k < pins->count; k++)
			if (strcmp(pins->items[k], pin) == 0)
				return &config->accounts[i];
	}
	return NULL;
}

const struct provider_account *
provider_config_inner(
    const struct provider_config *config, struct in_addr inner)
{
	for (size_t i = 0; i < config->accounts_count; i++)
		if (config->accounts[i].inner.s_addr == inner.s_addr)
			return &config->accounts[i];
	return NULL;
}
