# SPDX-License-Identifier: ISC
"""
The deliveries, against the real Dovecot, Postfix and Exim where these can do
what is asked, and against servers and programs that misbehave on purpose.
"""
import os
import re
import shutil
import signal
import stat

import mail
from clock import wall_clock
from doubles import DIE, SILENT
from patience import Patience
from stage import Skip, deliver, dotted, goodbye, hello, one_message, rows, until
from turned import Held

TEXT = mail.message("a message", b"Line one.\r\n..dots\r\n.\r\nLast.\r\n")
USER = "user@example.org"


def transcript(text, rcpt=USER):
    """A whole turned session as one stream, for cutting."""
    return (b"EHLO provider.example\r\nMAIL FROM:<sender@remote.example>\r\n"
            b"RCPT TO:<%s>\r\nDATA\r\n" % rcpt.encode(), dotted(text))


# LMTP into Dovecot

@rows(("socket", False), ("tcp", True))
def test_dovecot(t, tcp):
    dovecot = t.dovecot("user@example.org", "other@example.com")
    both = mail.message("for both")

    def script(line):
        hello(line)
        deliver(line, TEXT, USER)
        deliver(line, both, USER, "other@example.com")
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<nobody@example.org>", "550 5.1.1")
        goodbye(line)

    t.configure(t.provider(script, tls="starttls"), {
        "lmtp": "127.0.0.1:%d" % dovecot.port if tcp else dovecot.socket})
    t.expect(t.fetch("office"), 0, "2 messages, .*1 refused")
    assert mail.same(dovecot.mail(USER), [TEXT, both]) is None
    assert mail.same(dovecot.mail("other@example.com"), [both]) is None


@rows(("lockstep", "lockstep"), ("pipelined", "pipelined"), ("bdat", "bdat"))
def test_dovecot_many(t, mode):
    dovecot = t.dovecot(USER)
    texts = [mail.message("number %d" % n, (b".%d\r\n" % n) * (n * 50 + 1))
             for n in range(40)]
    source = t.folder_source(*[("s@r.example", [USER], x) for x in texts],
                             mode=mode, prdr=True)
    t.configure(t.provider(source=source, tls="starttls"), {"lmtp": dovecot.socket})
    t.expect(t.fetch("office"), 0, "40 messages")
    wrong = mail.same(dovecot.mail(USER), texts)
    assert wrong is None, wrong


def test_first_fetch_with_other_users(t):
    """All users are named otherwise: everything stays with the provider."""
    dovecot = t.dovecot("user", "other")
    source = t.folder_source(*[("s@r.example", ["u%d@example.org" % n], TEXT)
                               for n in range(10)])
    provider = t.provider(source=source)
    t.configure(provider, {"lmtp": dovecot.socket}, soft_bounce="auto")
    run = t.fetch("office", status=75)
    assert "550" in run.err, "the true reply must be in the log: %r" % run
    assert len(source.queue()) == 10
    assert not [o for h in source.queue() for o in h.outcome.values() if o[0] == "5"]
    # The administrator mends it, and nothing was lost.
    dovecot.users(["u%d@example.org" % n for n in range(10)])
    dovecot.reload()
    source.retry()
    t.fetch("office")
    assert not source.queue()
    for n in range(10):
        assert mail.same(dovecot.mail("u%d@example.org" % n), [TEXT]) is None
    # From now on a refusal is one.
    source.retry()
    provider = t.provider(lambda line: (hello(line), line.command(
        "MAIL FROM:<>", 250), line.command("RCPT TO:<x@example.org>", "550 5.1.1"),
        goodbye(line)))
    t.configure(provider, {"lmtp": dovecot.socket}, soft_bounce="auto")
    t.run("fetch", "office")


@rows(("yes", True, "4"), ("no", False, "550 5.1.1"))
def test_soft_bounce(t, soft, expected):
    local = t.local(answers={"RCPT": {"b@example.org": "550 5.1.1 No b"},
                             "END": {"c@example.org": "554 5.7.1 Spam"}})

    def script(line):
        hello(line)
        deliver(line, TEXT, "a@example.org")
        line.command("MAIL FROM:<>", 250)
        line.command("RCPT TO:<b@example.org>", expected)
        line.command("RCPT TO:<x@elsewhere.example>", "4" if soft else "550 5.7.1")
        line.command("RSET", 250)
        deliver(line, TEXT, "c@example.org", expect="4" if soft else "554 5.7.1")
        line.command("RCPT SYNTAX", "5")
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address}, soft_bounce=soft)
    run = t.run("fetch", "office")
    t.check_provider()
    assert "No b" in run.err and "Spam" in run.err, run


def unknown_again(t, lost, days):
    """Two had a message; then some are not known any more. days: after so many
    hours, what the first and the second of them are answered, and whether the
    alarm rings."""
    where, keys = t.path("socket"), {"soft_bounce": "auto", "drain": False}

    def had_mail(line):
        hello(line)
        deliver(line, TEXT, "anna@example.org")
        deliver(line, mail.message("for bob"), "bob@example.org")
        goodbye(line)

    def later(line, anna, bob, hours):
        hello(line)
        for who, reply in (("anna", anna), ("bob", bob), ("invented", "550 5.1.1")):
            line.command("MAIL FROM:<s@r.example>", 250)
            line.command("RCPT TO:<%s@example.org>" % who, reply)
            line.command("RSET", 250)
        if anna == "250":
            deliver(line, mail.message("after %d h" % hours), "anna@example.org")
        goodbye(line)

    known = t.local("known")
    os.symlink(known.address, where)
    t.configure(t.provider(had_mail), {"lmtp": where}, **keys)
    t.run("fetch", "office", env=wall_clock(t, 0))
    t.check_provider()
    os.unlink(where)
    os.symlink(t.local("lost", answers={"RCPT": {
        who + "@example.org": "550 5.1.1 User unknown"
        for who in lost + ("invented",)}}).address, where)
    for hours, anna, bob, alarm in days:
        t.configure(t.provider(lambda line: later(line, anna, bob, hours)),
                    {"lmtp": where}, **keys)
        run = t.run("fetch", "office", env=wall_clock(t, hours * 3600))
        t.check_provider()
        assert ("alarm: since" in run.err) == alarm, (hours, run)
        shown = t.run("status", env=wall_clock(t, hours * 3600))
        assert ("ALARM: since" in shown.out) == alarm, (hours, shown)
        assert (shown.status == 75) == alarm, (hours, shown)
        assert ("cause=vanished" in run.err) == (LATER in (anna, bob)), (hours, run)
    return run


LATER = "451 4.1.1 Had mail before and is unknown now"


def test_user_database_lost(t):
    """Whoever had mail yesterday is unknown today: nothing bounces while somebody
    can mend it, and the alarm says so; what is invented is refused at once."""
    unknown_again(t, ("anna", "bob"), [
        (24, LATER, LATER, False),
        (26, LATER, LATER, True),
        (60, LATER, LATER, True),
        (100, LATER, LATER, True),
        (124, "550 5.1.1", "550 5.1.1", False)])
    shown = t.run("status")
    assert shown.status == 0, shown


def lost_dovecot(t):
    dovecot = t.dovecot(USER)
    yield {"lmtp": dovecot.socket}
    dovecot.users([])
    dovecot.reload()
    yield


def lost_postfix(t):
    postfix = t.postfix(USER)
    yield {"smtp": "127.0.0.1:%d" % postfix.port}
    t.write("postfix/users", "")
    postfix.reload()
    yield


def lost_maildir(t):
    for who in ("user", "other"):
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(t.sub("mail"), "example.org", who, part))
    yield t.maildir(create=False)
    os.rename(t.path("mail", "example.org", "user"), t.path("away"))
    yield


