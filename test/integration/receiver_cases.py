# SPDX-License-Identifier: ISC
"""
The agent as SMTP server: the replies that odmr-agent(8) lists, the text of
messages, and the ways in which providers part from the book.
"""
import re
import threading
import time

import mail
from line import readable
from stage import deliver, dotted, goodbye, hello, one_message, rows

TEXT = mail.message("a message")
MAIL = "MAIL FROM:<sender@remote.example>"
RCPT = "RCPT TO:<user@example.org>"


# Replies

def test_announced(t):
    offered = []

    def script(line):
        greeting = line.expect(220)
        assert greeting.first.startswith("220 mail.example.org "), greeting
        reply = line.command("EHLO provider.example", 250)
        assert reply.lines[0].split()[0] == "mail.example.org", reply
        offered.extend(k.upper() for k in reply.lines[1:])
        goodbye(line)

    t.configure(t.provider(script), top={"max_message_size": "5M"})
    t.fetch("office")
    assert sorted(offered) == sorted([
        "PIPELINING", "SIZE 5242880", "8BITMIME", "ENHANCEDSTATUSCODES",
        "CHUNKING", "SMTPUTF8", "LIMITS RCPTMAX=1000", "PRDR"]), offered


def test_address_literal_for_a_short_name(t):
    """A host name without a dot is no name in EHLO or in the greeting."""
    def script(line):
        greeting = line.expect(220)
        assert re.match(r"220 \[127\.0\.0\.1\] ", greeting.first), greeting
        line.command("EHLO provider.example", 250)
        goodbye(line)

    provider = t.provider(script)
    t.configure(provider, top={"hostname": "short"})
    t.expect(t.fetch("office"), 0, "warning")
    assert provider.turns()[0].commands[0].startswith("EHLO [127.0.0.1]")


@rows(
    ("unknown", [("FOO", "500 5.5.")]),
    ("starttls", [("STARTTLS", "502 5.5.1")]),
    ("auth", [("AUTH PLAIN", "502 5.5.1")]),
    ("etrn", [("ETRN example.org", "502 5.5.1")]),
    ("atrn", [("ATRN example.org", "502 5.5.1")]),
    ("turn", [("TURN", "502 5.5.1")]),
    ("expn", [("EXPN list", "502 5.5.1")]),
    ("vrfy", [("VRFY user", "252")]),
    ("help", [("NOOP", "250"), ("NOOP with words", "250"), ("RSET", "250")]),
    ("helo", [("HELO provider.example", 250), (MAIL, 250), (RCPT, 250),
              ("RSET", 250)]),
    ("case", [("mail from:<a@b.example>", 250), ("rcpt TO:<user@EXAMPLE.org>", 250),
              ("rSeT", 250)]),
    ("space after colon", [("MAIL FROM: <a@b.example>", 250),
                           ("RCPT TO: <user@example.org>", 250)]),
    ("null sender", [("MAIL FROM:<>", 250), (RCPT, 250)]),
    ("rcpt first", [(RCPT, "503 5.5.1"), ("DATA", "503 5.5.1")]),
    ("data first", [(MAIL, 250), ("DATA", "5")]),
    ("second mail", [(MAIL, 250), (MAIL, 250), (RCPT, 250)]),
    ("ehlo resets", [(MAIL, 250), ("EHLO x.example", 250), (RCPT, "503 5.5.1")]),
    ("mail syntax", [("MAIL a@b.example", "501 5.5."), ("MAIL FROM:<a b>", "501 5.")]),
    ("senders without a domain", [("MAIL FROM:<root>", 250), ("RSET", 250),
                                  ("MAIL FROM:root", 250)]),
    ("no angle brackets", [("MAIL FROM:a@b.example SIZE=9", 250),
                           ("RCPT TO:user@example.org", 250)]),
    ("dot at the end", [("MAIL FROM:<a@b.example.>", 250),
                        ("RCPT TO:<user@example.org.>", 250),
                        ("RCPT TO:<user@elsewhere.example.>", "550 5.7.1")]),
    ("odd dots", [("MAIL FROM:<a..b@c.example>", 250),
                  ("RCPT TO:<user..x@example.org>", 250),
                  ("RCPT TO:<user.@example.org>", 250)]),
    ("long local parts", [("MAIL FROM:<%s@b.example>" % ("a" * 900), 250),
                          ("RCPT TO:<%s@example.org>" % ("b" * 200), 250)]),
    ("rcpt syntax", [(MAIL, 250), ("RCPT TO:user", "501 5."),
                     ("RCPT TO:<>", "501 5."), (RCPT, 250)]),
    ("smtputf8", [(MAIL + " SMTPUTF8=1", "501 5.5.4"),
                  ("MAIL FROM:<\u00e4@b.example>", "553 5.6.7"),
                  ("MAIL FROM:<\u00e4@b.example> SMTPUTF8", 250), ("RSET", 250),
                  (MAIL, 250), ("RCPT TO:<\u00e4@example.org>", "553 5.6.7")]),
    ("dsn", [(MAIL + " RET=HDRS", "555 5.5.4"), (MAIL + " ENVID=1", "555 5.5.4"),
             (MAIL, 250), (RCPT[:-1] + "> NOTIFY=NEVER", "555 5.5.4")]),
    ("binarymime", [(MAIL + " BODY=BINARYMIME", "5"), (MAIL, 250)]),
    ("other parameters", [(MAIL + " REQUIRETLS", "555 5.5.4"),
                          (MAIL + " BY=120;R", "555 5.5.4"),
                          (MAIL + " MT-PRIORITY=3", "555 5.5.4")]),
    ("body", [(MAIL + " BODY=8BITMIME", 250), ("RSET", 250),
              (MAIL + " BODY=7BIT", 250)]),
    ("auth parameter", [(MAIL + " AUTH=<>", 250), ("RSET", 250),
                        (MAIL + " AUTH=a+2Bb@c.example", 250), ("RSET", 250),
                        (MAIL + " AUTH=", 250)]),
    ("size", [(MAIL + " SIZE=1000", 250), ("RSET", 250),
              (MAIL + " SIZE=104857601", "552 5.3.4"), (MAIL + " SIZE=x", "501 5.5.4")]),
    ("foreign domain", [(MAIL, 250), ("RCPT TO:<a@elsewhere.example>", "550 5.7.1")]),
    ("subdomain", [(MAIL, 250), ("RCPT TO:<a@sub.example.org>", "550 5.7.1")]),
    ("source route", [
        (MAIL, 250), ("RCPT TO:<@a.example,@b.example:user@example.org>", 250)]),
    ("route to elsewhere", [
        (MAIL, 250), ("RCPT TO:<@example.org:user@elsewhere.example>", "550 5.7.1")]),
)
def test_reply(t, steps):
    # A refused recipient without any message is no failure of the session.
    def script(line):
        hello(line)
        for command, expected in steps:
            line.command(command, expected)
        goodbye(line)
    t.configure(t.provider(script))
    run = t.run("fetch", "office")
    t.check_provider()
    assert run.status in (0, 67), run


