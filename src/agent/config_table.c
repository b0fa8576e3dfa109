/* SPDX-License-Identifier: ISC */
#include "agent/config_loader.h"

#include <unistd.h>

/* Durations in ms, as rows give their limits. */
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define TIB (UINT64_C(1) << 40)

#define CHOICES(...)                                                           \
	(const char *const[])                                                  \
	{                                                                      \
		__VA_ARGS__, NULL                                              \
	}

/* The member of a struct that a key fills in; mostly it has its name. */
#define MEMBER(key, type, member)                                              \
	.name = (key), .offset = offsetof(type, member),                       \
	.size = sizeof(((type *)NULL)->member)
#define TOP(member)      MEMBER(#member, struct config, member)
#define ACCOUNT(member)  MEMBER(#member, struct config_account, member)
#define DELIVERY(member) MEMBER(#member, struct config_delivery, member)
#define ROUTE(member)    MEMBER(#member, struct config_route, member)
#define WINDOW(member)   MEMBER(#member, struct config_window, member)

/* One scalar that becomes a number, an enum, a bool; a text; a secret. */
#define PLAIN(converter)                                                       \
	.field = CONFIG_FIELD_PLAIN, .read = config_read_scalar,               \
	.convert = (converter)
#define TEXT(converter)                                                        \
	.field = CONFIG_FIELD_TEXT, .read = config_read_scalar,                \
	.convert = (converter)
#define SECRET(converter)                                                      \
	.field = CONFIG_FIELD_SECRET, .read = config_read_scalar,              \
	.convert = (converter)
/* A list of texts, or one that stands for it. */
#define TEXTS(converter)                                                       \
	.field = CONFIG_FIELD_TEXTS, .read = config_read_texts,                \
	.convert = (converter)
#define YES_NO         PLAIN(config_to_bool)
#define ONE_OF(...)    PLAIN(config_to_choice), .choices = CHOICES(__VA_ARGS__)
#define DURATION(a, b) PLAIN(config_to_duration), .min = (a), .max = (b)

enum { GROUP_NONE, GROUP_SECRET, GROUP_TIMES, GROUP_CERTIFICATE };

static const struct config_key top_keys[] = {
    {TOP(hostname), TEXT(config_to_hostname)},
    {TOP(state_dir), TEXT(config_to_path)},
    {.name = "defaults", .read = config_read_defaults},
    {.name = "accounts", .read = config_read_accounts, .required = true},
    {.name = "deliveries", .read = config_read_deliveries, .required = true},
    {.name = "routes", .read = config_read_routes},
    {TOP(max_sessions), PLAIN(config_to_number), .value = "4", .min = 1,
	.max = 1000},
    {TOP(max_message_size), PLAIN(config_to_size), .value = "100M", .max = TIB},
    {TOP(spool_dir), TEXT(config_to_path)},
    {TOP(bare_newline), ONE_OF("normalize", "reject"), .value = "normalize"},
    {TOP(ledger_keep), DURATION(SECOND, 365 * DAY), .value = "14d"},
    {TOP(ledger_sync), YES_NO, .value = "no"},
    {TOP(metrics_file), TEXT(config_to_path)},
    {TOP(log), ONE_OF("auto", "stderr", "syslog"), .value = "auto"},
    {TOP(log_format), ONE_OF("text", "json"), .value = "text"},
    {TOP(log_level), ONE_OF("error", "warning", "info", "debug"),
	.value = "info"},
};

