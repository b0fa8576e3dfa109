/* SPDX-License-Identifier: ISC */
/*
 * What we call ourselves: the name that the file sets, else the system's, and
 * whether it is fit for EHLO to a stranger (RFC 5321 2.3.5, 4.1.4).
 */
#include "config/config_loader.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "protocol/address.h"

static const char localhost[] = "localhost";

static bool
is_address_literal(const char *name)
{
	struct in_addr address;

	return inet_pton(AF_INET, name, &address) == 1;
}

/* A name as RFC 5321 4.1.2 writes it; one label may do among ourselves. */
static bool
is_host_name(const char *name)
{
	char longer[ADDRESS_DOMAIN_MAX + sizeof ".x"];
	size_t len = strlen(name);

	if (len > ADDRESS_DOMAIN_MAX || is_address_literal(name))
		return false;
	snprintf(longer, sizeof longer, "%s%s", name,
	    strchr(name, '.') == NULL ? ".x" : "");
	return address_is_domain(longer);
}

bool
config_to_hostname(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	if (!config_is_ascii(loader, scalar, key))
		return false;
	if (scalar->len > ADDRESS_DOMAIN_MAX)
		return config_refuse_value(
		    loader, scalar, key, "a name of at most 255 octets");
	if (!is_host_name(scalar->text))
		return config_refuse_value(
		    loader, scalar, key, "a name like mail.example.org");
	return config_to_text(loader, scalar, key, field);
}

/* One line of hosts(5): the first name with a dot, where ours is among them. */
static const char *
name_in_line(struct pool *pool, char *line, const char *name)
{
	const char *full = NULL;
	bool ours = false;
	char *rest = line;

	line[strcspn(line, "#\n")] = '\0';
	for (char *word; (word = strsep(&rest, " \t")) != NULL;) {
		if (*word == '\0' || word == line) /* the address */
			continue;
		if (full == NULL && strchr(word, '.') != NULL)
			full = word;
		ours = ours || strcasecmp(word, name) == 0;
	}
	if (!ours || full == NULL || !address_is_domain(full))
		return NULL;
	return pool_text(pool, full, strlen(full));
}

/*
 * The full name of this host as far as the host itself knows it: the network
 * may be down, and a look-up by the parent process would stop everything.
 */
static const char *
system_name(struct pool *pool)
{
	char name[HOST_NAME_MAX + 1] = "", line[1024];
	const char *full = NULL;

	if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
		return localhost;
	if (address_is_domain(name))
		return pool_text(pool, name, strlen(name));
	FILE *hosts = fopen("/etc/hosts", "re");
	while (hosts != NULL && full == NULL &&
	       fgets(line, sizeof line, hosts) != NULL)
		full = name_in_line(pool, line, name);
	if (hosts != NULL)
		fclose(hosts);
	return full != NULL ? full : pool_text(pool, name, strlen(name));
}

/* What installers put where nobody gave a name: it is every host's. */
static bool
is_everybodys(const char *name)
{
	const char *first = strchr(name, '.');
	const char *last = strrchr(name, '.');
	size_t len = sizeof localhost - 1;

	return (first == name + len &&
		   strncasecmp(name, localhost, len) == 0) ||
	       strcasecmp(last + 1, localhost) == 0 ||
	       strcasecmp(last + 1, "localdomain") == 0;
}

/* Why no provider can do anything with the name; NULL: it is fit. */
static const char *
find_fault(const char *name)
{
	const char *last = strrchr(name, '.');

	if (last == NULL)
		return "has no dot";
	if (is_address_literal(name))
		return "is an address";
	if (!address_is_domain(name) || isdigit((unsigned char)last[1]))
		return "is not the name of a host";
	if (is_everybodys(name))
		return "is a name that every host has";
	return NULL;
}

void
config_complete_hostname(struct config *config)
{
	char shown[CONFIG_EXCERPT_SIZE], text[CONFIG_EXCERPT_SIZE + 64];

	if (config->hostname == NULL)
		config->hostname = system_name(&config->pool);
	const char *fault = find_fault(config->hostname);
	if (fault == NULL)
		return;
	int len = snprintf(text, sizeof text, "\"%s\" %s",
	    config_excerpt(shown, config->hostname, strlen(config->hostname)),
	    fault);
	config->hostname_fault = pool_text(&config->pool, text, (size_t)len);
	/* Local servers look at the form as well. */
	if (!is_host_name(config->hostname))
		config->hostname = localhost;
}
