/* SPDX-License-Identifier: ISC */
#include "config/config_rows.h"

#include <unistd.h>

#define ACCOUNT(member)  MEMBER(#member, struct config_account, member)
#define DELIVERY(member) MEMBER(#member, struct config_delivery, member)
#define ROUTE(member)    MEMBER(#member, struct config_route, member)

enum { GROUP_NONE, GROUP_SECRET, GROUP_TIMES, GROUP_CERTIFICATE };

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
    {ACCOUNT(password), SECRET(config_to_password), .group = GROUP_SECRET},
    {ACCOUNT(password_file), TEXT(config_to_credential), .access = R_OK,
	.group = GROUP_SECRET},
    {ACCOUNT(password_command), TEXT(config_to_text), .access = X_OK,
	.group = GROUP_SECRET},
    {ACCOUNT(token_command), TEXT(config_to_text), .access = X_OK},
    {ACCOUNT(auth), TEXTS(config_to_mechanism)},
    {ACCOUNT(auth_downgrade), ONE_OF("warn", "refuse"), .value = "warn"},
    {ACCOUNT(domains), .field = CONFIG_FIELD_TEXTS, .read = config_read_domains,
	.convert = config_to_domain_or_any, .required = true},
    {ACCOUNT(accept), TEXTS(config_to_mail_domain)},
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

FITS(account_keys);

const struct config_table config_account_table =
    TABLE("an account", account_keys);
const struct config_table config_delivery_table =
    TABLE("a delivery", delivery_keys);
const struct config_table config_route_table = TABLE("a route", route_keys);
