/* SPDX-License-Identifier: ISC */
#include "protocol/envelope.h"
#include "protocol/sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/transcript.h"
#include "protocol/dots.h"
#include "protocol/dsn.h"

/*
 * One dialogue, a line for each move:
 *	< LINE		the service says so
 *	<begin TEXT	it says so, and the line goes on
 *	<eof		it closes
 *	> LINE		the sender must have said so, and this next
 *	>		the sender must have said nothing more
 *	mail, mail8, mailu, maild	sender_mail() from a@b.example, size 1234;
 *			8: 8BITMIME, u: SMTPUTF8, d: with RET and ENVID; n9 has
 *			NOTIFY, n7 and n8 have ORCPT, too
 *	rcpt N		sender_rcpt() of nN@c.example
 *	data, dot, abort, quit, timeout
 *	text TEXT	"|" stands for CRLF; all of it must be taken
 *	answer N S	the next answer is to recipient N, and begins with S
 *	result N S
 *	complaint S	the sender complains of this: meaning, step, reply
 *	none		it does not
 *	wait		no answer and no result is there
 *	owes A R	answers or results are owed (0, 1)
 *	open, over, alive, go, nogo	as the queries say
 */
struct dialogue {
	const char *name;
	bool smtp;
	const char *script;
};

#define LMTP_HELLO                                                             \
	"< 220 local\n> LHLO me\n"                                             \
	"< 250-local\n< 250-PIPELINING\n< 250-SIZE 5000\n< 250 8BITMIME\n"
#define LOCKSTEP_HELLO "< 220 local\n> EHLO me\n< 250 local\n"
#define GROUP                                                                  \
	"mail\nrcpt 0\nrcpt 1\ndata\n"                                         \
	"> MAIL FROM:<a@b.example> SIZE=1234\n> RCPT TO:<n0@c.example>\n"      \
	"> RCPT TO:<n1@c.example>\n> DATA\n>\n"
#define TAKEN                                                                  \
	"< 250 2.1.0 ok\n< 250 2.1.5 zero\n< 250 2.1.5 one\n< 354 go\n"        \
	"answer 0 250 2.1.5 zero\nanswer 1 250 2.1.5 one\nwait\ngo\n"

