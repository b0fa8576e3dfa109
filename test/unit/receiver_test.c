/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/transcript.h"
#include "protocol/address.h"
#include "protocol/receiver.h"

/*
 * A driver without I/O: answers each recipient by its local part, and writes
 * down what a delivery would see. a: 250, b: 550, c: 450 at RCPT; d: 550,
 * e: 450 at the end of the text.
 */
struct driver {
	struct receiver *receiver;
	struct transcript transcript;
	struct buf said, seen;
	uint64_t max;
	bool reject, reversed;
	size_t asked[2000], asked_count;
	bool done, closed;
	int refused; /* codes of REFUSAL events, added up */
	unsigned open; /* MAIL events without DONE or ABORT */
};

struct dialogue {
	const char *name, *in, *out, *seen;
	uint64_t max;
	bool reject, dsn;
};

static void note(struct driver *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct driver *d, const char *format, ...)
{
	char line[600];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	assert_true(buf_append(&d->seen, line, strlen(line)));
}

static void
note_value(struct driver *d, const char *name, const char *value)
{
	if (value != NULL)
		note(d, " %s=%s", name, value);
}

static void
note_rcpt(struct driver *d, const struct recipient *rcpt)
{
	note(d, "RCPT <%s>", rcpt->path.mailbox);
	note_value(d, "NOTIFY", rcpt->notify);
	note_value(d, "ORCPT", rcpt->orcpt);
	note(d, "\n");
}

static void
take_event(struct driver *d, const struct receiver_event *event)
{
	const struct envelope *envelope = receiver_envelope(d->receiver);

	switch (event->type) {
	case RECEIVER_MAIL:
		assert_int_equal(d->open, 0);
		d->open = 1;
		note(d, "MAIL <%s>%s%s%s", envelope->sender->mailbox,
		    envelope->eightbit ? " 8" : "", envelope->prdr ? " P" : "",
		    envelope->smtputf8 ? " U" : "");
		note_value(d, "RET", envelope->ret);
		note_value(d, "ENVID", envelope->envid);
		note(d, "\n");
		break;
	case RECEIVER_RCPT:
		note_rcpt(d, envelope->rcpt[event->rcpt]);
		d->asked[d->asked_count++] = event->rcpt;
		break;
	case RECEIVER_TEXT:
		note(d, "TEXT ");
		break;
	case RECEIVER_BODY:
		assert_true(buf_append(&d->seen, event->text, event->len));
		break;
	case RECEIVER_DONE:
		assert_int_equal(d->open, 1);
		d->open = 0;
		note(d, "DONE\n");
		d->done = true;
		break;
	case RECEIVER_REFUSAL:
		d->refused += event->refusal->code;
		assert_true(event->len >= 4);
		break;
	case RECEIVER_ABORT:
		assert_int_equal(d->open, 1);
		d->open = 0;
		note(d, "ABORT");
		if (event->refusal != NULL)
			note(d, " %d", event->refusal->code);
		note(d, "\n");
		break;
	case RECEIVER_CLOSE:
		note(d, "CLOSE %d\n", event->end);
		d->closed = true;
		break;
	}
}

static void
answer(struct driver *d, size_t rcpt, bool at_end)
{
	char kind = receiver_envelope(d->receiver)->rcpt[rcpt]->path.mailbox[0];
	struct status status;

	if (kind == (at_end ? 'd' : 'b'))
		status_set(&status, 550, "5.1.1", "no");
	else if (kind == (at_end ? 'e' : 'c'))
		status_set(&status, 450, "4.2.2", "full");
	else
		status_set(&status, 250, at_end ? "2.0.0" : "2.1.5", "ok");
	receiver_answer(d->receiver, rcpt, &status);
}

static void
give_answers(struct driver *d)
{
	size_t count = d->asked_count;

	if (d->done) {
		d->done = false;
		size_t rcpts = receiver_envelope(d->receiver)->rcpts;
		size_t todo[2000], todos = 0;
		for (size_t i = 0; i < rcpts; i++)
			if (receiver_accepted(d->receiver, i))
				todo[todos++] = i;
		for (size_t i = 0; i < todos; i++)
			answer(d, todo[d->reversed ? todos - 1 - i : i], true);
		return;
	}
	assert_true(count > 0);
	d->asked_count = 0;
	for (size_t i = 0; i < count; i++)
		answer(d, d->asked[d->reversed ? count - 1 - i : i], false);
}

static void
run_engine(struct driver *d)
{
	struct receiver_event event;

	for (;;) {
		size_t len;
		while (receiver_next(d->receiver, &event))
			take_event(d, &event);
		if (receiver_wants_answers(d->receiver)) {
			give_answers(d);
			continue;
		}
		const char *out = receiver_output(d->receiver, &len);
		if (len == 0)
			return;
		assert_true(buf_append(&d->said, out, len));
		receiver_written(d->receiver, len);
	}
}

static void
feed(struct driver *d, const char *in, size_t len, size_t step)
{
	for (size_t at = 0; at < len && !d->closed;) {
		size_t room, chunk = len - at < step ? len - at : step;
		char *to = receiver_room(d->receiver, &room);
		assert_true(room > 0);
		if (chunk > room)
			chunk = room;
		memcpy(to, in + at, chunk);
		receiver_filled(d->receiver, chunk);
		at += chunk;
		run_engine(d);
	}
}

static void
feed_text(struct driver *d, const char *text)
{
	feed(d, text, strlen(text), strlen(text));
}

static void
driver_open_with(struct driver *d, uint64_t max, bool reject, bool dsn)
{
	*d = (struct driver){.max = max};
	transcript_init(&d->transcript, "provider", false);
	struct receiver_options options = {
	    .hostname = "mail.example.org",
	    .size_max = max,
	    .dsn = dsn,
	    .newline = reject ? RECEIVER_REJECT : RECEIVER_NORMALIZE,
	    .postmaster_domain = "example.org",
	    .transcript = &d->transcript,
	};
	buf_init(&d->said, 4 << 20);
	buf_init(&d->seen, 4 << 20);
	d->receiver = receiver_new(&options);
	run_engine(d);
}

static void
driver_open(struct driver *d, uint64_t max, bool reject)
{
	driver_open_with(d, max, reject, false);
}

static void
driver_close(struct driver *d)
{
	receiver_eof(d->receiver);
	run_engine(d);
	assert_int_equal(d->open, 0);
	assert_true(d->closed);
	receiver_free(d->receiver);
	buf_clear(&d->said);
	buf_clear(&d->seen);
	transcript_clear(&d->transcript);
}

