/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <string.h>

#include "protocol/international.h"
#include "protocol/ulabel.h"

/* One of the domains is this one, as ATRN and DNS have it. */
static bool
has_alabels_of(const struct config_texts *domains, const char *domain)
{
	char international[ULABEL_DOMAIN_MAX + 1];

	for (size_t i = 0; i < domains->count; i++)
		if (ulabel_domain(domains->items[i], international) &&
		    strcmp(international, domain) == 0)
			return true;
	return false;
}

void
config_check_labels(
    const struct config_section *section, const struct config_account *account)
{
	const struct config_texts *accept = &account->accept;
	bool set = config_is_set(section, "accept");
	struct config_mark mark =
	    config_mark_of(section, set ? "accept" : "domains");
	char international[ULABEL_DOMAIN_MAX + 1];

	if (config_has_slip(section, "accept"))
		return;
	for (size_t i = 0; i < accept->count; i++) {
		const char *domain = accept->items[i];
		if (ulabel_domain(domain, international) &&
		    !config_accepts(account, international))
			config_warn(section->loader, mark,
			    "accept: %s is also written %s in mail (SMTPUTF8),"
			    " which would be refused: add it in that form",
			    domain, international);
		if (!international_is_ascii(domain) &&
		    !has_alabels_of(accept, domain))
			config_warn(section->loader, mark,
			    "accept: %s is named without its form in ASCII"
			    " (xn--...), which most mail has: add it",
			    domain);
	}
}
