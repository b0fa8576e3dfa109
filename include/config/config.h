/*
 * config - the configuration file, read and checked as a whole.
 *
 * One table (config_table) drives names, types, ranges, defaults and messages.
 * Loading never stops at the first fault: all of them are collected with line
 * and column, warnings too, up to a bound. A configuration with faults must
 * not be used for anything but showing them; what the top level says of state
 * folder, names and log is there even then. Everything in it lives until
 * config_free(); only secrets can be wiped earlier.
 */
#ifndef ODMR_CONFIG_CONFIG_H
#define ODMR_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/pool.h"
#include "base/secret.h"
#include "protocol/receiver.h"

enum config_log { CONFIG_LOG_AUTO, CONFIG_LOG_STDERR, CONFIG_LOG_SYSLOG };
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_log_level {
	CONFIG_LOG_ERROR,
	CONFIG_LOG_WARNING,
	CONFIG_LOG_INFO,
	CONFIG_LOG_DEBUG,
};
enum config_tls { CONFIG_TLS_STARTTLS, CONFIG_TLS_IMPLICIT, CONFIG_TLS_OFF };
enum config_auth_downgrade {
	CONFIG_AUTH_DOWNGRADE_WARN,
	CONFIG_AUTH_DOWNGRADE_REFUSE,
};
enum config_soft_bounce {
	CONFIG_SOFT_BOUNCE_AUTO,
	CONFIG_SOFT_BOUNCE_YES,
	CONFIG_SOFT_BOUNCE_NO,
};
enum config_ip_version { CONFIG_IP_ANY, CONFIG_IP_4, CONFIG_IP_6 };
enum config_delivery_kind {
	CONFIG_LMTP,
	CONFIG_SMTP,
	CONFIG_SENDMAIL,
	CONFIG_MAILDIR,
};
enum { CONFIG_KINDS = CONFIG_MAILDIR + 1 };

/* What the rest of the program has to know of a kind of delivery. */
struct config_kind {
	const char *name; /* the key that has it */
	/* Times `timeout` that it may be busy without a sign of life. */
	int waits;
	bool program; /* args: it has to be there when the file is read */
	/* It writes into mailboxes itself: `sync` counts, and names that
	 * differ in case are one mailbox. */
	bool writes;
};

/* By enum config_delivery_kind. */
extern const struct config_kind config_kinds[CONFIG_KINDS];

enum {
	/* Names become file names with a suffix; NAME_MAX is 255. */
	CONFIG_NAME_MAX = 200,
	/* Hexadecimal SHA-256 and a NUL. */
	CONFIG_FINGERPRINT_SIZE = 65,
	/* A message: the path of the file, a sentence, and a path in it. */
	CONFIG_MESSAGE_SIZE = 2048,
};

/* The index of a delivery that is not fixed: routes are asked. */
#define CONFIG_BY_ROUTES SIZE_MAX

/* A list of texts; items[count] is NULL, so that it serves as an argv. */
struct config_texts {
	const char *const *items;
	size_t count;
};

/* A TCP service. */
struct config_address {
	const char *host; /* name, IPv4 or IPv6 address without []; ASCII */
	uint16_t port;
};

/* Local time, in minutes after midnight. */
struct config_hours {
	uint16_t from; /* 0 to 1439 */
	uint16_t to; /* 1 to 1440, itself outside; below from: it wraps */
};

struct config_times {
	const uint16_t *minutes; /* after midnight, 0 to 1439, rising */
	size_t count;
};

/* One window of `schedule`, in local time. */
struct config_window {
	uint8_t days; /* bit n: day n as in tm_wday, bit 0 is Sunday */
	struct config_hours hours;
	int64_t every; /* ms, 0 where it only names `at` times */
	struct config_times at;
};

struct config_schedule {
	const struct config_window *windows;
	size_t count; /* 0: `every` of the account counts */
};

/* Members are named as the keys; durations are ms. NULL or 0: not set. */
struct config_account {
	const char *name;
	unsigned line, column; /* of the name in the file, from 1 */

	struct config_address provider;
	enum config_tls tls;
	const char *tls_ca_file;
	struct config_texts tls_pins; /* base64 of SHA-256, no "sha256//" */
	const char *tls_server_name; /* never NULL: the host where not set */
	const char *tls_cert_file;
	const char *tls_key_file;
	const char *user;
	struct secret password;
	const char *password_file;
	const char *password_command;
	const char *token_command;
	struct config_texts auth; /* upper case; count 0: all safe ones */
	enum config_auth_downgrade auth_downgrade;
	struct config_texts domains; /* lower case; count 0: `any` */
	struct config_texts accept; /* lower case, never empty */
	const char *deliver;
	size_t delivery; /* the index of `deliver`, or CONFIG_BY_ROUTES */
	int64_t every;
	struct config_schedule schedule;
	int64_t jitter; /* -1: 10 % of the interval, at most a minute */
	enum config_soft_bounce soft_bounce;
	int64_t connect_timeout;
	int64_t provider_timeout;
	int64_t session_timeout;
	bool drain;
	struct secret proxy; /* a URL, which may hold a password */
	const char *source_address;
	enum config_ip_version ip_version;
	bool enabled;
	int64_t alarm_after;
	const char *alarm_command;
	struct secret ping_url; /* who knows it can tell lies in our name */
	struct config_texts after_mail_command;
	struct config_texts online_command;
};