static void
expect(
    const char *name, const char *what, const struct buf *got, const char *want)
{
	if (buf_len(got) != strlen(want) ||
	    memcmp(buf_data(got), want, buf_len(got)) != 0)
		fail_msg("%s, %s:\n%.*s\nwanted:\n%s", name, what,
		    (int)buf_len(got), buf_data(got), want);
}

#define GREETING "220 mail.example.org ESMTP\r\n"
#define HELLO                                                                  \
	"250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 5000\r\n"          \
	"250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n"          \
	"250-SMTPUTF8\r\n250-LIMITS RCPTMAX=1000\r\n250 PRDR\r\n"
#define DSN_HELLO                                                              \
	"250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 5000\r\n"          \
	"250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n"          \
	"250-SMTPUTF8\r\n250-DSN\r\n250-LIMITS RCPTMAX=1000\r\n250 PRDR\r\n"
#define BAD(name) "501 5.5.4 Bad or repeated parameter: " name "\r\n"
#define NOT(name) "555 5.5.4 Parameter not supported: " name "\r\n"
#define X10       "xxxxxxxxxx"
#define X100      X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X490      X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define MAIL_OK   "250 2.1.0 Ok\r\n"
#define RCPT_OK   "250 2.1.5 ok\r\n"
#define GO_ON     "354 End data with <CR><LF>.<CR><LF>\r\n"
#define OK        "250 2.0.0 ok\r\n"
#define RSET_OK   "250 2.0.0 Ok\r\n"
#define BYE       "221 2.0.0 Bye\r\n"
#define QUITS     "CLOSE 1\n"
#define START     "EHLO p\r\n"
#define OPEN      "MAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\n"
#define OPENED    MAIL_OK RCPT_OK
#define SEEN      "MAIL <s@x>\nRCPT <a@y>\n"
#define R1        "RECEIVED: x\r\n x\r\n"
#define R4        R1 R1 R1 R1
#define R16       R4 R4 R4 R4
#define R96       R16 R16 R16 R16 R16 R16
#define OWN                                                                    \
	"Received: from p ([192.0.2.1])\r\n\tby Mail.Example.org\r\n"          \
	" (odmr-agent) with ESMTP\r\n"

