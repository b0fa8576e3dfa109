/* SPDX-License-Identifier: ISC */
/*
 * odmr-provider check: what would keep customers out, or lose or bounce mail.
 */
#include "provider_check_private.h"

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
#include <time.h>
#include <unistd.h>

#include "net/identity.h"
#include "net/tls_server.h"
#include "provider/dovecot.h"
#include "provider/inner.h"
#include "provider/provider_command.h"
#include "provider/provider_config.h"
#include "provider/service_user.h"
#include "provider/users.h"

enum {
	MECHANISMS_SIZE = 512,
	GROUPS_MAX = 64,
	/* A certificate that ends so soon should have been renewed. */
	RENEWED_DAYS = 14,
	DATE_SIZE = 32,
	OTHERS_MAY = 027, /* of the mode of a key or of passwords */
};

void
provider_check_found(
    struct findings *findings, bool fault, const char *format, ...)
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
		provider_check_found(findings, false,
		    "%s: other users can read or change it (mode %04o); run"
		    " `chmod 640 %s`",
		    path, (unsigned)st.st_mode & 07777, path);
	if (st.st_uid != 0 && (user == NULL || st.st_uid != user->pw_uid))
		provider_check_found(findings, false,
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
		provider_check_found(findings, false,
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
		provider_check_found(findings, true, "%s", err.text);
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
		provider_check_found(findings, true,
		    "%s; let the user %s read both files (chgrp, chmod 640), or"
		    " put the right ones there",
		    err->text, config->user);
	else
		provider_check_found(findings, true,
		    "%s; `odmr-provider setup tls` makes a key and a"
		    " certificate",
		    err->text);
}

/* Whoever knows it by its pin does not look at the date. */
static void
check_end_of_certificate(
    const struct provider_config *config, struct findings *findings)
{
	time_t end = -1, soon = time(NULL) + (time_t)RENEWED_DAYS * 86400;
	char date[DATE_SIZE];
	struct error ignored; /* told by whoever reads the pin */
	struct tm tm;

	if (!identity_not_after(config->tls_cert_file, &end, &ignored) ||
	    end == -1 || end > soon || gmtime_r(&end, &tm) == NULL ||
	    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		return;
	provider_check_found(findings, false,
	    "%s: the certificate ends at %s: after that customers who do not"
	    " know it by its pin do not call; renew it",
	    config->tls_cert_file, date);
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
	if (tls != NULL)
		check_end_of_certificate(config, findings);
	tls_server_free(tls);
}

static void
found_bad_users(const struct provider_config *config, struct findings *findings,
    const struct error *err)
{
	bool readable =
	    faccessat(AT_FDCWD, config->users_file, R_OK, AT_EACCESS) == 0;

	if (readable)
		provider_check_found(findings, true, "%s", err->text);
	else
		provider_check_found(findings, true,
		    "%s; let the user %s read it (chgrp, chmod 640)", err->text,
		    config->user);
}

static void
check_users(const struct provider_config *config, struct findings *findings)
{
	struct users_secret secret;
	struct error err;

	if (access(config->users_file, F_OK) != 0 && errno == ENOENT) {
		provider_check_found(findings, true,
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
				provider_check_found(findings, true,
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
		provider_check_found(findings, true, "%s", err.text);
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
		provider_check_found(findings, true,
		    "there is no user %s on this system; run `useradd --system"
		    " --groups postdrop %s`, or name another one (user)",
		    config->user, config->user);
		return;
	}
	gid_t own = user->pw_gid;
	const struct group *group = getgrnam("postdrop");
	if (group == NULL) {
		provider_check_found(findings, false,
		    "there is no group postdrop: is Postfix installed?");
		return;
	}
	postdrop = group->gr_gid;
	if (getgrouplist(config->user, own, groups, &count) >= 0)
		for (int i = 0; i < count; i++)
			member = member || groups[i] == postdrop;
	if (!member)
		provider_check_found(findings, false,
		    "the user %s is not in the group postdrop, so it cannot"
		    " ask Postfix to send, unless the systemd unit gives it"
		    " that group; run `usermod -aG postdrop %s`",
		    config->user, config->user);
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
	provider_check_postfix(config, &findings);
	printf("%s: %u error%s, %u warning%s\n", config->path, findings.faults,
	    findings.faults == 1 ? "" : "s", findings.warnings,
	    findings.warnings == 1 ? "" : "s");
	return findings.faults > 0 ? EX_CONFIG : EX_OK;
}
