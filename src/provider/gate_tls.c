/* SPDX-License-Identifier: ISC */
/*
 * The key and the certificate. A certificate of an authority is made anew every few
 * weeks, and whoever makes it may not know of us: a service that goes on with the
 * one that it has read at its start keeps all customers out one day.
 */
#include "gate_private.h"

#include <string.h>

#include "base/clock.h"
#include "base/whole_file.h"
#include "net/tls_server.h"
#include "provider/provider_config.h"
#include "tell/log.h"

enum {
	/* One is often written some time after the other. */
	LOOK_EVERY_MS = 5 * 1000,
};

/* What cannot be looked at counts as it was. */
static void
look_at_file(const char *path, struct stat *seen)
{
	struct stat now;

	if (stat(path, &now) == 0)
		*seen = now;
}

struct tls_server *
gate_load_tls(
    struct gate *gate, const struct provider_config *config, struct error *err)
{
	struct stat cert = gate->cert, key = gate->key;
	bool pins = false;

	for (size_t i = 0; i < config->accounts_count; i++)
		pins = pins || config->accounts[i].tls_pins.count > 0;
	/* Before they are read: what changes meanwhile is read again. */
	look_at_file(config->tls_cert_file, &cert);
	look_at_file(config->tls_key_file, &key);
	struct tls_server *tls = tls_server_new(
	    config->tls_cert_file, config->tls_key_file, pins, err);
	if (tls != NULL) {
		gate->cert = cert;
		gate->key = key;
	}
	return tls;
}

static bool
tls_has_changed(const struct gate *gate)
{
	struct stat cert = gate->cert, key = gate->key;

	look_at_file(gate->config->tls_cert_file, &cert);
	look_at_file(gate->config->tls_key_file, &key);
	return !whole_file_is_same(&cert, &gate->cert) ||
	       !whole_file_is_same(&key, &gate->key);
}

void
gate_refresh_tls(struct gate *gate)
{
	unsigned long others;
	struct error err;

	if (clock_ms() < gate->tls_look)
		return;
	gate->tls_look = clock_ms() + LOOK_EVERY_MS;
	if (!tls_has_changed(gate))
		return;
	struct tls_server *tls = gate_load_tls(gate, gate->config, &err);
	if (tls != NULL) {
		tls_server_free(gate->tls);
		gate->tls = tls;
		log_say(CONFIG_LOG_INFO, NULL, "reload",
		    "the key and the certificate have changed, and were read"
		    " again");
	} else if (gate_may_log(&gate->bad_tls, &others)) {
		log_say(CONFIG_LOG_ERROR, NULL, "reload",
		    "the key or the certificate has changed, and those of"
		    " before stay, since: %s",
		    err.text);
	}
}
