/* SPDX-License-Identifier: ISC */
/*
 * What odmr-provider check says of Postfix' configuration.
 */
#include "provider_check_private.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "provider/gate.h"
#include "provider/postfix.h"
#include "provider/provider_config.h"
#include "provider/wanted.h"

enum {
	TABLE_MAX = 16 << 20,
	/* Of the service odmr: half of them may wait for a next call. */
	PROCESSES = 2 * GATE_EARLY_MAX,
};

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
		provider_check_found(findings, true,
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
		provider_check_found(findings, false,
		    "main.cf: relay_recipient_maps is empty: mail for unknown"
		    " recipients, and for subdomains that no customer has, is"
		    " accepted, and its bounces go to forged senders; see"
		    " odmr-provider(8), RECIPIENTS");
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
				provider_check_found(findings, refuses,
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

/* Whoever is not postfix_user is refused at the inner port. */
static void
check_owner(const struct provider_config *config, struct findings *findings)
{
	struct error err;
	char *owner = postfix_parameter(config, "mail_owner", true, &err);

	if (owner != NULL && strcmp(owner, config->postfix_user) != 0)
		provider_check_found(findings, true,
		    "main.cf: Postfix runs as %s (mail_owner), and postfix_user"
		    " is %s: it is refused at inner_port, and no customer gets"
		    " mail; write `postfix_user: %s` into %s",
		    owner, config->postfix_user, owner, config->path);
	free(owner);
}

/* By name; what a table has is not looked up. */
static void
check_flush_users(
    const struct provider_config *config, struct findings *findings)
{
	struct error err;
	char *users =
	    postfix_parameter(config, "authorized_flush_users", true, &err);

	if (users != NULL && !postfix_list_has(users, "static:anyone") &&
	    !postfix_list_has(users, config->user))
		provider_check_found(findings, false,
		    "main.cf: authorized_flush_users has not the user %s: he"
		    " cannot ask Postfix to send, and customers get 451; add"
		    " %s to it",
		    config->user, config->user);
	free(users);
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
		provider_check_found(findings, true, "%s", err.text);
	else if (limit > 0 && limit < enough)
		provider_check_found(findings, false,
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

	provider_check_found(findings, wanted->kind != WANTED_AT_LEAST,
	    "%s: `%s` is missing%s%s%s: %s", wanted_file(wanted),
	    line + strspn(line, " "), wanted->now[0] != '\0' ? " (now: " : "",
	    wanted->now, wanted->now[0] != '\0' ? ")" : "", wanted->why);
	free(line);
}

void
provider_check_postfix(
    const struct provider_config *config, struct findings *findings)
{
	struct wanted_list list = {.count = 0};
	bool has_service = true, missing = false;
	struct error err;

	if (!wanted_find(config, &list, &err)) {
		provider_check_found(findings, true, "%s", err.text);
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
	check_owner(config, findings);
	check_flush_users(config, findings);
	check_processes(config, findings);
	check_recipients(config, findings);
	check_domains_of_users(config, findings);
	wanted_clear(&list);
}