def test_long_addresses(t):
    """From the provider to the local server and into the ledger, as they came."""
    local = t.local(answers={"END": {"u..1.@example.org": "451 4.2.0 later"}})
    sender = "a" * 950 + "@remote.example"
    rcpts = ["b" * 950 + "@example.org", "u..1.@example.org"]

    def script(line):
        hello(line)
        line.command("MAIL FROM:<%s> SIZE=100" % sender, 250)
        for rcpt in rcpts:
            line.command("RCPT TO:<%s>" % rcpt, 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(451)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address}, drain=False)
    t.run("fetch", "office")
    t.check_provider()
    [(given, to, _)] = local.messages
    assert given == sender and to == rcpts[:1], (given, to)
    known = t.run("ledger", "office").out
    assert "from=<%s>" % sender in known, known
    assert "to=<%s> delivered" % rcpts[0] in known, known
    assert "  deferred from=<%s> to=<u..1.@example.org>" % sender in known, known


def test_postmaster(t):
    other = mail.message("another")
    t.configure(t.provider(one_message(TEXT, "postmaster"),
                           one_message(other, "PostMaster")))
    t.fetch("office")
    t.assert_mail("postmaster@example.org", TEXT, other)


def test_postmaster_of_a_domain_beyond_ascii(t):
    """The form that every server accepts, whichever is named first."""
    local = t.local()
    domain = "xn--bcher-kva.example"
    t.configure(t.provider(one_message(TEXT, "postmaster")), {"lmtp": local.address},
                domains=domain, accept=["b\u00fccher.example", domain])
    t.expect(t.fetch("office"), 0, "1 message")
    assert "RCPT TO:<postmaster@%s>" % domain in local.commands, local.commands


def test_domain_of_another_account(t):
    """It is deferred, not bounced: the other account will fetch it."""
    def script(line):
        hello(line)
        line.command(MAIL, 250)
        line.command("RCPT TO:<a@other.example>", "450 4.7.1")
        goodbye(line)
    provider = t.provider(script)
    t.configure(accounts={
        "office": t.account(provider, domains=["example.org"]),
        "branch": t.account(provider, domains=["other.example"])})
    t.fetch("office", status=75)


def test_domain_without_regard_to_case(t):
    t.configure(t.provider(one_message(TEXT, "User@EXAMPLE.Org")),
                domains=["Example.ORG"])
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


