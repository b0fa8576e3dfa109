/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "protocol/sasl.h"

/* The service manager gives them to a group of nobody else, or by an access
 * list, whose mask the mode shows as the group's. */
static bool
is_credential(const char *path)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t len = folder != NULL ? strlen(folder) : 0;

	return len > 0 && strncmp(path, folder, len) == 0 && path[len] == '/' &&
	       strstr(path, "/../") == NULL;
}

static void
check_secret_file(const struct config_section *section, const char *path)
{
	struct config_mark mark = config_mark_of(section, "password_file");
	struct stat status;
	struct error err;

	if (path == NULL || path[0] != '/' || stat(path, &status) != 0)
		return;
	if ((status.st_mode & S_IROTH) != 0)
		config_partial_fault(section->loader, mark,
		    "password_file: everybody on this host can read the"
		    " password in %s (chmod 600)",
		    path);
	else if ((status.st_mode & S_IRGRP) != 0 && !is_credential(path))
		config_warn(section->loader, mark,
		    "password_file: the file contains a password but is"
		    " readable by group or others (chmod 600)");
	/* A pipe gives its password only once. */
	if ((S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) &&
	    faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 &&
	    !config_try_secret_file(path, &err))
		config_partial_fault(section->loader, mark,
		    "%s; write the password into its first line", err.text);
}

/* The shell runs it: only a plain path in front is what can be looked at. */
static void
check_command(
    const struct config_section *section, const char *key, const char *command)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._+-";
	char path[PATH_MAX];

	if (command == NULL || command[0] != '/')
		return;
	size_t len = strspn(command, plain);
	if (len >= sizeof path || (command[len] != '\0' && command[len] != ' '))
		return;
	memcpy(path, command, len);
	path[len] = '\0';
	config_check_access(
	    section, config_key_index(section->table, key), path);
}

static void
check_secret(const struct config_section *section, bool needed)
{
	static const char *const sources[] = {
	    "password", "password_file", "password_command"};
	const char *first = NULL;

	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		if (!config_is_set(section, sources[i]))
			continue;
		if (first == NULL)
			first = sources[i];
		else
			config_key_fault(section, sources[i],
			    "\"%s\" is set as well; remove one of"
			    " them",
			    first);
	}
	if (first == NULL && needed)
		config_fault(section->loader, section->mark,
		    "account %s: \"password_file\", \"password_command\" or"
		    " \"password\" is missing",
		    section->name);
}

/* What the mechanisms that may be used ask of the rest. */
struct login_needs {
	bool external; /* it alone */
	bool safe_in_clear; /* one of them is */
	unsigned mechanisms, passwords, tokens; /* all; those that need one */
	unsigned take_user, take_password; /* those that take its octets */
};

static bool
has_password(const struct config_account *account)
{
	return account->password.len > 0 || account->password_file != NULL ||
	       account->password_command != NULL;
}

/* Where `auth` is not set, one kind of secret is enough. */
static bool
is_port_allowed(const struct config_account *account,
    const struct sasl_mechanism *mechanism)
{
	const struct config_texts *auth = &account->auth;
	bool token = account->token_command != NULL;

	for (size_t i = 0; i < auth->count; i++)
		if (strcmp(auth->items[i], sasl_mechanism_name(mechanism)) == 0)
			return true;
	if (auth->count > 0)
		return false;
	if (sasl_mechanism_needs_token(mechanism))
		return token;
	return sasl_mechanism_needs_password(mechanism) &&
	       (has_password(account) || !token);
}

static void
add_needs(struct login_needs *needs, const struct config_account *account,
    const struct sasl_mechanism *mechanism)
{
	const char *user = config_login_user(account);
	const struct secret *password = &account->password;

	needs->mechanisms++;
	if (!sasl_mechanism_needs_tls(mechanism))
		needs->safe_in_clear = true;
	if (sasl_mechanism_takes(mechanism, user, strlen(user)))
		needs->take_user++;
	if (sasl_mechanism_needs_token(mechanism))
		needs->tokens++;
	if (!sasl_mechanism_needs_password(mechanism))
		return;
	needs->passwords++;
	if (sasl_mechanism_takes(mechanism, password->text, password->len))
		needs->take_password++;
}

static struct login_needs
find_needs(const struct config_account *account)
{
	const struct config_texts *auth = &account->auth;
	struct login_needs needs = {
	    .external =
		auth->count == 1 && strcmp(auth->items[0], "EXTERNAL") == 0,
	};
	const struct sasl_mechanism *mechanism;

	for (size_t i = 0; (mechanism = sasl_mechanism_at(i)) != NULL; i++)
		if (is_port_allowed(account, mechanism))
			add_needs(&needs, account, mechanism);
	return needs;
}

static void
check_token(const struct config_section *section, bool needed)
{
	bool there = config_is_set(section, "token_command");

	if (needed && !there)
		config_key_fault(section, "auth",
		    "OAUTHBEARER and XOAUTH2 need \"token_command\"");
	if (there && !needed)
		config_key_warn(section, "token_command",
		    "without effect, since \"auth\" names"
		    " neither OAUTHBEARER nor XOAUTH2");
}

