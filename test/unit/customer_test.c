/* SPDX-License-Identifier: ISC */
#include "protocol/customer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/transcript.h"
#include "effort.h"

enum { STEPS_MAX = 12, ALL_AT_ONCE = 1 << 16 };

/* What the provider says, and all that we say then. */
struct step {
	const char *says; /* NULL: it ends the connection */
	const char *hears;
};

struct dialogue {
	const char *name;
	enum customer_tls tls;
	const char *mechanisms[3]; /* none: the default */
	const char *best_before;
	bool refuse_downgrade;
	bool check_only;
	bool no_binding;
	bool token; /* in place of a password */
	bool odd_password; /* not ASCII */
	bool one_piece; /* what is said too early shows only so */
	struct step steps[STEPS_MAX];

	enum customer_result result;
	enum error_class class;
	const char *error; /* somewhere in the sentence */
	const char *mechanism; /* used last */
	const char *downgraded_from;
};

#define RANDOM   "abcdefghijklmnopqrstuvwx"
#define PASSWORD "pencil"

#define HELLO                                                                  \
	{                                                                      \
		"220 odmr.example.net ESMTP\r\n", "EHLO me.example\r\n"        \
	}
#define CRAM_ONLY "250-odmr.example.net\r\n250-ATRN\r\n250 AUTH CRAM-MD5\r\n"
#define CRAM_EHLO                                                              \
	{                                                                      \
		CRAM_ONLY, "AUTH CRAM-MD5\r\n"                                 \
	}
/* The challenge and the response of RFC 2195 with our user and password. */
#define CRAM_STEP                                                                   \
	{                                                                           \
		"334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n", \
		    "dGltIDI2NmY4MmJiMmQxYWNlNjcyOWQyYzU3M2U0ZTAwNGM2\r\n"          \
	}
#define CRAM_IN HELLO, CRAM_EHLO, CRAM_STEP
#define ATRN_SENT                                                              \
	{                                                                      \
		"235 2.7.0 ok\r\n", "ATRN example.org,example.com\r\n"         \
	}
#define LOGGED_IN CRAM_IN, ATRN_SENT
#define BYE                                                                    \
	{                                                                      \
		"221 bye\r\n", ""                                              \
	}
#define OFFER(mechanisms)                                                      \
	"250-odmr.example.net\r\n250-ATRN\r\n250 AUTH " mechanisms "\r\n"
#define CLEAR    .tls = CUSTOMER_CLEAR
#define IMPLICIT .tls = CUSTOMER_IMPLICIT
#define STARTTLS .tls = CUSTOMER_STARTTLS
#define TLS_OFFER                                                              \
	HELLO,                                                                 \
	{                                                                      \
		"250-odmr.example.net\r\n250-AUTH LOGIN\r\n250 STARTTLS\r\n",  \
		    "STARTTLS\r\n"                                             \
	}
/* What a failed state of things ends with. */
#define FAILS(what, why) .result = CUSTOMER_FAILED, .class = what, .error = why
#define TURNS            .result = CUSTOMER_TURNED