static const struct dialogue dialogues[] = {
    {"lmtp in one group, a reply for each", false,
	LMTP_HELLO
	"open\nmail8\nrcpt 0\nrcpt 1\ndata\n"
	"> MAIL FROM:<a@b.example> SIZE=1234 BODY=8BITMIME\n"
	"> RCPT TO:<n0@c.example>\n> RCPT TO:<n1@c.example>\n> DATA\n>\n" TAKEN
	"text Subject: x||hello|\ndot\n> Subject: x\n> \n> hello\n> .\n"},
    {"SMTPUTF8 goes on where it is listed", false,
	"< 220 local\n> LHLO me\n< 250-local\n< 250-8BITMIME\n"
	"< 250 smtputf8\nmailu\n"
	"> MAIL FROM:<a@b.example> BODY=8BITMIME SMTPUTF8\n>\n< 250 ok\n"
	"abort\nmail\n> RSET\n< 250 ok\n> MAIL FROM:<a@b.example>\n>\n"},
    {"DSN goes on as it came where it is listed", true,
	"< 220 local\n> EHLO me\n< 250-local\n< 250-PIPELINING\n"
	"< 250 dsn\nmaild\nrcpt 1\nrcpt 8\nrcpt 9\ndata\n"
	"> MAIL FROM:<a@b.example> RET=hdrs ENVID=QQ+3D1\n"
	"> RCPT TO:<n1@c.example>\n"
	"> RCPT TO:<n8@c.example> NOTIFY=Delay,SUCCESS ORCPT=rfc822;x+2B@y\n"
	"> RCPT TO:<n9@c.example> NOTIFY=NEVER\n> DATA\n>\n"},
    {"an ORCPT that not every service understands", true,
	"< 220 local\n> EHLO me\n< 250-local\n< 250-PIPELINING\n"
	"< 250 DSN\nmail\nrcpt 7\n> MAIL FROM:<a@b.example>\n"
	"> RCPT TO:<n7@c.example> NOTIFY=DELAY\n>\n"},
    {"and where SMTPUTF8 is listed", true,
	"< 220 local\n> EHLO me\n< 250-local\n< 250-PIPELINING\n"
	"< 250-SMTPUTF8\n< 250 DSN\nmail\nrcpt 7\n> MAIL FROM:<a@b.example>\n"
	"> RCPT TO:<n7@c.example> NOTIFY=DELAY ORCPT=utf-8;\xc3\xa4@y\n>\n"},
    {"DSN goes on over LMTP", false,
	"< 220 local\n> LHLO me\n< 250-local\n< 250-PIPELINING\n"
	"< 250 DSN\nmaild\nrcpt 9\n"
	"> MAIL FROM:<a@b.example> RET=hdrs ENVID=QQ+3D1\n"
	"> RCPT TO:<n9@c.example> NOTIFY=NEVER\n>\n"},
    {"DSN is not said where it is not listed", false,
	LMTP_HELLO "maild\nrcpt 8\n> MAIL FROM:<a@b.example> SIZE=1234\n"
		   "> RCPT TO:<n8@c.example>\n>\n"},
    {"a header in UTF-8 goes to any service of eight bits", false,
	LMTP_HELLO
	"mailu\n> MAIL FROM:<a@b.example> SIZE=1234 BODY=8BITMIME\n>\n"},
    {"lmtp results", false,
	LMTP_HELLO GROUP TAKEN
	"text hello|\ndot\n> hello\n> .\n>\nwait\n"
	"owes 0 1\n< 250 2.0.0 saved\nresult 0 250 2.0.0 saved\nwait\n"
	"< 452-4.2.2 over\n< 452 4.2.2 quota\nresult 1 452 4.2.2 over quota\n"
	"wait\nowes 0 0\nalive\nquit\n> QUIT\n>\n"},
    {"smtp: one reply is everybody's", true,
	"< 220 local\n> EHLO me\n< 250-local\n< 250-SIZE\n< 250 PIPELINING\n" GROUP
	    TAKEN "text hello|\ndot\n> hello\n> .\n< 250 2.0.0 queued\n"
	"result 0 250 2.0.0 queued\nresult 1 250 2.0.0 queued\nowes 0 0\n"},
    {"smtp in lockstep", true,
	LOCKSTEP_HELLO
	"mail8\nrcpt 0\nrcpt 1\ndata\n"
	"> MAIL FROM:<a@b.example>\n>\n< 250 ok\n> RCPT TO:<n0@c.example>\n>\n"
	"< 550 5.1.1 no\nanswer 0 550 5.1.1 no\nwait\n"
	"> RCPT TO:<n1@c.example>\n>\n< 250 ok\nanswer 1 250 ok\n> DATA\n>\n"
	"wait\n< 354 go\ngo\n"},
    {"smtp without EHLO", true,
	"< 220-old\n< 220 server\n> EHLO me\n< 500 what\n> HELO me\n"
	"< 250 local\nopen\nmail\n> MAIL FROM:<a@b.example>\n>\n"},
    {"lmtp does not fall back", false,
	"< 220 local\n> LHLO me\n< 500 5.5.1 what\nover\nmail\nrcpt 0\n"
	"answer 0 451 4.4.2 refused at EHLO or LHLO: 500 what\n"},
    {"greeting refuses", true,
	"< 554 no service\nover\nmail\nrcpt 7\nowes 1 0\n"
	"answer 7 451 4.4.2 refused at connect: 554 no service\n"
	"owes 0 0\nwait\n"},
    {"greeting of 421", true,
	"< 421 4.3.2 busy\nover\nmail\nrcpt 0\nanswer 0 451 4.3.2 busy\n"},
    {"MAIL refused, in a group", false,
	LMTP_HELLO GROUP
	"< 552 5.3.4 too big\nwait\n"
	"< 503 5.5.1 no MAIL\nanswer 0 552 5.3.4 too big\n"
	"< 503 5.5.1 no MAIL\nanswer 1 552 5.3.4 too big\n"
	"< 503 5.5.1 no\nalive\nnogo\nowes 0 0\n"
	"mail\n> RSET\n> MAIL FROM:<a@b.example> SIZE=1234\n>\n"
	"rcpt 2\n> RCPT TO:<n2@c.example>\n"
	"< 250 ok\n< 250 ok\n< 250 ok\nanswer 2 250 ok\n"},
    {"MAIL refused, in lockstep", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\nrcpt 1\ndata\n"
	"> MAIL FROM:<a@b.example>\n< 451 4.7.1 later\n"
	"answer 0 451 4.7.1 later\nanswer 1 451 4.7.1 later\nwait\n>\nalive\n"
	"rcpt 2\nanswer 2 451 4.7.1 later\n"
	"mail\n> RSET\n>\n< 250 ok\n> MAIL FROM:<a@b.example>\n>\n"},
    {"all recipients refused, in lockstep: no DATA", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\ndata\n> MAIL FROM:<a@b.example>\n"
	"< 250 ok\n> RCPT TO:<n0@c.example>\n< 550 no\nanswer 0 550 no\n>\n"
	"nogo\nalive\nrcpt 1\n> RCPT TO:<n1@c.example>\n< 250 ok\n"
	"answer 1 250 ok\ndata\n> DATA\n>\n< 354 go\ngo\n"},
    {"all recipients refused, DATA in the group has 503", false,
	LMTP_HELLO GROUP
	"< 250 ok\n< 550 no\n< 551 no\n< 503 no rcpt\n"
	"answer 0 550 no\nanswer 1 551 no\nwait\nalive\nabort\n"
	"mail\n> RSET\n> MAIL FROM:<a@b.example> SIZE=1234\n>\n"},
    {"another recipient after a DATA that had 503", false,
	LMTP_HELLO GROUP "< 250 ok\n< 550 no\n< 551 no\n< 503 no rcpt\n"
			 "answer 0 550 no\nanswer 1 551 no\n"
			 "rcpt 2\ndata\n> RCPT TO:<n2@c.example>\n> DATA\n>\n"
			 "< 250 ok\n< 354 go\nanswer 2 250 ok\ngo\n"},
    {"text asked for nobody", false,
	LMTP_HELLO GROUP "< 250 ok\n< 550 no\n< 551 no\n< 354 go\n"
			 "answer 0 550 no\nanswer 1 551 no\nnogo\nover\n>\n"},
    {"text asked for nobody, after the abort", false,
	LMTP_HELLO GROUP
	"< 250 ok\n< 550 no\n< 551 no\n"
	"answer 0 550 no\nanswer 1 551 no\nabort\nalive\n< 354 go\nover\n"},
    {"DATA refused", false,
	LMTP_HELLO GROUP
	"< 250 ok\n< 250 ok\n< 550 no\n< 451 4.3.0 no disk\n"
	"answer 0 250 ok\nanswer 1 550 no\nnogo\nowes 0 1\n"
	"result 0 451 4.3.0 no disk\nowes 0 0\nalive\n"
	"mail\n> RSET\n> MAIL FROM:<a@b.example> SIZE=1234\n>\n"},
    {"DATA answered by 250: out of step", false,
	LMTP_HELLO GROUP
	"< 250 ok\n< 250 ok\n< 250 ok\n< 250 ok\n"
	"answer 0 250 ok\nanswer 1 250 ok\nover\n"
	"result 0 451 4.3.0 unexpected reply 250 (at DATA)\nresult 1 451 4.3.0\nowes 0 0\n"},
    {"354 to RCPT", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\n> MAIL FROM:<a@b.example>\n< 250 ok\n"
	"> RCPT TO:<n0@c.example>\n< 354 go\nanswer 0 451 4.3.0\nover\n"},
    {"354 to the dot", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n> x\n> .\n< 354 more\n"
	"result 0 451 4.3.0\nresult 1 451 4.3.0\nover\n"},
    {"garbage", false,
	LMTP_HELLO GROUP "< garbage\nanswer 0 451 4.3.0\nanswer 1 451 4.3.0\n"
			 "over\nowes 0 0\n"},
    {"closed before the greeting", false,
	"<eof\nover\nmail\nrcpt 0\nanswer 0 451 4.4.2 connection closed "
	"(at connect)\n"},
    {"closed amid the answers", false,
	LMTP_HELLO GROUP
	"< 250 ok\n< 250 ok\n<eof\nanswer 0 250 ok\n"
	"answer 1 451 4.4.2 connection closed (at RCPT)\n"
	"result 0 451 4.4.2 connection closed\nowes 0 0\nover\n"},
    {"closed amid the text", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\n<eof\nover\nnogo\n"
	"result 0 451 4.4.2 connection closed (inside the message)\n"
	"result 1 451 4.4.2\nowes 0 0\n"},
    {"closed amid the results", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n> x\n> .\n< 250 ok\n<eof\n"
	"result 0 250 ok\nresult 1 451 4.4.2 connection closed (at the end of data)\nover\n"},
    {"one reply for two, then silence", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n> x\n> .\n< 552 5.3.4 too big\n"
	"result 0 552 5.3.4 too big\nwait\ntimeout\nresult 1 451 4.4.2 time-out "
	"(at the end of data)\nover\n"},
    {"closed right behind the last result", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n> x\n> .\n< 250 ok\n< 550 no\n"
	"<eof\nresult 0 250 ok\nresult 1 550 no\nowes 0 0\nover\n"},
    {"421 to MAIL", false,
	LMTP_HELLO GROUP "< 421 4.3.2 going down\nanswer 0 451 4.3.2 going\n"
			 "answer 1 451 4.3.2 going down\nover\n"},
    {"421 among the results: the others count", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n> x\n> .\n< 421 4.3.2 down\n"
	"result 0 451 4.3.2 down\nalive\n< 250 ok\nresult 1 250 ok\nover\n"},
    {"421 among the results, then the end", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n> x\n> .\n< 421 4.3.2 down\n"
	"<eof\nresult 0 451 4.3.2 down\nresult 1 451 4.3.2 down\nover\n"},
    {"421 to the dot of smtp", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\n> MAIL FROM:<a@b.example>\n< 250 ok\n"
	"> RCPT TO:<n0@c.example>\n< 250 ok\nanswer 0 250 ok\ndata\n> DATA\n"
	"< 354 go\ndot\n> .\n< 421 4.3.2 down\nresult 0 451 4.3.2 down\nover\n"},
    {"421 while idle", false, LMTP_HELLO "< 421 4.4.2 idle\nover\n"},
    {"refused amid the text: no answer to it", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\n< 554 5.3.2 going down\nover\nnogo\n"
	"result 0 451 4.3.0 before the end of data: 554 5.3.2 going down\n"
	"result 1 451 4.3.0 before the end of data: 554 5.3.2 going down\n"},
    {"421 amid the text", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\n< 421 4.3.2 going down\nover\n"
	"result 0 451 4.3.2 going down\nresult 1 451 4.3.2 going down\n"},
    {"accepted amid the text", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\n< 250 ok\nover\n"
	"result 0 451 4.3.0 unexpected reply (inside the message)\n"},
    {"accepted before the dot went out", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n< 250 ok\nover\n"
	"result 0 451 4.3.0 unexpected reply (at the end of "
	"data)\nresult 1 451 4.3.0\n"},
    {"accepted before the dot went out, and asked for later", false,
	LMTP_HELLO GROUP TAKEN "text x|\ndot\n< 250 ok\n< 250 ok\nover\n>\n"
			       "result 0 451 4.3.0 unexpected reply\n"
			       "result 1 451 4.3.0\n"},
    {"refused before the dot went out", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\n> MAIL FROM:<a@b.example>\n< 250 ok\n"
	"> RCPT TO:<n0@c.example>\n< 250 ok\nanswer 0 250 ok\ndata\n> DATA\n"
	"< 354 go\ndot\n< 552 big\n"
	"result 0 451 4.3.0 before the end of data: 552 big\nover\n"},
    {"an answer that began before the dot went out", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\n> MAIL FROM:<a@b.example>\n< 250 ok\n"
	"> RCPT TO:<n0@c.example>\n< 250 ok\nanswer 0 250 ok\ndata\n> DATA\n"
	"< 354 go\ndot\n<begin 250-o\n> .\n< k\n< 250 ok\n"
	"result 0 451 4.3.0\nover\n"},
    {"login wanted at MAIL is no word on a recipient", false,
	LMTP_HELLO GROUP
	"< 530 5.7.0 STARTTLS first\n< 503 5.5.1 MAIL first\n"
	"answer 0 451 4.3.5 the local server refuses the agent at MAIL: 530 "
	"5.7.0 STARTTLS first\n"
	"< 503 5.5.1 MAIL first\nanswer 1 451 4.3.5\n"
	"< 503 5.5.1 no\nalive\n"
	"complaint estranged MAIL 530 5.7.0 STARTTLS first\nnone\n"},
    {"our host refused at RCPT is no word on a recipient", false,
	LMTP_HELLO GROUP
	"< 250 ok\n< 554 5.7.1 <u>: Client host rejected: Access denied\n"
	"answer 0 451 4.3.5 the local server refuses the agent at RCPT: 554\n"
	"complaint estranged RCPT 554 5.7.1 <u>: Client host\n"
	"< 250 ok\nanswer 1 250 ok\n"},
    {"a domain that is not set up there is no word on a recipient", false,
	LMTP_HELLO GROUP
	"< 250 ok\n< 550 relay not permitted\n"
	"answer 0 451 4.3.5 the local server is not set up for this at RCPT: "
	"550 relay not permitted\n"
	"complaint unprepared RCPT 550 relay not permitted\n"
	"< 250 ok\nanswer 1 250 ok\nnone\n"},
    {"commands out of order at DATA are no word on a recipient", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\n> MAIL FROM:<a@b.example>\n< 250 ok\n"
	"> RCPT TO:<n0@c.example>\n< 250 ok\nanswer 0 250 ok\ndata\n> DATA\n"
	"< 503 5.5.1 RCPT first\nresult 0 451 4.3.5\n"
	"complaint estranged DATA 503 5.5.1 RCPT first\n"},
    {"nor is a login wanted at the end of data", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n> x\n> .\n< 250 ok\n< 535 5.7.8 who\n"
	"result 0 250 ok\nresult 1 451 4.3.5 the local server refuses the "
	"agent at the end of data: 535 5.7.8 who\n"
	"complaint estranged the end of data 535 5.7.8 who\n"},
    {"552 to a recipient too many is 452 (RFC 5321 4.5.3.1.10)", false,
	LMTP_HELLO GROUP
	"< 250 ok\n< 250 ok\n< 552 5.5.3 too many\n"
	"answer 0 250 ok\nanswer 1 452 4.5.3 too many\nnone\n"},
    {"a reply too many", false,
	LMTP_HELLO GROUP TAKEN
	"text x|\ndot\n> x\n> .\n< 250 ok\n< 250 ok\n"
	"< 250 ok\nresult 0 250 ok\nresult 1 250 ok\nover\n"},
    {"dots", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\n> MAIL FROM:<a@b.example>\n< 250 ok\n"
	"> RCPT TO:<n0@c.example>\n< 250 ok\nanswer 0 250 ok\ndata\n> DATA\n"
	"< 354 go\ntext .|..|.a|a.|.|\ndot\n> ..\n> ...\n> ..a\n> a.\n> ..\n"
	"> .\n>\n< 250 ok\nresult 0 250 ok\n"},
    {"text that ends amid a line", false,
	LMTP_HELLO GROUP TAKEN "text x\ndot\n> x\n> .\n>\n"},
    {"empty text", false, LMTP_HELLO GROUP TAKEN "dot\n> .\n>\n"},
    {"abort before the text: RSET", false,
	LMTP_HELLO
	"mail\nrcpt 0\n> MAIL FROM:<a@b.example> SIZE=1234\n"
	"> RCPT TO:<n0@c.example>\n< 250 ok\nabort\nowes 0 0\nwait\n< 250 ok\n"
	"alive\nmail\n> RSET\n> MAIL FROM:<a@b.example> SIZE=1234\n"
	"rcpt 1\n> RCPT TO:<n1@c.example>\n< 250 ok\n< 250 ok\n< 550 no\n"
	"answer 1 550 no\n"},
    {"abort in lockstep: what did not go out never goes", true,
	LOCKSTEP_HELLO
	"mail\nrcpt 0\nrcpt 1\n> MAIL FROM:<a@b.example>\nabort\n"
	"mail\n>\n< 250 ok\n> RSET\n>\n< 250 ok\n> MAIL FROM:<a@b.example>\n"},
    {"RSET refused", false,
	LMTP_HELLO
	"mail\n> MAIL FROM:<a@b.example> SIZE=1234\n< 250 ok\nabort\n"
	"mail\nrcpt 0\n< 500 what\nanswer 0 451 4.3.0\nover\n"},
    {"abort once text was asked for", false,
	LMTP_HELLO GROUP "< 250 ok\n< 250 ok\n< 250 ok\nanswer 0 250 ok\n"
			 "answer 1 250 ok\nabort\nover\nowes 0 0\n"},
    {"abort amid the text", false,
	LMTP_HELLO GROUP TAKEN "text x|\nabort\nover\n>\nowes 0 0\nquit\n>\n"},
    {"two messages on one connection", false,
	LMTP_HELLO GROUP TAKEN "text x|\ndot\n> x\n> .\n< 250 ok\n< 250 ok\n"
			       "result 0 250 ok\nresult 1 250 ok\n" GROUP TAKEN
			       "text y|\ndot\n> y\n> .\n< 250 ok\n< 250 ok\n"
			       "result 0 250 ok\nresult 1 250 ok\nalive\n"},
    {"time-out", false,
	LMTP_HELLO GROUP "< 250 ok\ntimeout\nanswer 0 451 4.4.2 time-out "
			 "(at RCPT)\nanswer 1 451 4.4.2\nover\n"},
};

