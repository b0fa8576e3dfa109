# SPDX-License-Identifier: ISC
"""
The ledger: nothing twice where a reply is lost, and the truth to each recipient
where outcomes differ.
"""
import json
import os
import re
import signal

import mail
from clock import wall_clock
from doubles import DIE
from stage import deliver, dotted, goodbye, hello, one_message, rows, until

TEXT = mail.message("a message", b"Line one.\r\n..dots\r\n.\r\nLast.\r\n")
USER = "user@example.org"
NONE = {"ATRN": [None, None, b"453 none"]}


def open_ledger(t):
    with open(t.path("state", "ledger", "office"), "rb") as file:
        return file.read()


def begin(line, *rcpts, options=""):
    """Up to the 354; returns who was let in."""
    line.command("MAIL FROM:<sender@remote.example>" + options, 250)
    taken = [r for r in rcpts
             if str(line.command("RCPT TO:<%s>" % r, 250, 451))[0] == "2"]
    if taken:
        line.command("DATA", 354)
    else:
        line.command("RSET", 250)
    return taken


@rows(("dot", b""), ("quit", b"QUIT\r\n"),
      ("transaction", b"MAIL FROM:<sender@remote.example>\r\n"
       b"RCPT TO:<user@example.org>\r\nDATA\r\n"))
def test_reply_lost(t, behind):
    """The line is reset when the 250 was sent and never read; the message comes
    again in the next call, and once more in the next session."""
    dovecot = t.dovecot(USER)

    def lost(line):
        hello(line)
        begin(line, USER)
        line.send(dotted(TEXT) + behind)
        line.expect(250)
        line.reset()

    t.configure(t.provider(lost, one_message(TEXT), replies=NONE),
                {"lmtp": dovecot.socket})
    t.fetch("office")
    t.configure(t.provider(one_message(TEXT)), {"lmtp": dovecot.socket})
    t.fetch("office")
    assert mail.same(dovecot.mail(USER), [TEXT]) is None


def test_message_that_is_sent_for_weeks(t):
    """Its answer never arrives, and the provider does not give up: it is
    remembered for as long as it comes, and ledger_keep after that."""
    local = t.local()

    def lost(line):
        hello(line)
        begin(line, USER)
        line.send(dotted(TEXT))
        line.expect(250)
        line.reset()

    provider = t.provider(*[lost] * 4, one_message(TEXT))
    t.configure(provider, {"lmtp": local.address}, top={"ledger_keep": "14d"})
    for days, copies in ((0, 1), (10, 1), (20, 1), (30, 1), (50, 2)):
        provider.replies["ATRN"] = [None] + [b"453 none"] * 5
        t.run("fetch", "office", env=wall_clock(t, days * 86400))
        assert len(local.messages) == copies, days


def test_read_reply_is_forgotten(t):
    """The next 354 proves that the 250 was read: the same text is new then."""
    def script(line):
        hello(line)
        deliver(line, TEXT)
        deliver(line, TEXT)
        deliver(line, mail.message("another"))
        goodbye(line)

    t.configure(t.provider(script))
    t.fetch("office")
    assert len(t.mail(USER)) == 3
    # The last one is not proven: QUIT may have been behind its dot.
    run = t.run("ledger", "office")
    assert run.status == 0 and run.out.startswith("office: 1 entry, 0 due\n"), run
    assert "to=<user@example.org> delivered, reported" in run.out, run
    t.configure(t.provider(one_message(TEXT)))
    t.fetch("office")
    assert len(t.mail(USER)) == 4


