/* SPDX-License-Identifier: ISC */
#include "protocol/dsn.h"

#include <string.h>
#include <strings.h>

#include "protocol/international.h"

static bool
text_is(const char *text, size_t len, const char *name)
{
	return len == strlen(name) && strncasecmp(text, name, len) == 0;
}

/* The digit of RFC 3461 4, which has capitals alone; -1 for none. */
static int
hexchar_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* The octets of the xchar or hexchar at text, of which len > 0 are there; 0:
 * it is none, or what is encoded is not printable. */
static size_t
xtext_char(const char *text, size_t len)
{
	if (*text != '+')
		return *text > ' ' && *text <= '~' && *text != '=' ? 1 : 0;
	if (len < 3)
		return 0;
	int high = hexchar_digit(text[1]), low = hexchar_digit(text[2]);
	if (high < 0 || low < 0)
		return 0;
	int octet = high * 16 + low;
	return octet >= ' ' && octet <= '~' ? 3 : 0;
}

/*
 * international: characters beyond ASCII may stand among them. A "\x{E9}" of
 * RFC 6533 3 is made of xchars, and is not looked into: it stays as it is.
 */
static bool
is_xtext(const char *text, size_t len, bool international)
{
	if (len == 0)
		return false;
	while (len > 0) {
		size_t used = international && international_octet(*text)
				  ? international_char(text, len)
				  : xtext_char(text, len);
		if (used == 0)
			return false;
		text += used;
		len -= used;
	}
	return true;
}

/* An atom of RFC 5322 3.2.3, as RFC 3461 4.2 wants it for the type. */
static bool
is_atom(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' ||
		    strchr("()<>@,;:\\\".[]", text[i]) != NULL)
			return false;
	return len > 0;
}

bool
dsn_is_ret(const char *text, size_t len)
{
	return text_is(text, len, "FULL") || text_is(text, len, "HDRS");
}

bool
dsn_is_envid(const char *text, size_t len)
{
	return len <= DSN_ENVID_MAX && is_xtext(text, len, false);
}

enum { SUCCESS = 1, FAILURE = 2, DELAY = 4 };

/* 0: it is none that may stand beside others. */
static unsigned
notify_word(const char *text, size_t len)
{
	static const char *const names[] = {"SUCCESS", "FAILURE", "DELAY"};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (text_is(text, len, names[i]))
			return 1U << i;
	return 0;
}

bool
dsn_is_notify(const char *text, size_t len)
{
	unsigned seen = 0;

	if (text_is(text, len, "NEVER"))
		return true;
	for (;;) {
		const char *comma = memchr(text, ',', len);
		size_t word = comma != NULL ? (size_t)(comma - text) : len;
		unsigned bit = notify_word(text, word);
		if (bit == 0 || (seen & bit) != 0)
			return false;
		seen |= bit;
		if (comma == NULL)
			return true;
		text += word + 1;
		len -= word + 1;
	}
}

/* Of one that is good; NEVER is nothing. */
static unsigned
notify_words(const char *notify)
{
	unsigned words = 0;

	for (;; notify++) {
		size_t len = strcspn(notify, ",");
		words |= notify_word(notify, len);
		notify += len;
		if (*notify == '\0')
			return words;
	}
}

bool
dsn_wants_success(const char *notify)
{
	return (notify_words(notify) & SUCCESS) != 0;
}

/* What is given where nothing is said depends on the server: nothing less. */
static unsigned
reports_of(const char *notify)
{
	return notify != NULL ? notify_words(notify) : FAILURE | DELAY;
}

const char *
dsn_notify_both(const char *one, const char *other)
{
	static const char *const joined[] = {
	    [SUCCESS | FAILURE] = "SUCCESS,FAILURE",
	    [SUCCESS | DELAY] = "SUCCESS,DELAY",
	    [FAILURE | DELAY] = "FAILURE,DELAY",
	    [SUCCESS | FAILURE | DELAY] = "SUCCESS,FAILURE,DELAY",
	};
	unsigned first = reports_of(one), second = reports_of(other);
	unsigned both = first | second;

	if (both == second && (other != NULL || both != first))
		return other;
	return both == first ? one : joined[both];
}

bool
dsn_is_orcpt(const char *text, size_t len, bool smtputf8)
{
	const char *semicolon = memchr(text, ';', len);

	if (semicolon == NULL || len > DSN_ORCPT_MAX)
		return false;
	size_t type = (size_t)(semicolon - text);
	bool international = smtputf8 && text_is(text, type, "utf-8");
	return is_atom(text, type) &&
	       is_xtext(semicolon + 1, len - type - 1, international);
}

bool
dsn_is_of_mailbox(const char *orcpt)
{
	return text_is(orcpt, strcspn(orcpt, ";"), "rfc822");
}