@rows(("dovecot", lost_dovecot), ("postfix", lost_postfix), ("maildir", lost_maildir))
def test_user_is_lost_by_a_real_server(t, server):
    """In its own words; an invented recipient is refused."""
    steps = server(t)
    delivery = next(steps)

    def later(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<%s>" % USER, LATER)
        line.command("RCPT TO:<invented@example.org>", "550 5.1.1")
        goodbye(line)

    for script in (one_message(TEXT), later):
        t.configure(t.provider(script), delivery, soft_bounce="auto", drain=False)
        t.run("fetch", "office")
        t.check_provider()
        if script is not later:
            next(steps)


def test_domain_lost_from_the_configuration(t):
    """A slip in `accept` does not bounce the mail of those who had some before;
    to others the domain is refused."""
    local = t.local()

    def later(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<user@example.org>", LATER)
        line.command("RCPT TO:<other@example.org>", "550 5.7.1")
        goodbye(line)

    for script, accept in ((one_message(TEXT), "example.org"),
                           (later, "exmaple.org")):
        t.configure(t.provider(script), {"lmtp": local.address}, drain=False,
                    soft_bounce="auto", domains="any", accept=[accept])
        run = t.run("fetch", "office")
        t.check_provider()
    assert "cause=vanished" in run.err, run


def test_mailbox_removed(t):
    """Others have mail: the refusal is believed after a day, without an alarm."""
    unknown_again(t, ("bob",), [
        (24, "250", LATER, False),
        (40, "250", LATER, False),
        (50, "250", "550 5.1.1", False),
        (51, "250", "550 5.1.1", False)])


def test_first_day_of_a_size(t):
    """What is larger than the local limit stays with the provider, and no limit
    is announced by which it would refuse on its own."""
    local = t.local(size=50000)

    def script(line):
        assert "SIZE 0" in hello(line)
        line.command("MAIL FROM:<s@r.example> SIZE=50001",
                     "450 4.3.4 (soft bounce of 552)")
        deliver(line, mail.message("large", b"x" * 70 + b"\r\n" * 30000),
                expect="450 4.3.4")
        deliver(line, TEXT)
        line.command("MAIL FROM:<s@r.example> SIZE=50001", "552 5.3.4")
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address}, soft_bounce="auto",
                drain=False)
    t.run("fetch", "office")
    t.check_provider()


def test_first_day_of_what_changed(t):
    """A delivery that is changed, or new beside an old one, must not bounce all
    that comes; the old one's refusals are refusals."""
    old = t.local("old", answers={"RCPT": {"x@example.org": "550 5.1.1 No x"}})
    new = t.local("new", answers={"RCPT": {"x@example.com": "550 5.1.1 No x"}})
    also = t.local("also", answers={"RCPT": {"x@example.com": "550 5.1.1 No x"}})

    def first(line):
        hello(line)
        deliver(line, TEXT, "a@example.org")
        deliver(line, TEXT, "a@example.com")
        rest(line, "550 5.1.1")

    def second(line):
        hello(line)
        rest(line, "450 4.1.1 (soft bounce of 550)")

    def third(line):
        hello(line)
        deliver(line, mail.message("another"), "a@example.com")
        rest(line, "550 5.1.1")

    def rest(line, reply):
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<x@example.org>", "550 5.1.1")
        line.command("RCPT TO:<x@example.com>", reply)
        line.command("RSET", 250)
        goodbye(line)

    for script, server in ((first, new), (second, also), (third, also),
                           (second, new)):
        t.configure(t.provider(script), soft_bounce="auto", drain=False, top={
            "deliveries": {"old": {"lmtp": old.address},
                           "new": {"lmtp": server.address}},
            "routes": [{"recipients": "example.com", "deliver": "new"},
                       {"deliver": "old"}]})
        t.run("fetch", "office")
        t.check_provider()


def test_lmtp_connection_serves_a_session(t):
    local = t.local()
    source = t.folder_source(*[("s@r.example", [USER], TEXT) for _ in range(20)])
    t.configure(t.provider(source=source), {"lmtp": local.address})
    t.fetch("office")
    assert len(local.messages) == 20
    # one for the session; asking before the turn may take another
    assert local.connections <= 2, local.connections


def test_lmtp_reply_to_mail(t):
    """The delivery's refusal of MAIL is the reply to the first RCPT."""
    local = t.local(answers={"MAIL": ["451 4.7.1 Greylisted"]})

    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<user@example.org>", "451 4.7.1 Greylisted")
        line.command("RSET", 250)
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address}, drain=False)
    t.fetch("office", status=75)
    assert len(local.messages) == 1


def test_lmtp_multiline_reply(t):
    local = t.local(answers={"RCPT": {
        "a@example.org": "550-5.1.1 No such user\r\n550 5.1.1 Really"}})

    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        reply = line.command("RCPT TO:<a@example.org>", "550 5.1.1")
        assert "No such user" in reply.text, reply
        deliver_rest(line)

    def deliver_rest(line):
        line.command("RCPT TO:<user@example.org>", 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(250)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address})
    t.fetch("office")
    assert local.messages[0][1] == [USER]


def test_lmtp_size(t):
    """SIZE is the smaller of ours and the delivery's."""
    local = t.local(size=50000)

    def script(line):
        assert "SIZE 50000" in hello(line)
        line.command("MAIL FROM:<s@r.example> SIZE=50001", "552 5.3.4")
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address})
    t.fetch("office")


def test_size_of_another_leg(t):
    """A large message is refused for those whose delivery does not accept it,
    and for nobody else; what a delivery that is down accepts is not known."""
    def too_large(server, _):
        return "552 5.3.4 Too big" if "SIZE=50001" in server.commands[-1] else None

    small, large = t.local(size=50000, answers={"MAIL": too_large}), t.local(
        "large", size=90000)

    def script(line, size="SIZE 90000", expected=250):
        assert size in hello(line)
        line.command("MAIL FROM:<s@r.example> SIZE=50001", 250)
        line.command("RCPT TO:<b@example.com>", expected)
        line.command("RCPT TO:<a@example.org>", "552 5.3.4 Too big")
        line.command("RSET", 250)
        goodbye(line)

    for size, expected in (("SIZE 90000", 250), ("SIZE 0", "451")):
        t.configure(
            t.provider(lambda line, s=size, e=expected: script(line, s, e)),
            drain=False, top={
                "max_message_size": 0,
                "deliveries": {"small": {"lmtp": small.address},
                               "large": {"lmtp": large.address}},
                "routes": [{"recipients": "example.com", "deliver": "large"},
                           {"deliver": "small"}]})
        t.run("fetch", "office")
        t.check_provider()
        large.close()


def lmtp_fault(t, answers, script, status, **keys):
    local = t.local(answers=answers)
    provider = t.provider(script, replies={"ATRN": [None, b"453 no mail"]})
    t.configure(provider, dict({"lmtp": local.address, "timeout": t.seconds(2)}, **keys))
    run = t.run("fetch", "office")
    t.check_provider()
    assert run.status == status, (status, run)
    return local, run


def test_lmtp_answers_some_and_goes_silent(t):
    """The one who was answered has the mail; the message stays deferred."""
    def script(line):
        hello(line)
        deliver(line, TEXT, "a@example.org", "b@example.org", expect="451")
        line.command("QUIT", "221", "421")
        line.wait_end()
    lmtp_fault(t, {"END": {"b@example.org": SILENT}}, script, 75)