def test_mixed_outcomes(t):
    """451 to all; then each in a transaction of its own kind, delivered once."""
    ends = []
    answers = {"a@example.org": "250 2.0.0 Saved", "b@example.org": "554 5.6.0 Never",
               "c@example.org": "452 4.2.2 Full"}
    local = t.local(answers={"END": lambda _server, rcpt: ends.append(rcpt)
                             or answers[rcpt]})
    told = {}

    def script(line):
        hello(line)
        deliver(line, TEXT, *sorted(answers), expect=451)
        for _ in range(100):
            open_ones = [r for r in sorted(answers) if told.get(r, "4")[0] == "4"]
            if open_ones == ["c@example.org"] and \
                    told.get("c@example.org") == answers["c@example.org"]:
                break
            rcpts = begin(line, *open_ones)
            if not rcpts:
                continue
            line.send(dotted(TEXT))
            reply = str(line.expect(250, 554, 451, 452))
            # While the ledger keeps others out, a 5xx could bounce them too.
            assert reply[0] != "5" or told["a@example.org"][0] == "2", told
            told.update((r, reply) for r in rcpts)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address})
    t.run("fetch", "office")
    t.check_provider()
    assert told["a@example.org"].startswith("250"), told
    assert told["b@example.org"] == "554 5.6.0 Never", told
    assert told["c@example.org"] == "452 4.2.2 Full", told
    assert ends.count("a@example.org") == 1, ends
    assert ", 0 due\n" in t.run("ledger").out


def test_two_addresses_of_one_maildir(t):
    """A template without {domain}: however often the provider has to send it
    again for somebody else's sake, the Maildir gets one file."""
    full = ["452 4.2.2 Full"] * 3
    local = t.local(answers={"END": lambda _server, _rcpt: full.pop() if full
                             else "250 2.0.0 Saved"})
    addresses = ["user@example.org", "user@example.com", "third@example.org"]
    told = {}

    def script(line):
        hello(line)
        deliver(line, TEXT, *addresses, expect=451)
        for _ in range(100):
            open_ones = [r for r in addresses if r not in told]
            if not open_ones:
                break
            rcpts = begin(line, *open_ones)
            if rcpts:
                line.send(dotted(TEXT))
                if line.expect(250, 451, 452).code == 250:
                    told.update((r, True) for r in rcpts)
        goodbye(line)

    t.configure(t.provider(script), top={
        "deliveries": {"files": {"maildir": t.path("mail/{user}"), "create": "yes"},
                       "third": {"lmtp": local.address}},
        "routes": [{"recipients": ["third@*"], "deliver": "third"},
                   {"deliver": "files"}]})
    t.run("fetch", "office")
    t.check_provider()
    assert sorted(told) == sorted(addresses), told
    [name] = os.listdir(t.path("mail/user/new"))
    with open(t.path("mail/user/new/" + name), "rb") as file:
        fields = file.read()
    assert fields.count(b"\nDelivered-To: user@example.") == 2, fields


def test_put_off(t):
    """Who was deferred after the text is not downloaded again at once, unless
    the user asks for it by the account's name."""
    local = t.local(answers={"END": ["452 4.2.2 Full"]})
    size = " SIZE=%d" % len(TEXT)

    def deferred(line):
        hello(line)
        begin(line, USER, options=size)
        line.send(dotted(TEXT))
        line.expect("452 4.2.2")
        goodbye(line)

    def again(line):
        hello(line)
        line.command("MAIL FROM:<sender@remote.example>" + size, 250)
        line.command("RCPT TO:<%s>" % USER, "451 4.2.2")
        goodbye(line)

    def taken(line):
        hello(line)
        begin(line, USER, options=size)
        line.send(dotted(TEXT))
        line.expect(250)
        goodbye(line)

    once = {"ATRN": [None, b"453 none"]}
    twice = {"ATRN": [None, None, b"453 none"]}
    t.configure(t.provider(deferred, again, replies=twice),
                {"lmtp": local.address})
    run = t.fetch("office", status=75)
    [first, then] = [l for l in run.err.split("\n") if " deferred " in l]
    assert "cause=" not in first and 'reply="452 4.2.2 Full"' in first, first
    # Not an old reply that looks new.
    assert "reply=" not in then and "cause=deferred-before" in then, then
    assert re.search(r" until=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", then), then
    assert "  deferred from=" in t.run("ledger").out
    t.configure(t.provider(taken, replies=once), {"lmtp": local.address})
    t.fetch("office")
    assert len(local.messages) == 1