def test_size_by_count(t):
    """The whole text is read before the refusal, and the next message goes."""
    def script(line):
        hello(line)
        deliver(line, mail.message("large", b"x" * 70 + b"\r\n" * 40000),
                expect="552 5.3.4")
        deliver(line, TEXT)
        goodbye(line)
    t.configure(t.provider(script), top={"max_message_size": "10K"})
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


def test_size_by_count_bdat(t):
    def script(line):
        hello(line)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        line.send(b"BDAT 20000\r\n" + b"x" * 19998 + b"\r\n")
        line.expect("552 5.3.4")
        line.send(b"BDAT 3 LAST\r\nx\r\n")
        line.expect("5")
        deliver(line, TEXT)
        goodbye(line)
    t.configure(t.provider(script), top={"max_message_size": "10K"})
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


@rows(("clear", "off"), ("tls", "implicit"))
def test_replies_to_an_envelope_go_with_the_one_to_a_bdat_that_is_here(t, tls):
    asked, sent, ended = (threading.Event() for _ in range(3))
    lines, early = [], []

    def at_rcpt(_server, _rcpt):
        asked.set()
        assert sent.wait(60)
        return "250 2.1.5 Fine"

    def at_end(_server, _rcpt):
        early.extend(readable([lines[0].sock], 0))
        ended.set()
        return "250 2.0.0 Taken"

    def script(line):
        lines.append(line)
        hello(line)
        line.send(("%s\r\n%s\r\nBDAT %d LAST\r\n" % (MAIL, RCPT, len(TEXT))).encode())
        assert asked.wait(60)
        line.send(TEXT)
        line.arrived()
        sent.set()
        assert ended.wait(60)
        for _ in range(3):
            line.expect(250)
        goodbye(line)

    local = t.local(answers={"RCPT": at_rcpt, "END": at_end})
    t.configure(t.provider(script, tls=tls), {"lmtp": local.address})
    t.fetch("office")
    assert len(local.messages) == 1 and early == [], early


@rows(("clear", "off"), ("tls", "implicit"))
def test_replies_to_an_envelope_do_not_wait_for_a_bdat_that_pauses(t, tls):
    def script(line):
        hello(line)
        line.send(("%s\r\n%s\r\nBDAT %d LAST\r\n" % (MAIL, RCPT, len(TEXT))).encode()
                  + TEXT[:9])
        line.expect(250)
        line.expect(250)
        line.send(TEXT[9:])
        line.expect(250)
        goodbye(line)

    t.configure(t.provider(script, tls=tls))
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


def test_no_limit(t):
    def script(line):
        assert any(k.upper() in ("SIZE", "SIZE 0") for k in hello(line))
        line.command(MAIL + " SIZE=999999999999", 250)
        goodbye(line)
    t.configure(t.provider(script), top={"max_message_size": 0})
    t.fetch("office")


@rows(("99", 99, 250, 0), ("100", 100, "554 5.4.6", 67))
def test_hops(t, count, expected, status):
    text = b"Received: from a.example by b.example\r\n" * count + TEXT
    t.configure(t.provider(one_message(text, expect=expected)))
    t.fetch("office", status=status)
    assert len(t.mail("user@example.org")) == (1 if status == 0 else 0)


@rows(("4", 4, 250, 0), ("5", 5, "451 4.4.6", 75))
def test_our_own_loop(t, count, expected, status):
    """Mail that the local MTA gives back to the provider."""
    own = []

    def first(line):
        hello(line)
        deliver(line, TEXT, "first@example.org")
        goodbye(line)

    def second(line):
        fields, _ = mail.split_top(t.mail("first@example.org")[0])
        own.extend(f for f in fields if f.startswith(b"Received"))
        again = (own[0] * count + mail.stored(TEXT)).replace(b"\n", b"\r\n")
        one_message(again, expect=expected)(line)

    t.configure(t.provider(first, second))
    run = t.run("fetch", "office")
    t.check_provider()
    if count == 5:
        assert "error" in run.err, run
    assert len(t.mail("user@example.org")) == (1 if status == 0 else 0)


def test_1001_recipients(t):
    local = t.local()

    def script(line):
        hello(line)
        line.command(MAIL, 250)
        for n in range(10):
            line.send(b"".join(b"RCPT TO:<u%d@example.org>\r\n" % (n * 100 + i)
                               for i in range(100)))
            for _ in range(100):
                line.expect(250)
        line.command("RCPT TO:<one-more@example.org>", "452 4.5.3")
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(250)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address})
    run = t.run("fetch", "office")
    t.check_provider()
    assert run.status in (0, 75), run
    assert len(local.messages[0][1]) == 1000