static const struct dialogue dialogues[] = {
    {"QUIT before EHLO", "QUIT\r\n", BYE, QUITS},
    {"one message", START OPEN "DATA\r\nSubject: x\r\n\r\n..a\r\n.\r\nQUIT\r\n",
	HELLO OPENED GO_ON OK BYE,
	SEEN "TEXT Subject: x\r\n\r\n.a\r\nDONE\n" QUITS},
    {"two messages, the second with BDAT",
	START OPEN "DATA\r\na\r\n.\r\n" OPEN
		   "BDAT 3\r\nb\r\nBDAT 1 last\r\ncQUIT\r\n",
	HELLO OPENED GO_ON OK OPENED "250 2.0.0 3 octets received\r\n" OK BYE,
	SEEN "TEXT a\r\nDONE\n" SEEN "TEXT b\r\nc\r\nDONE\n" QUITS},
    {"all in one, every recipient refused, commands behind",
	START "MAIL FROM:<s@x>\r\nRCPT TO:<b1@y>\r\nRCPT TO:<c1@y>\r\n"
	      "DATA\r\nRSET\r\nQUIT\r\n",
	HELLO MAIL_OK "550 5.1.1 no\r\n450 4.2.2 full\r\n"
		      "503 5.5.1 No valid recipients\r\n" RSET_OK BYE,
	"MAIL <s@x>\nRCPT <b1@y>\nRCPT <c1@y>\nABORT\n" QUITS},
    {"BDAT without recipients is swallowed",
	START "MAIL FROM:<s@x>\r\nRCPT TO:<b1@y>\r\nBDAT 6 LAST\r\n"
	      "QUIT\r\nRSET\r\nBDAT 6\r\nQUIT\r\nQUIT\r\n",
	HELLO MAIL_OK
	"550 5.1.1 no\r\n503 5.5.1 No valid recipients\r\n" RSET_OK
	"503 5.5.1 MAIL first\r\n" BYE,
	"MAIL <s@x>\nRCPT <b1@y>\nABORT\n" QUITS},
    {"empty messages",
	START OPEN "DATA\r\n.\r\n" OPEN "BDAT 0 LAST\r\nQUIT\r\n",
	HELLO OPENED GO_ON OK OPENED OK BYE,
	SEEN "TEXT DONE\n" SEEN "TEXT DONE\n" QUITS},
    {"answers keep their order, faults among them",
	START "MAIL FROM:<>\r\nRCPT TO:<a1@y>\r\nRCPT TO:<bad\r\n"
	      "RCPT TO:<b2@y>\r\nRCPT TO:<a3@y> NOTIFY=NEVER\r\n"
	      "RCPT TO:<a4@y>\r\nQUIT\r\n",
	HELLO MAIL_OK RCPT_OK
	"501 5.1.3 Bad address syntax\r\n550 5.1.1 no\r\n"
	"555 5.5.4 Parameter not supported: NOTIFY\r\n" RCPT_OK BYE,
	"MAIL <>\nRCPT <a1@y>\nRCPT <b2@y>\nRCPT <a4@y>\nABORT\n" QUITS},
    {"PRDR",
	START "MAIL FROM:<s@x> PRDR BODY=8BITMIME SIZE=9\r\nRCPT TO:<a1@y>\r\n"
	      "RCPT TO:<b1@y>\r\nRCPT TO:<d1@y>\r\nRCPT TO:<e1@y>\r\n"
	      "DATA\r\n.\r\nQUIT\r\n",
	HELLO MAIL_OK RCPT_OK "550 5.1.1 no\r\n" RCPT_OK RCPT_OK GO_ON
			      "353 One reply for each recipient\r\n" OK
			      "550 5.1.1 no\r\n450 4.2.2 full\r\n" OK BYE,
	"MAIL <s@x> 8 P\nRCPT <a1@y>\nRCPT <b1@y>\nRCPT <d1@y>\nRCPT <e1@y>\n"
	"TEXT DONE\n" QUITS},
    {"PRDR with one recipient left",
	START "MAIL FROM:<s@x> PRDR\r\nRCPT TO:<d1@y>\r\nDATA\r\n.\r\nQUIT\r\n",
	HELLO MAIL_OK RCPT_OK GO_ON "550 5.1.1 no\r\n" BYE,
	"MAIL <s@x> P\nRCPT <d1@y>\nTEXT DONE\n" QUITS},
    {"PRDR, none taken",
	START "MAIL FROM:<s@x> PRDR\r\nRCPT TO:<d1@y>\r\nRCPT TO:<e1@y>\r\n"
	      "DATA\r\n.\r\nQUIT\r\n",
	HELLO MAIL_OK RCPT_OK RCPT_OK GO_ON
	"353 One reply for each recipient\r\n550 5.1.1 no\r\n"
	"450 4.2.2 full\r\n450 4.2.2 full\r\n" BYE,
	"MAIL <s@x> P\nRCPT <d1@y>\nRCPT <e1@y>\nTEXT DONE\n" QUITS},
    {"mixed outcomes without PRDR",
	START "MAIL FROM:<s@x>\r\nRCPT TO:<a1@y>\r\nRCPT TO:<d1@y>\r\n"
	      "DATA\r\n.\r\nMAIL FROM:<s@x>\r\nRCPT TO:<d1@y>\r\n"
	      "RCPT TO:<e1@y>\r\nDATA\r\n.\r\nQUIT\r\n",
	HELLO MAIL_OK RCPT_OK RCPT_OK GO_ON
	"550 5.1.1 no\r\n" MAIL_OK RCPT_OK RCPT_OK GO_ON
	"450 4.2.2 full\r\n" BYE,
	"MAIL <s@x>\nRCPT <a1@y>\nRCPT <d1@y>\nTEXT DONE\n"
	"MAIL <s@x>\nRCPT <d1@y>\nRCPT <e1@y>\nTEXT DONE\n" QUITS},
    {"postmaster", START "MAIL FROM:<>\r\nRCPT TO:<PostMaster>\r\nQUIT\r\n",
	HELLO MAIL_OK RCPT_OK BYE,
	"MAIL <>\nRCPT <PostMaster@example.org>\nABORT\n" QUITS},
    {"spaces as in RFC 2645",
	START "mail from: <s@x>\r\nrcpt to:\t<a@y> \r\nQUIT\r\n",
	HELLO OPENED BYE, SEEN "ABORT\n" QUITS},
    {"order",
	"MAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\nDATA\r\nEHLO p\r\nRCPT TO:<a@y>\r\n"
	"MAIL FROM:<s@x>\r\nMAIL FROM:<t@x>\r\nRSET\r\nDATA\r\nQUIT\r\n",
	"503 5.5.1 EHLO first\r\n503 5.5.1 MAIL first\r\n"
	"503 5.5.1 MAIL first\r\n" HELLO
	"503 5.5.1 MAIL first\r\n" MAIL_OK MAIL_OK RSET_OK
	"503 5.5.1 MAIL first\r\n" BYE,
	"MAIL <s@x>\nABORT\nMAIL <t@x>\nABORT\n" QUITS},
    {"MAIL inside a transaction begins another",
	START OPEN
	"MAIL FROM:<t@x>\r\nRCPT TO:<a2@y>\r\nDATA\r\nt\r\n.\r\nQUIT\r\n",
	HELLO OPENED MAIL_OK RCPT_OK GO_ON OK BYE,
	SEEN "ABORT\nMAIL <t@x>\nRCPT <a2@y>\nTEXT t\r\nDONE\n" QUITS},
    {"MAIL after DATA without a valid recipient begins another",
	START "MAIL FROM:<s@x>\r\nRCPT TO:<b1@y>\r\nDATA\r\n" OPEN "QUIT\r\n",
	HELLO MAIL_OK
	"550 5.1.1 no\r\n503 5.5.1 No valid recipients\r\n" OPENED BYE,
	"MAIL <s@x>\nRCPT <b1@y>\nABORT\n" SEEN "ABORT\n" QUITS},
    {"MAIL amid the chunks of a message begins another",
	START OPEN "BDAT 1\r\nxMAIL FROM:<t@x>\r\nRCPT TO:<a2@y>\r\n"
		   "BDAT 1 LAST\r\ntQUIT\r\n",
	HELLO OPENED "250 2.0.0 1 octets received\r\n" MAIL_OK RCPT_OK OK BYE,
	SEEN "TEXT xABORT\nMAIL <t@x>\nRCPT <a2@y>\nTEXT t\r\nDONE\n" QUITS},
    {"no RCPT behind a malformed MAIL joins the transaction before",
	START OPEN "MAIL FROM:<t@>\r\nRCPT TO:<a2@y>\r\nDATA\r\nQUIT\r\n",
	HELLO OPENED "501 5.1.7 Bad address syntax\r\n"
		     "503 5.5.1 MAIL first\r\n503 5.5.1 MAIL first\r\n" BYE,
	SEEN "ABORT\n" QUITS},
    {"no RCPT behind a MAIL that is too big joins the transaction before",
	START OPEN "MAIL FROM:<t@x> SIZE=99999\r\nRCPT TO:<a2@y>\r\nDATA\r\n"
		   "QUIT\r\n",
	HELLO OPENED "552 5.3.4 Message too big\r\n"
		     "503 5.5.1 MAIL first\r\n503 5.5.1 MAIL first\r\n" BYE,
	SEEN "ABORT\n" QUITS},
    {"BDAT and DATA do not mix",
	START OPEN "BDAT 1\r\nxDATA\r\nRCPT TO:<a2@y>\r\nRSET\r\nQUIT\r\n",
	HELLO OPENED "250 2.0.0 1 octets received\r\n"
		     "503 5.5.1 BDAT has begun this message\r\n"
		     "503 5.5.1 The message data has begun\r\n" RSET_OK BYE,
	SEEN "TEXT xABORT\n" QUITS},
    {"EHLO resets", START OPEN "HELO q\r\nDATA\r\nQUIT\r\n",
	HELLO OPENED "250 mail.example.org\r\n503 5.5.1 MAIL first\r\n" BYE,
	SEEN "ABORT\n" QUITS},
    {"EOF in a message", START OPEN "DATA\r\nhalf a mess", HELLO OPENED GO_ON,
	SEEN "TEXT half a messABORT\nCLOSE 2\n"},
    {"EOF behind the last dot's CR", START OPEN "DATA\r\na\r\n.\r",
	HELLO OPENED GO_ON, SEEN "TEXT a\r\nABORT\nCLOSE 2\n"},
    {"EOF in a chunk", START OPEN "BDAT 3 LAST\r\nab", HELLO OPENED,
	SEEN "TEXT abABORT\nCLOSE 2\n"},
    {"EOF at once", "", "", "CLOSE 2\n"},
    {"too big by SIZE=",
	START "MAIL FROM:<s@x> SIZE=5001\r\n"
	      "MAIL FROM:<s@x> SIZE=99999999999999999999\r\n"
	      "MAIL FROM:<s@x> SIZE=5000\r\nQUIT\r\n",
	HELLO
	"552 5.3.4 Message too big\r\n552 5.3.4 Message too big\r\n" MAIL_OK
	    BYE,
	"MAIL <s@x>\nABORT\n" QUITS},
    {"too big by count",
	START OPEN "DATA\r\n0123456789\r\n.\r\n" OPEN
		   "BDAT 5\r\n01234BDAT 5\r\n56789BDAT 1 LAST\r\n0" OPEN
		   "QUIT\r\n",
	"250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 9\r\n"
	"250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n"
	"250-SMTPUTF8\r\n250-LIMITS RCPTMAX=1000\r\n250 PRDR\r\n" OPENED GO_ON
	"552 5.3.4 Message too big\r\n" OPENED
	"250 2.0.0 5 octets received\r\n552 5.3.4 Message too big\r\n"
	"552 5.3.4 Message too big\r\n" OPENED BYE,
	NULL, 9},
    {"lone LF is made a line end",
	START OPEN "DATA\r\na\n.\nb\r\n.\r\nQUIT\r\n",
	HELLO OPENED GO_ON OK BYE, SEEN "TEXT a\r\n.\r\nb\r\nDONE\n" QUITS},
    {"BDAT that ends in a lone LF gives what DATA gives",
	START OPEN "BDAT 2 LAST\r\na\n" OPEN "BDAT 1\r\naBDAT 1 LAST\r\n\n" OPEN
		   "DATA\r\na\r\n.\r\nQUIT\r\n",
	HELLO OPENED OK OPENED
	"250 2.0.0 1 octets received\r\n" OK OPENED GO_ON OK BYE,
	SEEN "TEXT a\r\nDONE\n" SEEN "TEXT a\r\nDONE\n" SEEN
	     "TEXT a\r\nDONE\n" QUITS},
    {"the lone LF at the end of BDAT is refused as any other",
	START OPEN "BDAT 2 LAST\r\na\nQUIT\r\n",
	HELLO OPENED "550 5.5.2 Lone CR, lone LF or NUL in the message\r\n" BYE,
	SEEN "TEXT a\r\nABORT 550\n" QUITS, .reject = true},
    {"lone LF is refused", START OPEN "DATA\r\na\n.\n\r\n.\r\nQUIT\r\n",
	HELLO OPENED GO_ON
	"550 5.5.2 Lone CR, lone LF or NUL in the message\r\n" BYE,
	SEEN "TEXT a\r\n.\r\n\r\nABORT 550\n" QUITS, .reject = true},
    {"lone LF in a command", START "NOOP\nMAIL FROM:<s@x>\r\nQUIT\r\n",
	HELLO "500 5.5.2 Lone CR, lone LF or NUL in a command\r\n" BYE, QUITS},
    {"99 Received fields pass",
	START OPEN "DATA\r\n" R96 "Received:a\r\nreceived:b\r\nX: Received:\r\n"
		   "Received-SPF: x\r\nReceived:c\r\n\r\nReceived: d\r\n"
		   ".\r\nQUIT\r\n",
	HELLO OPENED GO_ON OK BYE, NULL},
    {"100 Received fields do not",
	START OPEN "DATA\r\n" R96 R4 "\r\n.\r\nQUIT\r\n",
	HELLO OPENED GO_ON "554 5.4.6 Too many Received fields\r\n" BYE, NULL},
    {"four of our own pass",
	START OPEN "DATA\r\n" OWN OWN OWN OWN "Subject: by mail.example.org "
		   "(odmr-agent)\r\n\r\n" OWN ".\r\nQUIT\r\n",
	HELLO OPENED GO_ON OK BYE, NULL},
    {"five of our own are a loop",
	START OPEN "DATA\r\n" OWN OWN OWN OWN OWN "\r\n.\r\nQUIT\r\n",
	HELLO OPENED GO_ON
	"451 4.4.6 Mail loop: this message came through here before\r\n" BYE,
	NULL},
    {"what is not offered",
	START "STARTTLS\r\nAUTH PLAIN x\r\nETRN x\r\nATRN\r\nTURN\r\nEXPN x\r\n"
	      "XYZZY\r\nVRFY x\r\nNOOP x\r\nHELP\r\nQUIT\r\n",
	HELLO
	"502 5.5.1 Command not implemented\r\n"
	"502 5.5.1 Command not implemented\r\n"
	"502 5.5.1 Command not implemented\r\n"
	"502 5.5.1 Command not implemented\r\n"
	"502 5.5.1 Command not implemented\r\n"
	"502 5.5.1 Command not implemented\r\n"
	"500 5.5.1 Command unknown\r\n252 2.5.0 Cannot verify, but will accept the message\r\n" RSET_OK
	"214 2.0.0 See RFC 5321\r\n" BYE,
	QUITS},
    {"parameters of MAIL",
	START
	"MAIL FROM:<s@x> SMTPUTF8=1\r\nMAIL FROM:<s@x> BODY=BINARYMIME\r\n"
	"MAIL FROM:<s@x> RET=FULL\r\nMAIL FROM:<s@x> SIZE=\r\n"
	"MAIL FROM:<s@x> SIZE=1x\r\nMAIL FROM:<s@x> SIZE=1 size=1\r\n"
	"MAIL FROM:<s@x> BODY=9BIT\r\nMAIL FROM:<s@x> AUTH\r\n"
	"MAIL FROM:<s@x> PRDR=1\r\nMAIL FROM:<s@x>SIZE=1\r\n"
	"MAIL FROM:s@x>\r\n"
	"MAIL FROM:<s@x> AUTH=<> BODY=7BIT\r\nQUIT\r\n",
	HELLO
	"501 5.5.4 Bad or repeated parameter: SMTPUTF8\r\n"
	"555 5.5.4 Parameter not supported: BODY\r\n"
	"555 5.5.4 Parameter not supported: RET\r\n"
	"501 5.5.4 Bad or repeated parameter: SIZE\r\n"
	"501 5.5.4 Bad or repeated parameter: SIZE\r\n"
	"501 5.5.4 Bad or repeated parameter: size\r\n"
	"501 5.5.4 Bad or repeated parameter: BODY\r\n"
	"501 5.5.4 Bad or repeated parameter: AUTH\r\n"
	"501 5.5.4 Bad or repeated parameter: PRDR\r\n"
	"501 5.1.7 Bad address syntax\r\n501 5.1.7 Bad address syntax\r\n" MAIL_OK
	    BYE,
	"MAIL <s@x>\nABORT\n" QUITS},
    {"AUTH= means nothing here, whatever it says",
	START "MAIL FROM:<s@x> AUTH=\r\nRSET\r\nMAIL FROM:<s@x> AUTH=a+3 SIZE=1"
	      "\r\nRSET\r\nMAIL FROM:<s@x> AUTH=a=b@c\r\nQUIT\r\n",
	HELLO MAIL_OK RSET_OK MAIL_OK RSET_OK MAIL_OK BYE, NULL},
    {"senders as hosts and carriers have them",
	START "MAIL FROM:<root>\r\nRSET\r\nMAIL FROM:root\r\nRSET\r\n"
	      "MAIL FROM:s@x SIZE=1\r\nRSET\r\nMAIL FROM:<a..b.@x.>\r\nQUIT"
	      "\r\n",
	HELLO MAIL_OK RSET_OK MAIL_OK RSET_OK MAIL_OK RSET_OK MAIL_OK BYE,
	"MAIL <root>\nABORT\nMAIL <root>\nABORT\nMAIL <s@x>\nABORT\n"
	"MAIL <a..b.@x>\nABORT\n" QUITS},
    {"recipients as providers write them",
	START "MAIL FROM:<>\r\nRCPT TO:a1@y\r\nRCPT TO:<a..2.@y.>\r\n"
	      "RCPT TO: a3@y. \r\nRCPT TO:postmaster\r\nRCPT TO:<a4>\r\n"
	      "QUIT\r\n",
	HELLO MAIL_OK RCPT_OK RCPT_OK RCPT_OK RCPT_OK
	"501 5.1.3 A recipient needs a domain\r\n" BYE,
	"MAIL <>\nRCPT <a1@y>\nRCPT <a..2.@y>\nRCPT <a3@y>\n"
	"RCPT <postmaster@example.org>\nABORT\n" QUITS},
    {"a BDAT whose length is unknown ends the session",
	START OPEN "BDAT 99999999999999999999\r\nMAIL FROM:<evil@x>\r\n",
	HELLO OPENED "501 5.5.4 Syntax: BDAT octets [LAST]\r\n",
	SEEN "ABORT\nCLOSE 4\n"},
    {"beyond ASCII",
	START "MAIL FROM:<\xc3\xa4@x> SMTPUTF8 BODY=8BITMIME\r\n"
	      "RCPT TO:<a1@\xc3\xa4>\r\nRCPT TO:<\xc3\xa4@y>\r\n"
	      "RCPT TO:<b\xc3@y>\r\nRCPT TO:<b\xef\xbc\xa0@y>\r\nQUIT\r\n",
	HELLO MAIL_OK RCPT_OK RCPT_OK
	"553 5.6.7 Bad UTF-8, or a character not accepted in an address\r\n"
	"553 5.6.7 Bad UTF-8, or a character not accepted in an address\r\n" BYE,
	"MAIL <\xc3\xa4@x> 8 U\nRCPT <a1@\xc3\xa4>\nRCPT <\xc3\xa4@y>\n"
	"ABORT\n" QUITS},
    {"beyond ASCII, where MAIL did not say so",
	START "MAIL FROM:<\xc3\xa4@x>\r\nMAIL FROM:<>\r\n"
	      "RCPT TO:<a@\xc3\xa4>\r\nRCPT TO:<>\r\nQUIT\r\n",
	HELLO "553 5.6.7 An address beyond ASCII needs SMTPUTF8\r\n" MAIL_OK
	      "553 5.6.7 An address beyond ASCII needs SMTPUTF8\r\n"
	      "501 5.1.3 A recipient is needed\r\n" BYE,
	"MAIL <>\nABORT\n" QUITS},
    {"DSN is handed on octet for octet",
	START "MAIL FROM:<s@x> SIZE=9 ret=hdrs ENVID=QQ+3D1\r\n"
	      "RCPT TO:<a1@y> ORCPT=RFC822;a+2Bb@y notify=Delay,Success\r\n"
	      "RCPT TO:<a2@y> NOTIFY=NEVER\r\nRCPT TO:<a3@y>\r\nRSET\r\n"
	      "MAIL FROM:<s@x>\r\nRCPT TO:<a4@y>\r\nQUIT\r\n",
	DSN_HELLO MAIL_OK RCPT_OK RCPT_OK RCPT_OK RSET_OK MAIL_OK RCPT_OK BYE,
	"MAIL <s@x> RET=hdrs ENVID=QQ+3D1\n"
	"RCPT <a1@y> NOTIFY=Delay,Success ORCPT=RFC822;a+2Bb@y\n"
	"RCPT <a2@y> NOTIFY=NEVER\nRCPT <a3@y>\nABORT\n"
	"MAIL <s@x>\nRCPT <a4@y>\nABORT\n" QUITS,
	.dsn = true},
    {"DSN that says nothing clear",
	START "MAIL FROM:<s@x> RET=ALL\r\nMAIL FROM:<s@x> RET\r\n"
	      "MAIL FROM:<s@x> RET=FULL RET=FULL\r\nMAIL FROM:<s@x> ENVID\r\n"
	      "MAIL FROM:<s@x> NOTIFY=NEVER\r\nMAIL FROM:<s@x>\r\n"
	      "RCPT TO:<a@y> NOTIFY=NEVER,DELAY\r\nRCPT TO:<a@y> NOTIFY=\r\n"
	      "RCPT TO:<a@y> NOTIFY=DELAY NOTIFY=DELAY\r\n"
	      "RCPT TO:<a@y> ORCPT\r\nRCPT TO:<a@y> ORCPT=a;b ORCPT=a;b\r\n"
	      "RCPT TO:<a@y> RET=FULL\r\nQUIT\r\n",
	DSN_HELLO BAD("RET") BAD("RET") BAD("RET") BAD("ENVID") NOT("NOTIFY")
	    MAIL_OK BAD("NOTIFY") BAD("NOTIFY") BAD("NOTIFY") BAD("ORCPT")
		BAD("ORCPT") NOT("RET") BYE,
	"MAIL <s@x>\nABORT\n" QUITS, .dsn = true},
    {"an ORCPT or ENVID that is malformed keeps no mail away",
	START "MAIL FROM:<s@x> ENVID=" X100 "\r\n"
	      "MAIL FROM:<s@x> ENVID=" X100 "x RET=FULL\r\n"
	      "RCPT TO:<a1@y> ORCPT=rfc822;m+C3+BCller@y NOTIFY=NEVER\r\n"
	      "RCPT TO:<a2@y> ORCPT=utf-8;\xc3\xa4@y\r\n"
	      "RCPT TO:<a3@y> ORCPT=rfc822;" X490 "xxxx\r\n"
	      "RCPT TO:<a4@y> ORCPT=rfc822;" X490 "xxx\r\nQUIT\r\n",
	DSN_HELLO MAIL_OK MAIL_OK RCPT_OK RCPT_OK RCPT_OK RCPT_OK BYE,
	"MAIL <s@x> ENVID=" X100 "\nABORT\nMAIL <s@x> RET=FULL\n"
	"RCPT <a1@y> NOTIFY=NEVER\nRCPT <a2@y>\nRCPT <a3@y>\n"
	"RCPT <a4@y> ORCPT=rfc822;" X490 "xxx\nABORT\n" QUITS,
	.dsn = true},
    {"ORCPT beyond ASCII with SMTPUTF8",
	START "MAIL FROM:<s@x> SMTPUTF8\r\n"
	      "RCPT TO:<a1@y> ORCPT=utf-8;\xc3\xa4@y\r\nQUIT\r\n",
	DSN_HELLO MAIL_OK RCPT_OK BYE,
	"MAIL <s@x> U\nRCPT <a1@y> ORCPT=utf-8;\xc3\xa4@y\nABORT\n" QUITS,
	.dsn = true},
    {"DSN where it is not offered",
	START "MAIL FROM:<s@x> ENVID=1 RET=FULL\r\nMAIL FROM:<s@x>\r\n"
	      "RCPT TO:<a@y> ORCPT=rfc822;a@y NOTIFY=NEVER\r\n"
	      "RCPT TO:<a@y>\r\nQUIT\r\n",
	HELLO NOT("ENVID") MAIL_OK NOT("ORCPT") RCPT_OK BYE,
	SEEN "ABORT\n" QUITS},
};

