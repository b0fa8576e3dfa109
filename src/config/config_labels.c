/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <string.h>

#include "base/pool.h"
#include "protocol/address.h"
#include "protocol/international.h"

/* Octets beyond ASCII count as letters, so that the ASCII part of the name is
 * looked at as that of any other. */
static bool
is_international_domain(const char *text)
{
	char as_letters[ADDRESS_DOMAIN_MAX + 1];
	size_t len = strlen(text);

	if (len > ADDRESS_DOMAIN_MAX || !international_is_sound(text))
		return false;
	/* A label of 63 octets may be longer in UTF-8: two letters will do. */
	size_t used = 0;
	bool before = false;
	for (size_t i = 0; i < len; i++) {
		bool beyond = international_octet(text[i]);
		if (!beyond || !before)
			as_letters[used++] = beyond ? 'x' : text[i];
		before = beyond;
	}
	as_letters[used] = '\0';
	return address_is_domain(as_letters);
}

bool
config_to_mail_domain(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	if (international_is_ascii(scalar->text))
		return config_to_domain(loader, scalar, key, field);
	if (!is_international_domain(scalar->text))
		return config_refuse_value(loader, scalar, key,
		    "a domain in UTF-8 with characters that an address may"
		    " have");
	char *text = pool_text(loader->pool, scalar->text, scalar->len);
	for (char *c = text; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	*(const char **)field = text;
	return true;
}
