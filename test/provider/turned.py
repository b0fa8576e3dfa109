# SPDX-License-Identifier: ISC
"""
turned - where the mail of a turned connection comes from.

A source tells whether there is mail (has_mail) and serves one turned line
(serve). Scripts are functions over the line, one for each call. Folder holds
messages and sends what it has no 250 for. Join connects the line with a real
MTA that has this host and a port of ours as its relay host.
"""
import glob
import json
import os
import re
import socket
import threading
import time

from line import Ended, Log, Unexpected, readable
from patience import Patience


class Scripts:
    """One function for each call; once all are used there is no mail."""

    def __init__(self, *scripts):
        self.left = list(scripts)

    def has_mail(self, _domains):
        return bool(self.left)

    def serve(self, line):
        self.left.pop(0)(line)


def said_yes(reply):
    return reply.code // 100 == 2


def write_whole(path, envelope):
    """Whoever looks meanwhile sees no half of it."""
    temporary = path + ".new"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(envelope, file, indent=1)
    os.rename(temporary, path)


class Held:
    """A message of a folder: NAME.eml and, beside it, NAME.json with "sender",
    "recipients", and later what became of each: "outcome"."""

    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            self.envelope = json.load(file)
        self.outcome = self.envelope.setdefault("outcome", {})

    def text(self):
        with open(self.path[:-len(".json")] + ".eml", "rb") as file:
            text = file.read()
        if b"\r\n" not in text:
            text = text.replace(b"\n", b"\r\n")
        return text

    def waiting(self, domains):
        """The recipients still to be served that are in the domains."""
        return [r for r in self.envelope["recipients"]
                if self.outcome.get(r, "4")[0] == "4"
                and (domains is None or r.rpartition("@")[2].lower() in domains)]

    def settle(self, rcpt, reply):
        self.outcome[rcpt] = reply.text
        write_whole(self.path, self.envelope)