struct player {
	const struct dialogue *dialogue;
	size_t chunk;
	struct sender *sender;
	struct path from;
	struct recipient to[10];
	char said[4096]; /* what the sender said and nobody looked at */
	size_t said_len;
};

static void
fail_at(const struct player *player, const char *line, const char *why)
{
	fail_msg("%s, chunks of %zu: at \"%s\": %s", player->dialogue->name,
	    player->chunk, line, why);
}

static void
player_hear(struct player *player)
{
	size_t len;
	const char *output = sender_output(player->sender, &len);

	while (len > 0) {
		size_t n = len < player->chunk ? len : player->chunk;
		assert_true(player->said_len + n < sizeof player->said);
		memcpy(player->said + player->said_len, output, n);
		player->said_len += n;
		sender_written(player->sender, n);
		output = sender_output(player->sender, &len);
	}
}

static void
feed(struct player *player, const char *text, size_t len)
{
	while (len > 0) {
		size_t room;
		char *to = sender_room(player->sender, &room);
		size_t n = len < player->chunk ? len : player->chunk;
		n = n < room ? n : room;
		assert_true(n > 0);
		memcpy(to, text, n);
		sender_filled(player->sender, n);
		text += n;
		len -= n;
		if (sender_is_over(player->sender))
			return;
	}
}