def test_lmtp_answers_some_under_prdr(t):
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example> PRDR", 250)
        line.command("RCPT TO:<a@example.org>", 250)
        line.command("RCPT TO:<b@example.org>", 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(353)
        line.expect(250)
        line.expect("451 4.4.2")
        line.expect(250)
        line.command("QUIT", "221", "421")
        line.wait_end()
    lmtp_fault(t, {"END": {"b@example.org": SILENT}}, script, 75)


@rows(("RCPT silent", "RCPT", SILENT), ("RCPT dies", "RCPT", DIE),
      ("DATA silent", "DATA", SILENT), ("DATA dies", "DATA", DIE),
      ("text dies", "BODY", DIE), ("text silent", "BODY", SILENT),
      ("END silent", "END", SILENT), ("END dies", "END", DIE),
      ("END 421", "END", "421 4.3.2 Shutting down"))
def test_lmtp_fault(t, verb, fault):
    """451 4.4.2 for this message or recipient; the line stays in step."""
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        reply = line.command("RCPT TO:<user@example.org>", "250", "4")
        if reply.code == 250:
            if line.command("DATA", 354, "4").code == 354:
                line.send(dotted(mail.message("large", b"y" * 78 + b"\r\n" * 90000)))
                line.expect("4")
        line.command("NOOP", 250, 421)
        try:
            line.command("QUIT", 221, 421)
        except Exception:  # a 421 to NOOP has ended the line
            pass
    local, _ = lmtp_fault(t, {verb: fault}, script, 75)
    assert local.messages == []


def send_sized(line, who, text, rcpt=250, end=None):
    line.command("MAIL FROM:<s@r.example> SIZE=%d" % len(text), 250)
    line.command("RCPT TO:<%s@example.org>" % who, rcpt)
    if end is not None:
        line.command("DATA", 354)
        line.send(dotted(text))
        line.expect(end)


@rows(("lmtp", lambda t: {"lmtp": t.local(answers={
          "END": {"slow@example.org": SILENT}}).address}),
      ("sendmail", lambda t: {"sendmail": t.write("sendmail", """#!/bin/sh
cat >/dev/null
case "$*" in *slow*) exec sleep 1000;; esac
""", mode=0o755)}))
def test_mailbox_that_hangs(t, delivery):
    """It takes the time of two messages of a session, and not of all; and what may
    have been delivered does not come again in each session."""
    def first(line):
        hello(line)
        send_sized(line, "slow", TEXT, 250, 451)
        send_sized(line, "slow", mail.message("one more"), 250, 451)
        send_sized(line, "slow", mail.message("and another one"),
                   "451 4.3.0 Local delivery did not answer for this recipient")
        send_sized(line, "other", TEXT, 250, 250)
        goodbye(line)

    def second(line):
        hello(line)
        send_sized(line, "slow", TEXT, 451)
        send_sized(line, "other", mail.message("again"), 250, 250)
        goodbye(line)

    keys = dict(delivery(t), timeout=t.seconds(1))
    for script in (first, second):
        t.configure(t.provider(script), keys, drain=False)
        run = t.run("fetch")  # who names the account has it tried at once
        t.check_provider()
    assert "cause=deferred-before" in run.err, run


def test_message_that_hangs_keeps_no_other_from_its_mailbox(t):
    """As one of which a filter dies: where sessions are hours apart, each begins
    with it."""
    def script(line):
        hello(line)
        send_sized(line, "user", TEXT, 250, 451)
        send_sized(line, "user", mail.message("one more"), 250, 250)
        goodbye(line)

    local = t.local(answers={"END": [SILENT]})
    t.configure(t.provider(script), {"lmtp": local.address, "timeout": t.seconds(1)},
                drain=False)
    t.fetch("office", status=75)
    assert len(local.messages) == 1, local.messages


def test_server_that_hangs_leaves_time_for_others(t):
    """Three messages wait for it, and not each one of the session."""
    hangs = t.local("hangs", answers={"RCPT": SILENT})
    works = t.local("works")

    def script(line):
        hello(line)
        for reply in 3 * ["451 4.4.2"] + 2 * ["451 4.4.2 Local delivery unavailable"]:
            line.command("MAIL FROM:<s@r.example>", 250)
            line.command("RCPT TO:<a@example.com>", reply)
            line.command("RSET", 250)
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script), drain=False, top={
        "deliveries": {"hangs": {"lmtp": hangs.address, "timeout": t.seconds(1)},
                       "works": {"lmtp": works.address}},
        "routes": [{"recipients": "example.com", "deliver": "hangs"},
                   {"deliver": "works"}]})
    run = t.fetch("office", status=75)
    assert "delivery hangs is not used any more in this session" in run.err, run
    assert len(works.messages) == 1


def test_lmtp_gone_ends_the_session(t):
    """A thousand messages must not each be put on the provider's back-off."""
    served = []

    def script(line):
        hello(line)
        served[0].close()
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<user@example.org>", "451 4.4.2")
        line.command("MAIL FROM:<s@r.example>", "421")
        line.wait_end()

    served.append(t.local())
    provider = t.provider(script, script)
    t.configure(provider, {"lmtp": served[0].address})
    t.fetch("office", status=75)
    assert len(provider.turns()) == 1


def test_lmtp_idle_connection_is_opened_anew(t):
    """A server that drops idle clients is no failure."""
    local = t.local(answers={})

    def script(line):
        hello(line)
        deliver(line, TEXT)
        for sock in list(local._open):
            sock.shutdown(2)
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address})
    t.expect(t.fetch("office"), 0, "2 messages")
    assert len(local.messages) == 2


def test_collect(t):
    """The local side sees no text before the message is whole."""
    local = t.local()
    large = mail.message("large", b"z" * 1000 + b"\r\n" * 1500000)

    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<user@example.org>", 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT)[:-3])
        line.delivered()
        assert not [c for c in local.commands if c[:4] in ("MAIL", "DATA")], \
            local.commands
        line.send(b".\r\n")
        line.expect(250)
        deliver(line, large)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address, "collect": True})
    t.fetch("office")
    arrived = [mail.stored(text) for _, _, text in local.messages]
    assert mail.same(arrived, [TEXT, large]) is None


# Cut and killed

def cut_deliveries(t):
    """The deliveries that can be cut, and how to see what arrived."""
    def sendmail_mail():
        folder = t.sub("sent")
        found = []
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as file:
                found.append(file.read())
        return found

    t.sub("sent")
    script = t.write("sendmail", "#!/bin/sh\ncat >%s/new.$$ && mv %s/new.$$ %s/mail.$$\n" % (
        t.sub("unfinished"), t.path("unfinished"), t.path("sent")), mode=0o755)
    return {"maildir": (t.maildir(), lambda: t.mail(USER)),
            "sendmail": ({"sendmail": script}, sendmail_mail)}


def cut_at(t, delivery, look, tls="off"):
    """The line is cut after each octet of a message, in all kinds of ends."""
    text = mail.message("cut", b"..\r\n.\r\nx\r\n")
    commands, body = transcript(text)
    ends = ("close", "cut", "reset")
    for octet in range(len(body) + 1):
        def script(line, octet=octet):
            line.expect(220)
            line.send(commands)
            for code in (250, 250, 250, 354):
                line.expect(code)
            line.send(body[:octet])
            if octet == len(body):
                line.expect(250)
            else:
                line.delivered()
            getattr(line, ends[octet % 3])()

        provider = t.provider(script, tls=tls, replies={"ATRN": [None, b"453 none"]})
        t.configure(provider, delivery)
        run = t.run("fetch", "office")
        t.check_provider()
        t.providers.pop().close()
        whole = octet == len(body)
        assert (run.status == 0) == whole, (octet, run)
        assert len(look()) == (1 if whole else 0), "after octet %d: %r" % (octet, look())
    wrong = mail.same(look(), [text])
    assert wrong is None, wrong


def test_cut_dovecot(t):
    dovecot = t.dovecot(USER)
    cut_at(t, {"lmtp": dovecot.socket}, lambda: dovecot.mail(USER))


def test_cut_dovecot_tls(t):
    dovecot = t.dovecot(USER)
    cut_at(t, {"lmtp": dovecot.socket}, lambda: dovecot.mail(USER), tls="implicit")


def test_cut_postfix_smtp(t):
    postfix = t.postfix(USER)

    def look():
        postfix.emptied()
        return postfix.mail(USER)
    cut_at(t, {"smtp": "127.0.0.1:%d" % postfix.port}, look)


def test_cut_maildir(t):
    cut_at(t, *cut_deliveries(t)["maildir"])


def test_cut_sendmail(t):
    cut_at(t, *cut_deliveries(t)["sendmail"])


