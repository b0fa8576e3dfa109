# SPDX-License-Identifier: ISC
"""
Mail from and to addresses beyond ASCII (SMTPUTF8), with real servers on both
sides, and what becomes of it where the local side cannot have it.
"""
import mail
from office_host import Server
from sending_cases import opensmtpd_office, start_opensmtpd
from servers import ended
from stage import rows, until

SENDER = "müller@remote.example"
RCPT = "jörg@example.org"
USER = "user@example.org"
GREETING = "Grüße aus Köln"


def text(subject=GREETING, sender=SENDER):
    """Its header is in UTF-8, too (RFC 6532)."""
    return mail.message(subject, (subject + "\r\n").encode(), sender=sender,
                        headers=b"MIME-Version: 1.0\r\nContent-Type: text/plain; "
                                b"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")


def fields(arrived):
    return b"".join(mail.split_top(arrived)[0])


@rows(("smtp", "smtp"), ("sendmail", "sendmail"))
def test_postfix_to_postfix(t, kind):
    join = t.join()
    provider = t.postfix(relay=join.port)
    local = t.postfix(RCPT, USER, name="local")
    provider.send(SENDER, [RCPT, USER], text())
    t.configure(t.provider(source=join),
                {kind: "127.0.0.1:%d" % local.port if kind == "smtp"
                 else local.sendmail})
    t.expect(t.fetch("office"), 0, "1 message")
    provider.emptied()
    for user in RCPT, USER:
        arrived = local.arrived(user)
        wrong = mail.same(arrived, [text()])
        assert wrong is None, wrong
        assert b"with UTF8SMTP id" in fields(arrived[0]), fields(arrived[0])
    assert "status=bounced" not in provider.log() + local.log()


def test_postfix_to_dovecot(t):
    dovecot = t.dovecot(RCPT, USER, utf8=True)
    join = t.join()
    provider = t.postfix(relay=join.port)
    provider.send(SENDER, [RCPT, USER], text())
    t.configure(t.provider(source=join), {"lmtp": dovecot.socket})
    t.expect(t.fetch("office"), 0, "1 message")
    provider.emptied()
    for user in RCPT, USER:
        wrong = mail.same(dovecot.mail(user), [text()])
        assert wrong is None, wrong
    assert "status=bounced" not in provider.log()


def test_postfix_to_exim(t):
    join = t.join()
    provider = t.postfix(relay=join.port)
    local = t.exim()
    provider.send(SENDER, [RCPT, USER], text())
    t.configure(t.provider(source=join), {"sendmail": local.sendmail})
    t.expect(t.fetch("office"), 0, "1 message")
    provider.emptied()
    local.run_queue()
    for user in RCPT, USER:
        assert "<%s> R=local" % user in local.log(), local.log()
    assert "<= %s " % SENDER in local.log(), local.log()
    wrong = mail.same(local.mail(), [text()])
    assert wrong is None, wrong


def test_sendmail_of_opensmtpd(t):
    """What the manual says of it: it refuses such an address by a status that
    says nothing of addresses, so that the mail would be deferred."""
    office = opensmtpd_office(t, Server(t))
    start_opensmtpd(office)
    for sender, rcpt, status in (
            (SENDER, "root@mail.example.org", 70),
            ("s@remote.example", "jörg@mail.example.org", 70),
            ("s@remote.example", "root@mail.example.org", 0)):
        office.shell("sendmail -i -oep -f '%s' -- '%s'" % (sender, rcpt), status,
                     stdin=mail.stored(text()))


def test_exim_to_maildir(t):
    join = t.join()
    provider = t.exim(relay=join.port)
    provider.send(SENDER, [RCPT], text())
    t.configure(t.provider(source=join), t.maildir())
    queue = provider.start_queue()
    t.at_end(queue.end)
    t.expect(t.fetch("office"), 0, "1 message")
    ended(queue.child, 20)
    assert provider.queued() == 0, provider.log()
    t.assert_mail(RCPT, text())


def test_local_server_without_smtputf8(t):
    """The recipient beyond ASCII is refused, and only that one; a header in
    UTF-8 keeps nobody's mail away."""
    dovecot = t.dovecot(USER, "sender@example.com")
    join = t.join()
    provider = t.postfix(relay=join.port)
    provider.send("sender@example.com", [RCPT, USER], text(sender="s@b.example"))
    t.configure(t.provider(source=join), {"lmtp": dovecot.socket})
    until(lambda: t.run("fetch", "office") and dovecot.mail("sender@example.com"),
          60, "the bounce")
    wrong = mail.same(dovecot.mail(USER), [text(sender="s@b.example")])
    assert wrong is None, wrong
    bounce, = dovecot.mail("sender@example.com")
    assert b"5.6.7" in bounce and RCPT.encode() in bounce, bounce
    assert USER.encode() not in bounce.split(b"message/")[1], bounce


def test_sender_that_the_local_server_cannot_have(t):
    def script(line):
        line.expect(220)
        line.command("EHLO provider.example", 250)
        line.command("MAIL FROM:<%s> SMTPUTF8" % SENDER, 250)
        line.command("RCPT TO:<%s>" % USER, first)
        line.command("QUIT", 221)

    local = t.local()
    for soft, first in (False, "553 5.6.7"), (True, "450 4.6.7"):
        t.configure(t.provider(script), {"lmtp": local.address}, drain=False,
                    soft_bounce=soft)
        t.fetch("office", status=75 if soft else 67)
    assert not local.messages


def test_domain_in_utf8(t):
    """It is accepted where the configuration names it, and nowhere else."""
    def script(line):
        line.expect(220)
        line.command("EHLO provider.example", 250)
        line.command("MAIL FROM:<s@b.example> SMTPUTF8", 250)
        line.command("RCPT TO:<a@Bücher.example>", first)
        line.command("RCPT TO:<a@bÜcher.example>", "550 5.7.1")
        line.command("QUIT", 221)

    for accept, first in (([], "550 5.7.1"), (["bücher.example"], "250")):
        t.configure(t.provider(script), t.maildir(), drain=False, soft_bounce=False,
                    domains=["xn--bcher-kva.example"],
                    accept=["xn--bcher-kva.example"] + accept)
        said = t.fetch("office", status=67)
        hint = r"is also written b\xc3\xbccher.example in mail" in said.err
        assert hint != bool(accept), said
