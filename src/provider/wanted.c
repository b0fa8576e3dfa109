/* SPDX-License-Identifier: ISC */
#include "provider/wanted.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/error.h"
#include "base/mem.h"
#include "provider/postfix.h"
#include "provider/provider_config.h"

#define SERVICE POSTFIX_SERVICE

#define OPTION(name, value, why)                                               \
	{                                                                      \
		WANTED_OPTION, NONE, SERVICE "/" name, value, why              \
	}

enum {
	DAY_S = 86400,
	NONE = '\0', /* in place of a unit: no other value serves */
	NUMBER = '#', /* the same: any larger number serves */
};

/* The table of domains stands in for value NULL. */
static const struct {
	enum wanted_kind kind;
	char unit;
	const char *name, *value, *why;
} rows[] = {
    {WANTED_IN_LIST, NONE, "relay_domains", NULL,
	"mail for the customers' domains is refused"},
    {WANTED_IN_LIST, NONE, "transport_maps", NULL,
	"mail for the customers' domains goes elsewhere"},
    {WANTED_IN_LIST, NONE, "fast_flush_domains", NULL,
	"Postfix cannot be asked to send what waits for a customer"},
    {WANTED_VALUE, NONE, "odmr_destination_concurrency_limit", "1",
	"a customer has one connection, and the second one is refused"},
    {WANTED_VALUE, NONE, "odmr_destination_concurrency_failed_cohort_limit",
	"0", "after one call without an answer new mail waits for minutes"},
    /* With 1 a destination is a recipient (postconf(5)), and not a customer. */
    {WANTED_VALUE, NUMBER, "odmr_destination_recipient_limit", "50",
	"a message for several recipients comes in parts, and with a limit of 1"
	" each wants a connection of its own"},
    {WANTED_VALUE, NONE, "odmr_destination_rate_delay", "0s",
	"a pause after each message ends the customer's call"},
    {WANTED_VALUE, NONE, "odmr_transport_rate_delay", "0s",
	"each message to one customer holds up those to all others"},
    {WANTED_AT_LEAST, NUMBER, "qmgr_message_active_limit", "100000",
	"where as many messages wait for one customer, the mail of all others"
	" stops"},
    {WANTED_AT_LEAST, NUMBER, "qmgr_message_recipient_limit", "100000",
	"Postfix warns at each start that it is below"
	" qmgr_message_active_limit"},
    {WANTED_AT_LEAST, 'd', "maximal_queue_lifetime", "30d",
	"mail for a customer who is off for longer is bounced"},
    {WANTED_AT_LEAST, 'd', "bounce_queue_lifetime", "30d",
	"bounces for a customer who is off for longer are lost"},
    {WANTED_SERVICE, NONE, SERVICE, "odmr unix - - n - - smtp",
	"Postfix has no way to the customers"},
    OPTION("inet_protocols", "ipv4",
	"the inner address cannot be reached, and mail is bounced"),
    OPTION("smtp_tls_security_level", "none",
	"the inner connection does not speak TLS"),
    /* "yes" in main.cf for a relay host at port 465. */
    OPTION("smtp_tls_wrappermode", "no",
	"the inner connection does not speak TLS"),
    OPTION("smtp_tls_policy_maps", "",
	"TLS is asked of the inner connection, or all mail waits while the"
	" policies cannot be read"),
    OPTION("smtp_sasl_auth_enable", "no", "customers are sent a login"),
    /* It separates senders in the cache even where there is no login. */
    OPTION("smtp_sender_dependent_authentication", "no",
	"a customer has to call again for each sender"),
    OPTION("smtp_fallback_relay", "",
	"mail of a customer who is off goes to another host"),
    OPTION("smtp_bind_address", "", "the inner address cannot be reached"),
    OPTION("smtp_generic_maps", "", "addresses are changed on their way"),
    OPTION("smtp_header_checks", "", "messages are changed on their way"),
    OPTION("smtp_mime_header_checks", "", "messages are changed on their way"),
    OPTION(
	"smtp_nested_header_checks", "", "messages are changed on their way"),
    OPTION("smtp_body_checks", "", "messages are changed on their way"),
    /* Rules that give up on the world's 4xx at once. */
    OPTION("smtp_delivery_status_filter", "",
	"mail of a customer who is off may be bounced"),
    OPTION(
	"smtp_reply_filter", "", "mail that a customer defers may be bounced"),
    OPTION("smtp_connection_cache_destinations", "static:all",
	"a customer has to call again after each message"),
    OPTION("smtp_connection_cache_on_demand", "yes",
	"a customer has to call again after each message"),
    OPTION("smtp_connection_reuse_count_limit", "0",
	"a customer has to call again after so many messages"),
    /* It begins before the greeting, and so before the next call. */
    {WANTED_OPTION, 's', SERVICE "/smtp_connection_reuse_time_limit", "1d",
	"a call has one message where Postfix waited for it for longer, and a"
	" long one ends then"},
    /* Longer than the gate lets it wait (gate_mail.c). */
    {WANTED_OPTION, 's', SERVICE "/smtp_helo_timeout", "90m",
	"a message at which a customer's software breaks the connection keeps"
	" all mail after it away"},
};