def killed_at(t, delivery, look, step=9):
    """The agent is killed when it has read so many octets of a message."""
    text = mail.message("killed", b"..\r\n.\r\nx\r\n")
    commands, body = transcript(text)
    for octet in sorted(set(range(0, len(body), step)) | {len(body) - n for n in
                                                          range(1, 6)}):
        started = []

        def script(line, octet=octet, started=started):
            line.expect(220)
            line.send(commands)
            for code in (250, 250, 250, 354):
                line.expect(code)
            line.send(body[:octet])
            line.delivered()
            until(lambda: started, what="our word of its start")
            os.killpg(started[0].pid, signal.SIGKILL)
            line.wait_end()

        provider = t.provider(script)
        t.configure(provider, delivery)
        started.append(t.start("fetch", "office", start_new_session=True))
        t.finish(started[0], killed=True)
        t.check_provider()
        t.providers.pop().close()
        assert look() == [], "after octet %d: %r" % (octet, look())


def test_killed_dovecot(t):
    dovecot = t.dovecot(USER)
    killed_at(t, {"lmtp": dovecot.socket}, lambda: dovecot.mail(USER))
    # nothing of it is delivered later either
    provider = t.provider(one_message(TEXT))
    t.configure(provider, {"lmtp": dovecot.socket})
    t.fetch("office")
    assert mail.same(dovecot.mail(USER), [TEXT]) is None


def test_killed_maildir(t):
    killed_at(t, *cut_deliveries(t)["maildir"])


def test_killed_sendmail(t):
    killed_at(t, *cut_deliveries(t)["sendmail"])


def test_killed_postfix(t):
    postfix = t.postfix(USER)
    killed_at(t, {"smtp": "127.0.0.1:%d" % postfix.port},
              lambda: postfix.mail(USER) + postfix.queue())
    killed_at(t, {"sendmail": postfix.sendmail},
              lambda: postfix.mail(USER) + postfix.queue())


# LIMITS (RFC 9422)

def test_limits_of_the_local_server(t):
    """The recipient that is one too many comes in a message of its own, and each
    message on a connection of its own; nothing is refused for good."""
    local = t.local(keywords=["PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=1 X=y"])

    def script(line):
        line.expect(220)
        line.command("EHLO provider.example", 250)
        for rcpts in ("abc", "c"):
            line.command("MAIL FROM:<s@b.example>", 250)
            for i, rcpt in enumerate(rcpts):
                line.command("RCPT TO:<%s@example.org>" % rcpt,
                             250 if i < 2 else "451 4.5.3")
            line.command("DATA", 354)
            line.send(dotted(mail.message(rcpts)))
            line.expect(250)
        line.command("QUIT", 221)

    t.configure(t.provider(script), {"lmtp": local.address}, drain=False)
    t.fetch("office")
    assert [m[1] for m in local.messages] == [
        ["a@example.org", "b@example.org"], ["c@example.org"]], local.messages
    verbs = [c.split()[0] for c in local.commands]
    assert verbs.count("LHLO") == 2, local.commands
    assert verbs.count("RCPT") == 3, local.commands


# sendmail

def sendmail_case(t, shell, script, status, **keys):
    program = t.write("sendmail", "#!/bin/sh\n" + shell, mode=0o755)
    t.configure(t.provider(script), dict({"sendmail": program}, **keys), drain=False)
    run = t.run("fetch", "office")
    t.check_provider()
    assert run.status == status, (status, run)
    return run


@rows(("0", "cat >/dev/null", "250 2.0.0", 0),
      ("67", "cat >/dev/null; exit 67", "550 5.1.1", 67),
      ("68", "cat >/dev/null; exit 68", "451 4.3.0", 75),
      ("64", "cat >/dev/null; exit 64", "451 4.3.0", 75),
      ("75", "cat >/dev/null; exit 75", "451 4.3.0", 75),
      ("77", "exit 77", "451 4.3.0", 75),
      ("reads nothing", "exit 0", "451 4.5.0", 75),
      ("reads a line", "read -r line; exit 0", "451 4.5.0", 75),
      ("reads half", "head -c 100000 >/dev/null; exit 0", "451 4.5.0", 75),
      ("dies", "kill -9 $$", "451 4.3.0", 75),
      ("dies after reading", "cat >/dev/null; kill -15 $$", "451 4.3.0", 75),
      ("never ends", "exec sleep 1000", "451 4.3.0", 75, 2),
      ("never ends, reads", "cat >/dev/null; sleep 1000", "451 4.3.0", 75, 2),
      ("ignores signals", "trap '' TERM INT HUP; cat >/dev/null; "
                          "while :; do sleep 100; done", "451 4.3.0", 75, 2),
      ("talks without end", "yes >&2", "451 4.3.0", 75, 2))
def test_sendmail_end(t, shell, expected, status, timeout=60):
    """timeout: of a program that must reach it; for others it is no limit."""
    text = mail.message("long", b"x" * 77 + b"\r\n" * 200000)

    def script(line):
        hello(line)
        deliver(line, text, expect=expected)
        line.command("QUIT", 221, 421)
        line.wait_end()

    patience = Patience(30)
    sendmail_case(t, shell + "\n", script, status, timeout=t.seconds(timeout))
    assert patience.left()


# Whom it is run for, and what each of them got. "bad" makes it fail.
NOTING = """\
while [ "$1" != -- ]; do shift; done; shift
echo "$*" >>%s
case "$*" in *bad*) %s;; esac
cat >part.$$
for rcpt; do cat part.$$ >>"%s/$rcpt"; done
"""


@rows(("unknown", "cat >/dev/null; exit 67", "550"), ("no host", "exit 68", "451"),
      ("as a whole", "exit 65", "451"), ("later", "cat >/dev/null; exit 75", "451"),
      ("crash", "kill -SEGV $$", "451"))
def test_sendmail_fails_for_one_of_several(t, at_bad, expected):
    """Nobody is bounced or kept waiting for another's address, or gets the
    message twice."""
    rcpts = [USER, "bad@example.org", "other@example.com"]
    source = t.folder_source(("s@r.example", rcpts, TEXT))
    program = t.write("sendmail", "#!/bin/sh\n" + "cd %s\n" % t.sub("work") + NOTING % (
        t.path("runs"), at_bad, t.sub("got")), mode=0o755)
    t.configure(t.provider(source=source), {"sendmail": program})
    [held] = source.queue()
    wanted = {USER: "250", "other@example.com": "250"}
    if expected == "550":
        wanted["bad@example.org"] = "550"

    def final():
        return {r: o[:3] for r, o in Held(held.path).outcome.items() if o[0] != "4"}

    for _ in range(40):  # by chance the ledger lets one group in at a time
        t.run("fetch", "office")
        if final() == wanted:
            break
        source.retry()
    assert final() == wanted, Held(held.path).outcome
    assert sorted(os.listdir(t.path("got"))) == sorted([USER, "other@example.com"])
    for rcpt in os.listdir(t.path("got")):
        with open(t.path("got", rcpt), "rb") as file:
            assert mail.same([file.read()], [TEXT]) is None, rcpt


def test_sendmail_opens_its_input_anew(t):
    """What is wrong with the program is said once, and it is run once."""
    def script(line):
        hello(line)
        deliver(line, TEXT, expect="451 4.5.0")
        line.command("MAIL FROM:<s@r.example>", "421")
        line.wait_end()

    run = sendmail_case(t, "echo run >>%s\ncat /dev/stdin >/dev/null\n" % t.path("runs"),
                        script, 75)
    with open(t.path("runs"), encoding="ascii") as file:
        assert file.read() == "run\n"
    told = [line for line in run.err.split("\n") if " error " in line]
    assert len(told) == 1 and "must not open /dev/stdin" in told[0], run