static const struct dialogue dialogues[] = {
    /* The way it should be. */
    {"in the clear", CLEAR, .steps = {LOGGED_IN, {"250 turning\r\n", ""}},
	TURNS, .mechanism = "CRAM-MD5"},
    {"STARTTLS, and all from before is forgotten", STARTTLS,
	.steps = {TLS_OFFER, {"220 go on\r\n", "EHLO me.example\r\n"},
	    CRAM_EHLO, CRAM_STEP, ATRN_SENT, {"250 turning\r\n", ""}},
	TURNS, .mechanism = "CRAM-MD5"},
    {"implicit TLS", IMPLICIT, .steps = {LOGGED_IN, {"250 turning\r\n", ""}},
	TURNS},
    {"replies of several lines", CLEAR,
	.steps = {{"220-a\r\n220-b\r\n220 c\r\n", "EHLO me.example\r\n"},
	    CRAM_EHLO, CRAM_STEP,
	    {"235-2.7.0 a\r\n235 2.7.0 b\r\n",
		"ATRN example.org,example.com\r\n"},
	    {"250-a\r\n250 b\r\n", ""}},
	TURNS},
    {"replies that end in LF alone", STARTTLS,
	.steps = {{"220-a\n220 b\n", "EHLO me.example\r\n"},
	    {"250-odmr.example.net\n250 STARTTLS\n", "STARTTLS\r\n"},
	    {"220 go on\n", "EHLO me.example\r\n"},
	    {"250-odmr.example.net\n250 AUTH CRAM-MD5\n", "AUTH CRAM-MD5\r\n"},
	    {"334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\n",
		"dGltIDI2NmY4MmJiMmQxYWNlNjcyOWQyYzU3M2U0ZTAwNGM2\r\n"},
	    {"235 ok\n", "ATRN example.org,example.com\r\n"},
	    {"250 turning\n", ""}},
	TURNS, .mechanism = "CRAM-MD5"},
    {"no mail", CLEAR,
	.steps = {LOGGED_IN, {"453 no mail\r\n", "QUIT\r\n"}, BYE},
	.result = CUSTOMER_NO_MAIL},
    {"no mail, and the line is gone", CLEAR,
	.steps = {LOGGED_IN, {"453 no mail\r\n", "QUIT\r\n"}, {NULL, ""}},
	.result = CUSTOMER_NO_MAIL},
    {"no mail, and rubbish", CLEAR,
	.steps = {LOGGED_IN, {"453 no mail\r\n", "QUIT\r\n"}, {"\r\n", ""}},
	.result = CUSTOMER_NO_MAIL},
    {"only a check", CLEAR, .check_only = true,
	.steps = {CRAM_IN, {"235 ok\r\n", "QUIT\r\n"}, BYE},
	.result = CUSTOMER_CHECKED},
    {"ATRN is not listed", CLEAR,
	.steps = {HELLO,
	    {"250-odmr.example.net\r\n250 AUTH CRAM-MD5\r\n",
		"AUTH CRAM-MD5\r\n"},
	    CRAM_STEP, ATRN_SENT, {"250 turning\r\n", ""}},
	TURNS},

    /* The greeting. */
    {"554 at the greeting", CLEAR,
	.steps = {{"554 no service\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "the provider does not greet: 554 no service")},
    {"521 at the greeting", CLEAR, .steps = {{"521 no mail\r\n", ""}},
	FAILS(ERROR_UNABLE, "521 no mail")},
    {"421 at the greeting", CLEAR, .steps = {{"421 busy\r\n", ""}},
	FAILS(ERROR_AGAIN, "the provider closes the connection: 421 busy")},
    {"451 at the greeting", CLEAR, .steps = {{"451 busy\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AGAIN, "451 busy")},
    {"250 at the greeting", CLEAR, .steps = {{"250 ok\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "250 ok")},
    {"another protocol", CLEAR, .steps = {{"SSH-2.0-x\r\n", ""}},
	FAILS(ERROR_PROTOCOL,
	    "the greeting is a line without a reply code: SSH-2.0-x")},
    {"nothing at all", CLEAR, .steps = {{NULL, ""}},
	FAILS(ERROR_AGAIN,
	    "the provider ended the connection before the greeting")},
    {"half a greeting", CLEAR, .steps = {{"220 od", ""}, {NULL, ""}},
	FAILS(ERROR_AGAIN, "before the greeting")},
    {"replies before they are asked for", CLEAR, .one_piece = true,
	.steps = {{"220 a\r\n250 b\r\n", ""}},
	FAILS(
	    ERROR_PROTOCOL, "the provider said more than the greeting: 250 b")},
    {"a greeting and a farewell", CLEAR, .one_piece = true,
	.steps = {{"220 a\r\n421 b\r\n", ""}}, FAILS(ERROR_AGAIN, "421 b")},

    /* EHLO. */
    {"550 to EHLO", CLEAR,
	.steps = {HELLO, {"550 bad name\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "the provider refused EHLO: 550 bad name")},
    {"451 to EHLO", CLEAR, .steps = {HELLO, {"451 later\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AGAIN, "451 later")},
    {"220 to EHLO", CLEAR, .steps = {HELLO, {"220 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "220 hm")},
    {"two codes in one reply", CLEAR,
	.steps = {HELLO, {"250-a\r\n550 b\r\n", ""}},
	FAILS(ERROR_PROTOCOL, "two codes")},

    /* STARTTLS. */
    {"STARTTLS is not offered", STARTTLS,
	.steps = {HELLO, {CRAM_ONLY, "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "try `tls: implicit`")},
    {"454 to STARTTLS", STARTTLS,
	.steps = {TLS_OFFER, {"454 later\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AGAIN, "the provider refused STARTTLS: 454 later")},
    {"502 to STARTTLS", STARTTLS,
	.steps = {TLS_OFFER, {"502 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "502 no")},
    {"250 to STARTTLS", STARTTLS,
	.steps = {TLS_OFFER, {"250 ok\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "250 ok")},
    {"octets behind the reply to STARTTLS", STARTTLS, .one_piece = true,
	.steps = {TLS_OFFER, {"220 go on\r\n250 AUTH PLAIN\r\n", ""}},
	FAILS(ERROR_PROTOCOL, "unexpected data after the reply to STARTTLS")},
    {"one octet behind the reply to STARTTLS", STARTTLS, .one_piece = true,
	.steps = {TLS_OFFER, {"220 go on\r\n2", ""}},
	FAILS(ERROR_PROTOCOL, "unexpected data after the reply to STARTTLS")},
    {"octets behind a reply to STARTTLS that LF ends", STARTTLS,
	.one_piece = true,
	.steps = {TLS_OFFER, {"220 go on\n250 AUTH PLAIN\n", ""}},
	FAILS(ERROR_PROTOCOL, "unexpected data after the reply to STARTTLS")},
    {"an empty line behind the reply to STARTTLS", STARTTLS, .one_piece = true,
	.steps = {TLS_OFFER, {"220 go on\n\r\n", ""}},
	FAILS(ERROR_PROTOCOL, "unexpected data after the reply to STARTTLS")},
    {"LOGIN from before TLS does not count", STARTTLS,
	.steps = {TLS_OFFER, {"220 go on\r\n", "EHLO me.example\r\n"},
	    {"250 odmr.example.net\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "does not offer AUTH")},

    /* The choice of a mechanism. */
    {"the strongest", IMPLICIT, .no_binding = true,
	.steps = {HELLO,
	    {OFFER("LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"535 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "by SCRAM-SHA-256: 535 no"),
	.mechanism = "SCRAM-SHA-256"},
    {"bound to TLS", IMPLICIT,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256 SCRAM-SHA-256-PLUS"),
		"AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49dGltLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4MA==\r\n"},
	    {"535 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "by SCRAM-SHA-256-PLUS, bound by tls-exporter: 535"),
	.mechanism = "SCRAM-SHA-256-PLUS"},
    {"could be bound, were it offered", IMPLICIT,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256"),
		"AUTH SCRAM-SHA-256 eSwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"535 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "535 no")},
    {"the old form of AUTH, any case", CLEAR,
	.steps = {HELLO,
	    {"250-odmr.example.net\r\n250 auth=login cram-md5\r\n",
		"AUTH CRAM-MD5\r\n"},
	    CRAM_STEP, ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"no password outside TLS", CLEAR,
	.steps = {HELLO, {OFFER("PLAIN LOGIN"), "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "only PLAIN LOGIN")},
    {"no AUTH without TLS", CLEAR,
	.steps = {HELLO, {"250 odmr.example.net\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "does not offer AUTH without TLS")},
    {"only what is named", IMPLICIT, .mechanisms = {"LOGIN"},
	.steps = {HELLO, {OFFER("PLAIN CRAM-MD5"), "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "only PLAIN CRAM-MD5")},
    {"the stronger of what is named", IMPLICIT,
	.mechanisms = {"login", "plain"},
	.steps = {HELLO,
	    {OFFER("LOGIN PLAIN CRAM-MD5"), "AUTH PLAIN AHRpbQBwZW5jaWw=\r\n"},
	    {"454 4.7.0 later\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AGAIN, "by PLAIN: 454 4.7.0 later")},
    {"SCRAM and a password that is not ASCII", IMPLICIT,
	.mechanisms = {"SCRAM-SHA-256"}, .odd_password = true,
	.steps = {HELLO, {OFFER("SCRAM-SHA-256"), "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "in ASCII only")},
    {"504 goes on to the next", IMPLICIT, .no_binding = true,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-1 SCRAM-SHA-256 PLAIN"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"504 no such thing\r\n",
		"AUTH SCRAM-SHA-1 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gx\r\n"},
	    {"534 too weak\r\n", "AUTH PLAIN AHRpbQBwZW5jaWw=\r\n"}, ATRN_SENT,
	    {"250 ok\r\n", ""}},
	TURNS, .mechanism = "PLAIN", .downgraded_from = "SCRAM-SHA-256"},
    {"504 to all", CLEAR,
	.steps = {HELLO, CRAM_EHLO, {"504 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "took no mechanism that it offers (CRAM-MD5)")},
    {"535 ends it", IMPLICIT,
	.steps = {HELLO, {OFFER("CRAM-MD5 PLAIN"), "AUTH CRAM-MD5\r\n"},
	    CRAM_STEP, {"535 5.7.8 wrong\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "by CRAM-MD5: 535 5.7.8 wrong")},
    {"weaker than before", IMPLICIT, .best_before = "SCRAM-SHA-256",
	.steps = {HELLO, {OFFER("CRAM-MD5 PLAIN"), "AUTH CRAM-MD5\r\n"},
	    CRAM_STEP, ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS, .mechanism = "CRAM-MD5", .downgraded_from = "SCRAM-SHA-256"},
    {"TLS cannot be bound any more, refused", IMPLICIT, .no_binding = true,
	.refuse_downgrade = true, .best_before = "SCRAM-SHA-1-PLUS",
	.steps = {HELLO, {OFFER("SCRAM-SHA-1-PLUS SCRAM-SHA-1"), "QUIT\r\n"},
	    BYE},
	FAILS(ERROR_AUTH, "SCRAM-SHA-1 is weaker than SCRAM-SHA-1-PLUS"),
	.downgraded_from = "SCRAM-SHA-1-PLUS"},
    {"weaker than before, refused", IMPLICIT, .refuse_downgrade = true,
	.best_before = "SCRAM-SHA-256",
	.steps = {HELLO, {OFFER("CRAM-MD5 PLAIN"), "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "CRAM-MD5 is weaker than SCRAM-SHA-256"),
	.downgraded_from = "SCRAM-SHA-256"},
    {"504 as a downgrade, refused", IMPLICIT, .refuse_downgrade = true,
	.steps = {HELLO, {OFFER("CRAM-MD5 PLAIN"), "AUTH CRAM-MD5\r\n"},
	    {"504 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "PLAIN is weaker than CRAM-MD5"),
	.downgraded_from = "CRAM-MD5"},
    {"no downgrade: the configuration wants it so", IMPLICIT,
	.refuse_downgrade = true, .best_before = "SCRAM-SHA-256",
	.mechanisms = {"PLAIN"},
	.steps = {HELLO, {OFFER("PLAIN"), "AUTH PLAIN AHRpbQBwZW5jaWw=\r\n"},
	    ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"stronger than before", CLEAR, .refuse_downgrade = true,
	.best_before = "PLAIN", .steps = {LOGGED_IN, {"250 ok\r\n", ""}},
	TURNS},

    /* AUTH. */
    {"LOGIN", IMPLICIT, .mechanisms = {"LOGIN"},
	.steps = {HELLO, {OFFER("LOGIN"), "AUTH LOGIN\r\n"},
	    {"334 VXNlcm5hbWU6\r\n", "dGlt\r\n"},
	    {"334 UGFzc3dvcmQ6\r\n", "cGVuY2ls\r\n"}, ATRN_SENT,
	    {"250 ok\r\n", ""}},
	TURNS},
    {"LOGIN whose prompts are plain text, of several lines", IMPLICIT,
	.mechanisms = {"LOGIN"},
	.steps = {HELLO, {OFFER("LOGIN"), "AUTH LOGIN\r\n"},
	    {"334-Welcome!\r\n334 Your name, please:\r\n", "dGlt\r\n"},
	    {"334 Password:\r\n", "cGVuY2ls\r\n"}, ATRN_SENT,
	    {"250 ok\r\n", ""}},
	TURNS, .mechanism = "LOGIN"},
    {"LOGIN whose prompts say nothing, or have blanks around", IMPLICIT,
	.mechanisms = {"LOGIN"},
	.steps = {HELLO, {OFFER("LOGIN"), "AUTH LOGIN\r\n"},
	    {"334\r\n", "dGlt\r\n"},
	    {"334  UGFzc3dvcmQ6 \t\r\n", "cGVuY2ls\r\n"}, ATRN_SENT,
	    {"250 ok\r\n", ""}},
	TURNS},
    {"LOGIN whose prompts have no padding", IMPLICIT, .mechanisms = {"LOGIN"},
	.steps = {HELLO, {OFFER("LOGIN"), "AUTH LOGIN\r\n"},
	    {"334 VXNlciBOYW1lAA\r\n", "dGlt\r\n"},
	    {"334 UGFzc3dvcmQA=\r\n", "cGVuY2ls\r\n"}, ATRN_SENT,
	    {"250 ok\r\n", ""}},
	TURNS},
    {"LOGIN that goes on asking", IMPLICIT, .mechanisms = {"LOGIN"},
	.steps = {HELLO, {OFFER("LOGIN"), "AUTH LOGIN\r\n"},
	    {"334 a\r\n", "dGlt\r\n"}, {"334 b\r\n", "cGVuY2ls\r\n"},
	    {"334 c\r\n", "*\r\n"}, {"501 ended\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "goes on asking after the end of LOGIN")},
    {"CRAM with blanks around the challenge", CLEAR,
	.steps = {HELLO, CRAM_EHLO,
	    {"334  \tPDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+ \r\n",
		"dGltIDI2NmY4MmJiMmQxYWNlNjcyOWQyYzU3M2U0ZTAwNGM2\r\n"},
	    ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"CRAM without padding", CLEAR,
	.steps = {HELLO, CRAM_EHLO,
	    {"334 YQ\r\n",
		"dGltIDU0YzIzMjNkZWQ0YzM4YmIwOTliMDVmNGFjOTg2MmFi\r\n"},
	    ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"a blank amid a challenge", CLEAR,
	.steps = {HELLO, CRAM_EHLO, {"334 YW Jj\r\n", "*\r\n"},
	    {"501 ended\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "is not base64")},
    {"PLAIN whose first message is passed over", IMPLICIT,
	.mechanisms = {"PLAIN"},
	.steps = {HELLO, {OFFER("PLAIN"), "AUTH PLAIN AHRpbQBwZW5jaWw=\r\n"},
	    {"334 \r\n", "AHRpbQBwZW5jaWw=\r\n"}, ATRN_SENT,
	    {"250 ok\r\n", ""}},
	TURNS},
    {"PLAIN whose first message is asked for in words", IMPLICIT,
	.mechanisms = {"PLAIN"},
	.steps = {HELLO, {OFFER("PLAIN"), "AUTH PLAIN AHRpbQBwZW5jaWw=\r\n"},
	    {"334 Go on.\r\n", "AHRpbQBwZW5jaWw=\r\n"}, ATRN_SENT,
	    {"250 ok\r\n", ""}},
	TURNS},
    {"PLAIN whose first message is asked for again and again", IMPLICIT,
	.mechanisms = {"PLAIN"},
	.steps = {HELLO, {OFFER("PLAIN"), "AUTH PLAIN AHRpbQBwZW5jaWw=\r\n"},
	    {"334 \r\n", "AHRpbQBwZW5jaWw=\r\n"}, {"334 \r\n", "*\r\n"},
	    {"501 ended\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "goes on asking after the end of PLAIN")},
    {"EXTERNAL whose first message is passed over", IMPLICIT,
	.mechanisms = {"EXTERNAL"},
	.steps = {HELLO, {OFFER("EXTERNAL"), "AUTH EXTERNAL dGlt\r\n"},
	    {"334\r\n", "dGlt\r\n"}, ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"XOAUTH2 whose first message is passed over", IMPLICIT, .token = true,
	.steps = {HELLO,
	    {OFFER("XOAUTH2"),
		"AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgcGVuY2lsAQE=\r\n"},
	    {"334 \r\n", "dXNlcj10aW0BYXV0aD1CZWFyZXIgcGVuY2lsAQE=\r\n"},
	    {"334 eyJzdGF0dXMiOiI0MDAifQ==\r\n", "\r\n"},
	    {"535 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "{\"status\":\"400\"}: 535 no")},
    {"SCRAM whose first message is passed over", CLEAR,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 \n", "biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 cj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gwU0VSVkVSLHM9VzIyWmFKMFNOWTdzb0VzVUVqYjZnUT09LGk9NDA5Ng==\r\n",
		"Yz1iaXdzLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4MFNFUlZFUixwPTJ1Q0Z5SlQ3ZFk5Ky9PR256RFl0WVlWMkNmMi9CUVR1Q1VFdGZQVGxYUEk9\r\n"},
	    {"334 dj1ibXBWbmtINWVBMkJWTzlsL0JYVXFLRVZBanVzaGJsMjM5VktDOE1Rd3NrPQ==\r\n",
		"\r\n"},
	    ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"SCRAM that only asks", CLEAR,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 \r\n",
		"biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 \r\n", "*\r\n"}, {"501 ended\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "is not one of SCRAM")},
    {"EXTERNAL", IMPLICIT, .mechanisms = {"EXTERNAL"},
	.steps = {HELLO, {OFFER("EXTERNAL"), "AUTH EXTERNAL dGlt\r\n"},
	    ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"OAUTHBEARER fails and says why", IMPLICIT, .token = true,
	.steps = {HELLO,
	    {OFFER("PLAIN OAUTHBEARER"),
		"AUTH OAUTHBEARER bixhPXRpbSwBaG9zdD1vZG1yLmV4YW1wbGUubmV0AXBvcnQ9MzY2AWF1dGg9QmVhcmVyIHBlbmNpbAEB\r\n"},
	    {"334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n", "AQ==\r\n"},
	    {"535 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "{\"status\":\"invalid_token\"}: 535 no")},
    {"XOAUTH2 fails and says why", IMPLICIT, .token = true,
	.steps = {HELLO,
	    {OFFER("XOAUTH2"),
		"AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgcGVuY2lsAQE=\r\n"},
	    {"334 eyJzdGF0dXMiOiI0MDAifQ==\r\n", "\r\n"},
	    {"535 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "{\"status\":\"400\"}: 535 no")},
    {"SCRAM", CLEAR,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 cj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gwU0VSVkVSLHM9VzIyWmFKMFNOWTdzb0VzVUVqYjZnUT09LGk9NDA5Ng==\r\n",
		"Yz1iaXdzLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4MFNFUlZFUixwPTJ1Q0Z5SlQ3ZFk5Ky9PR256RFl0WVlWMkNmMi9CUVR1Q1VFdGZQVGxYUEk9\r\n"},
	    {"334 dj1ibXBWbmtINWVBMkJWTzlsL0JYVXFLRVZBanVzaGJsMjM5VktDOE1Rd3NrPQ==\r\n",
		"\r\n"},
	    ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"SCRAM without the server's proof", CLEAR,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 cj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gwU0VSVkVSLHM9VzIyWmFKMFNOWTdzb0VzVUVqYjZnUT09LGk9NDA5Ng==\r\n",
		"Yz1iaXdzLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4MFNFUlZFUixwPTJ1Q0Z5SlQ3ZFk5Ky9PR256RFl0WVlWMkNmMi9CUVR1Q1VFdGZQVGxYUEk9\r\n"},
	    {"235 ok\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "without proving")},
    {"SCRAM with the proof in the 235", CLEAR,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 cj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gwU0VSVkVSLHM9VzIyWmFKMFNOWTdzb0VzVUVqYjZnUT09LGk9NDA5Ng==\r\n",
		"Yz1iaXdzLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4MFNFUlZFUixwPTJ1Q0Z5SlQ3ZFk5Ky9PR256RFl0WVlWMkNmMi9CUVR1Q1VFdGZQVGxYUEk9\r\n"},
	    {"235 dj1ibXBWbmtINWVBMkJWTzlsL0JYVXFLRVZBanVzaGJsMjM5VktDOE1Rd3NrPQ==\r\n",
		"QUIT\r\n"},
	    BYE},
	FAILS(ERROR_AUTH, "without proving")},
    {"SCRAM with a wrong proof, and nothing weaker after it", IMPLICIT,
	.no_binding = true,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256 PLAIN"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 cj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gwU0VSVkVSLHM9VzIyWmFKMFNOWTdzb0VzVUVqYjZnUT09LGk9NDA5Ng==\r\n",
		"Yz1iaXdzLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4MFNFUlZFUixwPTJ1Q0Z5SlQ3ZFk5Ky9PR256RFl0WVlWMkNmMi9CUVR1Q1VFdGZQVGxYUEk9\r\n"},
	    {"334 dj1iMnBWbmtINWVBMkJWTzlsL0JYVXFLRVZBanVzaGJsMjM5VktDOE1Rd3NrPQ==\r\n",
		"*\r\n"},
	    {"501 ended\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "it may be somebody else")},
    {"504 in place of the end of a cancelled exchange", IMPLICIT,
	.no_binding = true,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256 PLAIN"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 cj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gwU0VSVkVSLHM9VzIyWmFKMFNOWTdzb0VzVUVqYjZnUT09LGk9NDA5Ng==\r\n",
		"Yz1iaXdzLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4MFNFUlZFUixwPTJ1Q0Z5SlQ3ZFk5Ky9PR256RFl0WVlWMkNmMi9CUVR1Q1VFdGZQVGxYUEk9\r\n"},
	    {"334 dj1iMnBWbmtINWVBMkJWTzlsL0JYVXFLRVZBanVzaGJsMjM5VktDOE1Rd3NrPQ==\r\n",
		"*\r\n"},
	    {"504 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "it may be somebody else")},
    {"SCRAM with another nonce", CLEAR,
	.steps = {HELLO,
	    {OFFER("SCRAM-SHA-256"),
		"AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3gw\r\n"},
	    {"334 cj16enoscz1XMjJaYUowU05ZN3NvRXNVRWpiNmdRPT0saT00MDk2\r\n",
		"*\r\n"},
	    {"501 ended\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "does not repeat our nonce")},
    {"a challenge that is not base64", CLEAR,
	.steps = {HELLO, CRAM_EHLO, {"334 hello!\r\n", "*\r\n"},
	    {"501 ended\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "is not base64")},
    {"a challenge of two lines", CLEAR,
	.steps = {HELLO, CRAM_EHLO, {"334-YQ==\r\n334 YQ==\r\n", "*\r\n"},
	    {"501 ended\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "is not base64")},
    {"a challenge without blank", CLEAR,
	.steps = {HELLO, CRAM_EHLO,
	    {"334\r\n", "dGltIDcxMjQzZmY1NzZjNzE0MzM5ZWQzNDE4NTAwZGFkYTIx\r\n"},
	    ATRN_SENT, {"250 ok\r\n", ""}},
	TURNS},
    {"the line goes after a cancelled exchange", CLEAR,
	.steps = {HELLO, CRAM_EHLO, {"334 hello!\r\n", "*\r\n"}, {NULL, ""}},
	FAILS(ERROR_PROTOCOL, "is not base64")},
    {"250 to AUTH", CLEAR,
	.steps = {HELLO, CRAM_EHLO, {"250 ok\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "250 ok")},
    {"235 to AUTH, with nothing asked", CLEAR,
	.steps = {HELLO, CRAM_EHLO, {"235 ok\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "before the end of CRAM-MD5")},
    {"530 to AUTH", CLEAR,
	.steps = {HELLO, CRAM_EHLO, {"530 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "530 no")},
    {"421 inside AUTH", CLEAR, .steps = {CRAM_IN, {"421 bye\r\n", ""}},
	FAILS(ERROR_AGAIN, "421 bye")},
    {"the line goes inside AUTH", CLEAR, .steps = {CRAM_IN, {NULL, ""}},
	FAILS(ERROR_AGAIN, "before the reply to AUTH")},
    {"235 and 250 in one piece, LF alone", CLEAR, .one_piece = true,
	.steps = {CRAM_IN, {"235 ok\n250 turning\n", ""}},
	FAILS(ERROR_PROTOCOL, "more than the reply to AUTH")},
    {"235 and 250 in one piece", CLEAR, .one_piece = true,
	.steps = {CRAM_IN, {"235 ok\r\n250 turning\r\n", ""}},
	FAILS(ERROR_PROTOCOL, "more than the reply to AUTH")},
    {"two challenges in one piece", CLEAR, .one_piece = true,
	.steps = {HELLO, CRAM_EHLO, {"334 YQ==\r\n334 YQ==\r\n", ""}},
	FAILS(ERROR_PROTOCOL, "more than the reply to AUTH")},

    {"a provider that quotes what it does not know", IMPLICIT,
	.mechanisms = {"LOGIN"},
	.steps = {HELLO, {OFFER("LOGIN"), "AUTH LOGIN\r\n"},
	    {"334 VXNlcm5hbWU6\r\n", "dGlt\r\n"},
	    {"334 UGFzc3dvcmQ6\r\n", "cGVuY2ls\r\n"},
	    {"500-Unknown command: cGVuY2ls\r\n500 Begins: cGVuY2...\r\n",
		"QUIT\r\n"},
	    BYE},
	FAILS(ERROR_AUTH, "500 Unknown command: ******** Begins: ******...")},
    {"a provider that quotes on a line without a code", IMPLICIT,
	.mechanisms = {"PLAIN"},
	.steps = {HELLO, {OFFER("PLAIN"), "AUTH PLAIN AHRpbQBwZW5jaWw=\r\n"},
	    {"What is AHRpbQBwZW5jaWw=?\r\n", ""}},
	FAILS(ERROR_PROTOCOL, "What is ****************?")},
    {"a provider that quotes the password itself, too early", CLEAR,
	.one_piece = true,
	.steps = {CRAM_IN, {"235 ok\r\n250 Not pencil\r\n", ""}},
	FAILS(ERROR_PROTOCOL, "250 Not ******")},
    {"a provider that quotes a password that is not ASCII", IMPLICIT,
	.odd_password = true, .mechanisms = {"CRAM-MD5"},
	.steps = {HELLO, {OFFER("CRAM-MD5"), "AUTH CRAM-MD5\r\n"},
	    {"535 Not p\xc3\xa4ss!\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "535 Not *****!")},
    {"a provider that quotes the token", IMPLICIT, .token = true,
	.steps = {HELLO,
	    {OFFER("XOAUTH2"),
		"AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgcGVuY2lsAQE=\r\n"},
	    {"334 eyJ0b2tlbiI6InBlbmNpbCJ9\r\n", "\r\n"},
	    {"535 no\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AUTH, "{\"token\":\"******\"}: 535 no")},

    /* ATRN. */
    {"450 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"450 4.7.1 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_REFUSED,
	    "(no right to one of the domains, or asked too often): 450 4.7.1"
	    " hm")},
    {"451 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"451 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AGAIN, "the provider refused ATRN: 451 hm")},
    {"454 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"454 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_AGAIN, "454 hm")},
    {"500 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"500 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "500 hm")},
    {"501 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"501 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "501 hm")},
    {"502 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"502 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "502 hm")},
    {"503 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"503 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "503 hm")},
    {"504 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"504 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_UNABLE, "504 hm")},
    {"521 to ATRN", CLEAR, .steps = {LOGGED_IN, {"521 hm\r\n", ""}},
	FAILS(ERROR_UNABLE, "521 hm")},
    {"530 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"530 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_REFUSED, "530 hm")},
    {"550 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"550 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_REFUSED, "550 hm")},
    {"554 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"554 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_REFUSED, "554 hm")},
    {"251 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"251 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "251 hm")},
    {"354 to ATRN", CLEAR,
	.steps = {LOGGED_IN, {"354 hm\r\n", "QUIT\r\n"}, BYE},
	FAILS(ERROR_PROTOCOL, "354 hm")},
    {"421 to ATRN", CLEAR, .steps = {LOGGED_IN, {"421 hm\r\n", ""}},
	FAILS(ERROR_AGAIN, "421 hm")},
    {"the line goes after ATRN", CLEAR, .steps = {LOGGED_IN, {NULL, ""}},
	FAILS(ERROR_AGAIN, "before the reply to ATRN")},
    {"rubbish to ATRN", CLEAR, .steps = {LOGGED_IN, {"ok\r\n", ""}},
	FAILS(ERROR_PROTOCOL, "the reply to ATRN is a line without")},
};

/* A dialogue under way. */
struct play {
	const struct dialogue *dialogue;
	struct customer *customer;
	struct buf heard;
	unsigned done, closed;
};

static const struct customer_binding bound = {
    .type = "tls-exporter", .data = "BINDING", .len = 7};
static const struct customer_binding unbound = {.type = NULL};

static void
shake_hands(struct play *play)
{
	customer_tls_started(
	    play->customer, play->dialogue->no_binding ? &unbound : &bound);
}

static void
hear(struct play *play)
{
	size_t len;
	const char *output = customer_output(play->customer, &len);

	assert_true(buf_append(&play->heard, output, len));
	customer_written(play->customer, len);
}

static void
take_events(struct play *play)
{
	enum customer_event_type event;

	while (customer_next(play->customer, &event)) {
		switch (event) {
		case CUSTOMER_START_TLS:
			hear(play);
			shake_hands(play);
			break;
		case CUSTOMER_DONE:
			play->done++;
			break;
		case CUSTOMER_CLOSE:
			play->closed++;
			break;
		}
		hear(play);
	}
	hear(play);
}

static void
say(struct play *play, const char *text, size_t len, size_t chunk)
{
	for (size_t at = 0; at < len;) {
		size_t room, piece = len - at < chunk ? len - at : chunk;
		char *to = customer_room(play->customer, &room);

		assert_true(room >= piece);
		memcpy(to, text + at, piece);
		customer_filled(play->customer, piece);
		at += piece;
		take_events(play);
	}
}

static void
play_step(struct play *play, const struct step *step, size_t chunk)
{
	if (step->says == NULL) {
		customer_eof(play->customer);
		take_events(play);
	} else {
		say(play, step->says, strlen(step->says), chunk);
	}
	assert_int_equal(buf_len(&play->heard), strlen(step->hears));
	assert_memory_equal(
	    buf_data(&play->heard), step->hears, strlen(step->hears));
	buf_reset(&play->heard);
}

static void
check_outcome(const struct play *play)
{
	const struct dialogue *dialogue = play->dialogue;
	const struct customer_outcome *outcome =
	    customer_outcome(play->customer);
	bool turned = dialogue->result == CUSTOMER_TURNED;

	assert_int_equal(outcome->result, dialogue->result);
	assert_int_equal(outcome->error.class, dialogue->class);
	if (dialogue->error != NULL &&
	    strstr(outcome->error.text, dialogue->error) == NULL)
		fail_msg("%s", outcome->error.text);
	if (dialogue->mechanism != NULL)
		assert_string_equal(outcome->mechanism, dialogue->mechanism);
	assert_int_equal(outcome->downgraded_from == NULL,
	    dialogue->downgraded_from == NULL);
	if (dialogue->downgraded_from != NULL)
		assert_string_equal(
		    outcome->downgraded_from, dialogue->downgraded_from);
	assert_int_equal(play->done, 1);
	assert_int_equal(play->closed, turned ? 0 : 1);
	if (turned || dialogue->result == CUSTOMER_NO_MAIL)
		assert_true(outcome->logged_in);
	assert_int_equal(outcome->refused_450, outcome->reply.code == 450);
}

/* Neither a secret nor what could be turned back into one. */
static void
check_transcript(const struct transcript *transcript)
{
	static const char *const secrets[] = {PASSWORD, "cGVuY2ls", "dGlt",
	    "AHRpb",
	    "Yz1iaXdzLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4MFNFUlZFUixwPTJ1Q0Z5SlQ3ZFk5Ky9PR256RFl0WVlWMkNmMi9CUVR1Q1VFdGZQVGxYUEk9",
	    "biws"};
	size_t len = buf_len(&transcript->lines);
	const char *text = buf_data(&transcript->lines);

	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		assert_null(memmem(text, len, secrets[i], strlen(secrets[i])));
}

static void
play_dialogue(const struct dialogue *dialogue, size_t chunk)
{
	const char *odd = "p\xc3\xa4ss";
	struct play play = {.dialogue = dialogue};
	struct secret secret = {.text = NULL};
	struct transcript transcript;
	struct customer_options options = {
	    .hostname = "me.example",
	    .tls = dialogue->tls,
	    .host = "odmr.example.net",
	    .port = 366,
	    .user = "tim",
	    .password = dialogue->token ? NULL : &secret,
	    .token = dialogue->token ? &secret : NULL,
	    .certificate = true,
	    .mechanisms =
		dialogue->mechanisms[0] == NULL ? NULL : dialogue->mechanisms,
	    .random = RANDOM,
	    .best_before = dialogue->best_before,
	    .refuse_downgrade = dialogue->refuse_downgrade,
	    .domains = "example.org,example.com",
	    .check_only = dialogue->check_only,
	    .transcript = &transcript,
	};

	if (dialogue->odd_password)
		secret_set(&secret, odd, strlen(odd));
	else
		secret_set(&secret, PASSWORD, strlen(PASSWORD));
	transcript_init(&transcript, "provider", true);
	buf_init(&play.heard, 65536);
	play.customer = customer_new(&options);
	if (dialogue->tls == CUSTOMER_IMPLICIT)
		shake_hands(&play);
	for (const struct step *step = dialogue->steps; step->hears != NULL;
	     step++)
		play_step(&play, step, chunk);
	check_outcome(&play);
	check_transcript(&transcript);
	customer_free(play.customer);
	buf_clear(&play.heard);
	transcript_clear(&transcript);
	secret_clear(&secret);
}

static size_t
longest_step(const struct dialogue *dialogue)
{
	size_t longest = 1;

	for (const struct step *step = dialogue->steps; step->hears != NULL;
	     step++)
		if (step->says != NULL && strlen(step->says) > longest)
			longest = strlen(step->says);
	return longest;
}

static void
test_dialogues(void **state)
{
	/* The builds that are fast try each size. */
	const size_t stride = effort_of(13, 1, 1);

	(void)state;
	for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
		const struct dialogue *dialogue = &dialogues[i];

		print_message("%s\n", dialogue->name);
		play_dialogue(dialogue, ALL_AT_ONCE);
		for (size_t chunk = 1;
		     !dialogue->one_piece && chunk <= longest_step(dialogue);
		     chunk += stride)
			play_dialogue(dialogue, chunk);
	}
}

/* Plays the dialogue "in the clear" up to and with ATRN. */
static void
begin_turn(struct play *play, const struct customer_options *options)
{
	play->dialogue = &dialogues[0];
	buf_init(&play->heard, 65536);
	play->customer = customer_new(options);
	for (size_t i = 0; i < 4; i++)
		play_step(play, &dialogues[0].steps[i], ALL_AT_ONCE);
}

/* Plays a turn with said in pieces of chunk octets; "QUIT" is left over. */
static void
check_rest(
    const struct customer_options *options, const char *said, size_t chunk)
{
	static const char expected[] = "QUIT\r\n";
	struct play play = {.dialogue = NULL};
	size_t len;

	begin_turn(&play, options);
	say(&play, said, strlen(said), chunk);
	assert_int_equal(
	    customer_outcome(play.customer)->result, CUSTOMER_TURNED);
	const char *rest = customer_rest(play.customer, &len);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(rest, expected, len);
	customer_free(play.customer);
	buf_clear(&play.heard);
}

/* Octets behind the 250 are the receiver's, wherever the line is cut. */
static void
test_rest(void **state)
{
	static const char *const said[] = {
	    "250-turning\r\n250 now\r\nQUIT\r\n",
	    "250-turning\n250 now\nQUIT\r\n",
	    "250-turning\r\n250 now\nQUIT\r\n",
	};
	struct secret secret = {.text = NULL};
	struct transcript transcript;
	struct customer_options options = {
	    .hostname = "me.example",
	    .tls = CUSTOMER_CLEAR,
	    .user = "tim",
	    .password = &secret,
	    .random = RANDOM,
	    .domains = "example.org,example.com",
	    .transcript = &transcript,
	};

	(void)state;
	secret_set(&secret, PASSWORD, strlen(PASSWORD));
	transcript_init(&transcript, "provider", false);
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		for (size_t chunk = 1; chunk <= strlen(said[i]); chunk++)
			check_rest(&options, said[i], chunk);
	transcript_clear(&transcript);
	secret_clear(&secret);
}

/* A response that makes AUTH too long waits for an empty challenge. */
static void
test_long_response(void **state)
{
	/* By the length of the token: what fits, what waits, what never does */
	static const size_t lengths[] = {300, 340, 400, 8192, 9300};
	static const bool waits[] = {false, false, true, true, true};

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		const char *mechanisms[] = {"XOAUTH2", NULL};
		struct play play = {.dialogue = &dialogues[0]};
		struct secret token = {.text = NULL};
		struct transcript transcript;
		struct customer_options options = {
		    .hostname = "me.example",
		    .tls = CUSTOMER_IMPLICIT,
		    .host = "h",
		    .user = "tim",
		    .token = &token,
		    .mechanisms = mechanisms,
		    .random = RANDOM,
		    .transcript = &transcript,
		};
		char *text = xmalloc(lengths[i]);

		memset(text, 'x', lengths[i]);
		secret_set(&token, text, lengths[i]);
		free(text);
		transcript_init(&transcript, "provider", false);
		buf_init(&play.heard, 65536);
		play.customer = customer_new(&options);
		shake_hands(&play);
		play_step(&play, &dialogues[0].steps[0], ALL_AT_ONCE);
		say(&play, OFFER("XOAUTH2"), strlen(OFFER("XOAUTH2")), 7);
		if (lengths[i] > SECRET_MAX) {
			assert_int_equal(
			    customer_outcome(play.customer)->error.class,
			    ERROR_CONFIG);
		} else if (waits[i]) {
			assert_int_equal(buf_len(&play.heard), 14);
			buf_reset(&play.heard);
			say(&play, "334 \r\n", 6, 6);
			assert_in_range(
			    buf_len(&play.heard), lengths[i], 12288);
		} else {
			assert_in_range(buf_len(&play.heard), lengths[i], 512);
		}
		customer_free(play.customer);
		buf_clear(&play.heard);
		transcript_clear(&transcript);
		secret_clear(&token);
	}
}

/* Lines of 12288 octets are for AUTH alone. */
static void
test_long_challenge(void **state)
{
	struct secret secret = {.text = NULL};
	struct transcript transcript;
	struct customer_options options = {
	    .hostname = "me.example",
	    .tls = CUSTOMER_CLEAR,
	    .user = "tim",
	    .password = &secret,
	    .random = RANDOM,
	    .transcript = &transcript,
	};
	char line[12289];

	(void)state;
	secret_set(&secret, PASSWORD, strlen(PASSWORD));
	transcript_init(&transcript, "provider", false);
	for (size_t size = 12287; size <= 12289; size++) {
		struct play play = {.dialogue = &dialogues[0]};
		size_t base64 = (size - 6) / 4 * 4;

		memset(line, 'A', sizeof line);
		memcpy(line, "334 ", 4);
		memcpy(line + 4 + base64, "\r\n", 2);
		if (size == 12289) /* one octet too many */
			memset(line + 4, 'A', size - 4);
		buf_init(&play.heard, 65536);
		play.customer = customer_new(&options);
		play_step(&play, &dialogues[0].steps[0], ALL_AT_ONCE);
		play_step(&play, &dialogues[0].steps[1], ALL_AT_ONCE);
		say(&play, line, size == 12289 ? size : base64 + 6, 1000);
		assert_int_equal(customer_outcome(play.customer)->result,
		    size == 12289 ? CUSTOMER_FAILED : CUSTOMER_PENDING);
		customer_free(play.customer);
		buf_clear(&play.heard);
	}
	transcript_clear(&transcript);
	secret_clear(&secret);
}

static void
test_offer(void **state)
{
	static const char said[] =
	    "250-odmr.example.net at your service\r\n250-atrn\r\n"
	    "250-AUTH  PLAIN CRAM-MD5 X\x7fY\r\n250 AUTH=PLAIN LOGIN\r\n";
	struct secret secret = {.text = NULL};
	struct transcript transcript;
	struct customer_options options = {
	    .hostname = "me.example",
	    .tls = CUSTOMER_CLEAR,
	    .user = "tim",
	    .password = &secret,
	    .random = RANDOM,
	    .transcript = &transcript,
	};
	struct play play = {.dialogue = &dialogues[0]};

	(void)state;
	secret_set(&secret, PASSWORD, strlen(PASSWORD));
	transcript_init(&transcript, "provider", false);
	buf_init(&play.heard, 65536);
	play.customer = customer_new(&options);
	play_step(&play, &dialogues[0].steps[0], ALL_AT_ONCE);
	say(&play, said, sizeof said - 1, 3);
	const struct customer_outcome *outcome =
	    customer_outcome(play.customer);
	assert_string_equal(outcome->offer.provider, "odmr.example.net");
	assert_string_equal(
	    outcome->offer.mechanisms, "PLAIN CRAM-MD5 X?Y LOGIN");
	assert_true(outcome->offer.atrn);
	assert_false(outcome->offer.starttls);
	assert_string_equal(outcome->best_offered, "CRAM-MD5");
	assert_string_equal(
	    customer_waits_for(play.customer), "the reply to AUTH");
	customer_free(play.customer);
	buf_clear(&play.heard);
	transcript_clear(&transcript);
	secret_clear(&secret);
}

static void
test_transcript(void **state)
{
	static const char expected[] =
	    "provider < 220 odmr.example.net ESMTP\n"
	    "provider > EHLO me.example\n"
	    "provider < 250-odmr.example.net\n"
	    "provider < 250-ATRN\n"
	    "provider < 250 AUTH CRAM-MD5\n"
	    "provider > AUTH CRAM-MD5\n"
	    "provider < 334 ***\n"
	    "provider > ***\n"
	    "provider < 235 2.7.0 ok\n"
	    "provider > ATRN example.org,example.com\n";
	struct secret secret = {.text = NULL};
	struct transcript transcript;
	struct customer_options options = {
	    .hostname = "me.example",
	    .tls = CUSTOMER_CLEAR,
	    .user = "tim",
	    .password = &secret,
	    .random = RANDOM,
	    .domains = "example.org,example.com",
	    .transcript = &transcript,
	};
	struct play play = {.dialogue = NULL};

	(void)state;
	secret_set(&secret, PASSWORD, strlen(PASSWORD));
	transcript_init(&transcript, "provider", true);
	begin_turn(&play, &options);
	assert_int_equal(buf_len(&transcript.lines), sizeof expected - 1);
	assert_memory_equal(
	    buf_data(&transcript.lines), expected, sizeof expected - 1);
	customer_free(play.customer);
	buf_clear(&play.heard);
	transcript_clear(&transcript);
	secret_clear(&secret);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialogues),
	    cmocka_unit_test(test_rest),
	    cmocka_unit_test(test_long_response),
	    cmocka_unit_test(test_long_challenge),
	    cmocka_unit_test(test_offer),
	    cmocka_unit_test(test_transcript),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
