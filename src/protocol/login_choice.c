/* SPDX-License-Identifier: ISC */
#include "login_private.h"

#include <string.h>

#include "base/secret.h"
#include "protocol/customer.h"

static bool
is_named(const struct login *login, const char *name)
{
	const char *const *named = login->options->mechanisms;

	for (; named != NULL && *named != NULL; named++)
		if (strcasecmp(*named, name) == 0)
			return true;
	return false;
}

static bool
is_mechanism_allowed(const struct login *login, const char *name)
{
	return login->options->mechanisms == NULL || is_named(login, name);
}

/* We may and can, whether the provider offers it or not. */
static bool
is_eligible(const struct login *login, const struct sasl_mechanism *mechanism,
    const struct sasl_credentials *credentials)
{
	const char *name = sasl_mechanism_name(mechanism);

	return is_mechanism_allowed(login, name) &&
	       sasl_mechanism_usable(
		   mechanism, credentials, is_named(login, name));
}

/* We could, if the provider did its part. That TLS cannot be bound is its
 * doing: we always offer what binding takes. */
static bool
could_be_used(const struct login *login, const struct sasl_mechanism *mechanism)
{
	struct sasl_credentials bound = login->credentials;

	if (bound.tls)
		bound.binding = "any";
	return is_eligible(login, mechanism, &bound);
}

const struct sasl_mechanism *
login_choose(struct login *login)
{
	const struct sasl_mechanism *mechanism;

	while ((mechanism = sasl_mechanism_at(login->next)) != NULL) {
		login->next++;
		if (is_eligible(login, mechanism, &login->credentials) &&
		    offer_has_mechanism(
			&login->outcome->offer, sasl_mechanism_name(mechanism)))
			return mechanism;
	}
	return NULL;
}

const char *
login_find_stronger(const struct login *login, const char *name)
{
	const char *now = login->outcome->best_offered;
	const char *before = login->options->best_before;
	const struct sasl_mechanism *known =
	    before == NULL ? NULL : sasl_mechanism_find(before);

	if (known != NULL && could_be_used(login, known) &&
	    sasl_rank(before) < sasl_rank(now))
		now = sasl_mechanism_name(known);
	return sasl_rank(name) > sasl_rank(now) ? now : NULL;
}

/* Only the characters of the password keep us from an offered mechanism. */
static bool
is_text_to_blame(const struct login *login)
{
	const struct sasl_mechanism *mechanism;
	struct sasl_credentials ascii = login->credentials;
	char letter[] = "x";
	struct secret other = {.text = letter, .len = 1};

	if (ascii.user == NULL || ascii.password == NULL ||
	    ascii.password->len == 0)
		return false;
	ascii.user = letter;
	ascii.password = &other;
	for (size_t i = 0; (mechanism = sasl_mechanism_at(i)) != NULL; i++) {
		const char *name = sasl_mechanism_name(mechanism);

		if (is_mechanism_allowed(login, name) &&
		    offer_has_mechanism(&login->outcome->offer, name) &&
		    sasl_mechanism_usable(mechanism, &ascii, false))
			return true;
	}
	return false;
}

enum login_result
login_fail_without_mechanism(struct login *login)
{
	struct customer_outcome *outcome = login->outcome;
	const char *offered = outcome->offer.mechanisms;

	if (login->attempts > 0)
		outcome_failed(outcome, ERROR_UNABLE,
		    "the provider took no mechanism that it offers (%s) and "
		    "that may be used here: %d %s",
		    offered, outcome->reply.code, outcome->reply.text);
	else if (offered[0] == '\0')
		outcome_failed(outcome, ERROR_UNABLE,
		    "the provider does not offer AUTH%s",
		    login->credentials.tls ? "" : " without TLS");
	else
		outcome_failed(outcome, ERROR_UNABLE,
		    "the provider offers no mechanism that may be used here, "
		    "only %s%s",
		    offered,
		    is_text_to_blame(login)
			? "; SCRAM accepts user and password in ASCII only"
			: "");
	return LOGIN_FAILED;
}