def test_sendmail_names_a_recipient_once(t):
    program = t.write("sendmail", '#!/bin/sh\necho "$@" >%s\ncat >/dev/null\n' %
                      t.path("args"), mode=0o755)
    t.configure(t.provider(one_message(TEXT, USER, USER, "user@EXAMPLE.org")),
                {"sendmail": program})
    t.fetch("office")
    with open(t.path("args"), encoding="ascii") as file:
        assert file.read() == "-i -oep -f sender@remote.example -- %s\n" % USER


def relay_program(t, name, config):
    """A program that gives all it gets to an SMTP server; and that server."""
    path = shutil.which(name)
    if path is None:
        raise Skip("%s is not installed (test/install-deps)" % name)
    local = t.local(tcp=True, lmtp=False)
    host, port = local.address.rsplit(":", 1)
    conf = t.write(name + ".conf", config.format(host=host, port=port))
    return [path, "-C", conf], lambda: [sender for sender, _, _ in local.messages]


def return_paths(messages):
    return [re.match(rb"Return-Path: <(.*)>\n", m, re.I).group(1).decode()
            for m in messages]


def null_postfix(t):
    postfix = t.postfix(USER)
    return postfix.sendmail, lambda: return_paths(postfix.arrived(USER, 1))


def null_exim(t):
    exim = t.exim()

    def senders():
        return re.findall(r" <= (\S+) ", exim.log())
    return exim.sendmail, lambda: [s.replace("<>", "") for s in senders()]


@rows(("postfix", null_postfix), ("exim", null_exim),
      ("msmtp", lambda t: relay_program(t, "msmtp", "account default\n"
                                        "host {host}\nport {port}\n"
                                        "from me@example.org\n")),
      ("esmtp", lambda t: relay_program(t, "esmtp", "hostname={host}:{port}\n"
                                        "starttls=disabled\n")))
def test_null_sender(t, program):
    """Bounces and receipts have no sender, and keep none."""
    command, senders = program(t)
    t.configure(t.provider(one_message(TEXT, sender="")), {"sendmail": command})
    t.fetch("office")
    assert senders() == [""], senders()


def test_sendmail_leaves_no_process(t):
    """Its children are ended with it."""
    sendmail_case(t, "sleep 1000 & echo $! >%s\nsleep 1000\n" % t.path("pid"),
                  one_message(TEXT, expect="451"), 75, timeout=t.seconds(2))
    with open(t.path("pid"), encoding="ascii") as file:
        pid = int(file.read())
    until(lambda: not os.path.exists("/proc/%d" % pid) or zombie(pid), 10,
          "the end of sendmail's child")