static void
run_dialogue(const struct dialogue *dialogue, size_t step, bool reversed)
{
	struct driver d;
	char want[8000];

	driver_open_with(&d, dialogue->max != 0 ? dialogue->max : 5000,
	    dialogue->reject, dialogue->dsn);
	d.reversed = reversed;
	feed(&d, dialogue->in, strlen(dialogue->in), step);
	if (!d.closed) {
		receiver_eof(d.receiver);
		run_engine(&d);
	}
	snprintf(want, sizeof want, "%s%s", GREETING, dialogue->out);
	expect(dialogue->name, "said", &d.said, want);
	if (dialogue->seen != NULL)
		expect(dialogue->name, "seen", &d.seen, dialogue->seen);
	driver_close(&d);
}

static void
test_dialogues_at_every_chunk_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
		size_t len = strlen(dialogues[i].in);
		for (size_t step = 1; step <= len + 1; step++) {
			run_dialogue(&dialogues[i], step, false);
			run_dialogue(&dialogues[i], step, true);
		}
	}
}

/* Deliveries must equal the complete messages of the prefix. */
static void
test_cut_at_every_octet(void **state)
{
	static const char in[] = START OPEN
	    "DATA\r\none\r\n.\r\n" OPEN "BDAT 3\r\ntwoBDAT 2 LAST\r\n\r\n" OPEN
	    "DATA\r\n..three\r\n.\r\nQUIT\r\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof in; cut++) {
		struct driver d;
		unsigned whole = 0, done = 0;

		driver_open(&d, 0, false);
		feed(&d, in, cut, 7);
		receiver_eof(d.receiver);
		run_engine(&d);
		assert_true(buf_append(&d.seen, "", 1));
		const char *seen = buf_data(&d.seen);
		for (const char *at = seen; (at = strstr(at, "DONE")); at++)
			done++;
		whole += cut >= (size_t)(strstr(in, "one\r\n.\r\n") - in) + 8;
		whole += cut >= (size_t)(strstr(in, "LAST") - in) + 8;
		whole += cut >= (size_t)(strstr(in, "three") - in) + 10;
		assert_int_equal(done, whole);
		driver_close(&d);
	}
}

