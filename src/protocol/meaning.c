/* SPDX-License-Identifier: ISC */
#include "protocol/meaning.h"

#include <string.h>
#include <strings.h>

#include "protocol/status.h"

/*
 * What the texts of servers in use say, in small letters. Enhanced codes do not
 * tell these apart: 5.7.1 is said of clients, senders, recipients and texts.
 */

/* The service does not know that it should take the recipient's domain, or
 * lets only some clients use the sender. */
static const char *const unprepared_words[] = {
    "relay access denied", /* Postfix */
    "relay not permitted", /* Exim */
    "relaying denied", /* sendmail */
    "unable to relay", /* Exchange */
    "not permitted to relay",
    "relaying not allowed",
    "relaying is not allowed",
    "relaying not permitted",
    "relaying prohibited",
    "relay not allowed", /* Stalwart */
    "allowed rcpthosts", /* qmail */
    "authentication required",
    "authentication is required",
    "not have permissions to send", /* Exchange */
    NULL,
};

/* Mail is judged by the host that it comes from, which is this one, and not the
 * sender's: whatever is found says nothing of the mail. DMARC goes by SPF where
 * a domain has no DKIM. */
static const char *const origin_words[] = {
    "spf fail", /* policy services of Postfix */
    "spf check",
    "spf validation",
    "openspf.",
    "dmarc policy", /* OpenDMARC, the example of Exim's manual, Exchange */
    "dmarc check",
    "dmarc fail",
    "failed dmarc",
    "reverse dns",
    "ptr record",
    NULL,
};

/* A block list answers whoever asks it too often, or by a public name server,
 * with a listing of everybody; its text says so. */
static const char *const unanswered_words[] = {
    "error: open resolver", /* Spamhaus */
    "/returnc/", /* the page for all such answers of it */
    NULL,
};

/* With 5.1.2. */
static const char *const host_words[] = {
    "host unknown", /* sendmail */
    "unknown host",
    "host not found",
    "domain not found", /* Postfix */
    "unknown domain",
    "domain does not exist",
    NULL,
};

/* We are too fast; some say that for good. */
static const char *const haste_words[] = {
    "rate overlimit", /* Exim's manual */
    "rate limit",
    "ratelimit",
    "too many messages",
    "too much mail",
    NULL,
};

/* The sender or a recipient. "sender" and "recipient" alone would be found in
 * replies to commands in a wrong order. */
static const char *const address_words[] = {
    "address rejected", /* Postfix, with a reason that names the client */
    "malformed address",
    "address syntax",
    "address must contain", /* Exim */
    "bad address",
    "invalid address",
    "invalid recipient",
    "invalid sender",
    "invalid from:", /* Dovecot, with 5.5.4 */
    "invalid to:",
    "invalid path",
    "sender address",
    "recipient address",
    "mailbox",
    "local part",
    "domain name required", /* sendmail */
    "too long",
    NULL,
};

/* There is no such recipient, of servers whose enhanced code does not say so. */
static const char *const unknown_words[] = {
    "user unknown", /* Courier, Cyrus */
    "unknown user", /* Exim, James */
    "unknown recipient",
    "unknown mailbox",
    "mailbox unknown",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no mailbox here", /* qmail */
    "mailbox not found",
    "user not found",
    "recipient not found",
    "recipient unknown",
    "address not found",
    "recipient address rejected", /* Exchange, with 5.4.1 */
    "invalid recipient", /* OpenSMTPD */
    "doesn't exist",
    "does not exist",
    "unrouteable address", /* Exim */
    NULL,
};

static const char *const client_words[] = {
    "client host",
    "client was not", /* Exchange: authenticated */
    "helo command rejected", /* Postfix */
    "access denied",
    "your host",
    "your ip",
    "not allowed to connect",
    "not authorized to connect",
    "is in a black list at", /* Exim's configuration of its own */
    "must issue a", /* Postfix, OpenSMTPD: STARTTLS, AUTH */
    NULL,
};