static void
say(struct player *player, const char *line)
{
	char text[600];
	int len = snprintf(text, sizeof text, "%s\r\n", line);

	feed(player, text, (size_t)len);
}

static void
expect_said(struct player *player, const char *line, const char *want)
{
	size_t len = strlen(want);

	player_hear(player);
	if (player->said_len < len + 2 ||
	    memcmp(player->said, want, len) != 0 ||
	    memcmp(player->said + len, "\r\n", 2) != 0) {
		player->said[player->said_len] = '\0';
		fail_at(player, line, player->said);
	}
	player->said_len -= len + 2;
	memmove(player->said, player->said + len + 2, player->said_len);
}

static void
give_text(struct player *player, const char *template)
{
	char text[600];
	size_t len = 0;

	for (; *template != '\0'; template ++) {
		if (*template == '|')
			text[len++] = '\r';
		text[len++] = *template == '|' ? '\n' : *template;
	}
	for (size_t at = 0; at < len;) {
		size_t n = len - at < player->chunk ? len - at : player->chunk;
		assert_int_equal(sender_text(player->sender, text + at, n), n);
		at += n;
	}
}

static void
expect_status(struct player *player, const char *line, bool result)
{
	struct status status;
	size_t rcpt = 99;
	char shown[600];
	bool got = result ? sender_result(player->sender, &rcpt, &status)
			  : sender_answer(player->sender, &rcpt, &status);

	if (!got) {
		fail_at(player, line, "there is none");
		return;
	}
	char want[600];
	snprintf(want, sizeof want, "%s", strchr(line, ' ') + 1);
	assert_int_equal(rcpt, want[0] - '0');
	status_format(&status, shown, sizeof shown);
	if (strncmp(shown, want + 2, strlen(want + 2)) != 0)
		fail_at(player, line, shown);
}