def zombie(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_sendmail_with_a_child_that_keeps_stderr(t):
    """The end of the program counts, not that of its standard error."""
    patience = Patience(30)
    sendmail_case(t, "cat >/dev/null\nsleep 1000 &\necho $! >%s\nexit 0\n" %
                  t.path("pid"), one_message(TEXT), 0, timeout="5m")
    assert patience.left()
    with open(t.path("pid"), encoding="ascii") as file:
        pid = int(file.read())
    t.at_end(lambda: zombie(pid) or os.kill(pid, signal.SIGKILL))


def test_sendmail_is_called_as_promised(t):
    shell = ('{ for a in "$@"; do printf "%%s\\n" "$a"; done; } >%s\n'
             'env >%s\nls -l /proc/$$/fd >%s\ncat >%s\n' % tuple(
                 t.path(n) for n in ("args", "env", "fds", "text")))

    def script(line):
        hello(line)
        deliver(line, TEXT, USER, "b@example.com", sender="")
        goodbye(line)

    os.environ["ODMR_TEST_SECRET"] = "not-for-children"
    sendmail_case(t, shell, script, 0)
    read = {}
    for name in ("args", "env", "fds", "text"):
        with open(t.path(name), "rb") as file:
            read[name] = file.read()
    assert read["args"].decode().split("\n")[:-1] == [
        "-i", "-oep", "-f", "", "--", USER, "b@example.com"], read["args"]
    assert b"not-for-children" not in read["env"], read["env"]
    assert b"PATH=" in read["env"], read["env"]
    opened = dict(re.findall(rb" (\d+) -> (\S+)", read["fds"]))
    # the shell itself has its script open, and a copy of 1 while it writes
    assert not [w for n, w in opened.items() if int(n) > 2 and
                b"/sendmail" not in w and w != opened[b"2"]], opened
    fields, rest = mail.split_top(read["text"])
    assert rest == mail.stored(TEXT) and len(fields) == 1, read["text"]


def test_sendmail_arguments_of_its_own(t):
    program = t.write("sendmail", '#!/bin/sh\necho "$@" >%s\ncat >/dev/null\n' %
                      t.path("args"), mode=0o755)
    t.configure(t.provider(one_message(TEXT)), {"sendmail": [program, "-C", "/x y"]})
    t.fetch("office")
    with open(t.path("args"), encoding="ascii") as file:
        assert file.read() == "-C /x y -i -oep -f sender@remote.example -- %s\n" % USER


def test_sendmail_many_recipients(t):
    """More than 100 kB of arguments are not tried."""
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        long = "x" * 60
        taken = 0
        for number in range(1000):
            reply = line.command("RCPT TO:<%s%04d@example.org>" % (long, number),
                                 250, "451 4.5.3")
            if reply.code == 451:
                break
            taken += 1
        assert 800 < taken and taken * 78 <= 110000, taken
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(250)
        goodbye(line)
    sendmail_case(t, "cat >/dev/null\n", script, 0)


def test_sendmail_cannot_be_started_later(t):
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<user@example.org>", 250)
        os.rename(t.path("sendmail"), t.path("sendmail.away"))
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect("451 4.3.0")
        line.command("QUIT", 221, 421)
        line.wait_end()
    sendmail_case(t, "cat >/dev/null\n", script, 75)


def test_sendmail_gone_and_more_in_the_pipe(t):
    """The next message is there already, and must not be begun."""
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<user@example.org>", 250)
        os.rename(t.path("sendmail"), t.path("sendmail.away"))
        line.send(b"BDAT 3 LAST\r\nx\r\n" + 2 * (
            b"MAIL FROM:<s@r.example>\r\nRCPT TO:<user@example.org>\r\n"
            b"BDAT 3 LAST\r\nx\r\n"))
        line.expect("451 4.3.0")
        line.expect("421")
        line.wait_end()
    sendmail_case(t, "cat >/dev/null\n", script, 75)


def test_sendmail_large(t):
    """Over 1 MiB it waits in a file of spool_dir that has no name."""
    text = mail.message("large", b"0123456789" * 7 + b"\r\n" * 1200000)
    program = t.write("sendmail", "#!/bin/sh\ncat >%s\n" % t.path("text"), mode=0o755)
    t.configure(t.provider(one_message(text)), {"sendmail": program},
                top={"spool_dir": t.sub("spool")})
    t.fetch("office")
    with open(t.path("text"), "rb") as file:
        assert mail.same([file.read()], [text]) is None
    assert os.listdir(t.path("spool")) == []


def test_postfix_sendmail(t):
    postfix = t.postfix(USER, "other@example.com")
    texts = [TEXT, mail.message("large", b"abc\r\n" * 500000), mail.message("last")]

    def script(line):
        hello(line)
        for text in texts:
            deliver(line, text, USER, "other@example.com")
        goodbye(line)

    t.configure(t.provider(script, tls="starttls"), {"sendmail": postfix.sendmail})
    t.expect(t.fetch("office"), 0, "3 messages")
    for user in (USER, "other@example.com"):
        wrong = mail.same(postfix.arrived(user, 3), texts)
        assert wrong is None, wrong


def test_exim_sendmail(t):
    exim = t.exim()
    texts = [TEXT, mail.message("large", b"abc\r\n" * 500000), mail.message("last")]

    def script(line):
        hello(line)
        for text in texts:
            deliver(line, text, USER, "other@example.com")
        deliver(line, mail.message("null"), USER, sender="")
        goodbye(line)

    t.configure(t.provider(script, tls="starttls"), {"sendmail": exim.sendmail})
    t.expect(t.fetch("office"), 0, "4 messages")
    exim.run_queue()
    wrong = mail.same(exim.mail(), texts + [mail.message("null")])
    assert wrong is None, wrong


# Relaying

RELAY = ("victim%target@example.org", "target!victim@example.org",
         '"victim@target"@example.org', '"victim%target"@example.org',
         "@example.org", '"-oQ/tmp"@example.org', "-f@example.org",
         "/etc/passwd@example.org", "|sh@example.org",
         "@target.example:user@example.org", "user@target.example@example.org")


def relay_script(line):
    hello(line)
    for rcpt in RELAY:
        line.command("MAIL FROM:<s@r.example>", 250)
        if rcpt == "@target.example:user@example.org":
            line.command("RCPT TO:<%s>" % rcpt, 250)  # the route is taken off
        else:
            line.command("RCPT TO:<%s>" % rcpt, "553 5.1.3", "501 5.")
        line.command("RSET", 250)
    line.command("QUIT", 221)


@rows(("stock smtp", lambda p: {"smtp": "127.0.0.1:%d" % p.port}),
      ("open smtp", lambda p: {"smtp": "127.0.0.1:%d" % p.open_port}),
      ("sendmail", lambda p: {"sendmail": p.sendmail}))
def test_never_relayed(t, delivery_of):
    postfix = t.postfix(USER)
    delivery = delivery_of(postfix)
    t.configure(t.provider(relay_script), delivery)
    t.run("fetch", "office")
    t.check_provider()
    assert not postfix.queue(), postfix.queue()
    t.configure(t.provider(one_message(TEXT)), delivery)
    t.fetch("office")
    assert mail.same(postfix.arrived(USER), [TEXT]) is None
    assert "target" not in re.sub(r"reject:.*", "", postfix.log()), postfix.log()


def test_hostile_sender(t):
    """A sender that looks like an option, or like shell."""
    program = t.write("sendmail", '#!/bin/sh\nprintf "%%s\\n" "$@" >>%s\n'
                      "cat >/dev/null\n" % t.path("args"), mode=0o755)
    senders = ["-oQ/tmp@r.example", '"$(id)"@r.example', "'; id;'@r.example"]

    def script(line):
        hello(line)
        for sender in senders:
            if line.command("MAIL FROM:<%s>" % sender, 250, "5").code == 250:
                line.command("RCPT TO:<user@example.org>", 250)
                line.command("DATA", 354)
                line.send(dotted(TEXT))
                line.expect(250)
        goodbye(line)

    t.configure(t.provider(script), {"sendmail": program})
    t.run("fetch", "office")
    t.check_provider()
    if os.path.exists(t.path("args")):
        with open(t.path("args"), encoding="utf-8") as file:
            args = file.read().split("\n")
        for at, arg in enumerate(args):
            if arg in senders:
                assert args[at - 1] == "-f", args


# SMTP into Postfix

def test_postfix_smtp(t):
    postfix = t.postfix(USER, "other@example.com")
    texts = [TEXT, mail.message("8bit", b"gr\xc3\xbc\xc3\x9fe\r\n"),
             mail.message("large", b"abc\r\n" * 500000)]

    def script(line):
        hello(line)
        for text in texts:
            deliver(line, text, USER, "other@example.com")
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<nobody@example.org>", "550 5.1.1")
        line.command("RCPT TO:<user@example.org>", 250)
        line.command("RSET", 250)
        goodbye(line)

    t.configure(t.provider(script, tls="starttls"),
                {"smtp": "127.0.0.1:%d" % postfix.port})
    t.expect(t.fetch("office"), 0, "3 messages", "1 refused")
    for user in (USER, "other@example.com"):
        wrong = mail.same(postfix.arrived(user, 3), texts)
        assert wrong is None, wrong


def test_postfix_size(t):
    """Postfix's message_size_limit is what the provider is told."""
    postfix = t.postfix(USER)

    def script(line):
        assert "SIZE 20971520" in hello(line)
        goodbye(line)

    t.configure(t.provider(script), {"smtp": "127.0.0.1:%d" % postfix.port})
    t.fetch("office")


def test_smtp_one_answer_for_all(t):
    local = t.local(tcp=True, lmtp=False, answers={"END": ["554 5.6.0 Content"]})

    def script(line):
        hello(line)
        deliver(line, TEXT, "a@example.org", "b@example.org", expect="554 5.6.0")
        deliver(line, TEXT, "a@example.org", "b@example.org")
        goodbye(line)

    t.configure(t.provider(script), {"smtp": local.address})
    t.fetch("office")
    assert len(local.messages) == 1 and len(local.messages[0][1]) == 2


def test_smtp_without_pipelining(t):
    """A server that bears no pipelining gets none."""
    local = t.local(tcp=True, lmtp=False, keywords=())
    source = t.folder_source(*[("s@r.example", [USER, "b@example.com"], TEXT)
                               for _ in range(5)])
    t.configure(t.provider(source=source), {"smtp": local.address})
    t.fetch("office")
    assert [m[2][-len(TEXT):] for m in local.messages] == [TEXT] * 5


# Maildir

def make_maildir(t, address):
    user, _, domain = address.rpartition("@")
    for part in ("new", "cur", "tmp"):
        t.sub("mail/%s/%s/%s" % (domain, user, part))


def test_maildir(t):
    """Unknown users, modes, fields; no Maildir is made unless asked for."""
    make_maildir(t, "other@example.org")

    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<user@example.org>", "550 5.1.1")
        line.command("RSET", 250)  # in one transaction he is asked once
        make_maildir(t, USER)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<User@Example.ORG>", 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(250)
        goodbye(line)

    t.configure(t.provider(script), t.maildir(create=False, sync=True))
    t.fetch("office")
    t.assert_mail(USER, TEXT)
    [name] = os.listdir(t.path("mail/example.org/user/new"))
    status = os.stat(t.path("mail/example.org/user/new", name))
    assert stat.S_IMODE(status.st_mode) == 0o600, oct(status.st_mode)
    assert t.mail(USER)[0].startswith(b"Return-Path: <s@r.example>\n"
                                      b"Delivered-To: User@Example.ORG\n"
                                      b"Received: "), t.mail(USER)[0]
    assert os.listdir(t.path("mail/example.org/user/tmp")) == []


@rows(("dots", "../x@example.org"), ("slash", "a/b@example.org"),
      ("leading dot", ".x@example.org"), ("quoted", '"a b"@example.org'),
      ("percent", "a%b@example.org"), ("bang", "a!b@example.org"),
      ("dollar", "a$b@example.org"))
def test_maildir_user_name(t, rcpt):
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<%s>" % rcpt, "553", "501")
        goodbye(line)
    t.configure(t.provider(script))
    t.run("fetch", "office")
    t.check_provider()
    assert not [f for _, folders, files in os.walk(t.path("mail")) for f in files
                if f != ".odmr-agent"]


def test_maildir_follows_no_links(t):
    t.sub("mail/example.org")
    os.makedirs(t.path("elsewhere/new"))
    os.makedirs(t.path("elsewhere/tmp"))
    os.makedirs(t.path("elsewhere/cur"))
    os.symlink(t.path("elsewhere"), t.path("mail/example.org/user"))

    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        if line.command("RCPT TO:<user@example.org>", 250, "4", "5").code == 250:
            line.command("DATA", 354)
            line.send(dotted(TEXT))
            line.expect("4", "5")
        line.command("QUIT", 221, 421)

    t.configure(t.provider(script))
    t.run("fetch", "office")
    t.check_provider()
    assert os.listdir(t.path("elsewhere/new")) == []
    assert os.listdir(t.path("elsewhere/tmp")) == []


@rows(("read only", False, "there is no mailbox in"), ("made", True, "is empty"))
def test_maildir_disk_is_not_mounted(t, create, words):
    """An empty mount point: the provider is not called, nobody is unknown, and
    nothing is written in its place."""
    provider = t.provider(one_message(TEXT))
    t.configure(provider, t.maildir(create=create))
    os.rename(t.path("mail/.odmr-agent"), t.path("mark"))
    os.mkdir(t.path("mail/lost+found"))
    t.expect(t.fetch("office", status=75), 75, words + ".*is its disk mounted")
    assert not provider.sessions
    assert os.listdir(t.path("mail")) == ["lost+found"]
    # Mounted: there is a mailbox, or the mark.
    if create:
        os.rename(t.path("mark"), t.path("mail/.odmr-agent"))
    else:
        make_maildir(t, USER)
    t.fetch("office")
    t.assert_mail(USER, TEXT)


def test_one_mailbox_named_several_times(t):
    """By whatever addresses of a message, a mailbox gets it once."""
    t.configure(t.provider(one_message(TEXT, USER, USER, "User@example.org",
                                       "user@Example.ORG")))
    t.fetch("office")
    t.assert_mail(USER, TEXT)


def test_tags_and_catch_all_of_a_maildir(t):
    """As the manual shows: one mailbox for several addresses, who gets the
    message once and sees for whom."""
    for user in ("anna", "ben"):
        make_maildir(t, user + "@example.org")
    t.configure(
        t.provider(one_message(TEXT, "Anna+Shop@example.org", "BEN@example.org",
                               "nobody@example.org")),
        top={"deliveries": {"files": t.maildir(create=False, sync=True),
                            "anna": {"maildir": t.path("mail/example.org/anna")}},
             "routes": [{"recipients": ["anna+*@example.org"], "deliver": "anna"},
                        {"recipients": ["anna@example.org", "ben@example.org"],
                         "deliver": "files"},
                        {"deliver": "anna"}]})
    t.expect(t.fetch("office"), 0, "1 message")
    t.assert_mail("ben@example.org", TEXT)
    t.assert_mail("anna@example.org", TEXT)
    assert re.findall(rb"^Delivered-To: (.*)$", t.mail("anna@example.org")[0], re.M) == [
        b"Anna+Shop@example.org", b"nobody@example.org"]


def test_maildir_base_vanishes(t):
    """A disk that is not mounted must not bounce mail."""
    make_maildir(t, USER)

    def script(line):
        hello(line)
        os.rename(t.path("mail"), t.path("mail.away"))
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<user@example.org>", "451 4.3.0")
        line.command("QUIT", 221, 421)
    t.configure(t.provider(script), t.maildir(create=False), drain=False)
    t.fetch("office", status=75)


@rows(("unmounted", "mail"), ("no folder for new mail", "mail/example.org/user/new"))
def test_host_fault_at_the_end_of_a_text(t, folder):
    """A fault of the host is no word on a mailbox: once it is mended the next
    session delivers, and waits for no time of the ledger."""
    make_maildir(t, USER)

    def begin(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example> SIZE=%d" % len(TEXT), 250)
        line.command("RCPT TO:<%s>" % USER, 250)
        line.command("DATA", 354)

    def harmed(line):
        begin(line)
        os.rename(t.path(folder), t.path("away"))
        line.send(dotted(TEXT))
        line.expect("451 4.3.0")
        line.command("QUIT", 221, 421)

    def mended(line):
        begin(line)
        line.send(dotted(TEXT))
        line.expect(250)
        goodbye(line)

    t.configure(t.provider(harmed, mended), t.maildir(create=False), drain=False)
    assert t.run("fetch").status == 75
    os.rename(t.path("away"), t.path(folder))
    assert t.run("fetch").status == 0
    t.check_provider()
    t.assert_mail(USER, TEXT)


# Before the turn

def test_local_service_down(t):
    """Without a place for the mail the provider is not called."""
    down = {"lmtp socket": {"lmtp": t.path("nothing")},
            "lmtp tcp": {"lmtp": "127.0.0.1:1"},
            "smtp": {"smtp": "127.0.0.1:1"},
            "sendmail": {"sendmail": t.path("nothing")},
            "maildir": {"maildir": t.path("nothing") + "/{user}"}}
    for name, delivery in down.items():
        provider = t.provider(one_message(TEXT))
        t.configure(provider, delivery)
        run = t.run("fetch", "office")
        assert run.status == 75, (name, run)
        assert not provider.sessions, name
        assert not t.status()["messages"]


@rows(("silent", {"GREETING": SILENT}), ("421", {"GREETING": "421 4.3.2 Down"}),
      ("LHLO refused", {"LHLO": "550 5.7.1 Not you"}))
def test_local_service_not_ready(t, wrong):
    local = t.local(answers=wrong)
    provider = t.provider(one_message(TEXT))
    t.configure(provider, {"lmtp": local.address, "timeout": t.seconds(1)})
    t.fetch("office", status=75)
    assert not provider.sessions


def test_one_of_two_deliveries_is_down(t):
    """The call is made; what has no place now is deferred, and nothing else
    waits behind it."""
    local = t.local()

    def script(line):
        hello(line)
        for _ in range(2):
            line.command("MAIL FROM:<s@r.example>", 250)
            line.command("RCPT TO:<a@example.com>", "451 4.4.2")
            line.command("RSET", 250)
        deliver(line, TEXT, "a@example.org")
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address}, drain=False, top={
        "deliveries": {"local": {"lmtp": local.address},
                       "down": {"lmtp": t.path("nothing")}},
        "routes": [{"recipients": "example.com", "deliver": "down"},
                   {"deliver": "local"}]})
    t.fetch("office", status=75)
    assert len(local.messages) == 1


