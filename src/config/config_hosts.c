/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/choices.h"
#include "base/decimal.h"
#include "net/dial.h"
#include "net/tls.h"
#include "protocol/address.h"
#include "protocol/international.h"
#include "protocol/sasl.h"

/* RFC 2645 5.1: ODMR has this port; SMTP has the other. */
enum { PORT_ODMR = 366, PORT_SMTP = 25, PORT_NONE = 0 };

/* Names outside ASCII would have to be converted first (RFC 5890 2.3.2.1). */
bool
config_is_ascii(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key)
{
	for (size_t i = 0; i < scalar->len; i++)
		if ((unsigned char)scalar->text[i] > 0x7e)
			return config_refuse_value(loader, scalar, key,
			    "ASCII; write a name of another script in its"
			    " xn-- form");
	return true;
}

static void
lower_host(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* Resolvers take "1.2" and "0x7f000001" for addresses, which nobody means. */
static bool
is_odd_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot != NULL ? dot + 1 : host;
	struct in_addr address;

	return isdigit((unsigned char)*last) &&
	       (strspn(last, "0123456789") == strlen(last) ||
		   strncasecmp(last, "0x", 2) == 0) &&
	       inet_pton(AF_INET, host, &address) != 1;
}

bool
config_is_host(const char *host)
{
	return dial_host_is_valid(host) && !is_odd_number(host);
}

bool
config_split_address(char *text, char **host, unsigned long *port)
{
	char *colon = strrchr(text, ':');
	char *bracket = strchr(text, ']');
	struct in6_addr address;

	*host = text;
	if (*text == '[') {
		if (bracket == NULL ||
		    (bracket[1] != '\0' && bracket[1] != ':'))
			return false;
		*host = text + 1;
		*bracket = '\0';
		if (inet_pton(AF_INET6, *host, &address) != 1)
			return false;
		colon = bracket[1] == ':' ? bracket + 1 : NULL;
	} else if (strchr(text, ':') != colon)
		return false; /* an IPv6 address without brackets */
	if (colon == NULL)
		return true;
	*colon = '\0';
	uint64_t number;
	if (!decimal_read(colon + 1, UINT16_MAX, &number) || number == 0)
		return false;
	*port = (unsigned long)number; /* of 16 bits */
	return true;
}

/* port is used where the text has none; PORT_NONE: it must have one. */
static bool
read_address(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, unsigned long port,
    struct config_address *address)
{
	char *host;

	if (!config_is_ascii(loader, scalar, key))
		return false;
	char *text = pool_text(loader->pool, scalar->text, scalar->len);
	if (!config_split_address(text, &host, &port) || !config_is_host(host))
		return config_refuse_value(loader, scalar, key,
		    port == PORT_NONE
			? "HOST:PORT or [IPV6]:PORT"
			: "HOST, HOST:PORT, [IPV6] or [IPV6]:PORT");
	if (port == PORT_NONE)
		return config_refuse_value(loader, scalar, key,
		    "complete: the port is missing, as in 127.0.0.1:24");
	*address = (struct config_address){host, (uint16_t)port};
	return true;
}

bool
config_to_provider(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	return read_address(loader, scalar, key, PORT_ODMR, field);
}

bool
config_to_smtp(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	struct config_delivery *delivery = field;

	return read_address(loader, scalar, key, PORT_SMTP, &delivery->address);
}

bool
config_to_lmtp(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	struct config_delivery *delivery = field;

	if (scalar->text[0] != '/')
		return read_address(
		    loader, scalar, key, PORT_NONE, &delivery->address);
	if (scalar->len >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return config_refuse_value(loader, scalar, key,
		    "short enough for the path of a socket (107 octets)");
	return config_to_path(loader, scalar, key, &delivery->path);
}

bool
config_to_host(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	if (!config_is_ascii(loader, scalar, key))
		return false;
	if (!config_is_host(scalar->text))
		return config_refuse_value(loader, scalar, key,
		    "the name of a host, without a dot at its end");
	return config_to_text(loader, scalar, key, field);
}

bool
config_to_domain(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	size_t len = scalar->len;

	if (!config_is_ascii(loader, scalar, key))
		return false;
	/* The dot of the root, as name servers write it. */
	if (len > 0 && scalar->text[len - 1] == '.')
		len--;
	char *text = pool_text(loader->pool, scalar->text, len);
	if (!address_is_domain(text))
		return config_refuse_value(
		    loader, scalar, key, "a domain like example.org");
	lower_host(text);
	*(const char **)field = text;
	return true;
}

bool
config_to_pattern(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	if (!international_is_sound(scalar->text))
		return config_refuse_value(loader, scalar, key,
		    "UTF-8 with characters that an address may have");
	if (strpbrk(scalar->text, " <>,") != NULL)
		return config_refuse_value(loader, scalar, key,
		    "one pattern like *@example.org or example.org");
	return config_to_text(loader, scalar, key, field);
}

bool
config_to_pin(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	if (!tls_pin_is_valid(scalar->text))
		return config_refuse_value(loader, scalar, key,
		    "sha256// and 44 characters of base64, as \"check"
		    " --connect\" prints it");
	return config_to_text(loader, scalar, key, field);
}

static bool
tell_mechanisms(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key)
{
	char shown[CONFIG_EXCERPT_SIZE];
	const struct sasl_mechanism *mechanism;
	struct choices choices = {.used = 0};

	for (size_t i = 0; (mechanism = sasl_mechanism_at(i)) != NULL; i++)
		choices_add(&choices, sasl_mechanism_name(mechanism));
	config_fault(loader, scalar->mark, "%s: there is no mechanism \"%s\"%s",
	    key->name, config_excerpt(shown, scalar->text, scalar->len),
	    choices_phrase(&choices));
	return false;
}

bool
config_to_mechanism(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	const struct sasl_mechanism *mechanism =
	    sasl_mechanism_find(scalar->text);

	if (mechanism == NULL)
		return tell_mechanisms(loader, scalar, key);
	*(const char **)field = sasl_mechanism_name(mechanism);
	return true;
}
