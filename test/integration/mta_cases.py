# SPDX-License-Identifier: ISC
"""
Real SMTP clients on the reversed connection: Postfix and Exim, whose relay host
is the port that the provider joins with the turned line.
"""
import mail
from servers import ended
from stage import rows, until

USER = "user@example.org"
TEXTS = [
    mail.message("plain"),
    mail.message("dots", b".\r\n..\r\n.x\r\n\r\n.\r\n"),
    mail.message("8bit", "Grüße aus Köln\r\n".encode(),
                 headers=b"MIME-Version: 1.0\r\nContent-Type: text/plain; "
                         b"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"),
    mail.message("empty", b""),
    mail.message("large", b"0123456789" * 7 + b"\r\n" * 3),
] + [mail.message("number %d" % n, b"line\r\n" * n * n) for n in range(15)]
LARGE = mail.message("five megabytes", (b"0123456789" * 7 + b"\r\n") * 70000)


def check(dovecot, user, texts):
    wrong = mail.same(dovecot.mail(user), texts)
    assert wrong is None, "%s: %s" % (user, wrong)


@rows(("clear", "off"), ("starttls", "starttls"), ("implicit", "implicit"))
def test_postfix(t, tls):
    dovecot = t.dovecot(USER, "other@example.com")
    join = t.join()
    postfix = t.postfix(relay=join.port)
    for text in TEXTS + [LARGE]:
        postfix.send("sender@remote.example", [USER], text)
    both = mail.message("for two")
    postfix.send("sender@remote.example", [USER, "other@example.com"], both)
    t.configure(t.provider(source=join, tls=tls), {"lmtp": dovecot.socket})
    t.expect(t.fetch("office"), 0, "%d messages" % (len(TEXTS) + 2))
    postfix.emptied()
    check(dovecot, USER, TEXTS + [LARGE, both])
    check(dovecot, "other@example.com", [both])


def test_postfix_is_told(t):
    """Deferred mail stays with Postfix, refused mail is its to bounce."""
    dovecot = t.dovecot(USER)
    join = t.join()
    postfix = t.postfix(relay=join.port)
    postfix.send("s@example.com", ["nobody@example.org"], mail.message("refused"))
    t.configure(t.provider(source=join), {"lmtp": dovecot.socket},
                soft_bounce=True)
    t.fetch("office", status=75)
    postfix.logged(r"deferred \(host")
    assert postfix.queue() and not dovecot.mail(USER)
    # the bounce itself goes to the relay host, and so to us
    t.configure(t.provider(source=join), {"lmtp": dovecot.socket})
    dovecot.users([USER, "s@example.com"])
    until(lambda: t.run("fetch", "office") and dovecot.mail("s@example.com"), 60,
          "the bounce")
    assert b"5.1.1" in dovecot.mail("s@example.com")[0]
    postfix.logged(r"status=bounced \(host")


@rows(("clear", "off"), ("starttls", "starttls"))
def test_exim(t, tls):
    """Exim speaks BDAT and PRDR when it is offered them."""
    dovecot = t.dovecot(USER, "other@example.com")
    join = t.join()
    exim = t.exim(relay=join.port)
    for text in TEXTS[:6] + [LARGE]:
        exim.send("sender@remote.example", [USER], text)
    both = mail.message("for two")
    exim.send("sender@remote.example", [USER, "other@example.com"], both)
    provider = t.provider(source=join, tls=tls)
    t.configure(provider, {"lmtp": dovecot.socket})
    queue = exim.start_queue()
    t.at_end(queue.end)
    t.expect(t.fetch("office"), 0, "8 messages")
    ended(queue.child, 20)
    assert exim.queued() == 0, exim.log()
    check(dovecot, USER, TEXTS[:6] + [LARGE, both])
    check(dovecot, "other@example.com", [both])
    said = b"".join(bytes(d["mta"]) for d in join.dialogues)
    assert b"\nBDAT " in said and b" PRDR" in said, said[:500]


def test_exim_prdr_one_refused(t):
    """Each recipient of one message has an end of its own."""
    local = t.local(answers={"END": {"b@example.org": "550 5.7.1 Not for b",
                                     "c@example.org": "452 4.2.2 c is full"}})
    join = t.join()
    exim = t.exim(relay=join.port)
    exim.send("sender@remote.example", ["a@example.org", "b@example.org",
                                        "c@example.org"], mail.message("for three"))
    t.configure(t.provider(source=join), {"lmtp": local.address}, drain=False)
    queue = exim.start_queue()
    t.at_end(queue.end)
    t.fetch("office", status=75)
    ended(queue.child, 20)
    log = exim.log()
    assert "=> a@example.org" in log and "** b@example.org" in log, log
    assert "== c@example.org" in log, log
    assert [m[1] for m in local.messages] == [["a@example.org"]]
