/* SPDX-License-Identifier: ISC */
/*
 * What a call needs before the first one: secrets, certificates, keys.
 */
#include "session/call.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/privilege.h"
#include "base/secret.h"
#include "call_private.h"
#include "config/config.h"

struct call *
call_new(const struct call_options *options, struct error *err)
{
	const struct config_account *account = options->account;
	struct tls_options tls = {
	    .server_name = account->tls_server_name,
	    .ca_file = account->tls_ca_file,
	    .pins = account->tls_pins.items,
	    .pins_len = account->tls_pins.count,
	    .cert_file = account->tls_cert_file,
	    .key_file = account->tls_key_file,
	};
	struct tls_context *context = NULL;

	if (account->tls != CONFIG_TLS_OFF) {
		context = tls_context_new(&tls, err);
		if (context == NULL)
			return NULL;
	}
	struct call *call = xcalloc(1, sizeof *call);
	call->options = *options;
	call->tls = context;
	return call;
}

struct call *
call_prepare(const struct call_options *options,
    const struct deadline *deadline, struct error *err)
{
	struct secret password = {NULL, 0}, token = {NULL, 0};
	struct call *call = NULL;

	/* Secrets and keys may be root's to read. */
	privilege_regain();
	if (config_read_secret(options->account, &password, deadline, err) &&
	    config_read_token(options->account, &token, deadline, err))
		call = call_new(options, err);
	if (call == NULL) {
		secret_clear(&password);
		secret_clear(&token);
		return NULL;
	}
	call->password = password;
	call->token = token;
	call->options.password = &call->password;
	call->options.token = &call->token;
	return call;
}

const struct secret *
call_password(const struct call *call)
{
	return &call->password;
}

void
call_free(struct call *call)
{
	if (call == NULL)
		return;
	secret_clear(&call->password);
	secret_clear(&call->token);
	tls_context_free(call->tls);
	free(call);
}
