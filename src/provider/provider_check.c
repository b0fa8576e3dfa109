/* SPDX-License-Identifier: ISC */
/*
 * odmr-provider check: what would keep customers out, or lose or bounce mail.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/identity.h"
#include "net/tls_server.h"
#include "provider/dovecot.h"
#include "provider/gate.h"
#include "provider/inner.h"
#include "provider/postfix.h"
#include "provider/provider_command.h"
#include "provider/provider_config.h"
#include "provider/service_user.h"
#include "provider/users.h"
#include "provider/wanted.h"

enum {
	TABLE_MAX = 16 << 20,
	MECHANISMS_SIZE = 512,
	GROUPS_MAX = 64,
	OTHERS_MAY = 027, /* of the mode of a key or of passwords */
	/* Of the service odmr: half of them may wait for a next call. */
	PROCESSES = 2 * GATE_EARLY_MAX,
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

/* Whoever reads the key is us; whoever writes the users is anybody. */
static void
check_is_private(const struct provider_config *config, const char *path,
    struct findings *findings)
{
	const struct passwd *user = getpwnam(config->user);
	struct stat st;

	/* What cannot be read is reported by whoever needs it. */
	if (path == NULL || stat(path, &st) != 0)
		return;
	if ((st.st_mode & OTHERS_MAY) != 0)
		found(findings, false,
		    "%s: other users can read or change it (mode %04o); run"
		    " `chmod 640 %s`",
		    path, (unsigned)st.st_mode & 07777, path);
	if (st.st_uid != 0 && (user == NULL || st.st_uid != user->pw_uid))
		found(findings, false,
		    "%s: it belongs to another user (uid %lu), who can change"
		    " it; run `chown root %s`",
		    path, (unsigned long)st.st_uid, path);
}

/* A port that anybody may bind is anybody's while we are not there. */
static void
check_inner_port(
    const struct provider_config *config, struct findings *findings)
{
	unsigned first = inner_free_from();

	if (config->inner_port >= first)
		found(findings, false,
		    "inner_port %llu: while the service is stopped, any user of"
		    " this host can listen there, and Postfix hands him the"
		    " customers' mail; %s %d",
		    (unsigned long long)config->inner_port,
		    first < IPPORT_RESERVED
			? "as in many containers, every user can have ports"
			  " below 1024: set net.ipv4.ip_unprivileged_port_start"
			  " (sysctl, or an option of the container) to"
			: "choose a port below",
		    IPPORT_RESERVED);
}

/* As the service would: it may load modules, or none, as any user may. */
static void
check_verification(struct findings *findings)
{
	struct error err;

	if (!inner_can_verify(&err))
		found(findings, true, "%s", err.text);
}

/* What is not there is made by one command; what is there and cannot be used is
 * somebody's, and only its owner or its content is wrong. */
static void
found_bad_tls(const struct provider_config *config, struct findings *findings,
    const struct error *err)
{
	bool there =
	    faccessat(AT_FDCWD, config->tls_cert_file, F_OK, AT_EACCESS) == 0 &&
	    faccessat(AT_FDCWD, config->tls_key_file, F_OK, AT_EACCESS) == 0;

	if (there)
		found(findings, true,
		    "%s; let the user %s read both files (chgrp, chmod 640), or"
		    " put the right ones there",
		    err->text, config->user);
	else
		found(findings, true,
		    "%s; `odmr-provider setup tls` makes a key and a"
		    " certificate",
		    err->text);
}

static void
check_tls_files(const struct provider_config *config, struct findings *findings)
{
	char pin[TLS_PIN_SIZE];
	struct error err;
	struct tls_server *tls = tls_server_new(
	    config->tls_cert_file, config->tls_key_file, false, &err);

	if (tls == NULL)
		found_bad_tls(config, findings, &err);
	else if (identity_pin(config->tls_cert_file, pin, &err))
		printf("customers' odmr-agent.yaml: tls_pins: \"%s\"\n", pin);
	tls_server_free(tls);
}

static void
found_bad_users(const struct provider_config *config, struct findings *findings,
    const struct error *err)
{
	bool readable =
	    faccessat(AT_FDCWD, config->users_file, R_OK, AT_EACCESS) == 0;

	if (readable)
		found(findings, true, "%s", err->text);
	else
		found(findings, true,
		    "%s; let the user %s read it (chgrp, chmod 640)", err->text,
		    config->user);
}