/* Of what SCRAM cannot take nothing is sent (see sasl_mechanism_takes()). */
static void
check_text(const struct config_section *section, const char *key,
    unsigned mechanisms, unsigned take)
{
	if (!config_is_set(section, key) || take == mechanisms)
		return;
	if (take == 0)
		config_key_fault(section, key,
		    "SCRAM accepts printable ASCII only, and \"auth\" names"
		    " no mechanism that accepts more");
	else
		config_key_warn(section, key,
		    "SCRAM accepts printable ASCII only, so that a weaker"
		    " mechanism will be used");
}

static void
check_login(
    const struct config_section *section, const struct config_account *account)
{
	struct login_needs needs = find_needs(account);
	const char *key =
	    config_is_set(section, "auth") ? "auth" : "token_command";

	if (!needs.external && !config_is_set(section, "user"))
		config_fault(section->loader, section->mark,
		    "account %s: \"user\" is missing", section->name);
	check_secret(section, needs.passwords > 0);
	check_token(section, needs.tokens > 0);
	check_text(section, "user", needs.mechanisms, needs.take_user);
	check_text(section, "password", needs.passwords, needs.take_password);
	if (needs.external && !config_is_set(section, "tls_cert_file"))
		config_key_fault(section, "auth",
		    "only EXTERNAL is listed, which needs \"tls_cert_file\"");
	if (account->tls == CONFIG_TLS_OFF && !needs.safe_in_clear)
		config_key_fault(section, key,
		    "without TLS none of these mechanisms is safe, so that no"
		    " login is possible; turn on \"tls\", or allow SCRAM or"
		    " CRAM-MD5");
}

static void
check_tls(
    const struct config_section *section, const struct config_account *account)
{
	static const char *const keys[] = {"tls_ca_file", "tls_pins",
	    "tls_server_name", "tls_cert_file", "tls_key_file"};
	bool cert = config_is_set(section, "tls_cert_file");
	bool key = config_is_set(section, "tls_key_file");

	const char *there = cert ? "tls_cert_file" : "tls_key_file";
	if (cert != key)
		config_key_fault(section, there,
		    "\"%s\" is needed as well (it may be the same file)",
		    cert ? "tls_key_file" : "tls_cert_file");
	if (account->tls != CONFIG_TLS_OFF)
		return;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (config_is_set(section, keys[i]))
			config_key_warn(section, keys[i],
			    "without effect, since \"tls\" is off");
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Mail for a domain that is asked for and not accepted would be refused. */
static void
check_accepted(
    const struct config_section *section, const struct config_account *account)
{
	size_t count = account->accept.count;

	if (count == 0 || !config_is_set(section, "accept") ||
	    config_has_slip(section, "accept"))
		return;
	const char **sorted = xreallocarray(NULL, count, sizeof *sorted);
	memcpy(sorted, account->accept.items, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare_texts);
	for (size_t i = 0; i < account->domains.count; i++)
		if (bsearch(&account->domains.items[i], sorted, count,
			sizeof *sorted, compare_texts) == NULL)
			config_key_warn(section, "accept",
			    "%s is in \"domains\" and not here, so that"
			    " its mail would be refused; add it",
			    account->domains.items[i]);
	free(sorted);
}

static void
check_account_times(
    const struct config_section *section, const struct config_account *account)
{
	/* ODMR is meant for sessions that are minutes apart at least. */
	const int64_t often = INT64_C(60) * 1000;
	bool every = config_is_set(section, "every");
	bool schedule = config_is_set(section, "schedule");
	const char *key = schedule ? "schedule" : "every";
	bool warn = !schedule && account->every > 0 && account->every < often;

	if (every && schedule)
		config_key_fault(section, "schedule",
		    "\"every\" is set as well; remove one of"
		    " them");
	for (size_t i = 0; i < account->schedule.count; i++) {
		int64_t interval = account->schedule.windows[i].every;
		warn = warn || (interval > 0 && interval < often);
	}
	if (warn && config_is_set(section, key))
		config_key_warn(section, key,
		    "providers dislike calls more often than once a"
		    " minute");
}

void
config_check_account(
    const struct config_section *section, struct config_account *account)
{
	const char *const paths[] = {account->tls_ca_file,
	    account->tls_cert_file, account->tls_key_file,
	    account->password_file};
	static const char *const names[] = {
	    "tls_ca_file", "tls_cert_file", "tls_key_file", "password_file"};

	config_check_required(section);
	check_tls(section, account);
	check_login(section, account);
	if (config_is_set(section, "domains") && account->domains.count == 0 &&
	    !config_has_slip(section, "domains") &&
	    !config_is_set(section, "accept"))
		config_key_fault(section, "domains",
		    "with \"any\" the account needs \"accept\", a"
		    " list of the domains whose mail may come");
	check_accepted(section, account);
	config_check_labels(section, account);
	check_account_times(section, account);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		config_check_access(section,
		    config_key_index(section->table, names[i]), paths[i]);
	check_secret_file(section, account->password_file);
	check_command(section, "password_command", account->password_command);
	check_command(section, "token_command", account->token_command);
	account->delivery =
	    config_find_delivery_index(section, account->deliver);
	const struct config *config =
	    config_sections_of(section->loader)->config;
	if (account->deliver == NULL && config->routes_count == 0 &&
	    config->deliveries_count > 1)
		config_fault(section->loader, section->mark,
		    "account %s: there are several deliveries; name one with"
		    " \"deliver\", or write \"routes\" at the top level",
		    section->name);
}