@rows(
    ("another", "MAIL FROM:<second@remote.example>", "250 2.1.0", "250 2.1.5", 354),
    ("malformed", "MAIL FROM:<second@>", "501 5.1.7", "503 5.5.1", 503),
    ("too big", "MAIL FROM:<second@remote.example> SIZE=999999999999", "552 5.3.4",
     "503 5.5.1", 503),
    ("too long", "MAIL FROM:<%s@remote.example>" % ("x" * 5000), "500 5.5.2",
     "503 5.5.1", 503))
def test_mail_inside_a_transaction(t, second, mail_reply, rcpt_reply, data_reply):
    """What follows a MAIL is for its own recipients, never for those of a
    transaction that was given up without RSET."""
    def script(line):
        hello(line)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        line.send((second + "\r\nRCPT TO:<other@example.org>\r\nDATA\r\n").encode())
        line.expect(mail_reply)
        line.expect(rcpt_reply)
        line.expect(data_reply)
        if data_reply == 354:
            line.send(dotted(TEXT))
            line.expect(250)
        goodbye(line)

    t.configure(t.provider(script))
    t.run("fetch", "office")
    t.check_provider()
    assert t.mail("user@example.org") == []
    if data_reply == 354:
        t.assert_mail("other@example.org", TEXT)
        assert b"Return-Path: <second@remote.example>" in t.mail("other@example.org")[0]
    else:
        assert t.mail("other@example.org") == []


def test_long_command(t):
    def script(line):
        hello(line)
        line.command("NOOP " + "x" * 10000, "500 5.5.2")
        line.command("NOOP", 250)
        line.command("NOOP " + "x" * 3000, 250)
        goodbye(line)
    t.configure(t.provider(script))
    t.fetch("office")


def test_20_bad_commands(t):
    def script(line):
        hello(line)
        for n in range(19):
            line.command(("FOO", "RCPT TO:<a@example.org>", "MAIL FROM")[n % 3], "5")
        line.command("NOOP", 250)
        for n in range(19):
            line.command("FOO", "500")
        line.command("FOO", "421 4.7.0")
        line.wait_end()
    t.configure(t.provider(script))
    t.fetch("office", status=76)


# What arrives

BODIES = (
    ("dots", b".\r\n..\r\n.a\r\n...\r\na.\r\n\r\n.\r\n"),
    ("long line", b"x" * 200000 + b"\r\nend\r\n"),
    ("8 bit", bytes(range(1, 10)) + bytes(range(128, 256)) + b"\r\n"),
    ("empty", b""),
    ("empty lines", b"\r\n" * 1000),
    ("5 MB", b"0123456789abcdef" * 4 * 81920 + b"\r\n"),
)


@rows(*BODIES)
def test_text(t, body):
    text = mail.message("text", body)
    t.configure(t.provider(one_message(text)), top={"max_message_size": "20M"})
    t.fetch("office")
    t.assert_mail("user@example.org", text)


def test_no_header(t):
    texts = [b"just words\r\n", b"", b"\r\nbody\r\n"]
    t.configure(t.provider(*[one_message(x) for x in texts]))
    t.fetch("office")
    t.assert_mail("user@example.org", b"\r\n" + texts[0], *texts[1:])