static void
test_a_long_line_is_skipped_once(void **state)
{
	char in[10000];
	struct driver d;

	(void)state;
	for (size_t step = 1; step < 9000; step = step * 3 + 1) {
		memset(in, 'x', sizeof in);
		memcpy(in, "EHLO p\r\n", 8);
		memcpy(in + 9000, "\r\nQUIT\r\n", 8);
		driver_open(&d, 5000, false);
		feed(&d, in, 9008, step);
		expect("long line", "said", &d.said,
		    GREETING HELLO "500 5.5.2 Line too long\r\n" BYE);
		driver_close(&d);
	}
}

/* Whatever is wrong with a MAIL, nothing behind it joins the transaction before. */
static void
test_no_rcpt_behind_a_long_mail_joins_the_transaction_before(void **state)
{
	char in[10000];
	struct driver d;
	static const char head[] = START OPEN "MAIL FROM:<",
			  tail[] = "@x>\r\nRCPT TO:<a2@y>\r\nDATA\r\nQUIT\r\n";

	(void)state;
	for (size_t step = 1; step < 9000; step = step * 3 + 1) {
		memset(in, 'x', sizeof in);
		memcpy(in, head, strlen(head));
		memcpy(in + 9000, tail, strlen(tail));
		driver_open(&d, 5000, false);
		feed(&d, in, 9000 + strlen(tail), step);
		expect("long MAIL", "said", &d.said,
		    GREETING HELLO OPENED
		    "500 5.5.2 Line too long\r\n503 5.5.1 MAIL first\r\n"
		    "503 5.5.1 MAIL first\r\n" BYE);
		expect("long MAIL", "seen", &d.seen, SEEN "ABORT\n" QUITS);
		driver_close(&d);
	}
}