static bool
holds(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (; *text != '\0'; text++)
		if (strncasecmp(text, word, len) == 0)
			return true;
	return false;
}

static bool
holds_any(const struct status *reply, const char *const *words)
{
	for (; *words != NULL; words++)
		if (holds(reply->text, *words))
			return true;
	return false;
}

static bool
is_enhanced(const struct status *reply, const char *prefix)
{
	return strncmp(reply->enhanced, prefix, strlen(prefix)) == 0;
}

/* X.1: addressing status (RFC 3463 3.2). */
static bool
speaks_of_address(const struct status *reply)
{
	return is_enhanced(reply, "5.1.") || holds_any(reply, address_words);
}

/* By SPF, by the name of the client in DNS (RFC 7372 3.2, 3.3), by several such
 * checks together (3.4). */
static bool
is_of_origin(const struct status *reply)
{
	return holds_any(reply, unanswered_words) ||
	       is_enhanced(reply, "5.7.23") || is_enhanced(reply, "5.7.24") ||
	       is_enhanced(reply, "5.7.25") || is_enhanced(reply, "5.7.26") ||
	       holds_any(reply, origin_words);
}

/*
 * "Access denied" is the reason of each table of Postfix; what was looked up
 * stands before it ("Data command rejected: Access denied").
 */
static bool
speaks_of_client(const struct status *reply)
{
	return holds_any(reply, client_words) &&
	       (!holds(reply->text, "data command rejected"));
}

/* Codes of commands, and not of mail: syntax and order (50x), no mail service
 * (521, RFC 7504), login and TLS (53x), parameters of MAIL and RCPT (555). */
static bool
is_of_dialogue(int code)
{
	return code / 10 == 50 || code / 10 == 53 || code == 521 || code == 555;
}

/*
 * 50x, 521 and 555 to an address that the service cannot parse or that its
 * rules for addresses refuse: it will never be accepted. 502, 503 and 53x have
 * no such use.
 */
static enum meaning
meaning_of_dialogue(const struct status *reply)
{
	int code = reply->code;
	bool may_be_address = code != 502 && code != 503 && code / 10 != 53;

	return may_be_address && !speaks_of_client(reply) &&
		       speaks_of_address(reply)
		   ? MEANING_REFUSED
		   : MEANING_ESTRANGED;
}

/*
 * RFC 5321 4.5.3.1.10: some say 552 to a recipient too many, where 452 is
 * meant. Others refuse a host for good that comes too fast.
 */
static bool
is_too_much(const struct status *reply, enum step_kind step)
{
	if (holds_any(reply, haste_words))
		return true;
	return step == STEP_RCPT &&
	       (is_enhanced(reply, "5.5.3") ||
		   holds(reply->text, "too many recipients"));
}

/*
 * Not set up, or closed (RFC 3463 3.4), or it finds no host of the domain: since
 * that is one that the account accepts, the mail of all its recipients would
 * bounce. To MAIL it is the sender's domain. 5.1.2 alone does not say so: Stalwart
 * means a mailbox by it.
 */
static bool
is_of_system(const struct status *reply, enum step_kind step)
{
	return is_enhanced(reply, "5.3.2") || is_enhanced(reply, "5.3.5") ||
	       (step != STEP_MAIL && strcmp(reply->enhanced, "5.1.2") == 0 &&
		   holds_any(reply, host_words));
}

/* Commands out of order or not understood (RFC 3463 3.6), in a code of mail. */
static bool
is_protocol_status(const struct status *reply)
{
	return strcmp(reply->enhanced, "5.5.1") == 0 ||
	       strcmp(reply->enhanced, "5.5.2") == 0 ||
	       strcmp(reply->enhanced, "5.5.4") == 0;
}

/* 554 has no place among the replies to MAIL (RFC 5321 4.3.2), and none of the
 * recipients was named yet: it is the sender, the message or the client. */
static bool
is_unclear(const struct status *reply, enum step_kind step)
{
	return step == STEP_MAIL && reply->code == 554 &&
	       !is_enhanced(reply, "5.3.4") && !is_enhanced(reply, "5.4.") &&
	       !is_enhanced(reply, "5.6.") && !holds(reply->text, "sender") &&
	       !holds(reply->text, "size");
}