def in_pieces(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


@rows(("1", 1), ("2", 2), ("3", 3), ("5", 5), ("7", 7))
def test_dots_at_chunk_borders(t, size):
    texts = [mail.message("dots", b".\r\n.\r\n..\r\n.x\r\nx\r\n.\r\n"),
             mail.message("text ends without a line end", b"x\r\n.\r\n\r\n.")]

    def script(line):
        hello(line)
        for text in texts:
            line.command(MAIL, 250)
            line.command(RCPT, 250)
            line.command("DATA", 354)
            for piece in in_pieces(dotted(text), size):
                line.send(piece)
            line.expect(250)
        goodbye(line)

    t.configure(t.provider(script, tls="starttls"))
    t.fetch("office")
    t.assert_mail("user@example.org", texts[0], texts[1] + b"\r\n")


@rows(("1", 1), ("4", 4), ("31", 31))
def test_bdat_chunks(t, size):
    text = mail.message("chunks", b".\r\n..\r\nx\r\n.\r\n")

    def script(line):
        hello(line)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        pieces = in_pieces(text, size)
        line.send(b"".join(b"BDAT %d\r\n" % len(p) + p for p in pieces) +
                  b"BDAT 0 LAST\r\n")
        for _ in range(len(pieces) + 1):
            line.expect(250)
        goodbye(line)

    t.configure(t.provider(script))
    t.fetch("office")
    t.assert_mail("user@example.org", text)


SMUGGLED = (b"\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<victim@example.org>\r\n"
            b"DATA\r\nSubject: smuggled\r\n\r\nx\r\n")


@rows(*((name, end) for name, end in (
    ("LF.LF", b"\n.\n"), ("LF.CRLF", b"\n.\r\n"), ("CRLF.LF", b"\r\n.\n"),
    ("CR.CR", b"\r.\r"), ("CR.CRLF", b"\r.\r\n"), ("CRLF.CR", b"\r\n.\r"),
    ("NUL", b"\r\n\0.\r\n"), ("dot NUL", b"\r\n.\0\r\n"),
    ("CRCRLF", b"\r\n.\r\r\n"), ("CRCRLF before", b"\r\r\n.\r\r\n"))))
def test_smuggling(t, end):
    """None of these ends a message, here or further on."""
    body = b"first" + end + SMUGGLED

    def script(line):
        hello(line)
        for subject in ("attack", "another"):
            line.command(MAIL, 250)
            line.command(RCPT, 250)
            line.command("DATA", 354)
            # As a careless sender has it: dots are doubled after CRLF only.
            line.send(mail.message(subject) + body + b"\r\n.\r\n")
            line.expect(250)
        goodbye(line)

    local = t.local()
    t.configure(t.provider(script), {"lmtp": local.address})
    t.fetch("office")
    assert len(local.messages) == 2, local.commands
    assert len([c for c in local.commands if c.startswith("MAIL")]) == 2
    for _, rcpts, text in local.messages:
        assert rcpts == ["user@example.org"]
        assert b"smuggled" in text
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", text), text


def test_bare_newline_reject(t):
    def script(line):
        hello(line)
        for bad in (b"a\nb", b"a\rb", b"a\0b"):
            deliver(line, mail.message("bad", bad + b"\r\n"), expect="550 5.5.2")
        deliver(line, TEXT)
        goodbye(line)
    t.configure(t.provider(script), top={"bare_newline": "reject"})
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


def test_bare_newline_normalize(t):
    sent = mail.message("odd", b"a\nb\rc\0d\r\n")
    t.configure(t.provider(one_message(sent)))
    t.fetch("office")
    t.assert_mail("user@example.org", mail.message("odd", b"a\r\nb c d\r\n"))


# The trace field

@rows(("clear", "off", "EHLO provider.example", rb"ESMTP"),
      ("tls", "starttls", "EHLO provider.example", rb"ESMTPS"),
      ("helo", "off", "HELO provider.example", rb"SMTP"))
def test_trace_field(t, tls, greeting, protocol):
    def script(line):
        line.expect(220)
        line.command(greeting, 250)
        deliver(line, TEXT)
        deliver(line, TEXT, "a@example.org", "b@example.org")
        goodbye(line)
    t.configure(t.provider(script, tls=tls))
    t.fetch("office")
    [single] = t.mail("user@example.org")
    fields, _ = mail.split_top(single)
    received = [f for f in fields if f.startswith(b"Received:")]
    assert len(received) == 1, fields
    field = re.sub(rb"\s+", b" ", received[0])
    assert re.match(
        rb"Received: from provider\.example \(.*\[127\.0\.0\.1\]\).* by "
        rb"mail\.example\.org .*with " + protocol + rb"\b.* id \S+ .*"
        rb"for <user@example\.org>.*; \w{3}, +\d+ \w{3} \d{4} [\d:]{8} [+-]\d{4}",
        field), field
    assert (b"TLS" in field) == (tls != "off"), field
    assert all(len(l) <= 78 for l in received[0].split(b"\n")), received
    fields, _ = mail.split_top(t.mail("b@example.org")[0])
    assert b"for <" not in b"".join(fields), fields
    assert b"Return-Path: <sender@remote.example>" in single


@rows(("blank", b" folded\r\nSubject: x\r\n\r\nbody\r\n", True),
      ("tab", b"\tfolded\r\n", True),
      ("no header", b"Hello, this is all.\r\n", True),
      ("nul", b"\0x\r\n", True),
      ("header", TEXT, False),
      ("mailbox", b"From a@b.example Mon Jan  1\r\nSubject: x\r\n\r\nx\r\n", False),
      ("empty line", b"\r\nbody\r\n", False))
def test_first_line(t, text, apart):
    """What is no header stays apart from our Received field."""
    local = t.local()

    def script(line):
        hello(line)
        deliver(line, text)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        line.send(b"BDAT 1\r\n" + text[:1] +
                  b"BDAT %d LAST\r\n" % (len(text) - 1) + text[1:])
        line.expect(250)
        line.expect(250)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address})
    t.fetch("office")
    given = text.replace(b"\0", b" ")
    for _, _, got in local.messages:
        field, rest = re.fullmatch(
            rb"(Received: .*?\r\n(?:\t[^\r]*\r\n)*?\t\w{3}, [^\r]*\r\n)(.*)",
            got, re.S).groups()
        assert rest == (b"\r\n" if apart else b"") + given, got
    assert len(local.messages) == 2, local.messages