/* What a provider waits for a reply to is answered; what comes behind a lone LF
 * is part of its line, whatever the pieces. */
static void
test_a_command_that_ends_in_lf_is_answered(void **state)
{
	static const char said[] = "500 5.5.2 Lone CR, lone LF or NUL in a "
				   "command\r\n";
	struct driver d;
	char want[1000];

	(void)state;
	driver_open(&d, 5000, false);
	feed_text(&d, "EHLO p\n");
	expect("LF", "waits", &d.said, GREETING);
	assert_true(receiver_line_hangs(d.receiver));
	receiver_line_over(d.receiver);
	run_engine(&d);
	assert_false(receiver_line_hangs(d.receiver));
	feed_text(&d, "EHLO p\r\nMAIL FROM:<s@x>\n");
	receiver_line_over(d.receiver);
	run_engine(&d);
	feed_text(&d, "\n");
	receiver_line_over(d.receiver);
	run_engine(&d);
	feed_text(&d, "NOOP\nMAIL FROM:<evil@x>\r\n");
	feed_text(&d, "QUIT\r\n");
	snprintf(want, sizeof want, "%s%s%s%s%s%s%s", GREETING, said, HELLO,
	    said, said, said, BYE);
	expect("LF", "said", &d.said, want);
	expect("LF", "seen", &d.seen, QUITS);
	driver_close(&d);
}

static void
test_a_long_line_that_ends_in_lf_is_answered(void **state)
{
	char in[9000];
	struct driver d;

	(void)state;
	memset(in, 'x', sizeof in);
	in[sizeof in - 1] = '\n';
	driver_open(&d, 5000, false);
	feed(&d, in, sizeof in, 1000);
	assert_true(receiver_line_hangs(d.receiver));
	receiver_line_over(d.receiver);
	run_engine(&d);
	feed_text(&d, "QUIT\r\n");
	expect("long LF", "said", &d.said,
	    GREETING "500 5.5.2 Line too long\r\n" BYE);
	driver_close(&d);
}