def test_another_that_looks_like_a_deferred_one(t):
    """Of one sender, size and recipient: what defers one message for ever keeps
    no other away."""
    other = TEXT.replace(b"Last", b"Next")
    local = t.local(answers={"END": ["451 4.7.1 Not this one", None]})
    size = " SIZE=%d" % len(TEXT)

    def both(line):
        hello(line)
        begin(line, USER, options=size)
        line.send(dotted(TEXT))
        line.expect("451 4.7.1")
        begin(line, USER, options=size)
        line.send(dotted(other))
        line.expect(250)
        goodbye(line)

    t.configure(t.provider(both, replies=NONE), {"lmtp": local.address})
    t.run("fetch", "office")
    t.check_provider()
    assert len(local.messages) == 1, local.messages


def test_put_off_without_a_size(t):
    """A provider that announces no size: one download in a session, and the next
    session asks again."""
    local = t.local(answers={"END": ["452 4.2.2 Full"]})

    def deferred(line):
        hello(line)
        begin(line, USER)
        line.send(dotted(TEXT))
        line.expect("452 4.2.2")
        goodbye(line)

    def again(line):
        hello(line)
        line.command("MAIL FROM:<sender@remote.example>", 250)
        line.command("RCPT TO:<%s>" % USER, "451 4.2.2 Full")
        goodbye(line)

    t.configure(t.provider(deferred, again, replies=NONE),
                {"lmtp": local.address})
    t.run("fetch")
    t.check_provider()
    t.configure(t.provider(one_message(TEXT)), {"lmtp": local.address})
    t.fetch()
    assert len(local.messages) == 1


@rows(("4.3.0", "451 4.3.0 Temporary failure"), ("4.4.2", "450 4.4.2 Later"),
      ("no word", "451 Local error"))
def test_outage_is_not_remembered(t, reply):
    """A failure that is not the recipient's is over when it is over."""
    local = t.local(answers={"END": [reply]})
    size = " SIZE=%d" % len(TEXT)

    def offer(*expect):
        def script(line):
            hello(line)
            begin(line, USER, options=size)
            line.send(dotted(TEXT))
            line.expect(*expect)
            goodbye(line)
        return script

    t.configure(t.provider(offer(450, 451), replies=NONE), {"lmtp": local.address})
    t.run("fetch")
    t.check_provider()
    t.configure(t.provider(offer(250)), {"lmtp": local.address})
    t.fetch()
    assert len(local.messages) == 1


def test_loop_is_downloaded_once(t):
    """A text that came through here five times is not fetched at each call."""
    def first(line):
        hello(line)
        deliver(line, TEXT, USER)
        goodbye(line)

    options = []

    def second(line):
        fields, _ = mail.split_top(t.mail(USER)[0])
        own = next(f for f in fields if f.startswith(b"Received"))
        again = (own * 5 + mail.stored(TEXT)).replace(b"\n", b"\r\n")
        options.append(" SIZE=%d" % len(again))
        hello(line)
        begin(line, USER, options=options[0])
        line.send(dotted(again))
        line.expect("451 4.4.6")
        goodbye(line)

    def third(line):
        hello(line)
        line.command("MAIL FROM:<sender@remote.example>" + options[0], 250)
        line.command("RCPT TO:<%s>" % USER, "451 4.4.6")
        goodbye(line)

    t.configure(t.provider(first, second, third,
                           replies={"ATRN": [None, None, None, b"453 none"]}))
    t.run("fetch", "office")
    t.check_provider()
    assert "451 4.4.6" in t.run("ledger").out