def test_hostile_ehlo_name(t):
    """What the peer calls itself goes into a header only as far as it is safe."""
    def script(line):
        line.expect(220)
        line.command("EHLO (evil)\x07;<x>\x1b[31m\"", "2", "5")
        line.command("EHLO " + "a" * 2000, "2", "5")
        line.command("HELO provider.example", 250)
        line.command("EHLO \xe9vil.example", "2", "5")
        deliver(line, TEXT)
        goodbye(line)
    t.configure(t.provider(script))
    run = t.fetch("office", "-v", "--trace")
    assert "\x07" not in run.err and "\x1b" not in run.err, run
    t.assert_mail("user@example.org", TEXT)
    fields, _ = mail.split_top(t.mail("user@example.org")[0])
    assert re.fullmatch(rb"[\n\t -~]*", b"".join(fields)), fields


# How providers part from the book

def test_quit_with_the_turn(t):
    """Exim: QUIT in the same segment as the 250 to ATRN, and no EHLO."""
    def script(line):
        line.expect(220)
        line.expect(221)
        line.wait_end()
    for tls in ("off", "starttls"):
        provider = t.provider(script, tls=tls, replies={
            "ATRN": [b"250 Turning\r\nQUIT"]})
        t.configure(provider)
        t.expect(t.fetch("office"), 0, "office: no mail")


def test_raw_quit_under_tls(t):
    """Exim writes its QUIT past TLS; to us the line is garbage."""
    def script(line):
        line.raw(b"QUIT\r\n")
        try:
            line.wait_end()
        except OSError:
            pass
    t.configure(t.provider(script, tls="starttls"))
    t.expect(t.fetch("office"), 0, "office: no mail", "warning")


def test_garbage_under_tls(t):
    def script(line):
        line.raw(bytes(range(256)) * 8)
        try:
            line.wait_end()
        except OSError:
            pass
    t.configure(t.provider(script, tls="implicit"))
    t.expect(t.fetch("office"), 0, "office: no mail", "warning")


def test_turn_and_ehlo_in_one_segment(t):
    def script(line):
        line.expect(220)
        line.expect(250)
        deliver(line, mail.message("starttls" if line.tls else "off"))
        goodbye(line)
    for tls in ("off", "starttls"):
        t.configure(t.provider(script, tls=tls, replies={
            "ATRN": [b"250 Turning\r\nEHLO provider.example"]}))
        t.fetch("office")
    t.assert_mail("user@example.org", mail.message("off"), mail.message("starttls"))


def test_all_in_one_segment(t):
    """A whole session, QUIT included, right behind the 250 to ATRN."""
    everything = (b"EHLO p.example\r\n%s\r\n%s\r\nBDAT %d LAST\r\n%sQUIT" % (
        MAIL.encode(), RCPT.encode(), len(TEXT), TEXT))

    def script(line):
        for code in (220, 250, 250, 250, 250, 221):
            line.expect(code)
        line.wait_end()
    t.configure(t.provider(script, replies={
        "ATRN": [b"250 Turning\r\n" + everything]}))
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


def test_data_with_every_recipient_refused(t):
    """MAIL, RCPT, RCPT, DATA in one segment, all refused, then commands."""
    local = t.local(answers={"RCPT": {u + "@example.org": "550 5.1.1 No such user"
                                      for u in "ab"}})

    def script(line):
        hello(line)
        line.send(b"MAIL FROM:<s@r.example>\r\nRCPT TO:<a@example.org>\r\n"
                  b"RCPT TO:<b@example.org>\r\nDATA\r\n")
        line.expect(250)
        line.expect("550 5.1.1")
        line.expect("550 5.1.1")
        line.expect("5")
        line.command("RSET", 250)
        line.send(b"MAIL FROM:<s@r.example>\r\nRCPT TO:<a@example.org>\r\n"
                  b"DATA\r\nNOOP\r\nRSET\r\n")
        for expected in (250, "550 5.1.1", "5", 250, 250):
            line.expect(expected)
        deliver(line, TEXT, "c@example.org")
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address})
    t.fetch("office")
    assert [m[1] for m in local.messages] == [["c@example.org"]]