static void
test_the_longest_line_is_taken(void **state)
{
	char in[5000];
	struct driver d;

	(void)state;
	memset(in, 'x', sizeof in);
	memcpy(in, "NOOP ", 5);
	memcpy(in + 4094, "\r\nQUIT\r\n", 8);
	for (size_t step = 1; step < 5000; step = step * 4 + 1) {
		driver_open(&d, 5000, false);
		feed(&d, in, 4102, step);
		expect("4096", "said", &d.said, GREETING RSET_OK BYE);
		driver_close(&d);
	}
}

static void
test_nonsense_ends_the_session(void **state)
{
	struct driver d;

	(void)state;
	driver_open(&d, 0, false);
	for (int i = 0; i < 19; i++)
		feed_text(&d, "XYZZY\r\n");
	feed_text(&d, "NOOP\r\n");
	for (int i = 0; i < 19; i++)
		feed_text(&d, "RCPT TO:<a@b>\r\n");
	assert_false(d.closed);
	feed_text(&d, "DATA\r\nQUIT\r\n");
	assert_true(d.closed);
	expect("nonsense", "seen", &d.seen, "CLOSE 4\n");
	driver_close(&d);

	driver_open(&d, 0, false);
	for (int i = 0; i < 20; i++)
		feed_text(&d, "BDAT 1\r\nx");
	expect("BDAT without MAIL", "seen", &d.seen, "CLOSE 4\n");
	driver_close(&d);
}

/* head, then line so many times: what no honest provider sends ends the
 * session, and nothing else does. */
static const struct {
	const char *name, *head, *line;
	unsigned times;
	bool ends;
} floods[] = {
    {"RCPTs behind a malformed MAIL", "MAIL FROM:<a@>\r\n", "RCPT TO:<a@y>\r\n",
	1000, false},
    {"RCPTs behind a MAIL with a parameter that is not offered",
	"MAIL FROM:<a@x> REQUIRETLS\r\n", "RCPT TO:<a@y>\r\n", 1000, false},
    {"RCPTs behind a MAIL that is too big", "MAIL FROM:<a@x> SIZE=99999\r\n",
	"RCPT TO:<a@y>\r\n", 1000, false},
    {"BDATs behind a malformed MAIL", "MAIL FROM:<a@>\r\n", "BDAT 2\r\nxy",
	1000, false},
    {"groups whose MAIL is malformed", "",
	"MAIL FROM:<a@>\r\nRCPT TO:<b@y>\r\nDATA\r\n", 1000, false},
    {"malformed RCPTs", "MAIL FROM:<s@x>\r\n", "RCPT TO:<a@>\r\n", 1000, false},
    {"RCPTs beyond ASCII", "MAIL FROM:<s@x>\r\n", "RCPT TO:<\xc3\xa4@y>\r\n",
	1000, false},
    {"RCPTs with a parameter that is not offered", "MAIL FROM:<s@x>\r\n",
	"RCPT TO:<a@y> NOTIFY=NEVER\r\n", 1000, false},
    {"malformed RCPTs behind an answer that is due",
	"MAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\n", "RCPT TO:<a@>\r\n", 2000,
	false},
    {"DATA without a valid recipient", "MAIL FROM:<s@x>\r\nRCPT TO:<b@y>\r\n",
	"DATA\r\n", 100, false},
    {"RCPTs without any MAIL", "", "RCPT TO:<a@y>\r\n", 20, true},
    {"RCPTs when the group of a refused MAIL is over",
	"MAIL FROM:<a@>\r\nRSET\r\n", "RCPT TO:<a@y>\r\n", 20, true},
    {"RCPTs without MAIL behind a whole message",
	"MAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\nDATA\r\n.\r\n",
	"RCPT TO:<a@y>\r\n", 20, true},
    {"words behind a malformed MAIL", "MAIL FROM:<a@>\r\n", "XYZZY\r\n", 20,
	true},
    {"MAILs inside a transaction", "MAIL FROM:<s@x>\r\n", "MAIL FROM:<s@x>\r\n",
	1000, false},
    {"a flood of malformed RCPTs", "MAIL FROM:<s@x>\r\n", "RCPT TO:<a@>\r\n",
	10020, true},
    {"a flood of malformed MAILs", "", "MAIL FROM:<a@>\r\n", 10020, true},
    {"a flood behind a malformed MAIL", "MAIL FROM:<a@>\r\n",
	"RCPT TO:<a@y>\r\n", 10019, true},
};

static void
test_only_nonsense_ends_the_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
		struct driver d;
		struct buf in;
		size_t len = strlen(floods[i].line);

		buf_init(&in, 1 << 20);
		driver_open(&d, 5000, false);
		feed_text(&d, START);
		assert_true(
		    buf_append(&in, floods[i].head, strlen(floods[i].head)));
		for (unsigned n = 1; n < floods[i].times; n++)
			assert_true(buf_append(&in, floods[i].line, len));
		feed(&d, buf_data(&in), buf_len(&in), buf_len(&in));
		if (d.closed)
			fail_msg("%s: too early", floods[i].name);
		feed(&d, floods[i].line, len, len);
		if (d.closed != floods[i].ends)
			fail_msg("%s: %d", floods[i].name, d.closed);
		buf_clear(&in);
		driver_close(&d);
	}
}

static void
test_a_thousand_recipients_and_no_more(void **state)
{
	struct driver d;
	char line[100];
	unsigned refused = 0;

	(void)state;
	driver_open(&d, 0, false);
	feed_text(&d, "EHLO p\r\nMAIL FROM:<s@x>\r\n");
	struct buf in;
	buf_init(&in, 1 << 20);
	for (int i = 0; i < 1500; i++) {
		snprintf(line, sizeof line, "RCPT TO:<a%d@y>\r\n", i);
		assert_true(buf_append(&in, line, strlen(line)));
	}
	feed(&d, buf_data(&in), buf_len(&in), buf_len(&in));
	buf_clear(&in);
	assert_int_equal(receiver_envelope(d.receiver)->rcpts, 1000);
	assert_true(buf_append(&d.said, "", 1));
	for (const char *at = buf_data(&d.said);
	     (at = strstr(at, "452 4.5.3 Too many recipients")); at++)
		refused++;
	assert_int_equal(refused, 500);
	assert_int_equal(d.refused, 500 * 452);
	driver_close(&d);
}

