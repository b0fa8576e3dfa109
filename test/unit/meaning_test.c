/* SPDX-License-Identifier: ISC */
#include "protocol/meaning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/status.h"

enum {
	NONE = MEANING_NONE,
	OK = MEANING_POSITIVE,
	LATER = MEANING_DEFERRED,
	NO = MEANING_REFUSED,
	SETUP = MEANING_UNPREPARED,
	US = MEANING_ESTRANGED,
	LEAVES = MEANING_PARTING,
};

/* What a reply means at connect, EHLO or LHLO, MAIL, RCPT, DATA, and the end
 * of data. */
struct reply {
	int code;
	const char *enhanced, *text;
	int at[6]; /* enum meaning */
};

static const enum step_kind steps[6] = {
    STEP_GREETING, STEP_HELLO, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_DOT};

static const struct reply replies[] = {
    {220, "", "ready", {OK, OK, OK, OK, NONE, OK}},
    {250, "2.1.0", "ok", {OK, OK, OK, OK, NONE, OK}},
    {354, "", "go", {NONE, NONE, NONE, NONE, OK, NONE}},
    {421, "4.3.2", "shutting down",
	{LEAVES, LEAVES, LEAVES, LEAVES, LEAVES, LEAVES}},
    {451, "4.3.0", "later", {LATER, LATER, LATER, LATER, LATER, LATER}},
    {450, "4.7.1", "Client host rejected: cannot find your hostname",
	{LATER, LATER, LATER, LATER, LATER, LATER}},

    /* We do not understand each other. */
    {500, "5.5.2", "Error: bad syntax", {US, US, US, US, US, US}},
    {500, "", "unrecognized command", {US, US, US, US, US, US}},
    {501, "5.5.4", "Syntax: MAIL FROM:<address>", {US, US, US, US, US, US}},
    {502, "5.5.1", "Unknown command", {US, US, US, US, US, US}},
    {503, "5.5.1", "Sender already given", {US, US, US, US, US, US}},
    {503, "", "valid RCPT command must precede DATA", {US, US, US, US, US, US}},
    {504, "5.5.2", "<me>: Helo command rejected: need fully-qualified hostname",
	{US, US, US, US, US, US}},
    {555, "5.5.4", "Unsupported option: SIZE=100", {US, US, US, US, US, US}},

    /* It wants no mail of us. */
    {521, "5.3.2", "no mail service here", {US, US, US, US, US, US}},
    {530, "5.7.0", "Must issue a STARTTLS command first",
	{US, US, US, US, US, US}},
    {530, "5.7.57", "Client was not authenticated to send anonymous mail",
	{US, US, US, US, US, US}},
    {534, "5.7.9", "mechanism is too weak", {US, US, US, US, US, US}},
    {535, "5.7.8", "authentication failed", {US, US, US, US, US, US}},
    {538, "5.7.11", "encryption required", {US, US, US, US, US, US}},
    {554, "5.7.1", "<unknown[10.0.0.1]>: Client host rejected: Access denied",
	{US, US, US, US, US, NO}},
    {554, "5.7.1",
	"Service unavailable; Client host [10.0.0.1] blocked using "
	"list.example",
	{US, US, US, US, US, NO}},
    {550, "5.7.1", "<me>: Helo command rejected: Host not found",
	{US, US, US, US, US, NO}},
    {550, "5.7.1", "Access denied", {US, US, US, US, US, NO}},
    {554, "", "your host is not welcome", {US, US, US, US, US, NO}},

    /* It is not set up for this domain or sender; others may be fine. */
    {554, "5.7.1", "<u@example.org>: Relay access denied",
	{US, US, SETUP, SETUP, SETUP, NO}},
    {554, "",
	"<u@example.org>: Recipient address rejected: Relay access "
	"denied",
	{US, US, SETUP, SETUP, SETUP, NO}},
    {550, "", "relay not permitted", {US, US, SETUP, SETUP, SETUP, NO}},
    {550, "5.7.1", "<u@example.org>... Relaying denied",
	{US, US, SETUP, SETUP, SETUP, NO}},
    {550, "5.7.54", "SMTP; Unable to relay recipient in non-accepted domain",
	{US, US, SETUP, SETUP, SETUP, NO}},
    {553, "", "sorry, that domain isn't in my list of allowed rcpthosts",
	{US, US, SETUP, SETUP, SETUP, NO}},
    {550, "5.7.60", "Client does not have permissions to send as this sender",
	{US, US, SETUP, SETUP, SETUP, NO}},
    /* By our address and name, in place of the sender's. */
    {550, "5.7.23",
	"<u@example.org>: Recipient address rejected: Message rejected due to: "
	"SPF fail - not authorized. Please see http://www.openspf.net/Why?s=mfrom",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    {550, "5.7.1",
	"<u@example.org>: Recipient address rejected: Message rejected due to: "
	"SPF fail - not authorized. Please see http://www.openspf.net/Why?s=mfrom",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    {550, "5.7.24", "SPF validation error",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    {550, "5.7.25", "Reverse DNS validation failed",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    {550, "", "SPF check failed for s@r.example",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    {550, "5.7.1", "rejected by DMARC policy for r.example",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    {550, "", "Message from r.example failed sender's DMARC policy, REJECT",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    {550, "5.7.26", "Multiple authentication checks failed",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    /* A domain that the account accepts, and a service that is not ready. */
    {550, "5.1.2", "<u@example.org>... Host unknown (Name server: example.org)",
	{US, US, NO, SETUP, SETUP, SETUP}},
    {550, "5.1.2", "Relay not allowed.", {US, US, SETUP, SETUP, SETUP, NO}},
    {550, "5.1.2", "Mailbox does not exist.", {US, US, NO, NO, NO, NO}},
    {553, "5.3.5", "system config error", {US, US, SETUP, SETUP, SETUP, SETUP}},
    {554, "5.3.2", "System not accepting network messages",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    /* A block list that does not answer lists everybody. */
    {554, "5.7.1",
	"Service unavailable; Sender address [s@r.example] blocked using "
	"dbl.spamhaus.org; Error: open resolver; "
	"https://check.spamhaus.org/returnc/pub/192.0.2.1/",
	{US, US, SETUP, SETUP, SETUP, SETUP}},
    {550, "", "rejected because 10.0.0.1 is in a black list at list.example",
	{US, US, US, US, US, NO}},
    /* Ratelimits count this host for all senders. */
    {550, "", "Sender rate overlimit - 101.3 / 1h",
	{US, US, LATER, LATER, LATER, NO}},
    {554, "5.5.1", "Error: no valid recipients",
	{US, US, SETUP, SETUP, SETUP, NO}},
    {554, "5.7.1", "go away", {US, US, SETUP, NO, NO, NO}},
    {554, "", "Transaction failed", {US, US, SETUP, NO, NO, NO}},

    /* The recipient. */
    {550, "5.1.1", "No such user here", {US, US, NO, NO, NO, NO}},
    {550, "5.1.1", "<dmarc@example.org>: User unknown",
	{US, US, NO, NO, NO, NO}},
    {550, "", "Unrouteable address", {US, US, NO, NO, NO, NO}},
    {550, "5.4.1", "Recipient address rejected: Access denied",
	{US, US, NO, NO, NO, NO}},
    {554, "5.7.1", "<u@example.org>: Recipient address rejected: Access denied",
	{US, US, NO, NO, NO, NO}},
    {551, "", "User not local", {US, US, NO, NO, NO, NO}},
    {552, "5.2.2", "Quota exceeded", {US, US, NO, NO, NO, NO}},
    {553, "5.1.3", "bad mailbox name", {US, US, NO, NO, NO, NO}},
    {556, "5.1.10", "Domain does not accept mail", {US, US, NO, NO, NO, NO}},
    {501, "5.1.3", "Bad recipient address syntax", {US, US, NO, NO, NO, NO}},
    {501, "", "<a..b@example.org>: malformed address",
	{US, US, NO, NO, NO, NO}},
    {501, "5.5.4", "Invalid TO: Invalid character in localpart",
	{US, US, NO, NO, NO, NO}},
    {504, "5.5.2",
	"<u>: Recipient address rejected: need fully-qualified address",
	{US, US, NO, NO, NO, NO}},
    {552, "5.5.3", "Too many recipients", {US, US, NO, LATER, NO, NO}},
    {552, "", "too many recipients", {US, US, NO, LATER, NO, NO}},

    /* The sender, or the message. */
    {501, "", "<root>: sender address must contain a domain",
	{US, US, NO, NO, NO, NO}},
    {504, "5.5.2",
	"<root>: Sender address rejected: need fully-qualified address",
	{US, US, NO, NO, NO, NO}},
    {554, "5.7.1", "<s@r.example>: Sender address rejected: Access denied",
	{US, US, NO, NO, NO, NO}},
    {550, "", "Sender verify failed", {US, US, NO, NO, NO, NO}},
    {552, "5.3.4", "Message size exceeds fixed limit",
	{US, US, NO, NO, NO, NO}},
    {554, "5.3.4", "Message too big", {US, US, NO, NO, NO, NO}},
    {554, "5.7.1", "<DATA>: Data command rejected: Access denied",
	{US, US, SETUP, NO, NO, NO}},
    {554, "5.6.0", "Spam", {US, US, NO, NO, NO, NO}},
    {500, "5.5.2", "Line too long", {US, US, NO, NO, NO, NO}},
    {550, "", "Administrative prohibition", {US, US, NO, NO, NO, NO}},
};

static void
test_of_whom_a_reply_speaks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		const struct reply *reply = &replies[i];
		struct status status;
		status_set(
		    &status, reply->code, reply->enhanced, "%s", reply->text);
		for (size_t k = 0; k < 6; k++) {
			int got = (int)meaning_of(&status, steps[k]);
			if (got != reply->at[k])
				fail_msg("%d %s at step %zu: %d", reply->code,
				    reply->text, k, got);
		}
	}
}

/* Whatever a server says, only 2xx is a success, and only 5xx bounces. */
static void
test_no_code_changes_sides(void **state)
{
	(void)state;
	for (int code = 200; code < 600; code++) {
		struct status status;
		status_set(&status, code, "", "what");
		for (size_t k = 0; k < 6; k++) {
			int got = (int)meaning_of(&status, steps[k]);
			if (code >= 300 && steps[k] != STEP_DATA)
				assert_int_not_equal(got, MEANING_POSITIVE);
			if (code < 500)
				assert_int_not_equal(got, MEANING_REFUSED);
			if (code < 400)
				assert_int_not_equal(got, MEANING_DEFERRED);
		}
	}
}

static void
test_each_complaint_has_advice(void **state)
{
	static const struct {
		int code;
		enum meaning meaning;
		const char *advice;
	} cases[] = {
	    {530, MEANING_ESTRANGED, "login"},
	    {500, MEANING_ESTRANGED, "lmtp or smtp"},
	    {554, MEANING_ESTRANGED, "from this host"},
	    {550, MEANING_UNPREPARED, "domain"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct status status = {.code = cases[i].code};
		assert_non_null(
		    strstr(meaning_advice(&status, cases[i].meaning),
			cases[i].advice));
	}
}

static void
a_recipient_that_does_not_exist(void **state)
{
	static const struct {
		int code;
		const char *enhanced, *text;
		bool unknown;
	} table[] = {
	    {550, "5.1.1", "<a@example.org> User doesn't exist", true},
	    {550, "5.1.1", "No such mailbox", true},
	    {550, "5.1.2", "Mailbox does not exist.", true},
	    {550, "5.1.6", "moved", true},
	    {550, "5.1.10", "RESOLVER.ADR.RecipientNotFound", true},
	    {550, "5.2.1", "Mailbox disabled", true},
	    {550, "5.4.1", "Recipient address rejected: Access denied", true},
	    {550, "5.1.0", "Address rejected: User unknown in table", true},
	    {550, "", "Unrouteable address", true},
	    {550, "", "Unknown user", true},
	    {553, "", "sorry, no mailbox here by that name", true},
	    /* A policy, the sender, the text, or not known well enough. */
	    {550, "5.1.0",
		"<b@example.com>: Sender address rejected: User"
		" unknown in local recipient table",
		false},
	    {550, "",
		"Verification failed for <b@example.com> Unrouteable"
		" address Sender verify failed",
		false},
	    {550, "5.1.3", "Bad address", false},
	    {550, "5.1.8", "Sender's domain does not exist", false},
	    {554, "5.7.1", "Recipient address rejected: Access denied", false},
	    {550, "5.7.1", "Spam: domain does not exist", false},
	    {552, "5.2.2", "Mailbox full", false},
	    {550, "", "mailbox unavailable", false},
	    {554, "", "Transaction failed", false},
	    {450, "4.1.1", "User unknown", false},
	    {250, "2.1.5", "ok", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct status reply;
		status_set_text(
		    &reply, table[i].code, table[i].enhanced, table[i].text);
		if (meaning_is_unknown(&reply) != table[i].unknown)
			fail_msg("%s", table[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_of_whom_a_reply_speaks),
	    cmocka_unit_test(test_no_code_changes_sides),
	    cmocka_unit_test(test_each_complaint_has_advice),
	    cmocka_unit_test(a_recipient_that_does_not_exist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
