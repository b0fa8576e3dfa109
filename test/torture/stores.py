# SPDX-License-Identifier: ISC
"""
stores - the local services that take the mail, and what they have taken.

A store names its delivery (config), is emptied for each point (clear), and
tells what it holds: taken() gives (recipient, text) for each that it said yes
to, in no order, the fields on top taken off.
"""
import glob
import os
import re
import shutil
import socket
import threading

import mail
from patience import Patience


def bare(text):
    """The message below what is put on top, with LF."""
    return mail.split_top(mail.stored(text))[1]


class Untaken(OSError):
    """The connection ends in place of an answer, and nothing was taken."""


class Server:
    """
    LMTP or SMTP, every recipient taken but for those of `later` (452 at their
    first time) and `never` (550), both said where the protocol says it last:
    LMTP behind the text, SMTP at RCPT.
    """

    def __init__(self, folder, lmtp, later=(), never=()):
        self.path = os.path.join(folder, "lmtp.sock")
        self.lmtp = lmtp
        self.later = later
        self.never = never
        self.clear()
        self.talks = 0
        self.quiet = threading.Condition()
        if lmtp:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            self.listener.listen(64)
            self.config = {"lmtp": self.path, "timeout": "20s"}
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.config = {"smtp": "127.0.0.1:%d" % self.listener.getsockname()[1],
                           "timeout": "20s"}
        threading.Thread(target=self.accept, daemon=True).start()

    def clear(self):
        self.got = []
        self.put_off = set()
        self.fault = None

    def heal(self):
        self.fault = None

    def settle(self):
        """Waits until all that the agent has said is read."""
        patience = Patience(20)
        with self.quiet:
            while self.talks:
                if not (left := patience.left()):
                    raise AssertionError("a connection to the store stays open")
                self.quiet.wait(left)

    def taken(self):
        return [(r, bare(text)) for r, text in self.got]

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            if not self.lmtp:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.quiet:
                self.talks += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            with sock, sock.makefile("rb") as lines:
                self.talk(sock, lines)
        except OSError:
            pass
        with self.quiet:
            self.talks -= 1
            self.quiet.notify()

    def say(self, sock, verb, answer):
        """Says it, unless this is where the fault is."""
        fault = self.fault
        if fault is None or fault.verb != verb or not fault.due():
            sock.sendall(answer)
            return
        fault.happen(sock, answer)

    def answer(self, rcpt):
        if rcpt in self.never:
            return b"550 5.1.1 No such user\r\n"
        if rcpt in self.later and rcpt not in self.put_off:
            self.put_off.add(rcpt)
            return b"452 4.2.2 Mailbox full\r\n"
        return b"250 2.0.0 Taken\r\n"

    def talk(self, sock, lines):
        self.say(sock, "GREETING", b"220 local.example\r\n")
        rcpts = []
        for line in lines:
            verb = line[:4].decode("latin-1").upper().strip()
            answer = b"250 2.0.0 OK\r\n"
            if verb in ("LHLO", "EHLO"):
                answer = (b"250-local.example\r\n250-PIPELINING\r\n"
                          b"250-SIZE 10000000\r\n250 ENHANCEDSTATUSCODES\r\n")
                verb = "HELLO"
            elif verb == "RCPT":
                rcpt = re.search(rb"<(.*)>", line).group(1).decode()
                if not self.lmtp:
                    answer = self.answer(rcpt)
                if answer[:1] == b"2":
                    rcpts.append(rcpt)
            elif verb == "DATA" and rcpts:
                self.say(sock, verb, b"354 Go on\r\n")
                if not self.text(sock, lines, rcpts):
                    return
                rcpts = []
                continue
            elif verb == "DATA":
                answer = b"503 5.5.1 No recipients\r\n"
            elif verb in ("MAIL", "RSET"):
                rcpts = []
            self.say(sock, verb, answer)
            if verb == "QUIT":
                return

    def text(self, sock, lines, rcpts):
        text = []
        for line in lines:
            if not text:
                self.say(sock, "TEXT", b"")
            if line == b".\r\n":
                break
            text.append(line[1:] if line[:1] == b"." else line)
        else:
            return False
        whole = b"".join(text)
        for some in [[r] for r in rcpts] if self.lmtp else [rcpts]:
            answer = self.answer(some[0]) if self.lmtp else b"250 2.0.0 Taken\r\n"
            took = answer[:1] == b"2"
            try:
                self.say(sock, "END", answer)
            except Untaken:
                took = False
                raise
            finally:
                if took:
                    self.got += [(rcpt, whole) for rcpt in some]
        return True


# What it has taken is there by one rename, as the queue of a real MTA. The
# recipients stand behind "--".
SENDMAIL = """\
#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
{ echo "$*"; cat; } >"$QUEUE/tmp.$$" || exit 75
mv "$QUEUE/tmp.$$" "$QUEUE/done.$$.$1"
"""


class Sendmail:
    def __init__(self, folder):
        self.queue = os.path.join(folder, "queue")
        os.mkdir(self.queue)
        self.script = os.path.join(folder, "sendmail")
        self.heal()
        self.config = {"sendmail": self.script, "timeout": "20s"}

    def heal(self):
        self.install(SENDMAIL.replace("$QUEUE", self.queue))

    def install(self, script):
        with open(self.script + ".new", "w", encoding="ascii") as file:
            file.write(script)
        os.chmod(self.script + ".new", 0o755)
        os.rename(self.script + ".new", self.script)

    def clear(self):
        shutil.rmtree(self.queue)
        os.mkdir(self.queue)

    def settle(self):
        """Nothing runs: the agent waits for it, and `steps` for both."""

    def taken(self):
        found = []
        for path in glob.glob(os.path.join(self.queue, "done.*")):
            with open(path, "rb") as file:
                rcpts = file.readline().decode().split()
                text = bare(file.read())
            found += [(rcpt, text) for rcpt in rcpts]
        return found


class Maildir:
    def __init__(self, folder):
        self.base = os.path.join(folder, "mail")
        self.make()
        self.config = {"maildir": self.base + "/{domain}/{user}",
                       "create": True, "sync": True}

    def make(self):
        """Empty, and marked so that it is no mount point without its disk."""
        os.mkdir(self.base)
        with open(os.path.join(self.base, ".odmr-agent"), "wb"):
            pass

    def clear(self):
        shutil.rmtree(self.base)
        self.make()

    def heal(self):
        """It was never ill."""

    def settle(self):
        """The agent writes itself."""

    def taken(self):
        found = []
        for path in glob.glob(os.path.join(self.base, "*", "*", "new", "*")):
            domain, user = path.split("/")[-4:-2]
            with open(path, "rb") as file:
                found.append(("%s@%s" % (user, domain), bare(file.read())))
        return found


class SharedMaildir(Maildir):
    """Users have one Maildir in all domains; one file is for all its addresses."""

    def __init__(self, folder):
        super().__init__(folder)
        self.config["maildir"] = self.base + "/{user}"

    def taken(self):
        found = []
        for path in glob.glob(os.path.join(self.base, "*", "new", "*")):
            with open(path, "rb") as file:
                top, text = mail.split_top(file.read())
            found += [(field.split(b" ")[1].strip().decode(), bare(text))
                      for field in top if field.startswith(b"Delivered-To:")]
        return found