def test_bdat_without_recipients(t):
    """Its octets are swallowed, or they would be commands."""
    evil = b"NOOP\r\nMAIL FROM:<evil@evil.example>\r\n"

    def script(line):
        hello(line)
        line.send(b"BDAT %d LAST\r\n" % len(evil) + evil)
        line.expect("503")
        line.send(b"MAIL FROM:<s@r.example>\r\nBDAT %d\r\n" % len(evil) + evil)
        line.expect(250)
        line.expect("5")
        line.command("RSET", 250)
        line.send(b"MAIL FROM:<s@r.example>\r\nRCPT TO:<a@elsewhere.example>\r\n"
                  b"BDAT %d LAST\r\n" % len(evil) + evil)
        line.expect(250)
        line.expect("550 5.7.1")
        line.expect("5")
        line.command("RSET", 250)
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script))
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


@rows(("huge", b"99999999999999999999999999 LAST"), ("none", b""), ("word", b"x"),
      ("negative", b"-1"))
def test_bdat_bad_count(t, count):
    """Nobody knows where commands begin again, so the line ends."""
    def script(line):
        hello(line)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        line.send(b"BDAT %s\r\nMAIL FROM:<evil@evil.example>\r\n" % count)
        line.expect("5")
        line.wait_end()
    t.configure(t.provider(script))
    t.fetch("office", status=76)
    assert not t.mail("user@example.org")


def test_bdat_then_data(t):
    def script(line):
        hello(line)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        line.send(b"BDAT 4\r\nx: y")
        line.expect(250)
        line.command("DATA", "503")
        line.command("RSET", 250)
        deliver(line, TEXT)
        goodbye(line)
    t.configure(t.provider(script))
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


def test_pipelined_messages(t):
    """Two transactions in one write, replies in order."""
    text = dotted(TEXT)

    def script(line):
        hello(line)
        line.send(b"%s\r\n%s\r\nDATA\r\n" % (MAIL.encode(), RCPT.encode()))
        for expected in (250, 250, 354):
            line.expect(expected)
        line.send(text + b"%s\r\n%s\r\nDATA\r\n" % (MAIL.encode(), RCPT.encode()))
        for expected in (250, 250, 250, 354):
            line.expect(expected)
        line.send(text + b"QUIT\r\n")
        line.expect(250)
        line.expect(221)
        line.wait_end()

    t.configure(t.provider(script, tls="starttls"))
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT, TEXT)


def test_bare_lf_in_commands(t):
    """Only CRLF ends a command."""
    def script(line):
        hello(line)
        line.send(b"NOOP\nMAIL FROM:<evil@evil.example>\r\n")
        line.expect("5")
        line.command("RCPT TO:<user@example.org>", "503")
        goodbye(line)
    t.configure(t.provider(script))
    t.fetch("office")


@rows(("clear", "off"), ("tls", "starttls"))
def test_commands_that_end_in_lf(t, tls):
    """They are answered, not waited for, and the next command is one again."""
    def script(line):
        line.expect(220)
        for command in (b"EHLO provider.example\n", b"NOOP\n", b"\n"):
            line.send(command)
            line.expect("500 5.5.2")
        line.command("EHLO provider.example", 250)
        line.send(MAIL.encode() + b"\n")
        line.expect("500 5.5.2")
        deliver(line, TEXT)
        goodbye(line)
    t.configure(t.provider(script, tls=tls), provider_timeout="1m")
    run = t.run("fetch", "office")
    t.check_provider()
    assert run.status == 0, run
    t.assert_mail("user@example.org", TEXT)


def test_aborted_transactions(t):
    def script(line):
        hello(line)
        for end in ("RSET", "EHLO again.example"):
            line.command(MAIL, 250)
            line.command(RCPT, 250)
            line.command(end, 250)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        line.send(b"BDAT 10\r\n0123456789")
        line.expect(250)
        line.command("RSET", 250)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        goodbye(line)
    t.configure(t.provider(script))
    t.expect(t.fetch("office"), 0, "office: no mail")
    t.assert_mail("user@example.org")


# Several recipients with different ends

MIXED = {"a@example.org": "250 2.0.0 Taken by a", "b@example.org": "452 4.2.2 b is full",
         "c@example.org": "550 5.7.1 c does not want it"}


def mixed(t, end, script, **keys):
    local = t.local(answers={"END": end})
    t.configure(t.provider(script), {"lmtp": local.address}, drain=False, **keys)
    run = t.run("fetch", "office")
    t.check_provider()
    return run, local