static const struct config_key account_keys[] = {
    {ACCOUNT(provider), .field = CONFIG_FIELD_ADDRESS,
	.read = config_read_scalar, .convert = config_to_provider,
	.required = true},
    {ACCOUNT(tls), ONE_OF("starttls", "implicit", "off"), .value = "starttls"},
    {ACCOUNT(tls_ca_file), TEXT(config_to_path), .access = R_OK},
    {ACCOUNT(tls_pins), TEXTS(config_to_pin)},
    {ACCOUNT(tls_server_name), TEXT(config_to_host)},
    {ACCOUNT(tls_cert_file), TEXT(config_to_path), .access = R_OK,
	.group = GROUP_CERTIFICATE},
    {ACCOUNT(tls_key_file), TEXT(config_to_path), .access = R_OK,
	.group = GROUP_CERTIFICATE},
    {ACCOUNT(user), TEXT(config_to_text)},
    {ACCOUNT(password), SECRET(config_to_secret), .group = GROUP_SECRET},
    {ACCOUNT(password_file), TEXT(config_to_credential), .access = R_OK,
	.group = GROUP_SECRET},
    {ACCOUNT(password_command), TEXT(config_to_text), .group = GROUP_SECRET},
    {ACCOUNT(token_command), TEXT(config_to_text)},
    {ACCOUNT(auth), TEXTS(config_to_mechanism)},
    {ACCOUNT(auth_downgrade), ONE_OF("warn", "refuse"), .value = "warn"},
    {ACCOUNT(domains), .field = CONFIG_FIELD_TEXTS, .read = config_read_domains,
	.convert = config_to_domain_or_any, .required = true},
    {ACCOUNT(accept), TEXTS(config_to_domain)},
    {ACCOUNT(deliver), TEXT(config_to_text)},
    {ACCOUNT(every), DURATION(SECOND, 7 * DAY), .value = "5m",
	.group = GROUP_TIMES},
    {ACCOUNT(schedule), .field = CONFIG_FIELD_SCHEDULE,
	.read = config_read_schedule, .group = GROUP_TIMES},
    {ACCOUNT(jitter), DURATION(0, DAY)},
    {ACCOUNT(soft_bounce), ONE_OF("auto", "yes", "no"), .value = "auto"},
    {ACCOUNT(connect_timeout), DURATION(SECOND, HOUR), .value = "30s"},
    {ACCOUNT(provider_timeout), DURATION(SECOND, DAY), .value = "10m"},
    {ACCOUNT(session_timeout), DURATION(SECOND, 7 * DAY), .value = "2h"},
    {ACCOUNT(drain), YES_NO, .value = "yes"},
    {ACCOUNT(proxy), SECRET(config_to_proxy)},
    {ACCOUNT(source_address), TEXT(config_to_text)},
    {ACCOUNT(ip_version), ONE_OF("any", "4", "6"), .value = "any"},
    {ACCOUNT(enabled), YES_NO, .value = "yes"},
    {ACCOUNT(alarm_after), DURATION(MINUTE, 365 * DAY), .value = "1d"},
    {ACCOUNT(alarm_command), TEXT(config_to_text)},
    {ACCOUNT(ping_url), SECRET(config_to_url)},
    {ACCOUNT(after_mail_command), .field = CONFIG_FIELD_TEXTS,
	.read = config_read_program, .convert = config_to_argument},
    {ACCOUNT(online_command), .field = CONFIG_FIELD_TEXTS,
	.read = config_read_program, .convert = config_to_argument},
};

#define KIND(kind) (1U << (kind))
/* The whole delivery is what the converter fills in. */
#define LOCAL_SERVICE(key, converter)                                          \
	.name = (key), .size = sizeof(struct config_delivery),                 \
	PLAIN(converter), .names_kind = true

/* The first rows name the kinds, in the order of enum config_delivery_kind. */
static const struct config_key delivery_keys[] = {
    {LOCAL_SERVICE("lmtp", config_to_lmtp), .kinds = KIND(CONFIG_LMTP)},
    {LOCAL_SERVICE("smtp", config_to_smtp), .kinds = KIND(CONFIG_SMTP)},
    {MEMBER("sendmail", struct config_delivery, args),
	.field = CONFIG_FIELD_TEXTS, .read = config_read_program,
	.convert = config_to_argument, .names_kind = true,
	.kinds = KIND(CONFIG_SENDMAIL), .access = X_OK},
    {MEMBER("maildir", struct config_delivery, path), TEXT(config_to_maildir),
	.names_kind = true, .kinds = KIND(CONFIG_MAILDIR)},
    {DELIVERY(create), YES_NO, .value = "no", .kinds = KIND(CONFIG_MAILDIR)},
    {DELIVERY(sync), YES_NO, .value = "yes", .kinds = KIND(CONFIG_MAILDIR)},
    {DELIVERY(timeout), DURATION(SECOND, DAY), .value = "4m"},
    {DELIVERY(collect), YES_NO, .value = "no",
	.kinds = KIND(CONFIG_LMTP) | KIND(CONFIG_SMTP)},
};

static const struct config_key route_keys[] = {
    {ROUTE(recipients), TEXTS(config_to_pattern)},
    {ROUTE(deliver), TEXT(config_to_text), .required = true},
};

static const struct config_key window_keys[] = {
    {WINDOW(days), .read = config_read_days},
    {WINDOW(hours), PLAIN(config_to_hours)},
    {WINDOW(every), DURATION(SECOND, 7 * DAY)},
    {WINDOW(at), .read = config_read_times},
};

#define TABLE(of, keys_of)                                                     \
	{                                                                      \
		.what = (of), .keys = (keys_of),                               \
		.count = sizeof(keys_of) / sizeof((keys_of)[0])                \
	}
#define FITS(keys_of)                                                          \
	_Static_assert(                                                        \
	    sizeof(keys_of) / sizeof((keys_of)[0]) <= CONFIG_KEYS_MAX,         \
	    "struct config_marks is large enough")
FITS(top_keys);
FITS(account_keys);

const struct config_table config_top_table = TABLE("the top level", top_keys);
const struct config_table config_account_table =
    TABLE("an account", account_keys);
const struct config_table config_delivery_table =
    TABLE("a delivery", delivery_keys);
const struct config_table config_route_table = TABLE("a route", route_keys);
const struct config_table config_window_table =
    TABLE("a window of the schedule", window_keys);
