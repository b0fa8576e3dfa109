/* SPDX-License-Identifier: ISC */
#include "config/config_loader.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"

static const uint64_t second = 1000, minute = 60 * 1000, hour = 3600 * 1000,
		      day = 24 * 3600 * 1000;

bool
config_refuse_value(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    const char *wanted)
{
	char shown[CONFIG_EXCERPT_SIZE];

	config_fault(loader, scalar->mark, "%s: \"%s\" is not %s", key->name,
	    config_excerpt(shown, scalar->text, scalar->len), wanted);
	return false;
}

bool
config_to_bool(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	bool yes = strcasecmp(scalar->text, "yes") == 0 ||
		   strcasecmp(scalar->text, "true") == 0;
	bool no = strcasecmp(scalar->text, "no") == 0 ||
		  strcasecmp(scalar->text, "false") == 0;

	if (!yes && !no)
		return config_refuse_value(loader, scalar, key, "yes or no");
	*(bool *)field = yes;
	return true;
}

/* An enum is kept as its number, in the order of the choices. */
_Static_assert(sizeof(enum config_tls) == sizeof(unsigned), "enums are ints");

bool
config_to_choice(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	const char *text = scalar->text;
	char wanted[CONFIG_EXCERPT_SIZE] = "one of";
	size_t used = strlen(wanted);

	/* Yes and no may always be written so. */
	if (strcasecmp(text, "true") == 0)
		text = "yes";
	else if (strcasecmp(text, "false") == 0)
		text = "no";
	for (unsigned i = 0; key->choices[i] != NULL; i++) {
		if (strcasecmp(text, key->choices[i]) == 0) {
			*(unsigned *)field = i;
			return true;
		}
		used += (size_t)snprintf(wanted + used, sizeof wanted - used,
		    "%s %s", i == 0 ? "" : ",", key->choices[i]);
		assert(used < sizeof wanted);
	}
	return config_refuse_value(loader, scalar, key, wanted);
}

bool
config_to_number(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	char wanted[CONFIG_EXCERPT_SIZE];
	uint64_t number;

	if (!decimal_read(scalar->text, key->max, &number) ||
	    number < key->min) {
		snprintf(wanted, sizeof wanted,
		    "a number from %" PRIu64 " to %" PRIu64, key->min,
		    key->max);
		return config_refuse_value(loader, scalar, key, wanted);
	}
	*(uint64_t *)field = number;
	return true;
}

bool
config_to_size(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	static const char units[] = "KMG";
	const char *text = scalar->text;
	const char *unit;
	uint64_t number;
	unsigned bits = 0;

	size_t digits = decimal_digits(text, scalar->len, &number);
	if (digits == 0)
		return config_refuse_value(
		    loader, scalar, key, "a size like 500K or 100M");
	text += digits;
	if (*text != '\0') {
		unit = strchr(units, *text & ~0x20);
		if (unit == NULL || *unit == '\0' || text[1] != '\0')
			return config_refuse_value(
			    loader, scalar, key, "a size like 500K or 100M");
		bits = 10 * (unsigned)(unit - units + 1);
	}
	if (number > key->max >> bits)
		return config_refuse_value(
		    loader, scalar, key, "a size of at most 1024G");
	*(uint64_t *)field = number << bits;
	return true;
}

static uint64_t
unit_ms(char unit)
{
	switch (unit) {
	case 's':
		return second;
	case 'm':
		return minute;
	case 'h':
		return hour;
	case 'd':
		return day;
	default:
		return 0;
	}
}

/* ms of "1h30m"; false: no duration, or one beyond all maxima. */
static bool
parse_duration(const char *text, uint64_t *ms)
{
	uint64_t number;

	*ms = 0;
	if (strcmp(text, "0") == 0)
		return true;
	do {
		size_t digits = decimal_digits(text, SIZE_MAX, &number);
		if (digits == 0)
			return false;
		text += digits;
		uint64_t unit = unit_ms(*text);
		if (unit == 0 || number > 1000 * day / unit)
			return false;
		*ms += number * unit;
		text++;
	} while (*text != '\0' && *ms <= 1000 * day);
	return *text == '\0';
}

static const char *
format_duration(char *out, size_t size, uint64_t ms)
{
	const char *unit = "s";
	uint64_t number = ms / second;

	if (ms % day == 0 && ms > 0) {
		unit = "d";
		number = ms / day;
	} else if (ms % hour == 0 && ms > 0) {
		unit = "h";
		number = ms / hour;
	} else if (ms % minute == 0 && ms > 0) {
		unit = "m";
		number = ms / minute;
	}
	snprintf(out, size, "%" PRIu64 "%s", number, unit);
	return out;
}

bool
config_to_duration(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	char wanted[CONFIG_EXCERPT_SIZE], least[24], most[24];
	uint64_t ms;

	if (!parse_duration(scalar->text, &ms))
		return config_refuse_value(loader, scalar, key,
		    "a duration like 45s, 10m, 2h, 1d or 1h30m");
	if (ms < key->min || ms > key->max) {
		snprintf(wanted, sizeof wanted, "a duration from %s to %s",
		    format_duration(least, sizeof least, key->min),
		    format_duration(most, sizeof most, key->max));
		return config_refuse_value(loader, scalar, key, wanted);
	}
	*(int64_t *)field = (int64_t)ms;
	return true;
}

bool
config_to_text(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	(void)key;
	*(const char **)field =
	    pool_text(loader->pool, scalar->text, scalar->len);
	return true;
}

bool
config_to_secret(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	if (scalar->len > SECRET_MAX) {
		config_fault(loader, scalar->mark,
		    "%s: it is longer than %d octets", key->name, SECRET_MAX);
		return false;
	}
	secret_set(field, scalar->text, scalar->len);
	return true;
}

bool
config_to_password(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	if (scalar->cut)
		config_warn(loader, scalar->mark,
		    "%s: it ends before \" #\", where YAML begins a comment;"
		    " if the rest belongs to it, quote it all",
		    key->name);
	return config_to_secret(loader, scalar, key, field);
}

bool
config_to_path(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	if (scalar->text[0] != '/')
		return config_refuse_value(loader, scalar, key,
		    "an absolute path, one that begins with \"/\"");
	if (scalar->len >= PATH_MAX)
		return config_refuse_value(
		    loader, scalar, key, "a path of less than 4096 octets");
	return config_to_text(loader, scalar, key, field);
}

/*
 * An absolute path, or the name of a credential that the service manager hands
 * over in $CREDENTIALS_DIRECTORY (systemd.exec(5)).
 */
bool
config_to_credential(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	if (strchr(scalar->text, '/') == NULL && scalar->text[0] != '.' &&
	    scalar->len <= NAME_MAX)
		return config_to_text(loader, scalar, key, field);
	return config_to_path(loader, scalar, key, field);
}

/* The placeholders are {user} and {domain}, and nothing climbs up. */
static bool
is_maildir_path(const char *text)
{
	for (const char *at = text; (at = strpbrk(at, "{}")) != NULL;) {
		if (strncmp(at, "{user}", 6) != 0 &&
		    strncmp(at, "{domain}", 8) != 0)
			return false;
		at = strchr(at, '}') + 1;
	}
	size_t len = strlen(text);
	return strstr(text, "/../") == NULL &&
	       (len < 3 || strcmp(text + len - 3, "/..") != 0);
}

bool
config_to_maildir(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	if (!is_maildir_path(scalar->text))
		return config_refuse_value(loader, scalar, key,
		    "a path whose placeholders are {user} and {domain},"
		    " without \"..\"");
	return config_to_path(loader, scalar, key, field);
}
