/* SPDX-License-Identifier: ISC */
/*
 * odmr-provider check: what would keep customers out, or lose or bounce mail.
 */
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/identity.h"
#include "net/tls_server.h"
#include "provider/dovecot.h"
#include "provider/inner.h"
#include "provider/postfix.h"
#include "provider/provider_command.h"
#include "provider/provider_config.h"
#include "provider/users.h"
#include "provider/wanted.h"

enum {
	TABLE_MAX = 16 << 20,
	MECHANISMS_SIZE = 512,
	GROUPS_MAX = 64,
};

/* What was found; the worst decides the exit status. */
struct findings {
	unsigned faults, warnings;
};

static void found(struct findings *findings, bool fault, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

static void
found(struct findings *findings, bool fault, const char *format, ...)
{
	va_list args;

	if (fault)
		findings->faults++;
	else
		findings->warnings++;
	printf("%s: ", fault ? "error" : "warning");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void
check_tls(const struct provider_config *config, struct findings *findings)
{
	char pin[TLS_PIN_SIZE];
	struct error err;
	struct tls_server *tls = tls_server_new(
	    config->tls_cert_file, config->tls_key_file, false, &err);

	if (tls == NULL)
		found(findings, true,
		    "%s; `odmr-provider setup tls` makes a key and a"
		    " certificate",
		    err.text);
	else if (identity_pin(config->tls_cert_file, pin, &err))
		printf("the customers' key: tls_pins: \"%s\"\n", pin);
	tls_server_free(tls);
}

static void
check_users(const struct provider_config *config, struct findings *findings)
{
	struct users_secret secret;
	struct error err;

	for (size_t i = 0; i < config->accounts_count; i++) {
		const struct provider_account *account = &config->accounts[i];
		switch (users_find(
		    config->users_file, account->user, &secret, &err)) {
		case USERS_FOUND:
			break;
		case USERS_UNKNOWN:
			if (account->tls_pins.count == 0)
				found(findings, true,
				    "account %s has no password: run"
				    " `odmr-provider passwd %s`",
				    account->name, account->user);
			break;
		case USERS_FAILED:
			found(findings, true, "%s", err.text);
			return;
		}
	}
	explicit_bzero(&secret, sizeof secret);
}

static void
check_dovecot(const struct provider_config *config, struct findings *findings)
{
	char mechanisms[MECHANISMS_SIZE];
	struct error err;
	struct dovecot *dovecot = dovecot_open(config->dovecot_auth, &err);

	if (dovecot == NULL) {
		found(findings, true, "%s", err.text);
		return;
	}
	dovecot_mechanisms(dovecot, mechanisms, sizeof mechanisms);
	printf("Dovecot offers: %s\n", mechanisms);
	dovecot_free(dovecot);
}

/* postqueue is set-gid, which the sandbox of the service forbids. */
static void
check_group(const struct provider_config *config, struct findings *findings)
{
	const struct passwd *user = getpwnam(config->user);
	gid_t groups[GROUPS_MAX], postdrop;
	int count = GROUPS_MAX;
	bool member = false;

	if (user == NULL) {
		found(
		    findings, true, "there is no user %s (user)", config->user);
		return;
	}
	gid_t own = user->pw_gid;
	const struct group *group = getgrnam("postdrop");
	if (group == NULL) {
		found(findings, false,
		    "there is no group postdrop: is Postfix installed?");
		return;
	}
	postdrop = group->gr_gid;
	if (getgrouplist(config->user, own, groups, &count) >= 0)
		for (int i = 0; i < count; i++)
			member = member || groups[i] == postdrop;
	if (!member)
		found(findings, false,
		    "the user %s is not in the group postdrop: without the"
		    " systemd unit, which gives it, Postfix cannot be asked to"
		    " send; run `adduser %s postdrop`",
		    config->user, config->user);
}

static void
check_table(const struct provider_config *config, struct findings *findings)
{
	char *path = postfix_table_path(config);
	struct buf wanted;
	bool same = false;

	buf_init(&wanted, TABLE_MAX);
	postfix_table_content(config, &wanted);
	FILE *file = fopen(path, "re");
	if (file != NULL) {
		size_t len = buf_len(&wanted);
		char *there = xmalloc(len + 1);
		same = fread(there, 1, len + 1, file) == len &&
		       memcmp(there, buf_data(&wanted), len) == 0;
		free(there);
		fclose(file);
	}
	if (!same)
		found(findings, true,
		    "%s is not what this configuration makes of it: run"
		    " `odmr-provider setup postfix --apply`",
		    path);
	buf_clear(&wanted);
	free(path);
}

/* Unknown recipients would be accepted, and their bounces sent to whoever the
 * sender pretends to be. */
static void
check_recipients(
    const struct provider_config *config, struct findings *findings)
{
	struct error err;
	char *maps = postfix_parameter(config, "relay_recipient_maps", &err);
	char *rules =
	    postfix_parameter(config, "smtpd_recipient_restrictions", &err);
	char *relay =
	    postfix_parameter(config, "smtpd_relay_restrictions", &err);

	if (maps != NULL && maps[0] == '\0' && rules != NULL &&
	    strstr(rules, "reject_unverified_recipient") == NULL &&
	    relay != NULL &&
	    strstr(relay, "reject_unverified_recipient") == NULL)
		found(findings, false,
		    "relay_recipient_maps is empty: mail for unknown"
		    " recipients is accepted, and its bounces go to forged"
		    " senders; see odmr-provider(8), RECIPIENTS");
	free(maps);
	free(rules);
	free(relay);
}

static void
check_postfix(const struct provider_config *config, struct findings *findings)
{
	struct wanted_list list = {.count = 0};
	struct error err;

	if (!wanted_find(config, &list, &err)) {
		found(findings, true, "%s", err.text);
		wanted_clear(&list);
		return;
	}
	check_table(config, findings);
	for (size_t i = 0; i < list.count; i++) {
		const struct wanted *wanted = &list.items[i];
		if (wanted->there)
			continue;
		char *line = wanted_line(wanted);
		found(findings, wanted->kind != WANTED_AT_LEAST,
		    "Postfix needs `%s`, or else %s", line, wanted->why);
		free(line);
	}
	check_recipients(config, findings);
	wanted_clear(&list);
}

int
provider_command_check(struct provider_context *context, int argc, char **argv)
{
	const struct provider_config *config = context->config;
	struct findings findings = {.faults = 0};

	if (argc > 0) {
		fprintf(stderr, "odmr-provider: check has no argument: %s\n",
		    argv[0]);
		return EX_USAGE;
	}
	for (size_t i = 0; i < config->messages_count; i++)
		findings.warnings += config->messages[i].warning;
	check_tls(config, &findings);
	if (config->users_file != NULL)
		check_users(config, &findings);
	else
		check_dovecot(config, &findings);
	check_group(config, &findings);
	check_postfix(config, &findings);
	printf("%s: %u error%s, %u warning%s\n", config->path, findings.faults,
	    findings.faults == 1 ? "" : "s", findings.warnings,
	    findings.warnings == 1 ? "" : "s");
	return findings.faults > 0 ? EX_CONFIG : EX_OK;
}
