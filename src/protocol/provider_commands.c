/* SPDX-License-Identifier: ISC */
/*
 * What each command of a customer does.
 */
#include "provider_private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/transcript.h"

typedef void run_command(struct provider *p, char *argument);

static void
run_ehlo(struct provider *p, char *argument)
{
	char line[STATUS_LINE_MAX];

	if (*argument == '\0') {
		provider_complain(p, 501, "5.5.4", "A host name is needed");
		return;
	}
	p->greeted = true;
	snprintf(line, sizeof line, "250-%s", p->options.hostname);
	provider_say(p, line);
	if (!p->secure) {
		provider_say(p, "250-STARTTLS");
	} else if (!p->logged_in) {
		snprintf(
		    line, sizeof line, "250-AUTH %s", p->options.mechanisms);
		provider_say(p, line);
	}
	provider_say(p, "250-ENHANCEDSTATUSCODES");
	provider_say(p, "250 ATRN");
	provider_count_idle(p);
}

static void
run_starttls(struct provider *p, char *argument)
{
	if (p->secure) {
		provider_complain(p, 503, "5.5.1", "TLS is active already");
	} else if (*argument != '\0') {
		provider_complain(p, 501, "5.5.4", "STARTTLS has no argument");
	} else if (p->in_len > 0) {
		/* RFC 3207 4.2: they would count as said under TLS. */
		provider_break_off(p, "Octets after STARTTLS");
	} else {
		provider_reply(p, 220, "2.0.0", "Ready to start TLS");
		p->state = STATE_TLS;
		provider_emit(p, PROVIDER_START_TLS);
	}
}

static bool
is_offered(const struct provider *p, const char *mechanism)
{
	const char *list = p->options.mechanisms;
	size_t len = strlen(mechanism);

	while (*list != '\0') {
		size_t word = strcspn(list, " ");
		if (word == len && strncasecmp(list, mechanism, len) == 0)
			return len > 0;
		list += word + strspn(list + word, " ");
	}
	return false;
}

/* An initial response of no octets is "=" (RFC 4954 4). */
static bool
decode_response(
    struct provider *p, struct provider_event *event, const char *text)
{
	ssize_t len = 0;

	if (strcmp(text, "=") != 0 && *text != '\0')
		len = base64_decode(p->response, text, strlen(text));
	event->response = p->response;
	event->response_len = len > 0 ? (size_t)len : 0;
	return len >= 0;
}

static void
begin_auth(struct provider *p, const char *mechanism, const char *initial)
{
	struct provider_event event = {.type = PROVIDER_AUTH};

	snprintf(p->mechanism, sizeof p->mechanism, "%s", mechanism);
	for (char *c = p->mechanism; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	event.mechanism = p->mechanism;
	event.initial = *initial != '\0';
	if (event.initial && !decode_response(p, &event, initial)) {
		provider_complain(
		    p, 501, "5.5.2", "The response is not base64");
		return;
	}
	*provider_emit(p, PROVIDER_AUTH) = event;
	p->state = STATE_LOGIN;
}

static void
run_auth(struct provider *p, char *argument)
{
	char *initial = argument + strcspn(argument, " \t");

	if (*initial != '\0') {
		*initial++ = '\0';
		initial += strspn(initial, " \t");
	}
	if (p->logged_in)
		provider_complain(p, 503, "5.5.1", "Logged in already");
	else if (!p->secure)
		provider_complain(p, 538, "5.7.11", "STARTTLS comes first");
	else if (!p->greeted)
		provider_complain(p, 503, "5.5.1", "EHLO comes first");
	else if (!is_offered(p, argument))
		provider_complain(
		    p, 504, "5.5.4", "This mechanism is not offered");
	else
		begin_auth(p, argument, initial);
}

/* sub-domain 1*("." sub-domain) of RFC 2645 5.2.1; one octet of it. */
static bool
is_domain(const char *name)
{
	bool dot = false;
	char before = '.';

	for (; *name != '\0'; name++) {
		bool edge = before == '.';
		if (*name == '.') {
			if (edge || before == '-')
				return false;
			dot = true;
		} else if (!isalnum((unsigned char)*name) &&
			   (*name != '-' || edge)) {
			return false;
		}
		before = *name;
	}
	return dot && before != '.' && before != '-';
}

/* Twice in a list, it would be asked for twice. */
static bool
has_domain(const struct provider *p, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(p->domains[i], name) == 0)
			return true;
	return false;
}