struct config_delivery {
	const char *name;
	unsigned line, column;

	enum config_delivery_kind kind;
	const char *path; /* lmtp: the Unix socket, else NULL; maildir: as
			   * written, with {user} and {domain} */
	struct config_address address; /* lmtp, smtp; host NULL: see path */
	struct config_texts args; /* sendmail: the program and its arguments */
	bool create; /* maildir */
	bool sync; /* maildir */
	bool collect; /* lmtp, smtp */
	int64_t timeout; /* ms */
};

struct config_route {
	struct config_texts recipients; /* patterns; count 0: all */
	const char *deliver;
	size_t delivery; /* index into deliveries */
};

/*
 * Of a partial fault what a key names cannot be used, so that its account or
 * delivery does not work, and all others do. `check` takes that for an error; a
 * service goes on, since one account must not keep the others' mail away.
 */
enum config_severity {
	CONFIG_WARNING,
	CONFIG_PARTIAL_FAULT,
	CONFIG_FAULT,
};

struct config_message {
	enum config_severity severity;
	unsigned line, column; /* from 1; 0: of the file as a whole */
	const char *text;
};

struct config {
	const char *path; /* of the file */

	/* Ours; fit at least for the local side. */
	const char *hostname;
	/*
	 * NULL, or why the name is not fit for a provider, as '"mail" has no
	 * dot': the address literal of our end of the connection stands in its
	 * place (RFC 5321 4.1.4).
	 */
	const char *hostname_fault;
	const char *state_dir;
	const char *spool_dir; /* never NULL: state_dir where not set */
	uint64_t max_sessions;
	uint64_t max_message_size; /* octets; 0: no limit of our own */
	enum receiver_newline bare_newline;
	int64_t ledger_keep; /* ms */
	bool ledger_sync;
	const char *metrics_file;
	const char *status_page;
	enum config_log log;
	enum config_log_format log_format;
	enum config_log_level log_level;

	struct config_account *accounts; /* in the order of the file */
	size_t accounts_count;
	struct config_delivery *deliveries;
	size_t deliveries_count;
	/* Never empty where an account needs it: with one delivery and no
	 * `routes`, one route takes all. */
	struct config_route *routes;
	size_t routes_count;

	/* In the order of the file. */
	struct config_message *messages;
	size_t messages_count;
	size_t faults; /* messages that are whole ones */
	size_t partial; /* messages that are partial ones */

	/* For the module itself. */
	struct secret secrets; /* of all accounts, in one piece of the pool */
	struct pool pool; /* owns all text and lists */
	const struct config_account **by_name; /* sorted */
};

/*
 * Reads and checks the file. Never NULL: a file that cannot be read is a fault
 * as well. The names that the system knows are looked up without network.
 */
struct config *config_load(const char *path);
/* As config_load(), from a descriptor, which stays the caller's. */
struct config *config_read(int fd, const char *path);
/* Wipes all secrets. */
void config_free(struct config *config);

/* "FILE:LINE:COLUMN: message", without a newline, in out; returns out. */
char *config_message_format(const char *path,
    const struct config_message *message, char *out, size_t size);
/* How it stands in the log: whatever is more than a warning is an error. */
enum config_log_level config_message_level(
    const struct config_message *message);

/* NULL where there is none of that name. */
const struct config_account *config_find_account(
    const struct config *config, const char *name);
/* By which the provider knows the account; "" where a certificate says it. */
const char *config_login_user(const struct config_account *account);
/* The relay guard: mail for this domain is accepted, in any case of letters. */
bool config_accepts(const struct config_account *account, const char *domain);
/* Mail of the account may go to the delivery of that number. */
bool config_reaches(const struct config *config,
    const struct config_account *account, size_t delivery);

/* The file has a password, as config_read_secret() would read it. Errors:
 * ERROR_SECRET. */
bool config_try_secret_file(const char *name, struct error *err)
    __attribute__((warn_unused_result));
/*
 * The password of the account, from the configuration, its file or its command;
 * empty where it has none. Runs for 30 s at most. Errors: ERROR_SECRET,
 * ERROR_STOPPED.
 */
bool config_read_secret(const struct config_account *account,
    struct secret *secret, const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/* The token of the account, from its command; otherwise the same. Errors:
 * ERROR_SECRET, ERROR_STOPPED. */
bool config_read_token(const struct config_account *account,
    struct secret *token, const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));
/* Wipes the secrets of all accounts but keep, one of them or NULL; the others'
 * have their length and no content. */
void config_wipe_secrets(
    struct config *config, const struct config_account *keep);
/*
 * A keyed digest of all that the account is made of, of what else in the file a
 * provider hears or sees of us (hostname above all), of the client certificate
 * and of the secret, which may be empty: it changes when one of them does.
 * Without the key, which the caller keeps as it would a password, it says
 * nothing about the secret.
 */
void config_fingerprint(const struct config *config,
    const struct config_account *account, const struct secret *secret,
    const void *key, size_t key_len, char out[static CONFIG_FINGERPRINT_SIZE]);
/*
 * A digest of what decides which mail of the account a delivery gets and
 * whether it accepts it: the service or program or path that it is, and, where
 * routes share recipients out, all routes. delivery is an index.
 */
uint64_t config_delivery_digest(const struct config *config,
    const struct config_account *account, size_t delivery);

#endif