static void
expect_complaint(struct player *player, const char *line)
{
	struct sender_complaint complaint;
	char reply[STATUS_LINE_MAX], shown[700];

	if (!sender_complains(player->sender, &complaint))
		fail_at(player, line, "there is none");
	snprintf(shown, sizeof shown, "%s %s %s",
	    complaint.meaning == MEANING_ESTRANGED ? "estranged" : "unprepared",
	    complaint.step,
	    status_format(&complaint.reply, reply, sizeof reply));
	const char *want = strchr(line, ' ') + 1;
	if (strncmp(shown, want, strlen(want)) != 0)
		fail_at(player, line, shown);
}

static bool
play_query(struct player *player, const char *line)
{
	struct sender *sender = player->sender;

	if (strcmp(line, "open") == 0)
		return sender_is_open(sender);
	if (strcmp(line, "over") == 0)
		return sender_is_over(sender) &&
		       sender_failure(sender)->code != 0;
	if (strcmp(line, "alive") == 0)
		return !sender_is_over(sender);
	if (strcmp(line, "go") == 0)
		return sender_takes_text(sender);
	if (strcmp(line, "nogo") == 0)
		return !sender_takes_text(sender);
	if (strncmp(line, "owes ", 5) == 0)
		return sender_owes_answers(sender) == (line[5] == '1') &&
		       sender_owes_results(sender) == (line[7] == '1');
	size_t rcpt;
	struct status status;
	struct sender_complaint complaint;
	if (strcmp(line, "none") == 0)
		return !sender_complains(sender, &complaint);
	if (strcmp(line, "wait") == 0)
		return !sender_answer(sender, &rcpt, &status) &&
		       !sender_result(sender, &rcpt, &status);
	return false;
}

