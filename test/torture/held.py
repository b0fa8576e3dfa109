# SPDX-License-Identifier: ISC
"""
held - a provider's queue, and the ways in which its SMTP client sends it.

A recipient is done once the provider has read a whole 2xx or 5xx for it; every
other one is sent again. Where the agent gives replies of its own to each
recipient (PRDR), they count only together with the last one, which is what a
provider that was cut between them makes of it.
"""
import base64

LOCKSTEP, PIPELINED, BDAT, PRDR = "lockstep", "pipelined", "bdat", "prdr"


class Message:
    def __init__(self, number, rcpts, lines):
        self.sender = "sender%d@remote.example" % number
        self.rcpts = rcpts
        self.text = ("From: <%s>\r\nSubject: message %d\r\n\r\n%s" % (
            self.sender, number, "".join(l + "\r\n" for l in lines))).encode()
        self.told = {}  # recipient to the code of its last reply

    def waiting(self):
        return [r for r in self.rcpts if self.told.get(r, 400) // 100 == 4]

    def mail(self, prdr):
        return "MAIL FROM:<%s> SIZE=%d%s\r\n" % (
            self.sender, len(self.text), " PRDR" if prdr else "")


def dotted(text):
    return b"".join(b"." + l if l[:1] == b"." else l
                    for l in text.splitlines(True)) + b".\r\n"


class Transaction:
    """One message on its way: what is written for it, and what is read."""

    def __init__(self, message, mode):
        self.message = message
        self.rcpts = message.waiting()
        self.prdr = mode == PRDR and len(self.rcpts) > 1
        self.accepted = []

    def commands(self):
        return [self.message.mail(self.prdr)] + [
            "RCPT TO:<%s>\r\n" % r for r in self.rcpts]

    def tell_mail(self, code):
        """A MAIL that is not taken defers everybody, whatever it says: it
        says nothing about them."""
        self.refused = code // 100 != 2

    def tell_rcpt(self, rcpt, code):
        if code // 100 == 2 and not self.refused:
            self.accepted.append(rcpt)
        elif not self.refused:
            self.message.told[rcpt] = code

    def read_envelope(self, wire):
        self.tell_mail(wire.reply())
        for rcpt in self.rcpts:
            self.tell_rcpt(rcpt, wire.reply())

    def read_end(self, wire):
        codes = {}
        code = wire.reply()
        if code == 353:
            for rcpt in self.accepted:
                codes[rcpt] = wire.reply()
            wire.reply()
        for rcpt in self.accepted:
            self.message.told[rcpt] = codes.get(rcpt, code)


class Held:
    def __init__(self, messages, mode):
        self.messages = messages
        self.mode = mode
        self.tried = set()

    def left(self):
        return [m for m in self.messages if m.waiting()]

    def untried(self):
        """What a real queue would send now: a deferred one waits."""
        return [m for m in self.left() if m not in self.tried]

    def begin(self):
        """The agent was started: the waits of all that was deferred are over."""
        self.tried.clear()

    # Before the turn

    def turn(self, wire, context=None):
        """Greets, logs anybody in, and turns where there is mail. False: not."""
        wire.send(b"220 provider.example ODMR ready\r\n")
        while True:
            verb, _, argument = wire.line().partition(b" ")
            verb = verb.upper()
            if verb == b"EHLO":
                tls = b"STARTTLS\r\n250-" if context and not wire.tls else b""
                auth = b"AUTH PLAIN" if wire.tls else b"AUTH CRAM-MD5"
                wire.send(b"250-provider.example\r\n250-%s%s\r\n250 ATRN\r\n"
                          % (tls, auth))
            elif verb == b"STARTTLS":
                wire.send(b"220 2.0.0 Go ahead\r\n")
                wire.start_tls(context)
            elif verb == b"AUTH":
                if argument.upper() in (b"CRAM-MD5", b"PLAIN"):
                    wire.send(b"334 %s\r\n" % base64.b64encode(b"<1@provider>"))
                    wire.line()
                wire.send(b"235 2.7.0 Welcome\r\n")
            elif verb == b"ATRN":
                if self.untried():
                    wire.send(b"250 2.0.0 Turning\r\n")
                    return True
                wire.send(b"453 4.5.0 No mail\r\n")
            elif verb == b"QUIT":
                wire.send(b"221 2.0.0 Bye\r\n")
                return False
            else:
                wire.send(b"502 5.5.1 No\r\n")

    # After it

    def serve(self, wire):
        wire.reply()
        wire.send(b"EHLO provider.example\r\n")
        wire.reply()
        now = [Transaction(m, self.mode) for m in self.untried()]
        send = {LOCKSTEP: self.lockstep, BDAT: self.burst}.get(
            self.mode, self.pipelined)
        send(wire, now)
        wire.reply()
        wire.until_end()

    def lockstep(self, wire, transactions):
        for one in transactions:
            self.tried.add(one.message)
            commands = one.commands()
            wire.send(commands[0].encode())
            one.tell_mail(wire.reply())
            for rcpt, command in zip(one.rcpts, commands[1:]):
                wire.send(command.encode())
                one.tell_rcpt(rcpt, wire.reply())
            if one.accepted:
                wire.send(b"DATA\r\n")
                if wire.reply() == 354:
                    wire.send(dotted(one.message.text))
                    one.read_end(wire)
                    continue
            wire.send(b"RSET\r\n")
            wire.reply()
        wire.send(b"QUIT\r\n")

    def pipelined(self, wire, transactions):
        """Envelope and DATA in one write; behind the final dot, in the same
        write, those of the next message, or QUIT."""
        heads = ["".join(t.commands()) + "DATA\r\n" for t in transactions]
        heads = [h.encode() for h in heads] + [b"QUIT\r\n"]
        wire.send(heads[0])
        for one, head in zip(transactions, heads[1:]):
            self.tried.add(one.message)
            one.read_envelope(wire)
            if wire.reply() == 354:
                wire.send(dotted(one.message.text) + head)
                one.read_end(wire)
            else:
                wire.send(b"RSET\r\n" + head)
                wire.reply()

    def burst(self, wire, transactions):
        """Everything in one write, in two chunks a message (RFC 3030)."""
        out = b""
        for one in transactions:
            text = one.message.text
            half = len(text) // 2
            out += "".join(one.commands()).encode()
            out += b"BDAT %d\r\n%s" % (half, text[:half])
            out += b"BDAT %d LAST\r\n%sRSET\r\n" % (
                len(text) - half, text[half:])
        wire.send(out + b"QUIT\r\n")
        for one in transactions:
            self.tried.add(one.message)
            one.read_envelope(wire)
            wire.reply()
            one.read_end(wire)
            wire.reply()
