/* SPDX-License-Identifier: ISC */
/*
 * A call to whichever address of the provider answers (RFC 5321 5.1). libcurl
 * chooses among those that accept a connection; what stands behind it may be
 * dead nevertheless: a path that loses large packets, a balancer without its
 * servers, one host of several.
 */
#include "session/call.h"

#include <stdio.h>
#include <string.h>

#include "call_private.h"

/* Nothing was said that is more than the word of this one host. That the login
 * cannot be judged just now (4yz) may be its own trouble, too; 5yz is the word of
 * the provider on a password, which is tried once. */
static bool
is_worth_another(const struct call_result *result)
{
	const struct customer_outcome *outcome = &result->outcome;

	if (outcome->result != CUSTOMER_FAILED || outcome->logged_in ||
	    result->address[0] == '\0')
		return false;
	if (outcome->mechanism != NULL)
		return status_class(&outcome->reply) == 4;
	return outcome->error.class == ERROR_AGAIN ||
	       outcome->error.class == ERROR_UNABLE ||
	       outcome->error.class == ERROR_PROTOCOL ||
	       outcome->error.class == ERROR_CERTIFICATE;
}

static bool
avoid_address(struct call *call, const char *address)
{
	if (call->avoid_count == CALL_AVOID_MAX)
		return false;
	memcpy(call->avoid[call->avoid_count++], address, strlen(address) + 1);
	return true;
}

static void
tell_passed_over(const struct call *call, const struct call_result *result)
{
	const struct call_options *options = &call->options;

	if (options->passed_over != NULL)
		options->passed_over(options->passed_over_context,
		    result->address, &result->outcome.error);
}

static bool
may_try_another(const struct call *call)
{
	const struct call_options *options = &call->options;

	return options->try_another == NULL ||
	       options->try_another(options->try_another_context);
}

void
call_run(struct call *call, const char *domains, struct call_result *result)
{
	struct call_result other;

	if (call_connect(call, result))
		call_talk(call, domains, result);
	while (is_worth_another(result) && may_try_another(call) &&
	       avoid_address(call, result->address)) {
		if (!call_connect(call, &other)) {
			/* The next call may find one of them alive. */
			call->avoid_count = 0;
			call_result_clear(&other);
			return;
		}
		tell_passed_over(call, result);
		call_result_clear(result);
		*result = other;
		call_talk(call, domains, result);
	}
}