def hold(folder, name, sender, recipients, text):
    """Puts a message into a folder, from which a provider may be serving. text:
    octets, lines end with LF or CRLF."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name + ".eml"), "wb") as file:
        file.write(text)
    write_whole(os.path.join(folder, name + ".json"),
                {"sender": sender, "recipients": list(recipients)})


class Folder:
    """
    A queue of held messages and a simple SMTP client. A recipient with a 2xx
    or 5xx is done; every other one is sent again by the next call.
    mode: lockstep, pipelined, or bdat; PRDR is used where it is offered and
    prdr is set. per_call limits the messages of one call.
    """

    def __init__(self, folder, mode="pipelined", prdr=False, per_call=None,
                 hello="provider.example"):
        self.folder = folder
        self.mode = mode
        self.prdr = prdr
        self.per_call = per_call
        self.hello = hello
        self.domains = None
        self.tried = set()

    def queue(self, domains=None):
        paths = sorted(glob.glob(os.path.join(self.folder, "*.json")))
        return [h for h in map(Held, paths) if h.waiting(domains)]

    def has_mail(self, domains):
        """Mail that has not been tried yet: what was deferred waits for a
        retry(), as in the queue of a real MTA."""
        self.domains = domains
        return any(h.path not in self.tried for h in self.queue(domains))

    def retry(self):
        self.tried.clear()

    def serve(self, line):
        line.expect(220)
        offered = line.command("EHLO " + self.hello, 250).lines
        held = [h for h in self.queue(self.domains) if h.path not in self.tried]
        for message in held[:self.per_call]:
            self.transact(line, message, offered)
            self.tried.add(message.path)
        line.goodbye()

    def transact(self, line, message, offered):
        text = message.text()
        rcpts = message.waiting(self.domains)
        prdr = self.prdr and "PRDR" in offered and len(rcpts) > 1
        mail = "MAIL FROM:<%s> SIZE=%d%s" % (
            message.envelope["sender"], len(text), " PRDR" if prdr else "")
        answers = self.announce(line, mail, rcpts)
        taken = []
        for rcpt, reply in zip(rcpts, answers):
            if said_yes(reply):
                taken.append(rcpt)
            else:
                message.settle(rcpt, reply)
        if not taken:
            line.command("RSET", 250)
            return
        reply = self.send_text(line, text)
        if reply.code == 353:
            for rcpt in taken:
                message.settle(rcpt, line.reply())
            line.reply()
            return
        for rcpt in taken:
            message.settle(rcpt, reply)

    def announce(self, line, mail, rcpts):
        """MAIL and RCPT; the replies to RCPT."""
        commands = [mail] + ["RCPT TO:<%s>" % r for r in rcpts]
        if self.mode == "lockstep":
            replies = [line.command(c, "2", "4", "5") for c in commands]
        else:
            line.send("".join(c + "\r\n" for c in commands).encode())
            replies = [line.reply() for _ in commands]
        return replies[1:] if said_yes(replies[0]) else [replies[0]] * len(rcpts)

    def send_text(self, line, text):
        if self.mode == "bdat":
            half = len(text) // 2
            line.send(b"BDAT %d\r\n" % half + text[:half])
            line.send(b"BDAT %d LAST\r\n" % (len(text) - half) + text[half:])
            line.expect(250)
            return line.reply()
        reply = line.command("DATA", 354, "4", "5")
        if reply.code != 354:
            return reply
        line.send(dotted(text))
        return line.reply()


def dotted(text):
    """text as DATA carries it (RFC 5321 4.5.2), with the final dot."""
    if text and not text.endswith(b"\r\n"):
        text += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", text) + b".\r\n"


class Join:
    """
    Joins a turned line with the connection of an MTA. There is mail when the
    MTA has connected, for which a call waits up to `seconds` of a quiet machine.
    What both sides said is kept, up to a bound, in `dialogues`.
    """
    KEPT = 256 * 1024

    LONGEST = 15  # seconds that no customer takes for silence

    def __init__(self, port=0, seconds=3, log=None):
        self.seconds = seconds
        self.log = log or Log()
        self.dialogues = []
        self._mta = None
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()

    def has_mail(self, _domains):
        with self._lock:
            patience, end = Patience(self.seconds), time.monotonic() + self.LONGEST
            while self._mta is None:
                left = min(patience.left(), end - time.monotonic())
                if left <= 0:
                    return False
                self._listener.settimeout(left)
                try:
                    self._mta = self._listener.accept()[0]
                except socket.timeout:
                    continue
                except OSError:
                    return False
            return True

    def serve(self, line):
        with self._lock:
            mta, self._mta = self._mta, None
        said = {"mta": bytearray(), "agent": bytearray()}
        self.dialogues.append(said)
        mta.setblocking(True)
        try:
            self._copy(line, mta, said)
        finally:
            mta.close()
        line.close()

    def _copy(self, line, mta, said):
        """Both ways until both sides have ended."""
        open_sides = {mta: "mta", line.sock: "agent"}
        silent_since = time.monotonic()
        while open_sides:
            ready = readable(list(open_sides), 1)
            if not ready and time.monotonic() - silent_since > line.timeout:
                raise Unexpected("joined line: silent for %s s" % line.timeout)
            for sock in ready:
                silent_since = time.monotonic()
                name = open_sides[sock]
                data = self._read(sock)
                said[name] += data[:self.KEPT - len(said[name])]
                if data:
                    self.log.note("mta" if name == "mta" else "agent", data)
                    (line.sock if name == "mta" else mta).sendall(data)
                    continue
                del open_sides[sock]
                if name == "agent":
                    return
                line.end_of_data()

    @staticmethod
    def _read(sock):
        try:
            return sock.recv(65536)
        except OSError:
            return b""

    def close(self):
        self._listener.close()
        if self._mta:
            self._mta.close()


__all__ = ["Ended", "Folder", "Held", "Join", "Scripts", "Unexpected",
           "dotted", "hold"]