def test_refused_is_asked_again(t):
    """A refusal whose 5xx was lost: the mailbox was mended meanwhile."""
    local = t.local(answers={"END": ["554 5.6.0 Never"]})

    def lost(line):
        hello(line)
        begin(line, USER)
        line.send(dotted(TEXT))
        line.expect(554)
        line.reset()

    t.configure(t.provider(lost, one_message(TEXT), replies=NONE),
                {"lmtp": local.address})
    t.fetch("office")
    assert len(local.messages) == 1


@rows(("lmtp", False), ("maildir", True))
def test_mailbox_named_twice(t, caseless):
    """One mailbox, one copy, and one answer for all its names; a Maildir's local
    part has no case."""
    rcpts = ["user@example.org", "user@EXAMPLE.ORG"]
    rcpts += ["User@example.org"] if caseless else []
    script = one_message(TEXT, *rcpts)
    if caseless:
        t.configure(t.provider(script))
        t.fetch("office")
        assert len(t.mail(USER)) == 1
    else:
        local = t.local()
        t.configure(t.provider(script), {"lmtp": local.address})
        t.fetch("office")
        assert len(local.messages) == 1
        assert local.messages[0][1] == [USER], local.messages


def test_killed_between_two_outcomes(t):
    """What one recipient has is on record before the next one's answer comes."""
    rcpts = ["a@example.org", "b@example.org"]
    given = []
    agent = []

    def answer(_server, rcpt):
        given.append(rcpt)
        if len(given) == 2:
            until(lambda: agent and b" taken " in open_ledger(t), what="a record")
            os.killpg(agent[0].pid, signal.SIGKILL)
            return DIE
        return "250 2.0.0 Saved"

    def cut(line):
        hello(line)
        begin(line, *rcpts)
        line.send(dotted(TEXT))
        line.wait_end()

    local = t.local(answers={"END": answer})
    t.configure(t.provider(cut), {"lmtp": local.address})
    agent.append(t.start("fetch", "office", start_new_session=True))
    t.finish(agent[0], killed=True)
    t.check_provider()

    def again(line):
        hello(line)
        for rcpt in rcpts:
            deliver(line, TEXT, rcpt)
        goodbye(line)

    t.configure(t.provider(again), {"lmtp": local.address})
    t.fetch("office")
    assert given == rcpts + rcpts[1:], given


def test_not_writable(t):
    """75 before the provider is asked for anything."""
    provider = t.provider(one_message(TEXT))
    t.configure(provider)
    os.makedirs(t.path("state", "ledger"))
    os.symlink(t.write("elsewhere", "mine"), t.path("state", "ledger", "office"))
    t.expect(t.run("fetch", "office"), 75, "ledger/office")
    assert not provider.turns()
    with open(t.path("elsewhere"), encoding="ascii") as file:
        assert file.read() == "mine"


def test_damage_is_told(t):
    t.configure(t.provider(one_message(TEXT)))
    t.fetch("office")
    with open(t.path("state", "ledger", "office"), "ab") as file:
        file.write(b"scribbled")
    t.configure(t.provider(one_message(TEXT)))
    t.expect(t.run("fetch", "office"), 0, "1 damaged records were dropped")
    assert len(t.mail(USER)) == 1


def test_due_in_status(t):
    """A mixed outcome that nobody fetched again: status tells, and needs no
    ledger for it."""
    local = t.local(answers={"END": ["250 2.0.0 Saved", "452 4.2.2 Full"]})
    t.configure(t.provider(
        one_message(TEXT, "a@example.org", "b@example.org", expect=451),
        replies={"ATRN": [None, b"453 none"]}), {"lmtp": local.address})
    t.fetch("office", status=75)
    os.chmod(t.path("state/ledger"), 0)
    run = t.run("status")
    assert "    1 message to be sent again (odmr-agent ledger)\n" in run.out, run
    shown = json.loads(t.run("status", "--json").out)
    assert (shown["ledger_entries"], shown["ledger_due"]) == (1, 1), shown
