# SPDX-License-Identifier: ISC
"""
A real Exim as the provider: that no mail stays with it, and that it bounces
nobody by mistake.
"""
import itertools
import smtplib

import mail
from exim_provider import ASKS_QUEUE, TURNS_ALWAYS, EximProvider
from mta_cases import LARGE, TEXTS
from stage import rows, until

USER = "user@example.org"
OTHER = "other@example.com"


@rows(("clear", "off"), ("starttls", "starttls"), ("implicit", "implicit"))
def test_mail_arrives(t, tls):
    """In the clear in one call, under TLS one message a call: octet for octet,
    and all of it in one fetch."""
    exim = EximProvider(t)
    texts = TEXTS[:6] + [LARGE]
    for text in texts:
        exim.send([USER], text)
    both = mail.message("for two")
    exim.send([USER, OTHER], both)
    exim.configure(tls=tls)
    t.expect(t.fetch("office"), 0, "%d messages" % (len(texts) + 1))
    t.assert_mail(USER, *texts, both)
    t.assert_mail(OTHER, both)
    exim.emptied()
    assert not exim.fates("**")


@rows(("told", "off", ASKS_QUEUE), ("turned", "off", TURNS_ALWAYS),
      ("turned-starttls", "starttls", TURNS_ALWAYS))
def test_no_mail(t, tls, has_mail):
    """453, or the line is turned for nothing: ten polls, and none fails."""
    exim = EximProvider(t, has_mail=has_mail)
    exim.configure(tls=tls)
    for _ in range(10):
        t.expect(t.fetch("office"), 0, "no mail")


@rows(("clear", "off"), ("starttls", "starttls"))
def test_deferred_message_waits(t, tls):
    """Not due for an hour, Exim turns the line and sends nothing: no mail, and
    in ten polls none fails."""
    local = t.local(answers={"RCPT": {USER: "452 4.2.2 Full"}})
    exim = EximProvider(t, wait="1h")
    exim.send([USER], mail.message("deferred"))
    exim.configure({"lmtp": local.address}, tls=tls)
    t.fetch("office", status=75)
    for _ in range(10):
        t.expect(t.fetch("office"), 0, "no mail")
    exim.keeps(USER)
    assert not exim.fates("**"), exim.log()


# What becomes of each of three recipients: (at RCPT, at the end of the text)
FULL = ("452 4.2.2 Full", None)
BUSY = (None, "451 4.3.0 Busy")
SPAM = (None, "550 5.7.1 Not wanted")
NOBODY = ("550 5.1.1 Nobody", None)
GOOD = (None, None)


@rows(*[("-".join(names), names) for kinds in
        (("full", "spam", "good"), ("busy", "spam", "nobody"))
        for names in itertools.permutations(kinds)])
def test_nobody_is_bounced_by_mistake(t, names):
    """One is deferred at RCPT or by the ledger while another is refused at the
    end: only who was refused is bounced, and all others get the mail once
    their trouble is over."""
    kinds = {"full": FULL, "busy": BUSY, "spam": SPAM, "nobody": NOBODY, "good": GOOD}
    rcpts = ["%s%d@example.org" % (n, i) for i, n in enumerate(names)]
    answers = {"RCPT": {}, "END": {}}
    for rcpt, name in zip(rcpts, names):
        answers["RCPT"][rcpt], answers["END"][rcpt] = kinds[name]
    local = t.local(answers=answers)
    exim = EximProvider(t, transport=["hosts_try_prdr ="])
    exim.send(rcpts, mail.message("for three"))
    exim.configure({"lmtp": local.address})
    refused = sorted(r for r in rcpts if r.startswith(("spam", "nobody")))
    good = sorted(r for r in rcpts if r.startswith("good"))
    wanted = sorted(r for r in rcpts if r not in refused)
    for _ in range(3):
        t.run("fetch", "office")
        assert not set(exim.fates("**")) - set(refused), exim.log()
        assert not set(exim.fates("=>")) - set(good), exim.log()
    for rcpt in wanted:
        local.answers["RCPT"][rcpt] = local.answers["END"][rcpt] = None

    def over():
        t.run("fetch", "office")
        return not exim.waiting()
    until(over, 60, "an empty queue")
    assert exim.fates("**") == refused and exim.fates("=>") == wanted, exim.log()
    given = sorted(r for m in local.messages for r in m[1])
    assert given == wanted, local.messages


def test_first_recipient_deferred(t):
    """In the clear, others follow: what comes of it is no wait for ever."""
    local = t.local(answers={"RCPT": {"full@example.org": "450 4.2.0 Busy"}})
    exim = EximProvider(t)
    exim.send(["full@example.org", USER, OTHER], mail.message("for three"))
    for n in range(3):
        exim.send([USER], mail.message("for one %d" % n))
    exim.configure({"lmtp": local.address}, provider_timeout=t.seconds(5))

    def rest():
        t.run("fetch", "office")
        return set(exim.waiting()) <= {"full@example.org"}
    until(rest, 60, "all but one recipient to have the mail")
    assert not exim.fates("**"), exim.log()
    given = [r for m in local.messages for r in m[1]]
    assert given.count(USER) == 4 and given.count(OTHER) == 1, given


@rows(("clear", "off"), ("starttls", "starttls"))
def test_nothing_stays(t, tls):
    """Calls follow one another while Exim still has its locks."""
    exim = EximProvider(t)
    exim.configure(tls=tls)
    texts = []
    for n in range(8):
        more = [mail.message("round %d, %d" % (n, i)) for i in range(3)]
        for text in more:
            exim.send([USER], text)
        texts += more
        t.expect(t.fetch("office"), 0, "3 messages")
        exim.emptied()
    t.assert_mail(USER, *texts)


def test_one_domain_in_a_message(t):
    """As the guide has it: Exim would drop, or send to the wrong customer, who
    is in a domain that is not asked for. The sender gives him a message of his
    own."""
    exim = EximProvider(t)
    text = mail.message("for two domains")
    with smtplib.SMTP("127.0.0.1", exim.port, timeout=60) as client:
        late = client.sendmail("sender@remote.example", [USER, OTHER], text)
        assert list(late) == [OTHER] and late[OTHER][0] == 452, late
        client.sendmail("sender@remote.example", [OTHER], text)
    for domain, left in (("example.org", [OTHER]), ("example.com", [])):
        exim.configure(domains=[domain])
        t.expect(t.fetch("office"), 0, "1 message")
        exim.keeps(*left)
        assert not exim.fates("**"), exim.log()
    for user in (USER, OTHER):
        t.assert_mail(user, text)