# Routes

def test_routes(t):
    """One message's recipients over three kinds of delivery."""
    dovecot = t.dovecot("sales-1@example.org")
    local = t.local()
    t.configure(
        t.provider(one_message(TEXT, "Sales-1@example.org", "user@example.com",
                               "x@example.org")),
        top={"deliveries": {"shop": {"lmtp": dovecot.socket},
                            "box": t.maildir(), "rest": {"lmtp": local.address}},
             "routes": [{"recipients": ["sales*@*", "y@z.example"], "deliver": "shop"},
                        {"recipients": "EXAMPLE.com", "deliver": "box"},
                        {"deliver": "rest"}]})
    t.expect(t.fetch("office"), 0, "1 message")
    assert mail.same(dovecot.mail("sales-1@example.org"), [TEXT]) is None
    t.assert_mail("user@example.com", TEXT)
    assert [m[1] for m in local.messages] == [["x@example.org"]]


def test_no_route(t):
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<a@example.com>", "550 5.1.1")
        line.command("RCPT TO:<a@example.org>", 250)
        line.command("RSET", 250)
        goodbye(line)
    t.configure(t.provider(script), top={
        "routes": [{"recipients": "example.org", "deliver": "local"}]})
    t.run("fetch", "office")
    t.check_provider()


def test_account_with_its_own_delivery(t):
    first, second = t.local("first"), t.local("second")
    account = t.account(t.provider(one_message(TEXT)), deliver="second")
    t.configure(accounts={"office": account}, top={
        "deliveries": {"first": {"lmtp": first.address},
                       "second": {"lmtp": second.address}},
        "routes": [{"deliver": "first"}]})
    t.fetch("office")
    assert not first.messages and len(second.messages) == 1


def two_legs(t, provider, good, bad, **keys):
    t.configure(provider, top={
        "deliveries": {"good": {"lmtp": good.address},
                       "bad": dict({"lmtp": bad.address}, **keys)},
        "routes": [{"recipients": "example.com", "deliver": "bad"},
                   {"deliver": "good"}]})


@rows(("DATA", {"DATA": lambda *_: "451 4.3.0 Not now"}, {}),
      ("DATA dies", {"DATA": lambda *_: DIE}, {}),
      ("MAIL, collected", {"MAIL": lambda *_: "451 4.7.1 Later"}, {"collect": True}),
      ("RCPT, collected", {"RCPT": lambda *_: "450 4.2.0 Later"}, {"collect": True}),
      ("gone, collected", {"MAIL": lambda *_: DIE}, {"collect": True}))