static void
play_mail(struct player *player, const char *parameter)
{
	struct envelope envelope = {.sender = &player->from,
	    .size = 1234,
	    .eightbit = *parameter == '8',
	    .smtputf8 = *parameter == 'u',
	    .ret = *parameter == 'd' ? "hdrs" : NULL,
	    .envid = *parameter == 'd' ? "QQ+3D1" : NULL};

	sender_mail(player->sender, &envelope);
}

static void
play(struct player *player, const char *line)
{
	struct sender *sender = player->sender;

	if (strncmp(line, "< ", 2) == 0)
		say(player, line + 2);
	else if (strncmp(line, "<begin ", 7) == 0)
		feed(player, line + 7, strlen(line + 7));
	else if (strncmp(line, "complaint ", 10) == 0)
		expect_complaint(player, line);
	else if (strcmp(line, "<eof") == 0)
		sender_eof(sender);
	else if (strncmp(line, "> ", 2) == 0)
		expect_said(player, line, line + 2);
	else if (strcmp(line, ">") == 0) {
		player_hear(player);
		player->said[player->said_len] = '\0';
		if (player->said_len > 0)
			fail_at(player, line, player->said);
	} else if (strncmp(line, "mail", 4) == 0)
		play_mail(player, line + 4);
	else if (strncmp(line, "rcpt ", 5) == 0)
		sender_rcpt(sender, &player->to[line[5] - '0'],
		    (size_t)(line[5] - '0'));
	else if (strcmp(line, "data") == 0)
		sender_data(sender);
	else if (strncmp(line, "text ", 5) == 0)
		give_text(player, line + 5);
	else if (strcmp(line, "dot") == 0)
		sender_dot(sender);
	else if (strcmp(line, "abort") == 0)
		sender_abort(sender);
	else if (strcmp(line, "quit") == 0)
		sender_quit(sender);
	else if (strcmp(line, "timeout") == 0)
		sender_fail(sender, "4.4.2", "time-out");
	else if (strncmp(line, "answer ", 7) == 0 ||
		 strncmp(line, "result ", 7) == 0)
		expect_status(player, line, line[0] == 'r');
	else if (!play_query(player, line))
		fail_at(player, line, "it is not so");
}