def test_a_flood_of_refusals_in_the_log(t):
    """Some hundred have a line, the rest one line together, and the status all."""
    def script(line):
        hello(line)
        line.command(MAIL, 250)
        group = b"RCPT TO:<a@elsewhere.example>\r\nRCPT TO:<a@>\r\n" * 400
        line.send(group)
        for _ in range(400):
            line.expect("550 5.7.1")
            line.expect("501 5.1.3")
        goodbye(line)

    t.configure(t.provider(script, one_message(TEXT)), drain=False)
    run = t.run("fetch", "office")
    t.check_provider()
    lines = [l for l in run.err.split("\n") if " office: " in l]
    assert len([l for l in lines if "office: refused" in l]) == 500, len(lines)
    [rest] = [l for l in lines if "office: left-out" in l]
    assert "refused=300" in rest and "deferred=0" in rest, rest
    assert "800 refused" in run.line, run.line


def test_prdr(t):
    def script(line):
        hello(line)
        line.command(MAIL + " PRDR", 250)
        for user in "abc":
            line.command("RCPT TO:<%s@example.org>" % user, 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(353)
        line.expect("250 2.0.0")
        line.expect("452 4.2.2 b is full")
        line.expect("550 5.7.1 c does not")
        line.expect(250)
        # with one accepted recipient a plain reply
        line.command(MAIL + " PRDR", 250)
        line.command("RCPT TO:<c@example.org>", 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect("550 5.7.1")
        goodbye(line)
    run, _ = mixed(t, MIXED, script)
    assert "1 message" in run.line and "1 deferred" in run.line, run
    assert "2 refused" in run.line, run


@rows(("all refused", ["550 5.1.1 x", "554 5.7.1 y"], "5"),
      ("none taken", ["452 4.2.2 x", "550 5.7.1 y"], "4"))
def test_prdr_overall(t, ends, overall):
    def script(line):
        hello(line)
        line.command(MAIL + " PRDR", 250)
        line.command("RCPT TO:<a@example.org>", 250)
        line.command("RCPT TO:<b@example.org>", 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(353)
        line.expect(ends[0][:9])
        line.expect(ends[1][:9])
        line.expect(overall)
        goodbye(line)
    mixed(t, dict(zip(("a@example.org", "b@example.org"), ends)), script)


@rows(("defer wins", ["250 2.0.0 ok", "452 4.2.2 x", "550 5.1.1 y"], "451"),
      ("refused", ["550 5.1.1 x", "550 5.7.1 y", "550 5.1.1 z"], "550"),
      ("all taken", ["250 2.0.0 ok"] * 3, "250"))
def test_without_prdr(t, ends, overall):
    """Never 250 unless every recipient has it."""
    def script(line):
        hello(line)
        deliver(line, TEXT, "a@example.org", "b@example.org", "c@example.org",
                expect=overall)
        goodbye(line)
    mixed(t, dict(zip(("a@example.org", "b@example.org", "c@example.org"), ends)),
          script)


def test_refused_data_in_the_pipe(t):
    """LMTP must not get a DATA that we refuse: the next RCPT would be text."""
    local = t.local()

    def script(line):
        hello(line)
        line.send(b"MAIL FROM:<s@remote.example>\r\nRCPT TO:<user@example.org>\r\n"
                  b"DATA now\r\n")
        line.expect(250)
        line.expect(250)
        line.expect(501)
        line.command("RCPT TO:<other@example.org>", 250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(250)
        goodbye(line)

    t.configure(t.provider(script), {"lmtp": local.address, "timeout": t.seconds(20)})
    t.fetch("office")
    [(_, rcpts, text)] = local.messages
    assert len(rcpts) == 2 and b"RCPT" not in text


# Time and lines that vanish

def test_provider_goes_silent(t):
    def script(line):
        hello(line)
        line.wait_end()
    t.configure(t.provider(script), provider_timeout=t.seconds(2))
    t.fetch("office", status=75)


def test_provider_goes_silent_in_a_message(t):
    def script(line):
        hello(line)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        line.command("DATA", 354)
        line.send(TEXT)
        line.wait_end()
    t.configure(t.provider(script), provider_timeout=t.seconds(2))
    t.fetch("office", status=75)
    assert not t.mail("user@example.org")


def test_session_timeout(t):
    """After it no new message begins; one under way is finished."""
    def script(line):
        hello(line)
        line.command(MAIL, 250)
        line.command(RCPT, 250)
        line.command("DATA", 354)
        # The session has begun before this; it is over its time after it.
        over = time.monotonic() + 3 * t.slowness() + 2
        while time.monotonic() < over:
            line.send(b"x" * 998 + b"\r\n")
            assert not readable([line.sock], 0.2), "nothing is to come yet"
        line.send(b".\r\n")
        line.expect(250)
        line.command(MAIL, "421")
        line.wait_end()
    t.configure(t.provider(script, one_message(TEXT)), session_timeout=t.seconds(3))
    t.run("fetch", "office")
    t.check_provider()
    assert len(t.mail("user@example.org")) == 1