/* A 5xx to MAIL, RCPT or DATA with a code of mail. */
static enum meaning
meaning_of_refusal(const struct status *reply, enum step_kind step)
{
	if (is_too_much(reply, step))
		return MEANING_DEFERRED;
	if (holds_any(reply, unprepared_words) || is_of_system(reply, step))
		return MEANING_UNPREPARED;
	if (speaks_of_address(reply))
		return MEANING_REFUSED;
	if (speaks_of_client(reply))
		return MEANING_ESTRANGED;
	if (is_protocol_status(reply) || is_unclear(reply, step))
		return MEANING_UNPREPARED;
	return MEANING_REFUSED;
}

static enum meaning
meaning_of_5xx(const struct status *reply, enum step_kind step)
{
	switch (step) {
	case STEP_GREETING:
	case STEP_HELLO:
	case STEP_HELO:
		return MEANING_ESTRANGED;
	case STEP_RSET:
		return MEANING_NONE;
	case STEP_MAIL:
	case STEP_RCPT:
	case STEP_DATA:
		if (is_of_origin(reply))
			return MEANING_UNPREPARED;
		return is_of_dialogue(reply->code)
			   ? meaning_of_dialogue(reply)
			   : meaning_of_refusal(reply, step);
	case STEP_DOT:
		if (is_of_origin(reply))
			return MEANING_UNPREPARED;
		if (is_of_dialogue(reply->code))
			return meaning_of_dialogue(reply);
		/* Who has read the text speaks of it, whatever else is said. */
		return is_of_system(reply, step) ? MEANING_UNPREPARED
						 : MEANING_REFUSED;
	case STEP_QUIT:
		return MEANING_REFUSED;
	}
	return MEANING_NONE;
}

enum meaning
meaning_of(const struct status *reply, enum step_kind step)
{
	int class = status_class(reply);

	if (reply->code == 421)
		return MEANING_PARTING;
	if (class == 5)
		return meaning_of_5xx(reply, step);
	if (class == 4)
		return step == STEP_RSET ? MEANING_NONE : MEANING_DEFERRED;
	return class == (step == STEP_DATA ? 3 : 2) ? MEANING_POSITIVE
						    : MEANING_NONE;
}

static bool
is_one_of(const struct status *reply, const char *const *codes)
{
	for (; *codes != NULL; codes++)
		if (strcmp(reply->enhanced, *codes) == 0)
			return true;
	return false;
}

/* RFC 3463 3.2, 3.3; 5.1.10 (RFC 7505 4.2) is Exchange's as well. */
bool
meaning_is_unknown(const struct status *reply)
{
	static const char *const certain[] = {
	    "5.1.1", "5.1.2", "5.1.6", "5.1.10", "5.2.1", NULL};
	static const char *const vague[] = {
	    "", "5.0.0", "5.1.0", "5.4.1", NULL};

	if (status_class(reply) != 5)
		return false;
	return is_one_of(reply, certain) ||
	       (is_one_of(reply, vague) && !holds(reply->text, "sender") &&
		   holds_any(reply, unknown_words));
}

const char *
meaning_advice(const struct status *reply, enum meaning meaning)
{
	if (holds_any(reply, unanswered_words))
		return "its name server may not ask that block list, so that"
		       " every host looks listed: give it one of its own, or"
		       " take the list out of its configuration";
	if (is_of_origin(reply))
		return "let it not judge mail of this host by SPF, DMARC or"
		       " names in DNS: it is not the sender's";
	if (meaning == MEANING_UNPREPARED)
		return "let it accept this domain and sender from this host,"
		       " or take the domain out of this account";
	if (reply->code / 10 == 53)
		return "let it accept mail from this host without login and"
		       " without TLS";
	if (is_of_dialogue(reply->code))
		return "see whether the right kind of service, lmtp or smtp,"
		       " listens there";
	return "let it accept mail from this host";
}