static void
play_all(const struct dialogue *dialogue, size_t chunk)
{
	struct transcript transcript;
	transcript_init(&transcript, "local", false);
	struct sender_options options = {.lmtp = !dialogue->smtp,
	    .hostname = "me",
	    .transcript = &transcript};
	struct player player = {.dialogue = dialogue,
	    .chunk = chunk,
	    .sender = sender_new(&options)};
	snprintf(player.from.mailbox, sizeof player.from.mailbox, "%s",
	    "a@b.example");
	for (int i = 0; i < 10; i++)
		snprintf(player.to[i].path.mailbox,
		    sizeof player.to[i].path.mailbox, "n%d@c.example", i);
	player.to[7].notify = "DELAY";
	player.to[7].orcpt = "utf-8;\xc3\xa4@y";
	player.to[8].notify = "Delay,SUCCESS";
	player.to[8].orcpt = "rfc822;x+2B@y";
	player.to[9].notify = "NEVER";
	for (const char *at = dialogue->script; *at != '\0';) {
		size_t len = strcspn(at, "\n");
		char line[600];
		snprintf(line, sizeof line, "%.*s", (int)len, at);
		play(&player, line);
		at += len + (at[len] == '\n' ? 1 : 0);
	}
	sender_free(player.sender);
	transcript_clear(&transcript);
}

static void
test_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++) {
		for (size_t chunk = 1; chunk < 60; chunk++)
			play_all(&dialogues[i], chunk);
		play_all(&dialogues[i], 4000);
	}
}

/* The same by one octet at a time and the plain rule. */
static size_t
stuff_plainly(char *out, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && (i == 0 || text[i - 1] == '\n'))
			out[n++] = '.';
		out[n++] = text[i];
	}
	return n;
}

static void
test_dots(void **state)
{
	static const char alphabet[] = {'.', '\r', '\n', 'a'};
	char text[9], want[18];
	(void)state;

	for (unsigned number = 0; number < 1 << 16; number++) {
		size_t len = 0;
		for (unsigned n = number; len < 8; n >>= 2)
			text[len++] = alphabet[n & 3];
		size_t want_len = stuff_plainly(want, text, len);
		for (size_t chunk = 1; chunk <= len; chunk += 3) {
			struct dots dots = {.line_start = true};
			struct buf out;
			buf_init(&out, sizeof want);
			for (size_t at = 0; at < len; at += chunk) {
				size_t n = len - at < chunk ? len - at : chunk;
				assert_int_equal(
				    dots_stuff(&dots, &out, text + at, n), n);
			}
			assert_int_equal(buf_len(&out), want_len);
			assert_memory_equal(buf_data(&out), want, want_len);
			assert_int_equal(
			    dots.line_start, text[len - 1] == '\n');
			buf_clear(&out);
		}
	}
}

/* A full output takes what fits, never the half of a stuffed dot. */
static void
test_dots_full(void **state)
{
	static const char text[] = "a\r\n.b\r\n..\r\n.";
	size_t len = sizeof text - 1;
	char want[40];
	size_t want_len = stuff_plainly(want, text, len);
	(void)state;

	for (size_t max = 2; max < 20; max++) {
		struct dots dots = {.line_start = true};
		struct buf out;
		char got[40];
		size_t got_len = 0;
		buf_init(&out, max);
		for (size_t at = 0; at < len;) {
			size_t n = dots_stuff(&dots, &out, text + at, len - at);
			assert_true(n > 0);
			at += n;
			memcpy(got + got_len, buf_data(&out), buf_len(&out));
			got_len += buf_len(&out);
			buf_consume(&out, buf_len(&out));
		}
		assert_int_equal(got_len, want_len);
		assert_memory_equal(got, want, want_len);
		buf_clear(&out);
	}
}

static struct sender *
open_service(
    struct player *player, struct transcript *transcript, const char *hello)
{
	struct sender_options options = {
	    .lmtp = true, .hostname = "me", .transcript = transcript};

	*player = (struct player){.chunk = 4000, .dialogue = &dialogues[0]};
	player->sender = sender_new(&options);
	say(player, hello);
	assert_true(sender_is_open(player->sender));
	player_hear(player);
	player->said_len = 0;
	return player->sender;
}

static struct sender *
open_lmtp(struct player *player, struct transcript *transcript)
{
	return open_service(player, transcript,
	    "220 local\r\n250-local\r\n250-size 123456789012\r\n"
	    "250-pipelining\r\n250 SIZES 7");
}

static void
test_size_limit(void **state)
{
	struct transcript transcript;
	struct player player;
	(void)state;

	transcript_init(&transcript, "local", false);
	struct sender *sender = open_lmtp(&player, &transcript);
	assert_int_equal(sender_size_max(sender), 123456789012);
	sender_free(sender);
	transcript_clear(&transcript);
}

