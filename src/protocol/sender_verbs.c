/* SPDX-License-Identifier: ISC */
#include "sender_private.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "base/text.h"
#include "base/transcript.h"
#include "protocol/envelope.h"

static void
put_line(struct sender *sender, const char *const *texts)
{
	struct buf *output = &sender->output;
	size_t before = buf_len(output);
	bool fits = buf_join(output, texts);

	transcript_line(sender->options.transcript, '>',
	    buf_data(output) + before, buf_len(output) - before);
	fits = fits && buf_append(output, "\r\n", 2);
	assert(fits);
}

static void
write_hello(struct sender *sender, const struct step *step)
{
	const char *verb = sender->options.lmtp ? "LHLO" : "EHLO";

	if (step->kind == STEP_HELO)
		verb = "HELO";
	put_line(sender, TEXTS(verb, " ", sender->options.hostname));
}

static void
write_plain(struct sender *sender, const struct step *step)
{
	if (step->kind == STEP_RSET)
		sender->dirty = false;
	put_line(sender, TEXTS(sender_verbs[step->kind].name));
}

/* " KEY=", or nothing where the value must not be said. */
static const char *
dsn_key(const struct sender *sender, const char *key, const char *value)
{
	return sender->takes_dsn && value != NULL ? key : "";
}

static const char *
dsn_value(const struct sender *sender, const char *value)
{
	return sender->takes_dsn && value != NULL ? value : "";
}

static void
write_mail(struct sender *sender, const struct step *step)
{
	const char *ret = sender->now.ret, *envid = sender->now.envid;
	bool sized = sender->takes_size && sender->now.size > 0;
	char size[DECIMAL_SIZE];

	sender->dirty = true;
	put_line(sender,
	    TEXTS("MAIL FROM:<", step->from->mailbox, ">",
		sized ? " SIZE=" : "",
		sized ? decimal_write(size, sender->now.size) : "",
		sender->now.eightbit ? " BODY=8BITMIME" : "",
		sender->now.smtputf8 ? " SMTPUTF8" : "",
		dsn_key(sender, " RET=", ret), dsn_value(sender, ret),
		dsn_key(sender, " ENVID=", envid), dsn_value(sender, envid)));
}

static void
write_rcpt(struct sender *sender, const struct step *step)
{
	const char *notify = step->to->notify, *orcpt = step->to->orcpt;

	/* Other types may be beyond ASCII (RFC 6533 3), and OpenSMTPD answers
	 * 553 to each of them. */
	if (orcpt != NULL && !sender->takes_smtputf8 &&
	    !dsn_is_of_mailbox(orcpt))
		orcpt = NULL;

	put_line(sender,
	    TEXTS("RCPT TO:<", step->to->path.mailbox, ">",
		dsn_key(sender, " NOTIFY=", notify), dsn_value(sender, notify),
		dsn_key(sender, " ORCPT=", orcpt), dsn_value(sender, orcpt)));
}

static void
write_dot(struct sender *sender, const struct step *step)
{
	(void)step;
	transcript_octets(sender->options.transcript, '>', sender->now.octets);
	/* A chunk of BDAT may have ended amid a line. */
	if (!sender->now.dots.line_start) {
		bool fits = buf_append(&sender->output, "\r\n", 2);
		assert(fits);
	}
	sender->dirty = false;
	put_line(sender, TEXTS("."));
}

static bool
refuse_service(struct sender *sender, const struct step *step)
{
	const struct status *status = &sender->reply.status;
	struct status failure;

	if (status_class(status) == 2)
		return false;
	status_set(&failure, 451, "4.4.2", "refused at %s: %d %s",
	    sender_verbs[step->kind].name, status->code, status->text);
	failure.cause = CAUSE_DELIVERY;
	sender_give_up(sender, &failure);
	return true;
}

static bool
on_greeting(struct sender *sender, const struct step *step)
{
	refuse_service(sender, step);
	return true;
}

/* A limit of LIMITS, where text is one of this name (RFC 9422 3); what is none
 * leaves the limit as it is. */