/* "5d" in seconds, as postconf(5) writes times, or a number; 0 for what is
 * neither. */
static int64_t
parse_wanted_amount(const char *text, char usual)
{
	static const struct {
		char unit;
		int64_t factor;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY_S},
	    {'w', 7 * DAY_S}, {NUMBER, 1}};
	uint64_t number;
	const char *end = text + decimal_digits(text, SIZE_MAX, &number);
	char unit = *end != '\0' ? *end++ : usual;

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (unit == units[i].unit && *end == '\0' && number < INT32_MAX)
			return (int64_t)number * units[i].factor;
	return 0;
}

/* Any longer time is as good, and any larger number. */
static bool
serves(const struct wanted *wanted, const char *value)
{
	char unit = wanted->unit;

	return unit != NONE ? parse_wanted_amount(value, unit) >=
				  parse_wanted_amount(wanted->value, unit)
			    : strcmp(value, wanted->value) == 0;
}

/* Of "odmr/unix/NAME = VALUE"; NULL: an option that was never set is no error of
 * postconf's, only no output. */
static const char *
option_value(const struct wanted *wanted, const char *said)
{
	const char *equals = strchr(said, '=');

	if (strncmp(said, wanted->name, strlen(wanted->name)) != 0 ||
	    equals == NULL)
		return NULL;
	return equals + 1 + strspn(equals + 1, " ");
}

/* As with main.cf: what it comes to counts. */
static bool
look_at_meaning(const struct provider_config *config, struct wanted *wanted,
    struct error *err)
{
	char *said = postfix_ask(config, "-Px", wanted->name, err);

	if (said == NULL)
		return false;
	const char *value = option_value(wanted, said);
	wanted->there = value != NULL && serves(wanted, value);
	free(said);
	return true;
}

static bool
look_at_option(const struct provider_config *config, struct wanted *wanted,
    struct error *err)
{
	wanted->now = postfix_ask(config, "-P", wanted->name, err);
	if (wanted->now == NULL)
		return false;
	const char *value = option_value(wanted, wanted->now);
	if (value == NULL)
		return true;
	wanted->there = serves(wanted, value);
	memmove(wanted->now, value, strlen(value) + 1);
	if (strchr(wanted->now, '$') == NULL)
		return true;
	return look_at_meaning(config, wanted, err);
}

/* A list that comes to nothing need not be kept, whatever makes it so: the
 * default of relay_domains is an expression. */
static bool
look_at_list(const struct provider_config *config, struct wanted *wanted,
    struct error *err)
{
	char *means = postfix_parameter(config, wanted->name, true, err);

	if (means == NULL)
		return false;
	if (means[strspn(means, " ,\t")] == '\0' &&
	    !postfix_list_has(wanted->now, "$relay_domains"))
		wanted->now[0] = '\0';
	/* What refers to relay_domains has the table with it. */
	wanted->there = postfix_list_has(means, wanted->value) ||
			postfix_list_has(wanted->now, "$relay_domains");
	free(means);
	return true;
}