/* However many recipients: the output is bounded, and nothing is forgotten. */
static void
test_many_recipients(void **state)
{
	struct transcript transcript;
	struct player player;
	struct path from = {.mailbox = ""};
	struct recipient to = {.notify = NULL};
	size_t octets = 0, len, lines = 0, answers = 0, rcpt;
	struct status status;
	(void)state;

	transcript_init(&transcript, "local", false);
	struct sender *sender = open_lmtp(&player, &transcript);
	memset(to.path.mailbox, 'x', ADDRESS_MAX);
	sender_mail(
	    sender, &(struct envelope){.sender = &from, .eightbit = true});
	for (size_t i = 0; i < 1000; i++)
		sender_rcpt(sender, &to, i);
	for (const char *output = sender_output(sender, &len); len > 0;
	     output = sender_output(sender, &len)) {
		assert_true(len < 70000);
		for (size_t i = 0; i < len; i++)
			lines += output[i] == '\n' ? 1 : 0;
		octets += len;
		sender_written(sender, len);
	}
	assert_int_equal(lines, 1001);
	assert_int_equal(
	    octets, strlen("MAIL FROM:<>\r\n") +
			1000 * (strlen("RCPT TO:<>\r\n") + ADDRESS_MAX));
	say(&player, "250 ok");
	for (; answers < 1000; answers++) {
		say(&player, answers == 500 ? "550 no" : "250 ok");
		assert_true(sender_answer(sender, &rcpt, &status));
		assert_int_equal(rcpt, answers);
		assert_int_equal(status.code, answers == 500 ? 550 : 250);
	}
	assert_false(sender_owes_answers(sender));
	assert_true(sender_owes_results(sender));
	sender_free(sender);
	transcript_clear(&transcript);
}

/* The longest path with the longest values: nothing is cut. */
static void
test_longest_commands(void **state)
{
	struct transcript transcript;
	struct player player;
	struct path from = {.mailbox = ""};
	struct recipient to = {.notify = "SUCCESS,FAILURE,DELAY"};
	char orcpt[DSN_ORCPT_MAX + 1] = "", envid[DSN_ENVID_MAX + 1] = "";
	const struct envelope envelope = {.sender = &from,
	    .size = UINT64_MAX,
	    .eightbit = true,
	    .smtputf8 = true,
	    .ret = "FULL",
	    .envid = envid};
	size_t len;
	(void)state;

	memset(from.mailbox, 'x', ADDRESS_MAX);
	memset(to.path.mailbox, 'x', ADDRESS_MAX);
	memset(orcpt, 'x', DSN_ORCPT_MAX);
	memcpy(orcpt, "rfc822;", 7);
	memset(envid, 'x', DSN_ENVID_MAX);
	to.orcpt = orcpt;
	transcript_init(&transcript, "local", false);
	struct sender *sender = open_service(&player, &transcript,
	    "220 local\r\n250-local\r\n250-DSN\r\n250-SIZE\r\n250-8BITMIME"
	    "\r\n250-SMTPUTF8\r\n250 PIPELINING");
	sender_mail(sender, &envelope);
	sender_rcpt(sender, &to, 0);
	sender_output(sender, &len);
	assert_int_equal(len,
	    strlen("MAIL FROM:<> SIZE= BODY=8BITMIME SMTPUTF8 RET=FULL ENVID="
		   "\r\nRCPT TO:<> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=\r\n") +
		2 * ADDRESS_MAX + 20 + DSN_ORCPT_MAX + DSN_ENVID_MAX);
	sender_free(sender);
	transcript_clear(&transcript);
}

/* Text beyond the buffer waits for the writing. */
static void
test_text_is_bounded(void **state)
{
	struct transcript transcript;
	struct player player;
	struct path path = {.mailbox = "a@b.example"};
	static char text[200000];
	size_t rcpt, len, taken, total = 0;
	struct status status;
	(void)state;

	transcript_init(&transcript, "local", true);
	struct sender *sender = open_lmtp(&player, &transcript);
	sender_mail(sender, &(struct envelope){.sender = &path});
	sender_rcpt(sender, &(struct recipient){.path = path}, 0);
	sender_data(sender);
	player_hear(&player);
	say(&player, "250 ok\r\n250 ok\r\n354 go");
	assert_true(sender_answer(sender, &rcpt, &status));
	memset(text, 'x', sizeof text);
	for (size_t at = 0; at < sizeof text; at += taken) {
		taken = sender_text(sender, text + at, sizeof text - at);
		sender_output(sender, &len);
		assert_in_range(len, 1, 65536);
		total += len;
		if (at + taken < sizeof text)
			assert_int_equal(sender_text(sender, text, 1), 0);
		sender_written(sender, len);
	}
	sender_dot(sender);
	assert_int_equal(total, sizeof text);
	static const char traced[] = "local > [200000 octets]\nlocal > .\n";
	assert_non_null(memmem(buf_data(&transcript.lines),
	    buf_len(&transcript.lines), traced, sizeof traced - 1));
	sender_free(sender);
	transcript_clear(&transcript);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialogues),
	    cmocka_unit_test(test_dots),
	    cmocka_unit_test(test_dots_full),
	    cmocka_unit_test(test_size_limit),
	    cmocka_unit_test(test_many_recipients),
	    cmocka_unit_test(test_longest_commands),
	    cmocka_unit_test(test_text_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