/* Cuts names at its commas. false: something in it is no domain. */
static bool
parse_domains(struct provider *p, const char *list, size_t *count)
{
	char *rest = p->names;

	*count = 0;
	snprintf(p->names, sizeof p->names, "%s", list);
	for (char *c = p->names; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	while (rest != NULL && *list != '\0') {
		char *name = strsep(&rest, ",");
		name += strspn(name, " \t");
		name[strcspn(name, " \t")] = '\0';
		if (!is_domain(name) || *count == DOMAINS_MAX)
			return false;
		if (!has_domain(p, *count, name))
			p->domains[(*count)++] = name;
	}
	return true;
}

static void
run_atrn(struct provider *p, char *argument)
{
	size_t count;

	if (!p->logged_in) {
		provider_complain(p, 530, "5.7.0",
		    p->secure ? "AUTH comes first" : "STARTTLS comes first");
		return;
	}
	if (!parse_domains(p, argument, &count)) {
		provider_complain(
		    p, 501, "5.5.4", "Syntax: ATRN domain,domain");
		return;
	}
	if (p->in_len > 0) {
		provider_break_off(p, "Octets after ATRN, before its reply");
		return;
	}
	p->idle = 0;
	struct provider_event *event = provider_emit(p, PROVIDER_ATRN);
	event->domains = p->domains;
	event->domains_count = count;
	p->state = STATE_HELD;
}

static void
run_quit(struct provider *p, char *argument)
{
	(void)argument;
	provider_reply(
	    p, 221, "2.0.0", "%s closes the connection", p->options.hostname);
	provider_close_down(p, PROVIDER_QUIT, NULL);
}

static void
run_nothing(struct provider *p, char *argument)
{
	(void)argument;
	provider_reply(p, 250, "2.0.0", "ok");
	provider_count_idle(p);
}

static void
run_other(struct provider *p, char *argument)
{
	(void)argument;
	provider_complain(p, 502, "5.5.1",
	    "Only EHLO, STARTTLS, AUTH, ATRN and QUIT are served here");
}

static const struct {
	const char *verb;
	run_command *run;
} table[] = {
    {"EHLO", run_ehlo},
    {"STARTTLS", run_starttls},
    {"AUTH", run_auth},
    {"ATRN", run_atrn},
    {"QUIT", run_quit},
    {"NOOP", run_nothing},
    {"RSET", run_nothing},
};

void
provider_run_command(struct provider *p, char *line)
{
	size_t verb = strcspn(line, " \t");
	char *argument = line + verb;
	run_command *run = run_other;

	argument += strspn(argument, " \t");
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strlen(table[i].verb) == verb &&
		    strncasecmp(table[i].verb, line, verb) == 0)
			run = table[i].run;
	for (size_t len = strlen(argument);
	     len > 0 && (argument[len - 1] == ' ' || argument[len - 1] == '\t');
	     len--)
		argument[len - 1] = '\0';
	/* A first response may be a password. */
	if (run == run_auth)
		transcript_line(p->options.transcript, '<', "AUTH ***", 8);
	else
		transcript_line(p->options.transcript, '<', line, strlen(line));
	run(p, argument);
}

/* A line of the exchange. */
void
provider_run_response(struct provider *p, const char *line)
{
	struct provider_event event = {.type = PROVIDER_RESPONSE};

	transcript_line(p->options.transcript, '<', "***", 3);
	if (strcmp(line, "*") == 0 || !decode_response(p, &event, line)) {
		provider_emit(p, PROVIDER_CANCELLED);
		p->state = STATE_COMMAND;
		provider_complain(p, 501, *line == '*' ? "5.7.0" : "5.5.2",
		    *line == '*' ? "The login was cancelled"
				 : "The response is not base64");
		return;
	}
	*provider_emit(p, PROVIDER_RESPONSE) = event;
	p->state = STATE_LOGIN;
}