/* What it comes to counts, be it "$default_..." or "$maximal_...". */
static bool
look_at_value(const struct provider_config *config, struct wanted *wanted,
    struct error *err)
{
	char *means = postfix_parameter(config, wanted->name, true, err);

	if (means == NULL)
		return false;
	wanted->there = serves(wanted, means);
	free(means);
	return true;
}

static bool
look(const struct provider_config *config, struct wanted *wanted,
    struct error *err)
{
	switch (wanted->kind) {
	case WANTED_SERVICE:
		wanted->now = postfix_ask(config, "-M", wanted->name, err);
		if (wanted->now == NULL)
			return false;
		wanted->there = wanted->now[0] != '\0';
		return true;
	case WANTED_OPTION:
		return look_at_option(config, wanted, err);
	case WANTED_VALUE:
	case WANTED_IN_LIST:
	case WANTED_AT_LEAST:
		break;
	}
	wanted->now = postfix_parameter(config, wanted->name, false, err);
	if (wanted->now == NULL)
		return false;
	if (wanted->kind == WANTED_IN_LIST)
		return look_at_list(config, wanted, err);
	return look_at_value(config, wanted, err);
}

bool
wanted_find(const struct provider_config *config, struct wanted_list *list,
    struct error *err)
{
	size_t count = sizeof rows / sizeof rows[0];
	char *table = postfix_table_name(config);
	bool asked = true;

	list->count = count;
	list->items = xcalloc(count, sizeof *list->items);
	for (size_t i = 0; i < count; i++) {
		struct wanted *wanted = &list->items[i];
		*wanted = (struct wanted){
		    .kind = rows[i].kind,
		    .name = rows[i].name,
		    .value =
			xstrdup(rows[i].value != NULL ? rows[i].value : table),
		    .why = rows[i].why,
		    .unit = rows[i].unit,
		};
		asked = asked && look(config, wanted, err);
	}
	free(table);
	return asked;
}

void
wanted_clear(struct wanted_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].value);
		free(list->items[i].now);
	}
	free(list->items);
	*list = (struct wanted_list){.count = 0};
}

static bool
is_of_master(const struct wanted *wanted)
{
	return wanted->kind == WANTED_SERVICE || wanted->kind == WANTED_OPTION;
}

const char *
wanted_file(const struct wanted *wanted)
{
	return is_of_master(wanted) ? "master.cf" : "main.cf";
}

/* Ours first: a pattern of the administrator's must not hide a customer. A
 * longer time or a larger number of his stays: whoever copies the line loses
 * nothing. */
char *
wanted_line(const struct wanted *wanted)
{
	bool more = wanted->unit != NONE && wanted->there;
	const char *value = more ? wanted->now : wanted->value;

	if (wanted->kind == WANTED_SERVICE)
		return xstrdup(wanted->value);
	if (wanted->kind == WANTED_OPTION)
		return xasprintf(
		    "  -o %s=%s", strrchr(wanted->name, '/') + 1, value);
	if (wanted->kind == WANTED_IN_LIST && wanted->there)
		return xasprintf("%s = %s", wanted->name, wanted->now);
	bool list = wanted->kind == WANTED_IN_LIST && wanted->now[0] != '\0';
	return xasprintf("%s = %s%s%s", wanted->name, value, list ? ", " : "",
	    list ? wanted->now : "");
}

bool
wanted_apply(const struct provider_config *config, const struct wanted *wanted,
    struct error *err)
{
	char *line = wanted_line(wanted), *made = NULL;
	const char *flag = "-e";

	if (wanted->kind == WANTED_SERVICE) {
		flag = "-Me";
		made = xasprintf("%s=%s", wanted->name, line);
	} else if (wanted->kind == WANTED_OPTION) {
		flag = "-Pe";
		made = xasprintf("%s=%s", wanted->name, wanted->value);
	}
	const char *const words[] = {flag, made != NULL ? made : line, NULL};
	bool applied = postfix_run(config, "postconf", words, NULL, err);
	free(made);
	free(line);
	return applied;
}
