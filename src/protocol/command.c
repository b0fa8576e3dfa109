/* SPDX-License-Identifier: ISC */
#include "protocol/command.h"

#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "protocol/dsn.h"
#include "protocol/limits.h"

/* What is left of a line. */
struct scan {
	const char *at, *end;
};

typedef bool parse_arguments(
    struct command *command, struct scan *scan, struct status *fault);

static bool
word_is(struct command_word word, const char *name)
{
	return word.len == strlen(name) &&
	       strncasecmp(word.text, name, word.len) == 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void
skip_spaces(struct scan *scan)
{
	while (scan->at < scan->end && is_space(*scan->at))
		scan->at++;
}

/* The octets up to the next space; len 0 at the end of the line. */
static struct command_word
next_word(struct scan *scan)
{
	skip_spaces(scan);
	struct command_word word = {.text = scan->at};
	while (scan->at < scan->end && !is_space(*scan->at))
		scan->at++;
	word.len = (size_t)(scan->at - word.text);
	return word;
}

/* As many digits as there are; false for none. Overflow is UINT64_MAX. */
static bool
parse_number(struct command_word word, uint64_t *number)
{
	return word.len > 0 &&
	       decimal_digits(word.text, word.len, number) == word.len;
}

static bool
parse_nothing(struct command *command, struct scan *scan, struct status *fault)
{
	(void)command;
	if (next_word(scan).len == 0)
		return true;
	status_set(fault, 501, "5.5.4", "No argument is allowed here");
	return false;
}

static bool
parse_anything(struct command *command, struct scan *scan, struct status *fault)
{
	(void)command;
	(void)scan;
	(void)fault;
	return true;
}

/* Any printable name will do: the provider has our trust already, and some
 * say what no DNS would (RFC 5321 4.1.4 forbids to refuse a mismatch). */
static bool
parse_name(struct command *command, struct scan *scan, struct status *fault)
{
	struct command_word word = next_word(scan);

	if (word.len == 0 || word.len > LIMIT_PEER_NAME) {
		status_set(fault, 501, "5.5.4", "A host name is needed");
		return false;
	}
	command->name = word.text;
	command->name_len = word.len;
	return true;
}

static bool
parse_vrfy(struct command *command, struct scan *scan, struct status *fault)
{
	(void)command;
	if (next_word(scan).len > 0)
		return true;
	status_set(fault, 501, "5.5.4", "VRFY needs an argument");
	return false;
}

static bool
parse_chunk(struct command *command, struct scan *scan, struct status *fault)
{
	struct command_word last;

	if (parse_number(next_word(scan), &command->chunk) &&
	    command->chunk <= INT64_MAX) {
		last = next_word(scan);
		command->last = word_is(last, "LAST");
		if ((last.len == 0 || command->last) &&
		    next_word(scan).len == 0)
			return true;
	}
	status_set(fault, 501, "5.5.4", "Syntax: BDAT octets [LAST]");
	return false;
}

enum parameter {
	PARAMETER_UNKNOWN = 0,
	PARAMETER_AUTH = 1,
	PARAMETER_BODY = 2,
	PARAMETER_PRDR = 4,
	PARAMETER_SIZE = 8,
	PARAMETER_SMTPUTF8 = 16,
	PARAMETER_RET = 32,
	PARAMETER_ENVID = 64,
	PARAMETER_NOTIFY = 128,
	PARAMETER_ORCPT = 256,
};

/* A parameter as it stands in the line, without what is behind the '='. */
struct parameter_text {
	struct command_word key, value;
	bool has_value;
};

/* One parameter; *good says whether its value is right. */
typedef enum parameter parse_parameter(
    struct command *command, const struct parameter_text *text, bool *good);

/* The parameters of RFC 3461, whether they are offered or not. */
static enum parameter
note_dsn(struct command *command, const struct parameter_text *text,
    struct command_word *to, enum parameter is)
{
	*to = text->value;
	if (command->dsn.text == NULL)
		command->dsn = text->key;
	return is;
}

static enum parameter
parse_rcpt_parameter(
    struct command *command, const struct parameter_text *text, bool *good)
{
	if (word_is(text->key, "NOTIFY")) {
		*good = dsn_is_notify(text->value.text, text->value.len);
		return note_dsn(
		    command, text, &command->notify, PARAMETER_NOTIFY);
	}
	if (word_is(text->key, "ORCPT")) {
		*good = text->has_value;
		return note_dsn(
		    command, text, &command->orcpt, PARAMETER_ORCPT);
	}
	return PARAMETER_UNKNOWN;
}

static enum parameter
parse_mail_dsn(
    struct command *command, const struct parameter_text *text, bool *good)
{
	if (word_is(text->key, "RET")) {
		*good = dsn_is_ret(text->value.text, text->value.len);
		return note_dsn(command, text, &command->ret, PARAMETER_RET);
	}
	if (word_is(text->key, "ENVID")) {
		*good = text->has_value;
		return note_dsn(
		    command, text, &command->envid, PARAMETER_ENVID);
	}
	return PARAMETER_UNKNOWN;
}

static enum parameter
parse_mail_parameter(
    struct command *command, const struct parameter_text *text, bool *good)
{
	struct command_word key = text->key, value = text->value;
	bool has_value = text->has_value;

	if (word_is(key, "SIZE")) {
		/* RFC 1870 5: 1 to 20 digits */
		*good = value.len <= 20 && parse_number(value, &command->size);
		return PARAMETER_SIZE;
	}
	if (word_is(key, "BODY") && !word_is(value, "BINARYMIME")) {
		command->eightbit = word_is(value, "8BITMIME");
		*good = command->eightbit || word_is(value, "7BIT");
		return PARAMETER_BODY;
	}
	if (word_is(key, "AUTH")) {
		/* Ignored, as from one who is not trusted; so its syntax does
		 * not count either (RFC 4954 5). */
		*good = has_value;
		return PARAMETER_AUTH;
	}
	if (word_is(key, "PRDR")) {
		command->prdr = *good = !has_value;
		return PARAMETER_PRDR;
	}
	if (word_is(key, "SMTPUTF8")) {
		command->smtputf8 = *good = !has_value;
		return PARAMETER_SMTPUTF8;
	}
	return parse_mail_dsn(command, text, good);
}

static void
unknown_parameter(struct status *fault, struct command_word key)
{
	status_set(fault, 555, "5.5.4", "Parameter not supported: %.*s",
	    key.len < 40 ? (int)key.len : 40, key.text);
}

static struct parameter_text
split_parameter(struct command_word word)
{
	struct parameter_text text = {.key = word, .value.text = ""};
	const char *equals = memchr(word.text, '=', word.len);

	if (equals == NULL)
		return text;
	text.has_value = true;
	text.key.len = (size_t)(equals - word.text);
	text.value.text = equals + 1;
	text.value.len = word.len - text.key.len - 1;
	return text;
}

static bool
parse_parameters(struct command *command, struct scan *scan,
    parse_parameter *parse, struct status *fault)
{
	unsigned seen = 0;

	for (;;) {
		struct command_word word = next_word(scan);
		if (word.len == 0)
			return true;
		struct parameter_text text = split_parameter(word);
		bool good = false;
		enum parameter is = parse(command, &text, &good);
		if (is == PARAMETER_UNKNOWN) {
			unknown_parameter(fault, text.key);
			return false;
		}
		if (!good || (seen & is) != 0) {
			status_set(fault, 501, "5.5.4",
			    "Bad or repeated parameter: %.*s",
			    (int)text.key.len, text.key.text);
			return false;
		}
		seen |= is;
	}
}

/* enhanced: whether the address is a sender's or a recipient's. */
static void
set_path_fault(
    struct status *fault, enum path_result result, const char *enhanced)
{
	switch (result) {
	case PATH_OK:
		break;
	case PATH_SYNTAX:
		status_set(fault, 501, enhanced, "Bad address syntax");
		break;
	case PATH_NON_ASCII:
		status_set(fault, 553, "5.6.7",
		    "Bad UTF-8, or a character not accepted in an address");
		break;
	case PATH_TOO_LONG:
		status_set(fault, 501, enhanced, "Address too long");
		break;
	}
}

/*
 * "FROM:" or "TO:" and a path. The space behind the colon that RFC 2645 6
 * shows, and RFC 5321 3.3 forbids to senders, is taken.
 */
static bool
parse_path(struct command *command, struct scan *scan, const char *keyword,
    const char *enhanced, struct status *fault)
{
	size_t len = strlen(keyword), used = 0;

	skip_spaces(scan);
	if ((size_t)(scan->end - scan->at) < len ||
	    strncasecmp(scan->at, keyword, len) != 0) {
		status_set(fault, 501, "5.5.2", "Syntax: %s<address>", keyword);
		return false;
	}
	scan->at += len;
	skip_spaces(scan);
	enum path_result result = path_parse(
	    &command->path, scan->at, (size_t)(scan->end - scan->at), &used);
	scan->at += used;
	if (result == PATH_OK && scan->at < scan->end && !is_space(*scan->at))
		result = PATH_SYNTAX;
	if (result == PATH_OK)
		return true;
	set_path_fault(fault, result, enhanced);
	return false;
}

bool
command_path_allowed(
    const struct command *command, bool smtputf8, struct status *fault)
{
	if (smtputf8 || path_is_ascii(&command->path))
		return true;
	status_set(
	    fault, 553, "5.6.7", "An address beyond ASCII needs SMTPUTF8");
	return false;
}

bool
command_dsn_allowed(
    const struct command *command, bool offered, struct status *fault)
{
	if (offered || command->dsn.text == NULL)
		return true;
	unknown_parameter(fault, command->dsn);
	return false;
}

static bool
parse_mail(struct command *command, struct scan *scan, struct status *fault)
{
	return parse_path(command, scan, "FROM:", "5.1.7", fault) &&
	       parse_parameters(command, scan, parse_mail_parameter, fault) &&
	       command_path_allowed(command, command->smtputf8, fault);
}

static bool
parse_rcpt(struct command *command, struct scan *scan, struct status *fault)
{
	if (!parse_path(command, scan, "TO:", "5.1.3", fault))
		return false;
	const char *mailbox = command->path.mailbox;
	if (mailbox[0] == '\0') {
		status_set(fault, 501, "5.1.3", "A recipient is needed");
		return false;
	}
	/* Only postmaster may stand alone (RFC 5321 4.5.1). */
	if (path_domain(&command->path)[0] == '\0' &&
	    strcasecmp(mailbox, "postmaster") != 0) {
		status_set(fault, 501, "5.1.3", "A recipient needs a domain");
		return false;
	}
	return parse_parameters(command, scan, parse_rcpt_parameter, fault);
}

/* Looked through from the top: first what comes with each message. */
static const struct {
	const char *name;
	enum command_verb verb;
	parse_arguments *parse;
} table[] = {
    {"RCPT", COMMAND_RCPT, parse_rcpt},
    {"MAIL", COMMAND_MAIL, parse_mail},
    {"DATA", COMMAND_DATA, parse_nothing},
    {"BDAT", COMMAND_BDAT, parse_chunk},
    {"EHLO", COMMAND_EHLO, parse_name},
    {"HELO", COMMAND_HELO, parse_name},
    {"HELP", COMMAND_HELP, parse_anything},
    {"NOOP", COMMAND_NOOP, parse_anything},
    {"QUIT", COMMAND_QUIT, parse_nothing},
    {"RSET", COMMAND_RSET, parse_nothing},
    {"VRFY", COMMAND_VRFY, parse_vrfy},
    {"ATRN", COMMAND_UNIMPLEMENTED, parse_anything},
    {"AUTH", COMMAND_UNIMPLEMENTED, parse_anything},
    {"ETRN", COMMAND_UNIMPLEMENTED, parse_anything},
    {"EXPN", COMMAND_UNIMPLEMENTED, parse_anything},
    {"SAML", COMMAND_UNIMPLEMENTED, parse_anything},
    {"SEND", COMMAND_UNIMPLEMENTED, parse_anything},
    {"SOML", COMMAND_UNIMPLEMENTED, parse_anything},
    {"STARTTLS", COMMAND_UNIMPLEMENTED, parse_anything},
    {"TURN", COMMAND_UNIMPLEMENTED, parse_anything},
    {"", COMMAND_UNKNOWN, parse_anything},
};

/* The row of the first word of scan; the last row where there is none. */
static size_t
find_row(struct scan *scan)
{
	struct command_word verb = next_word(scan);
	size_t row = 0;

	while (table[row].name[0] != '\0' && !word_is(verb, table[row].name))
		row++;
	return row;
}

enum command_verb
command_verb(const char *line, size_t len)
{
	struct scan scan = {.at = line, .end = line + len};

	return table[find_row(&scan)].verb;
}

bool
command_parse(
    struct command *command, const char *line, size_t len, struct status *fault)
{
	struct scan scan = {.at = line, .end = line + len};
	size_t row = find_row(&scan);

	*command = (struct command){.verb = table[row].verb};
	/* A lone LF must not become a second command further on. */
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\n' || line[i] == '\r' || line[i] == '\0') {
			status_set(fault, 500, "5.5.2",
			    "Lone CR, lone LF or NUL in a command");
			return false;
		}
	}
	return table[row].parse(command, &scan, fault);
}