static void
note_limit(const char *text, const char *name, uint64_t *limit)
{
	size_t len = strlen(name);
	uint64_t value;

	if (strncasecmp(text, name, len) == 0 && text[len] == '=' &&
	    decimal_digits(text + len + 1, SIZE_MAX, &value) > 0 && value > 0)
		*limit = value;
}

static void
note_limits(struct sender *sender, const char *text)
{
	while (*text != '\0') {
		note_limit(text, "RCPTMAX", &sender->rcpt_max);
		note_limit(text, "MAILMAX", &sender->mail_max);
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
}

/* One line of the answer to EHLO: a keyword and its parameters. */
static void
note_keyword(struct sender *sender, const char *line)
{
	size_t len = strcspn(line, " ");
	const char *value = line + len + strspn(line + len, " ");
	uint64_t size;

	if (len == 10 && strncasecmp(line, "PIPELINING", len) == 0)
		sender->pipelining = true;
	else if (len == 8 && strncasecmp(line, "8BITMIME", len) == 0)
		sender->takes_eightbit = true;
	else if (len == 8 && strncasecmp(line, "SMTPUTF8", len) == 0)
		sender->takes_smtputf8 = true;
	else if (len == 3 && strncasecmp(line, "DSN", len) == 0)
		sender->takes_dsn = true;
	else if (len == 6 && strncasecmp(line, "LIMITS", len) == 0)
		note_limits(sender, value);
	else if (len == 4 && strncasecmp(line, "SIZE", len) == 0) {
		sender->takes_size = true;
		if (decimal_digits(value, SIZE_MAX, &size) > 0)
			sender->size_max = size;
	}
}

static bool
on_hello(struct sender *sender, const struct step *step)
{
	/* RFC 5321 3.2: a server without extensions. */
	if (step->kind == STEP_HELLO && !sender->options.lmtp &&
	    status_class(&sender->reply.status) == 5) {
		sender->steps[sender->first].kind = STEP_HELO;
		sender->sent = sender->first;
		return false;
	}
	if (refuse_service(sender, step))
		return true;
	for (size_t i = 1; step->kind == STEP_HELLO && i < sender->reply.lines;
	     i++)
		note_keyword(sender, reply_line(&sender->reply, i));
	sender->open = true;
	return true;
}

static bool
on_rset(struct sender *sender, const struct step *step)
{
	(void)sender;
	(void)step;
	return true;
}

static bool
on_mail(struct sender *sender, const struct step *step)
{
	if (!step->orphan && status_class(&sender->reply.status) != 2)
		sender->now.refusal = sender->reply.status;
	return true;
}

static bool
on_data(struct sender *sender, const struct step *step)
{
	struct transaction *now = &sender->now;
	bool nobody = step->orphan || now->accepted_count == 0;

	if (status_class(&sender->reply.status) == 3) {
		/* RFC 2920 3.2 would send an empty message to nobody here;
		 * closing is what no server can take for one. */
		if (nobody)
			sender_fail(sender, "4.3.0",
			    "message data was asked for without a recipient");
		else
			now->data = DATA_GO;
		return true;
	}
	if (step->orphan)
		return true;
	now->data = nobody ? DATA_NONE : DATA_REFUSED;
	if (!nobody)
		now->outcome = sender->reply.status;
	return true;
}

const struct verb sender_verbs[] = {
    [STEP_GREETING] = {"connect", true, NULL, on_greeting},
    [STEP_HELLO] = {"EHLO or LHLO", true, write_hello, on_hello},
    [STEP_HELO] = {"HELO", true, write_hello, on_hello},
    [STEP_RSET] = {"RSET", false, write_plain, on_rset},
    [STEP_MAIL] = {"MAIL", false, write_mail, on_mail},
    [STEP_RCPT] = {"RCPT", false, write_rcpt, NULL},
    [STEP_DATA] = {"DATA", true, write_plain, on_data},
    [STEP_DOT] = {"the end of data", true, write_dot, NULL},
    [STEP_QUIT] = {"QUIT", true, write_plain, on_rset},
};