def test_one_leg_defers_for_ever(t, wrong, keys):
    """Its recipients stay with the provider; the others get the message, once,
    and the provider hears of it."""
    good, bad = t.local(), t.local("bad", answers=wrong)
    source = t.folder_source(
        ("s@r.example", ["a@example.org", "b@example.com"], TEXT))
    two_legs(t, t.provider(source=source), good, bad, **keys)
    for _ in range(40):
        t.run("fetch", "office")
        t.check_provider()
        held = source.queue()
        if held and held[0].outcome.get("a@example.org", "4")[0] == "2":
            break
        source.retry()
    assert held and held[0].waiting(None) == ["b@example.com"], held[0].outcome
    assert [m[1] for m in good.messages] == [["a@example.org"]], good.messages
    assert not bad.messages


@rows(("gone", None), ("does not accept us", "530 5.7.0 Must issue a STARTTLS command first"))
def test_one_leg_goes_away(t, reply):
    """Mail for the other leg goes on in the same session, and nobody is
    bounced."""
    good = t.local()
    bad = t.local("bad", answers={"MAIL": lambda *_: reply})

    def script(line):
        hello(line)
        if reply is None:
            bad.close()
        for _ in range(2):
            line.command("MAIL FROM:<s@r.example>", 250)
            line.command("RCPT TO:<b@example.com>", "451")
            line.command("RSET", 250)
        deliver(line, TEXT, "a@example.org")
        goodbye(line)

    two_legs(t, t.provider(script, replies={"ATRN": [None, b"453 none"]}), good, bad)
    run = t.fetch("office", status=75)
    assert len(good.messages) == 1
    assert "delivery bad is not used any more in this session" in run.err, run
    if reply:
        assert "answered MAIL with: " + reply in run.err, run


# Replies that are no word on a recipient

@rows(("login wanted", "MAIL", "530 5.7.0 Must issue a STARTTLS command first"),
      ("order", "RCPT", "503 5.5.1 Error: need MAIL command"),
      ("no mail service", "DATA", "521 5.3.2 No mail here"),
      ("command", "DATA", "502 5.5.1 Not implemented"),
      ("login at the end", "END", "535 5.7.8 Authentication failed"))
def test_reply_about_us(t, verb, reply):
    """451, the session ends, and the log has the true reply and what to do."""
    for lmtp in (True, False):
        local = t.local("local%d" % lmtp, tcp=not lmtp, lmtp=lmtp,
                        answers={verb: lambda *_: reply})

        def script(line):
            hello(line)
            line.command("MAIL FROM:<s@r.example> SIZE=100", 250)
            told = line.command("RCPT TO:<user@example.org>", "250", "451 4.3.5")
            if told.code == 250:
                line.command("DATA", "354")
                line.send(dotted(TEXT))
                line.expect("451 4.3.5")
            line.command("MAIL FROM:<s@r.example>", "421")
            line.wait_end()

        provider = t.provider(script)
        t.configure(provider, {"lmtp" if lmtp else "smtp": local.address})
        run = t.fetch("office", status=75)
        assert re.search("answered .* with: " + re.escape(reply[:20]), run.err), run
        assert re.search("let it accept|lmtp or smtp", run.err), run
        assert not local.messages
        assert reply.split(":")[0] in t.status()["error"], t.status()


HOST_REJECTED = "554 5.7.1 <h[127.0.0.1]>: Client host rejected: Access denied"


@rows(("a list for the house", "RCPT", HOST_REJECTED),
      ("a sender for the house", "MAIL", HOST_REJECTED),
      ("a parameter", "MAIL", "555 5.5.4 Unsupported option: SIZE=100"),
      ("a syntax", "RCPT", "501 5.5.4 Invalid arguments"))
def test_one_message_that_is_not_for_us(t, verb, reply):
    """It is the oldest that the provider has, so that it is the first of each
    session: nobody is bounced, and all other mail comes nevertheless."""
    def answer(server, _key):
        return reply if "<all@" in server.commands[-1] else None

    local = t.local(answers={verb: answer})
    source = t.folder_source(("all@r.example", ["all@example.org"], TEXT),
                             ("s@r.example", [USER], TEXT))
    t.configure(t.provider(source=source), {"lmtp": local.address})
    for _ in range(2):
        source.retry()
        run = t.fetch("office", status=75)
        assert "answered %s with: %s" % (verb, reply[:20]) in run.err, run
        assert [rcpts for _, rcpts, _ in local.messages] == [[USER]], run


@rows(("at MAIL", "MAIL"), ("at RCPT", "RCPT"))
def test_host_that_is_refused_for_all(t, verb):
    """The session ends when that is certain."""
    local = t.local(answers={verb: lambda *_: HOST_REJECTED})

    def script(line):
        hello(line)
        for _ in range(100):
            line.command("MAIL FROM:<s@r.example>", 250)
            line.command("RCPT TO:<user@example.org>", "451 4.3.5")
        line.command("MAIL FROM:<s@r.example>", "421")
        line.wait_end()

    t.configure(t.provider(script), {"lmtp": local.address})
    run = t.fetch("office", status=75)
    assert "let it accept mail from this host" in run.err, run
    assert HOST_REJECTED.split(":", 1)[0] in t.status()["error"], t.status()


def test_reply_about_the_set_up(t):
    """A domain that the local server does not know keeps its mail; the mail of
    others goes on."""
    local = t.local(answers={"RCPT": {
        "a@example.com": "554 5.7.1 <a@example.com>: Relay access denied"}})

    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<a@example.com>", "451 4.3.5")
        line.command("RSET", 250)
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address}, drain=False)
    run = t.fetch("office", status=75)
    assert "take the domain out of this account" in run.err, run
    assert len(local.messages) == 1


def test_text_that_is_judged_by_our_address(t):
    """DMARC goes by SPF where a sender has no DKIM, and a filter says so when it
    has the text: that is no word on the message, and others go on."""
    policy = "550 5.7.1 rejected by DMARC policy for r.example"
    local = t.local(lmtp=False, tcp=True, answers={"END": [policy]})

    def script(line):
        hello(line)
        deliver(line, mail.message("judged"), "a@example.org", expect="451 4.3.5")
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script), {"smtp": local.address}, drain=False)
    run = t.fetch("office", status=75)
    assert policy in run.err and "let it not judge mail of this host" in run.err, run
    assert len(local.messages) == 1


@rows(("maildir", lambda t: t.maildir()),
      ("sendmail", lambda t: {"sendmail": t.write(
          "sendmail", "#!/bin/sh\ncat >/dev/null\n", mode=0o755)}),
      ("collected", lambda t: {"smtp": t.local(lmtp=False, tcp=True).address,
                               "collect": True}))
def test_message_larger_than_the_disk(t, delivery):
    """It is deferred before it is downloaded, and the others are delivered: a
    session that ended there would do so each time."""
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example> SIZE=9000000000000000000", 250)
        line.command("RCPT TO:<%s>" % USER, "451 4.3.1")
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script), delivery(t), drain=False,
                top={"max_message_size": 0})
    run = t.fetch("office", status=75)
    assert "No space left on device" in run.err, run
    assert t.status()["messages"] == 1 and t.status()["deferred"] == 1, t.status()


def test_disk_full(t):
    """452 4.3.1, and the session ends."""
    if os.geteuid() != 0:
        raise Skip("only root can mount a small disk")
    small = t.sub("mail")
    if os.system("mount -t tmpfs -o size=64k none %s 2>/dev/null" % small) != 0:
        raise Skip("mounting is not allowed here")
    t.at_end(lambda: os.system("umount %s" % small))

    def script(line):
        hello(line)
        deliver(line, TEXT)
        deliver(line, mail.message("large", b"x" * 70 + b"\r\n" * 100000),
                expect="452 4.3.1")
        line.command("MAIL FROM:<s@r.example>", "421")
        line.wait_end()

    t.configure(t.provider(script), drain=False)
    t.fetch("office", status=75)
    t.assert_mail(USER, TEXT)
