/* SPDX-License-Identifier: ISC */
#include "protocol/address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/escape.h"
#include "protocol/international.h"

/* What is left of a path, and where the result goes. */
struct scan {
	const char *at, *end;
	struct path *path;
	size_t len; /* octets of path->mailbox */
	enum path_result fault;
};

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* atext of RFC 5322 3.2.3 and RFC 6532 3.2 */
static bool
is_atext(char c)
{
	return is_alnum(c) || international_octet(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Let-dig and hyphen, and '_', which real hosts have in their names; what a
 * U-label has (RFC 6531 3.3), as far as international_char() goes. */
static bool
is_domain_char(char c)
{
	return is_alnum(c) || international_octet(c) || c == '-' || c == '_';
}

/* dtext of RFC 5321 4.1.3, and none that would end the path early. */
static bool
is_literal_char(char c)
{
	return c > ' ' && c <= '~' && strchr("[\\]<>", c) == NULL;
}

static char
peek(const struct scan *scan)
{
	return scan->at < scan->end ? *scan->at : '\0';
}

static bool
fail_address(struct scan *scan, enum path_result fault)
{
	/* An octet beyond ASCII is the better reason (RFC 6531 3.5). */
	if (fault == PATH_SYNTAX && international_octet(peek(scan)))
		fault = PATH_NON_ASCII;
	scan->fault = fault;
	return false;
}

/* Takes one octet of the input into the mailbox. */
static bool
keep(struct scan *scan)
{
	if (scan->len == ADDRESS_MAX)
		return fail_address(scan, PATH_TOO_LONG);
	scan->path->mailbox[scan->len++] = *scan->at++;
	return true;
}

/* Takes one character, of as many octets as it has (RFC 6531 3.3). */
static bool
keep_char(struct scan *scan)
{
	size_t octets = 1;

	if (international_octet(peek(scan)))
		octets = international_char(
		    scan->at, (size_t)(scan->end - scan->at));
	if (octets == 0)
		return fail_address(scan, PATH_NON_ASCII);
	while (octets-- > 0)
		if (!keep(scan))
			return false;
	return true;
}

static bool
expect(struct scan *scan, char c)
{
	if (peek(scan) != c)
		return fail_address(scan, PATH_SYNTAX);
	scan->at++;
	return true;
}

/* More than the dot-string of RFC 5321: dots may stand anywhere, since there
 * are carriers that give out a..b@ and a.@; but dots alone name a folder. */
static bool
scan_plain_string(struct scan *scan)
{
	bool more = false;

	while (is_atext(peek(scan)) || peek(scan) == '.') {
		more |= peek(scan) != '.';
		if (!keep_char(scan))
			return false;
	}
	return more || fail_address(scan, PATH_SYNTAX);
}

/* Quoted-string of RFC 5321 4.1.2; the quotes are kept for the moment. */
static bool
scan_quoted_string(struct scan *scan)
{
	if (!keep(scan))
		return false;
	while (peek(scan) != '"') {
		if (peek(scan) == '\\' && !keep(scan))
			return false;
		if (!escape_is_printable(peek(scan)) &&
		    !international_octet(peek(scan)))
			return fail_address(scan, PATH_SYNTAX);
		if (!keep_char(scan))
			return false;
	}
	return keep(scan);
}

static bool
is_dot_string(const char *text, size_t len)
{
	if (len == 0 || text[0] == '.' || text[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_atext(text[i]) &&
		    (text[i] != '.' || text[i - 1] == '.'))
			return false;
	return true;
}

/*
 * Writes a quoted local part in its one simplest form: no needless backslash,
 * and no quotes where the content is a dot-string (RFC 5321 4.1.2).
 */
static void
simplify_quoted(struct scan *scan)
{
	char plain[ADDRESS_MAX], *mailbox = scan->path->mailbox;
	size_t len = 0, out = 0;

	for (size_t i = 1; i + 1 < scan->len; i++) {
		if (mailbox[i] == '\\')
			i++;
		plain[len++] = mailbox[i];
	}
	/* cppcheck-suppress uninitvar ; of "" nothing is read */
	scan->path->quoted = !is_dot_string(plain, len);
	if (!scan->path->quoted) {
		memcpy(mailbox, plain, len);
		scan->len = len;
		return;
	}
	mailbox[out++] = '"';
	for (size_t i = 0; i < len; i++) {
		if (plain[i] == '"' || plain[i] == '\\')
			mailbox[out++] = '\\';
		mailbox[out++] = plain[i];
	}
	mailbox[out++] = '"';
	scan->len = out;
}

static bool
scan_local_part(struct scan *scan)
{
	if (peek(scan) == '"') {
		if (!scan_quoted_string(scan))
			return false;
		simplify_quoted(scan);
	} else if (!scan_plain_string(scan)) {
		return false;
	}
	scan->path->local_len = scan->len;
	return true;
}

static bool
scan_literal(struct scan *scan)
{
	size_t begin = scan->len;

	if (!keep(scan))
		return false;
	while (is_literal_char(peek(scan)))
		if (!keep(scan))
			return false;
	if (peek(scan) != ']' || scan->len == begin + 1)
		return fail_address(scan, PATH_SYNTAX);
	return keep(scan);
}

/* Labels parted by single dots, none empty. The root's dot at the end is taken
 * off: guard, routes, folders and ledger know a domain by one spelling. */
static bool
scan_labels(struct scan *scan)
{
	for (;;) {
		if (!is_domain_char(peek(scan)))
			return fail_address(scan, PATH_SYNTAX);
		while (is_domain_char(peek(scan)))
			if (!keep_char(scan))
				return false;
		if (peek(scan) != '.')
			return true;
		if (!keep(scan))
			return false;
		if (!is_domain_char(peek(scan))) {
			scan->len--;
			return true;
		}
	}
}

static bool
scan_domain(struct scan *scan)
{
	size_t begin = scan->len;
	bool ok = peek(scan) == '[' ? scan_literal(scan) : scan_labels(scan);

	if (ok && scan->len - begin > ADDRESS_DOMAIN_MAX)
		return fail_address(scan, PATH_TOO_LONG);
	return ok;
}

/* "@a,@b:" is taken off, as RFC 5321 4.1.1.3 allows and F.2 advises. */
static bool
scan_source_route(struct scan *scan)
{
	while (peek(scan) == '@') {
		scan->at++;
		if (!scan_domain(scan))
			return false;
		scan->len = 0;
		if (peek(scan) == ':') {
			scan->at++;
			return true;
		}
		if (!expect(scan, ','))
			return false;
		if (peek(scan) != '@')
			return fail_address(scan, PATH_SYNTAX);
	}
	return true;
}

static bool
scan_mailbox(struct scan *scan)
{
	if (!scan_source_route(scan) || !scan_local_part(scan))
		return false;
	return peek(scan) != '@' || (keep(scan) && scan_domain(scan));
}

static void
skip_path_spaces(struct scan *scan)
{
	while (peek(scan) == ' ')
		scan->at++;
}

static bool
scan_path(struct scan *scan)
{
	if (peek(scan) != '<')
		return scan_mailbox(scan);
	scan->at++;
	skip_path_spaces(scan);
	if (peek(scan) != '>' && !scan_mailbox(scan))
		return false;
	skip_path_spaces(scan);
	return expect(scan, '>');
}

enum path_result
path_parse(struct path *path, const char *text, size_t len, size_t *used)
{
	struct scan scan = {.at = text, .end = text + len, .path = path};

	*path = (struct path){.local_len = 0};
	if (!scan_path(&scan))
		return scan.fault;
	path->mailbox[scan.len] = '\0';
	*used = (size_t)(scan.at - text);
	return PATH_OK;
}

const char *
path_domain(const struct path *path)
{
	const char *end = path->mailbox + path->local_len;

	return *end == '@' ? end + 1 : end;
}

void
path_complete(struct path *path, const char *domain)
{
	size_t len = path->local_len;

	if (domain == NULL || path->mailbox[len] == '@')
		return;
	snprintf(
	    path->mailbox + len, sizeof path->mailbox - len, "@%s", domain);
}

static bool
has_in_local_part(const struct path *path, char c)
{
	return memchr(path->mailbox, c, path->local_len) != NULL;
}

bool
path_is_ascii(const struct path *path)
{
	return international_is_ascii(path->mailbox);
}

bool
path_is_plain(const struct path *path)
{
	const char *local = path->mailbox;

	if (path->local_len == 0)
		return true; /* the null reverse path */
	if (path->quoted || strchr("-/|", local[0]) != NULL ||
	    has_in_local_part(path, '%') || has_in_local_part(path, '!'))
		return false;
	/* "../x" leads elsewhere where a local part is made a file name. */
	return !has_in_local_part(path, '/') ||
	       is_dot_string(local, path->local_len);
}

bool
address_is_domain(const char *text)
{
	size_t len = strlen(text), label = 0, labels = 1;

	if (len == 0 || len > ADDRESS_DOMAIN_MAX || text[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.') {
			if (label == 0 || text[i - 1] == '-')
				return false;
			labels++;
			label = 0;
			continue;
		}
		if (!is_alnum(text[i]) && (text[i] != '-' || label == 0))
			return false;
		if (++label > 63) /* RFC 1035 2.3.4 */
			return false;
	}
	return labels > 1 && label > 0;
}
