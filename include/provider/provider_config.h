/*
 * provider_config - the configuration of odmr-provider, as the rest sees it.
 *
 * Read whole and checked, with every mistake named at once; never changed
 * afterwards: a reload makes a new one. The file is YAML, read by the same
 * machinery as the agent's.
 */
#ifndef ODMR_PROVIDER_PROVIDER_CONFIG_H
#define ODMR_PROVIDER_PROVIDER_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "config/config.h"

/* One customer's account: who may log in, and what mail is his. */
struct provider_account {
	const char *name; /* the three as struct config_named */
	unsigned line, column;
	const char *user; /* what he logs in with */
	struct config_texts domains; /* lower case, A-labels */
	/* sha256//BASE64 of client certificates that log in by EXTERNAL. */
	struct config_texts tls_pins;
	/* Where Postfix finds him: 127.x.y.z, made from the name. */
	struct in_addr inner;
};

/* More than any host has addresses for customers. */
enum {
	PROVIDER_LISTEN_MAX = 64,
	PROVIDER_CONNECTIONS_MAX = 10000, /* of max_connections */
};

struct provider_listen {
	const char *address; /* of a host; IPv6 without brackets */
	uint16_t port;
	bool implicit_tls;
};

struct provider_config {
	const char *path; /* of the file */
	const char *hostname;
	struct config_texts listen_at, listen_tls_at; /* as written */
	struct provider_listen *listen; /* both */
	size_t listen_count;
	const char *tls_cert_file, *tls_key_file;
	const char *users_file, *dovecot_auth; /* one of both, or NULL */
	const char *user; /* root becomes this user once ports are bound */
	const char *run_dir; /* what is there while it runs */
	const char *metrics_file; /* NULL: none */
	const char *postfix_user; /* only its processes reach inner_port */
	const char *postfix_programs, *postfix_config; /* folders */
	uint64_t inner_port;
	int64_t hold, settle; /* ms */
	/* Connections that are not logged in: in all, and from one address
	 * (IPv6: one /64). */
	uint64_t max_connections, max_per_address;
	enum config_log log;
	enum config_log_format log_format;
	enum config_log_level log_level;
	struct provider_account *accounts;
	size_t accounts_count;

	struct config_message *messages;
	size_t messages_count;
	size_t faults; /* with one the rest may not be used */
	struct pool pool; /* of all texts */
};

/* The keys; the manual and the example are compared with them. */
extern const struct config_table provider_top_table;
extern const struct config_table provider_account_table;

/* Never NULL; a file that cannot be read has a fault. */
struct provider_config *provider_config_load(const char *path);
void provider_config_free(struct provider_config *config);
/* Tells warnings and faults: to the log, or faults to standard error, where
 * somebody looks. Returns whether it can be used. */
bool provider_config_report(const struct provider_config *config, bool to_log);

/* NULL: there is none. */
const struct provider_account *provider_config_user(
    const struct provider_config *config, const char *user);
const struct provider_account *provider_config_pin(
    const struct provider_config *config, const char *pin);
const struct provider_account *provider_config_inner(
    const struct provider_config *config, struct in_addr inner);

#endif