static void
check_users(const struct provider_config *config, struct findings *findings)
{
	struct users_secret secret;
	struct error err;

	if (access(config->users_file, F_OK) != 0 && errno == ENOENT) {
		found(findings, true,
		    "%s: there is no such file; `odmr-provider passwd USER`"
		    " makes it",
		    config->users_file);
		return;
	}
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
			found_bad_users(config, findings, &err);
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

/* In the eyes of the service, where root looks. */
static void
check_as_service(
    const struct provider_config *config, struct findings *findings)
{
	service_user_try(config);
	check_verification(findings);
	check_tls_files(config, findings);
	if (config->users_file != NULL)
		check_users(config, findings);
	else
		check_dovecot(config, findings);
	service_user_return();
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
		found(findings, true,
		    "there is no user %s on this system; run `useradd --system"
		    " --groups postdrop %s`, or name another one (user)",
		    config->user, config->user);
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
		    "the user %s is not in the group postdrop, so it cannot"
		    " ask Postfix to send, unless the systemd unit gives it"
		    " that group; run `usermod -aG postdrop %s`",
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

static bool
says(const struct provider_config *config, const char *name, const char *word)
{
	struct error err;
	char *value = postfix_parameter(config, name, true, &err);
	bool has = value != NULL && (*word != '\0' ? strstr(value, word) != NULL
						   : value[0] != '\0');

	free(value);
	return has;
}

/* Unknown recipients would be accepted, and their bounces sent to whoever the
 * sender pretends to be. */
static void
check_recipients(
    const struct provider_config *config, struct findings *findings)
{
	static const char probe[] = "reject_unverified_recipient";

	if (!says(config, "relay_recipient_maps", "") &&
	    !says(config, "smtpd_recipient_restrictions", probe) &&
	    !says(config, "smtpd_relay_restrictions", probe))
		found(findings, false,
		    "main.cf: relay_recipient_maps is empty: mail for unknown"
		    " recipients is accepted, and its bounces go to forged"
		    " senders; see odmr-provider(8), RECIPIENTS");
}

/* transport_maps decides where the mail goes, but these lists decide who has a
 * mailbox: whom its table does not know is refused at the door. */
static void
check_list(const struct provider_config *config, const char *name,
    const char *mailboxes, struct findings *findings)
{
	struct error err;
	char *list = postfix_parameter(config, name, true, &err);
	bool refuses = mailboxes == NULL || says(config, mailboxes, "");

	for (size_t i = 0; list != NULL && i < config->accounts_count; i++) {
		const struct config_texts *domains =
		    &config->accounts[i].domains;
		for (size_t k = 0; k < domains->count; k++)
			if (postfix_list_has(list, domains->items[k]))
				found(findings, refuses,
				    "main.cf: %s has %s: whoever is no"
				    " recipient of this host is refused there;"
				    " take it out",
				    name, domains->items[k]);
	}
	free(list);
}

static void
check_domains_of_users(
    const struct provider_config *config, struct findings *findings)
{
	check_list(config, "mydestination", "local_recipient_maps", findings);
	check_list(config, "virtual_alias_domains", NULL, findings);
	check_list(config, "virtual_mailbox_domains", "virtual_mailbox_maps",
	    findings);
}

/* One for each account is enough: it has one connection. */
static void
check_processes(const struct provider_config *config, struct findings *findings)
{
	uint64_t limit, enough = PROCESSES;
	struct error err;

	if (config->accounts_count < enough)
		enough = config->accounts_count;
	if (!postfix_process_limit(config, &limit, &err))
		found(findings, true, "%s", err.text);
	else if (limit > 0 && limit < enough)
		found(findings, false,
		    "master.cf: Postfix starts no more than %llu processes of"
		    " the service odmr (maxproc): where all of them wait for"
		    " customers' next calls, other customers get no mail; run"
		    " `postconf -F -e " POSTFIX_SERVICE "/process_limit=%d`"
		    " and `postfix reload`",
		    (unsigned long long)limit, PROCESSES);
}

/* One finding of the list. */
static void
tell_wanted(const struct wanted *wanted, struct findings *findings)
{
	char *line = wanted_line(wanted);

	found(findings, wanted->kind != WANTED_AT_LEAST,
	    "%s: `%s` is missing%s%s%s: %s", wanted_file(wanted),
	    line + strspn(line, " "), wanted->now[0] != '\0' ? " (now: " : "",
	    wanted->now, wanted->now[0] != '\0' ? ")" : "", wanted->why);
	free(line);
}

static void
check_postfix(const struct provider_config *config, struct findings *findings)
{
	struct wanted_list list = {.count = 0};
	bool has_service = true, missing = false;
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
		missing = true;
		if (wanted->kind == WANTED_SERVICE)
			has_service = false;
		/* Without the service its options say nothing new. */
		if (wanted->kind != WANTED_OPTION || has_service)
			tell_wanted(wanted, findings);
	}
	if (missing)
		printf("`odmr-provider setup postfix --apply` makes all of"
		       " this\n");
	check_processes(config, findings);
	check_recipients(config, findings);
	check_domains_of_users(config, findings);
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
		findings.warnings +=
		    config->messages[i].severity == CONFIG_WARNING;
	check_is_private(config, config->tls_key_file, &findings);
	check_is_private(config, config->users_file, &findings);
	check_inner_port(config, &findings);
	check_as_service(config, &findings);
	check_group(config, &findings);
	check_postfix(config, &findings);
	printf("%s: %u error%s, %u warning%s\n", config->path, findings.faults,
	    findings.faults == 1 ? "" : "s", findings.warnings,
	    findings.warnings == 1 ? "" : "s");
	return findings.faults > 0 ? EX_CONFIG : EX_OK;
}