static void
test_the_end_of_a_chunk_is_no_more_than_one_read(void **state)
{
	static const struct {
		const char *said;
		bool ends;
	} rows[] = {
	    {"BDAT 5 LAST\r\n", true},
	    {"BDAT 5 LAST\r\n1234", true},
	    {"BDAT 5\r\n12345", false},
	    {"BDAT 5 LAST\r\n12345", false},
	    {"BDAT 70000 LAST\r\n", false},
	    {"DATA\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct driver d;
		driver_open(&d, 0, false);
		feed_text(&d, START OPEN);
		feed_text(&d, rows[i].said);
		assert_int_equal(receiver_ends_chunk(d.receiver), rows[i].ends);
		driver_close(&d);
	}
}

static void
test_stop_answers_the_next_command(void **state)
{
	struct driver d;
	struct status stop;

	(void)state;
	status_set(&stop, 421, "4.3.2", "stopping");
	driver_open(&d, 5000, false);
	feed_text(&d, START OPEN "DATA\r\nx\r\n");
	receiver_stop(d.receiver, &stop);
	feed_text(&d, ".\r\nMAIL FROM:<s@x>\r\n");
	expect("stop", "said", &d.said,
	    GREETING HELLO OPENED GO_ON OK "421 4.3.2 stopping\r\n");
	expect("stop", "seen", &d.seen, SEEN "TEXT x\r\nDONE\nCLOSE 3\n");
	driver_close(&d);

	driver_open(&d, 5000, false);
	feed_text(&d, START OPEN "BDAT 1\r\nx");
	receiver_stop(d.receiver, &stop);
	assert_true(receiver_in_text(d.receiver));
	feed_text(&d, "BDAT 1\r\nyBDAT 0 LAST\r\nMAIL FROM:<s@x>\r\n");
	expect("stop amid BDAT", "seen", &d.seen,
	    SEEN "TEXT xy\r\nDONE\nCLOSE 3\n");
	driver_close(&d);

	driver_open(&d, 5000, false);
	receiver_stop(d.receiver, &stop);
	receiver_hang_up(d.receiver);
	run_engine(&d);
	expect("hang up", "said", &d.said, GREETING "421 4.3.2 stopping\r\n");
	driver_close(&d);
}

static void
test_text_that_waits_is_seen(void **state)
{
	struct driver d;
	struct receiver_event event;
	size_t room;
	static const char in[] = START OPEN "DATA\r\n";

	(void)state;
	for (size_t cut = 1; cut <= 6; cut++) {
		driver_open(&d, 5000, false);
		size_t len = sizeof in - cut;
		memcpy(receiver_room(d.receiver, &room), in, len);
		receiver_filled(d.receiver, len);
		while (receiver_next(d.receiver, &event))
			take_event(&d, &event);
		assert_true(receiver_wants_answers(d.receiver));
		assert_int_equal(receiver_text_waits(d.receiver), cut == 1);
		run_engine(&d);
		driver_close(&d);
	}
}

/* Softened, the limit is not announced, or the provider would refuse by it. */
static void
test_a_softened_size_is_deferred(void **state)
{
	static const char large[] = OPEN "DATA\r\nover the limit\r\n.\r\n";
	struct driver d;

	(void)state;
	driver_open(&d, 10, false);
	receiver_soften_size(d.receiver, true);
	feed(&d, START, strlen(START), 7);
	feed(&d, "MAIL FROM:<s@x> SIZE=11\r\n", 25, 25);
	feed(&d, large, sizeof large - 1, sizeof large - 1);
	assert_true(buf_append(&d.said, "", 1));
	const char *said = buf_data(&d.said);
	assert_non_null(strstr(said, "250-SIZE 0\r\n"));
	const char *first =
	    strstr(said, "450 4.3.4 (soft bounce of 552) Message too big\r\n");
	assert_non_null(first);
	assert_non_null(strstr(first + 1, "450 4.3.4 (soft bounce of 552)"));
	assert_null(strstr(said, "\n552"));
	receiver_soften_size(d.receiver, false);
	feed(&d, "MAIL FROM:<s@x> SIZE=11\r\n", 25, 25);
	assert_true(buf_append(&d.said, "", 1));
	assert_non_null(
	    memmem(buf_data(&d.said), buf_len(&d.said), "552 5.3.4", 9));
	driver_close(&d);
}

/* The delivery must not be told of a DATA that will be refused. */
static void
test_text_that_will_not_come(void **state)
{
	static const char *const lines[] = {
	    "DATA now\r\n", "BDAT x\r\n", "DATA\n\r\n", "RCPT TO:<a@y>\r\n"};
	struct driver d;
	struct receiver_event event;
	size_t room;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		driver_open(&d, 5000, false);
		char *in = receiver_room(d.receiver, &room);
		int len = snprintf(in, room, "%s%s", START OPEN, lines[i]);
		receiver_filled(d.receiver, (size_t)len);
		while (receiver_next(d.receiver, &event))
			take_event(&d, &event);
		assert_false(receiver_text_waits(d.receiver));
		run_engine(&d);
		driver_close(&d);
	}
}

static void
test_when_octets_prove_receipt(void **state)
{
	struct driver d;

	(void)state;
	driver_open(&d, 5000, false);
	assert_false(receiver_awaits_proof(d.receiver));
	feed_text(&d, START);
	assert_true(receiver_awaits_proof(d.receiver));
	feed_text(&d, OPEN);
	assert_false(receiver_awaits_proof(d.receiver));
	feed_text(&d, "DATA\r\n");
	assert_true(receiver_awaits_proof(d.receiver));
	feed_text(&d, "x\r\n.\r\n");
	assert_false(receiver_awaits_proof(d.receiver));
	driver_close(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialogues_at_every_chunk_size),
	    cmocka_unit_test(test_cut_at_every_octet),
	    cmocka_unit_test(test_a_long_line_is_skipped_once),
	    cmocka_unit_test(
		test_no_rcpt_behind_a_long_mail_joins_the_transaction_before),
	    cmocka_unit_test(test_a_command_that_ends_in_lf_is_answered),
	    cmocka_unit_test(test_a_long_line_that_ends_in_lf_is_answered),
	    cmocka_unit_test(test_the_longest_line_is_taken),
	    cmocka_unit_test(test_nonsense_ends_the_session),
	    cmocka_unit_test(test_only_nonsense_ends_the_session),
	    cmocka_unit_test(test_a_thousand_recipients_and_no_more),
	    cmocka_unit_test(test_the_end_of_a_chunk_is_no_more_than_one_read),
	    cmocka_unit_test(test_stop_answers_the_next_command),
	    cmocka_unit_test(test_a_softened_size_is_deferred),
	    cmocka_unit_test(test_text_that_waits_is_seen),
	    cmocka_unit_test(test_text_that_will_not_come),
	    cmocka_unit_test(test_when_octets_prove_receipt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
